//! Plain HTTP at the port for metrics of a member.

use http::header::HOST;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tonic::body::Body;

use crate::remote::body::whole;

/// What is there, whatever the status. None: nobody answers, or with more than `most` bytes.
pub(super) async fn get(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    path: &str,
    most: usize,
) -> Option<Vec<u8>> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    // It ends with the sender.
    tokio::spawn(connection);
    let request = http::Request::get(path).header(HOST, "etcd").body(Body::empty()).ok()?;
    whole(sender.send_request(request).await.ok()?.into_body(), most).await
}
