//! By upload.

use std::fs;

use tokio::sync::mpsc;
use tonic::codegen::tokio_stream::wrappers::ReceiverStream;

use super::{Host, chunk, content, names, program, until};

#[tokio::test]
async fn an_upload_is_installed_when_it_is_whole_and_right() {
    let whole = content(1_000_000);
    let mut host = Host::start().await;
    let artifact = program("3.6.16", "etcd", &whole);
    let size = whole.len();
    for (size, data, text) in [
        (size, &whole[..size / 2], "500000 bytes came, of 1000000"),
        (size / 2, &whole[..], "or all more than said"),
        (size / 2, &whole[..size / 2], "its 500000 bytes have the SHA-256"),
        (usize::MAX / 2, &whole[..1], "are more than an artifact may have"),
    ] {
        let refused = host.upload(artifact.clone(), size, data).await.unwrap_err();
        assert!(refused.message().contains(text), "{refused}");
        assert!(names(&host.path("etcd")).is_empty());
    }
    assert!(host.upload(artifact.clone(), size, &whole).await.unwrap());
    assert_eq!(fs::read(host.path("etcd/3.6.16/etcd")).unwrap(), whole);
    // Answered before all of it has come.
    assert!(!host.upload(artifact, size, &whole).await.unwrap());
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing() {
    let host = Host::start().await;
    let artifact = program("3.6.16", "etcd", b"x");
    let (sender, messages) = mpsc::channel(4);
    sender.send(host.open(artifact, 1 << 20)).await.unwrap();
    sender.send(chunk(&[7; 1000])).await.unwrap();
    let mut client = host.agent.client.clone();
    let uploading =
        tokio::spawn(async move { client.upload_artifact(ReceiverStream::new(messages)).await });
    until(|| host.path("etcd").exists() && names(&host.path("etcd")).len() == 1).await;
    uploading.abort();
    until(|| names(&host.path("etcd")).is_empty()).await;
    drop(sender);
}
