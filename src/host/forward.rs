//! A socket of a host, reached through its agent.

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, ReadHalf, WriteHalf, split};
use tokio::sync::mpsc;
use tonic::codegen::tokio_stream::wrappers::ReceiverStream;
use tonic::{Response, Streaming};

use super::messages::forward_open::Target;
use super::messages::{ForwardOpen, ForwardReply, ForwardRequest, forward_reply, forward_request};
use super::{Host, HostError, Stream};

/// What waits on the way before its writer waits.
const PIPE: usize = 256 << 10;
const CHUNK: usize = 64 << 10;
const WAITING: usize = 4;

impl Host {
    /// A connection to a TCP port of the host: an IP address of its own, and the port.
    ///
    /// # Errors
    /// [`HostError::Failed`]: nobody listens there, or it is no address of the host.
    pub async fn forward(&self, address: &str) -> Result<impl Stream + use<>, HostError> {
        self.open_to(Target::Tcp(address.to_owned()), address).await
    }

    /// A connection to a Unix socket of the host.
    ///
    /// # Errors
    /// [`HostError::Failed`]: nobody listens there.
    pub async fn forward_socket(&self, path: &str) -> Result<impl Stream + use<>, HostError> {
        self.open_to(Target::Unix(path.to_owned().into()), path).await
    }

    async fn open_to(
        &self,
        target: Target,
        called: &str,
    ) -> Result<impl Stream + use<>, HostError> {
        let call = format!("connect to {called}");
        let (sender, requests) = mpsc::channel(WAITING);
        let open = ForwardOpen { target: Some(target) };
        let open = forward_request::Message::Open(open);
        // There is room for the first.
        let _ = sender.send(ForwardRequest { message: Some(open) }).await;
        let requests = ReceiverStream::new(requests);
        let answers = self.call(call.clone(), async |mut it| {
            let mut answers = it.forward(requests).await?.into_inner();
            // The first answer says that it is open, or why not.
            answers.message().await?;
            Ok(Response::new(answers))
        });
        let answers = answers.await?;
        let (near, far) = tokio::io::duplex(PIPE);
        let (reader, writer) = split(far);
        tokio::spawn(send(reader, sender));
        tokio::spawn(receive(answers, writer));
        Ok(near)
    }
}

/// Here to there. Its end closes that direction.
async fn send(mut reader: ReadHalf<DuplexStream>, sender: mpsc::Sender<ForwardRequest>) {
    let mut buffer = BytesMut::new();
    loop {
        buffer.reserve(CHUNK);
        if !matches!(reader.read_buf(&mut buffer).await, Ok(1..)) {
            return;
        }
        let data: Bytes = buffer.split().freeze();
        let message = Some(forward_request::Message::Data(data));
        if sender.send(ForwardRequest { message }).await.is_err() {
            return;
        }
    }
}

/// There to here.
async fn receive(mut answers: Streaming<ForwardReply>, mut writer: WriteHalf<DuplexStream>) {
    // When whoever reads is gone, there is nobody to write to.
    while let Ok(Some(ForwardReply { message: Some(message) })) = answers.message().await {
        let written = match message {
            forward_reply::Message::Data(data) => writer.write_all(&data).await,
            forward_reply::Message::Ended(_) => writer.shutdown().await,
            forward_reply::Message::Opened(_) => Ok(()),
        };
        if written.is_err() {
            return;
        }
    }
    let _ = writer.shutdown().await;
}
