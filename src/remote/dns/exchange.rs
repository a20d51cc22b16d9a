//! One message to one server, and its answer.
#![expect(clippy::disallowed_methods, reason = "opens sockets, and signs with the time of day")]

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hickory_proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::rdata::tsig::TsigError;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket, lookup_host};
use tokio::time::{Instant, timeout_at};
use tracing::debug;

use super::message::{MOST_BY_UDP, is_answer};
use super::{Code, Fault, Key, Server, Transport, tsig};

/// How one message is sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way<'a> {
    pub(super) key: Option<&'a Key>,
    pub(super) transport: Transport,
    /// How long the answer may take.
    pub(super) timeout: Duration,
}

/// Sends the message and waits for its answer, which is proven to be that of the server when there is a key.
///
/// # Errors
/// There is no such answer, or it says why there is none.
pub(super) async fn exchange(
    server: &Server,
    mut message: Message,
    way: Way<'_>,
) -> Result<Message, Fault> {
    let limit = Limit { until: Instant::now() + way.timeout, of: way.timeout };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |it| it.as_secs());
    let (bytes, mac) = match way.key {
        Some(key) => tsig::sign(&mut message, key, now).map_err(Fault::Unsendable)?,
        None => (message.to_vec().map_err(Fault::Unsendable)?, Vec::new()),
    };
    let asked = Asked { message: &message, key: way.key, mac: &mac, now };
    debug!(%server, id = message.id, op = ?message.op_code, bytes = bytes.len(), "asks");
    let found = lookup_host((server.address.as_str(), server.port));
    let addresses = limit.within(found, Fault::Unresolved).await?;
    let mut result = Err(Fault::Unresolved(io::Error::other("it has no address")));
    for address in addresses {
        let fits = bytes.len() <= usize::from(MOST_BY_UDP);
        result = match way.transport {
            Transport::Udp if fits => by_udp(address, &bytes, &asked, limit).await,
            _ => by_tcp(address, &bytes, &asked, limit).await,
        };
        // A name may have addresses that cannot be reached from here.
        if !matches!(result, Err(Fault::Unreachable(_))) {
            break;
        }
    }
    debug!(%server, id = message.id, code = ?result.as_ref().map(|it| it.response_code), "has answered");
    result
}

/// Until when an answer may come.
#[derive(Clone, Copy)]
struct Limit {
    until: Instant,
    of: Duration,
}

impl Limit {
    async fn within<T>(
        self,
        work: impl Future<Output = io::Result<T>>,
        fault: fn(io::Error) -> Fault,
    ) -> Result<T, Fault> {
        match timeout_at(self.until, work).await {
            Ok(done) => done.map_err(fault),
            Err(_) => Err(Fault::Silent(self.of)),
        }
    }
}

async fn by_udp(
    at: SocketAddr,
    bytes: &[u8],
    asked: &Asked<'_>,
    limit: Limit,
) -> Result<Message, Fault> {
    let any = match at {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    };
    let socket = UdpSocket::bind(any).await.map_err(Fault::Unreachable)?;
    socket.connect(at).await.map_err(Fault::Unreachable)?;
    socket.send(bytes).await.map_err(Fault::Unreachable)?;
    let mut buffer = vec![0; usize::from(u16::MAX)];
    let mut wrong = None;
    loop {
        // By UDP anybody can send anything: what is wrong is remembered, and the right answer waited for.
        let received = match limit.within(socket.recv(&mut buffer), Fault::Unreachable).await {
            Err(Fault::Silent(_)) if wrong.is_some() => {
                return wrong.map_or(Err(Fault::Malformed), Err);
            }
            received => received?,
        };
        match asked.judge(buffer.get(..received).unwrap_or_default()) {
            // An update that was answered was done: to send it again by TCP would do it twice.
            Ok(answer) if answer.truncation && answer.op_code == OpCode::Query => {
                return by_tcp(at, bytes, asked, limit).await;
            }
            Err(Judged::Wrong(fault)) => wrong = Some(fault),
            Err(Judged::Final(fault)) => return Err(fault),
            Ok(answer) => return Ok(answer),
        }
    }
}

async fn by_tcp(
    at: SocketAddr,
    bytes: &[u8],
    asked: &Asked<'_>,
    limit: Limit,
) -> Result<Message, Fault> {
    let Ok(length) = u16::try_from(bytes.len()) else {
        return Err(Fault::Unsendable("it is longer than 65535 bytes".into()));
    };
    let mut stream = match timeout_at(limit.until, TcpStream::connect(at)).await {
        Ok(stream) => stream.map_err(Fault::Unreachable)?,
        Err(_) => return Err(Fault::Unreachable(io::ErrorKind::TimedOut.into())),
    };
    let both = async {
        stream.write_all(&[&length.to_be_bytes(), bytes].concat()).await?;
        let mut buffer = vec![0; usize::from(stream.read_u16().await?)];
        stream.read_exact(&mut buffer).await?;
        Ok(buffer)
    };
    let answer = limit.within(both, Fault::Broken).await?;
    asked.judge(&answer).map_err(|(Judged::Wrong(fault) | Judged::Final(fault))| fault)
}

/// What was sent.
struct Asked<'a> {
    message: &'a Message,
    key: Option<&'a Key>,
    /// The signature of the message.
    mac: &'a [u8],
    now: u64,
}

/// Why it is not the answer.
enum Judged {
    /// It may be from anybody.
    Wrong(Fault),
    /// The server says so.
    Final(Fault),
}

impl Asked<'_> {
    fn judge(&self, bytes: &[u8]) -> Result<Message, Judged> {
        let wrong = || Judged::Wrong(Fault::Malformed);
        let answer = Message::from_vec(bytes).map_err(|_| wrong())?;
        let is_ours = answer.message_type == MessageType::Response
            && (answer.id, answer.op_code) == (self.message.id, self.message.op_code)
            && (answer.queries.is_empty() || answer.queries == self.message.queries);
        if !is_ours {
            return Err(wrong());
        }
        let is_signed = match self.key {
            None => true,
            Some(key) => self.check(bytes, &answer, key)?,
        };
        let code = answer.response_code;
        match is_answer(answer.op_code, code) {
            true if is_signed => Ok(answer),
            true => Err(Judged::Wrong(Fault::Unsigned)),
            // A server that could not even look at the signature says so without one.
            false => Err(Judged::Final(Fault::Answered(refusal(code)))),
        }
    }

    /// Whether the answer is signed.
    fn check(&self, bytes: &[u8], answer: &Message, key: &Key) -> Result<bool, Judged> {
        let Some(signature) = answer.signature() else { return Ok(false) };
        let tsig = &signature.data;
        let answered = |code| Err(Judged::Final(Fault::Answered(code)));
        match tsig.error {
            // These two cannot be signed (RFC 8945, section 5.2). They change nothing, whoever sent them.
            Some(TsigError::BadKey) => return answered(Code::BadKey),
            Some(TsigError::BadSig) => return answered(Code::BadSig),
            _ => {}
        }
        if !tsig::is_signed(bytes, key, self.mac) {
            return Err(Judged::Wrong(Fault::BadSignature));
        }
        if tsig.error == Some(TsigError::BadTime) {
            // The time of the server in 48 bits (RFC 8945, section 5.2.3).
            let theirs = (tsig.other.len() == 6)
                .then(|| tsig.other.iter().fold(0_i64, |sum, it| (sum << 8) | i64::from(*it)));
            let ours = i64::try_from(self.now).unwrap_or(i64::MAX);
            return answered(Code::BadTime { ahead: theirs.map(|it| it.saturating_sub(ours)) });
        }
        if !tsig::is_fresh(tsig, self.now) {
            return Err(Judged::Wrong(Fault::Stale(tsig.time.abs_diff(self.now))));
        }
        Ok(true)
    }
}

fn refusal(code: ResponseCode) -> Code {
    match code {
        ResponseCode::FormErr => Code::FormErr,
        ResponseCode::ServFail => Code::ServFail,
        ResponseCode::NXDomain => Code::NxDomain,
        ResponseCode::NotImp => Code::NotImp,
        ResponseCode::Refused => Code::Refused,
        ResponseCode::NotAuth => Code::NotAuth,
        ResponseCode::NotZone => Code::NotZone,
        other => Code::Other(other.into()),
    }
}
