//! Bytes between the client and a socket of this host.
#![expect(clippy::disallowed_methods, reason = "opens sockets")]

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tonic::{Status, Streaming};

use super::facts;
use super::fault::Fault;
use super::place::{HostPath, Root};
use crate::proto::agent::forward_open::Target;
use crate::proto::agent::forward_reply::Message as Out;
use crate::proto::agent::forward_request::Message as In;
use crate::proto::agent::{ForwardEnded, ForwardOpened, ForwardReply, ForwardRequest};

type Reader = Box<dyn AsyncRead + Send + Unpin>;
type Writer = Box<dyn AsyncWrite + Send + Unpin>;
type Answers = mpsc::Sender<Result<ForwardReply, Status>>;

const CONNECT_LIMIT: Duration = Duration::from_secs(10);
const CHUNK: usize = 64 << 10;

/// Carries bytes until both sides have ended, or one is broken.
pub(super) async fn forward(
    root: &Root,
    mut requests: Streaming<ForwardRequest>,
    answers: Answers,
) {
    let (reader, writer) = match open(root, &mut requests).await {
        Ok(opened) => opened,
        Err(status) => {
            // A client that is gone needs no answer.
            let _ = answers.send(Err(status)).await;
            return;
        }
    };
    let opened = ForwardReply { message: Some(Out::Opened(ForwardOpened {})) };
    if answers.send(Ok(opened)).await.is_err() {
        return;
    }
    tokio::select! {
        // The client may end its direction and still read; but when it is gone there is nobody left to read for.
        () = answers.closed() => {}
        ((), ()) = async { tokio::join!(send(writer, requests), receive(reader, &answers)) } => {}
    }
}

async fn open(
    root: &Root,
    requests: &mut Streaming<ForwardRequest>,
) -> Result<(Reader, Writer), Status> {
    let first = requests.message().await?;
    let Some(In::Open(open)) = first.and_then(|it| it.message) else {
        return Err(Fault::Invalid("the first message opens the stream".to_owned()).into());
    };
    let opened = match open.target {
        None => return Err(Fault::Invalid("the stream has no target".to_owned()).into()),
        Some(Target::Tcp(address)) => tcp(&address).await,
        Some(Target::Unix(path)) => unix(root, &path).await,
    };
    Ok(opened?)
}

async fn tcp(address: &str) -> Result<(Reader, Writer), Fault> {
    let (reader, writer) = connect(address).await?.0.into_split();
    Ok((Box::new(reader), Box::new(writer)))
}

/// A connection to a port of this host, and the address that it is.
pub(super) async fn connect(address: &str) -> Result<(TcpStream, SocketAddr), Fault> {
    let target: SocketAddr = address
        .parse()
        .map_err(|_| Fault::Invalid(format!("{address:?} is not an IP address with a port")))?;
    if !is_own(target.ip())? {
        return Err(Fault::Refused(format!("{} is no address of this host", target.ip())));
    }
    let connected = in_time(address, TcpStream::connect(target)).await?;
    connected.set_nodelay(true).map_err(Fault::failed(format!("set up {address}")))?;
    Ok((connected, target))
}

async fn unix(root: &Root, path: &[u8]) -> Result<(Reader, Writer), Fault> {
    let path = HostPath::parse(path)?;
    let Some((above, name)) = path.split() else {
        return Err(Fault::Invalid("the root is no socket".to_owned()));
    };
    let above = root.directory(&above).map_err(Fault::failed(format!("open {above}")))?;
    // Through the open directory: short enough for a socket whatever the length of the root, and within it.
    let mut short = OsString::from(format!("/proc/self/fd/{}/", above.as_raw_fd()));
    short.push(name);
    let stat = rustix::fs::statat(&above, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW);
    let stat = stat.map_err(Fault::failed(format!("look at {path}")))?;
    if rustix::fs::FileType::from_raw_mode(stat.st_mode) != rustix::fs::FileType::Socket {
        return Err(Fault::Refused(format!("{path} is no socket")));
    }
    let connected = UnixStream::connect(PathBuf::from(short));
    let (reader, writer) = in_time(&path.to_string(), connected).await?.into_split();
    Ok((Box::new(reader), Box::new(writer)))
}

async fn in_time<T>(
    target: &str,
    connecting: impl Future<Output = std::io::Result<T>>,
) -> Result<T, Fault> {
    let connected = timeout(CONNECT_LIMIT, connecting).await;
    let connected = connected.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()));
    connected.map_err(Fault::failed(format!("connect to {target}")))
}

/// So that the agent is no way into the network behind its host.
fn is_own(address: IpAddr) -> Result<bool, Fault> {
    if address.is_loopback() {
        return Ok(true);
    }
    let own = facts::network::addresses()?;
    Ok(own.iter().any(|it| it.address.parse() == Ok(address)))
}

/// Client to socket. The end of the client's direction is passed on.
async fn send(mut writer: Writer, mut requests: Streaming<ForwardRequest>) {
    while let Ok(Some(ForwardRequest { message: Some(In::Data(data)) })) = requests.message().await
    {
        if writer.write_all(&data).await.is_err() {
            return;
        }
    }
    // The other side may have closed before.
    let _ = writer.shutdown().await;
}

/// Socket to client, as fast as the client takes it.
async fn receive(mut reader: Reader, answers: &Answers) {
    let mut buffer = BytesMut::new();
    loop {
        buffer.reserve(CHUNK);
        let data: Result<Bytes, Status> = match reader.read_buf(&mut buffer).await {
            Ok(0) => {
                let ended = ForwardReply { message: Some(Out::Ended(ForwardEnded {})) };
                // A client that is gone need not know.
                let _ = answers.send(Ok(ended)).await;
                return;
            }
            Ok(_) => Ok(buffer.split().freeze()),
            Err(error) => Err(Fault::failed("read from the socket")(error).into()),
        };
        let is_broken = data.is_err();
        let answer = data.map(|it| ForwardReply { message: Some(Out::Data(it)) });
        if answers.send(answer).await.is_err() || is_broken {
            return;
        }
    }
}
