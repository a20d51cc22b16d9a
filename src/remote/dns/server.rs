//! A name server in memory, on real sockets, that goes wrong on demand. For tests.
//!
//! Its zone is `example.test`. What it was asked is written down: `A?`, `absent A, absent CNAME: add 10.0.0.1/30`.
#![expect(clippy::disallowed_methods, reason = "it listens, and signs with the time of day")]

use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hickory_proto::op::{Message, OpCode, ResponseCode};
use hickory_proto::rr::rdata::TSIG;
use hickory_proto::rr::rdata::tsig::{TsigError, make_tsig_record, message_tbs};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UdpSocket};

use super::{Algorithm, Key, Server, Settings, Transport};

/// What goes wrong with one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quirk {
    /// Nothing.
    Fine,
    /// It never arrives.
    Lost,
    /// It is done, and the answer never arrives.
    AnswerLost,
    /// The answer says this, signed.
    Code(ResponseCode),
    /// The answer has no signature.
    Unsigned,
    /// The answer says this, without a signature.
    UnsignedCode(ResponseCode),
    /// The answer is changed on the way.
    Forged,
    /// Somebody else answers first.
    Disturbed,
    /// By UDP only a part of the answer fits.
    Truncated,
    /// The answer is an hour old.
    Stale,
    /// The signature was not accepted, for this reason.
    Tsig(TsigError),
    /// The answer is no message.
    Garbage,
    /// It passes on what others have told it.
    NotAuthoritative,
}

type Zone = BTreeMap<(Name, RecordType), (u32, Vec<RData>)>;

#[derive(Default)]
struct Inside {
    zone: Zone,
    quirks: VecDeque<Quirk>,
    transcript: Vec<String>,
}

/// A server that lives as long as its runtime.
#[derive(Clone)]
pub(crate) struct FakeServer {
    inside: Arc<Mutex<Inside>>,
    pub(crate) at: Server,
}

const SECRET: &[u8] = b"a secret that nobody must see";

pub(crate) fn key() -> Key {
    Key::new("ha.", Algorithm::Sha256, SECRET.to_vec()).unwrap()
}

/// Settings that give up quickly.
pub(crate) fn settings(servers: &[&FakeServer]) -> Settings {
    Settings {
        servers: servers.iter().map(|it| it.at.clone()).collect(),
        key: Some(key()),
        transport: Transport::Udp,
        timeout: Duration::from_millis(150),
        retries: 1,
    }
}

impl FakeServer {
    pub(crate) async fn start() -> Self {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let at = tcp.local_addr().unwrap();
        let udp = UdpSocket::bind(at).await.unwrap();
        let server = Self {
            inside: Arc::default(),
            at: Server { address: at.ip().to_string(), port: at.port() },
        };
        let it = server.clone();
        tokio::spawn(async move {
            let mut buffer = vec![0; 65535];
            loop {
                let (length, from) = udp.recv_from(&mut buffer).await.unwrap();
                for answer in it.answer(&buffer[..length], true) {
                    udp.send_to(&answer, from).await.unwrap();
                }
            }
        });
        let it = server.clone();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = tcp.accept().await.unwrap();
                let Ok(length) = stream.read_u16().await else { continue };
                let mut buffer = vec![0; usize::from(length)];
                stream.read_exact(&mut buffer).await.unwrap();
                for answer in it.answer(&buffer, false) {
                    let length = u16::try_from(answer.len()).unwrap().to_be_bytes();
                    stream.write_all(&[&length, answer.as_slice()].concat()).await.unwrap();
                }
            }
        });
        server
    }

    /// What goes wrong with the next messages.
    pub(crate) fn goes_wrong(&self, quirks: &[Quirk]) {
        self.inside.lock().unwrap().quirks.extend(quirks);
    }

    /// A record set, as somebody else makes it: `api A 30 10.0.0.1 10.0.0.2`. Without records it is removed.
    pub(crate) fn has(&self, text: &str) {
        let words: Vec<_> = text.split(' ').collect();
        let [name, ty, ttl, data @ ..] = words.as_slice() else { panic!("{text}") };
        let ty: RecordType = ty.parse().unwrap();
        let data: Vec<_> = data.iter().map(|it| RData::try_from_str(ty, it).unwrap()).collect();
        let key = (whole(name), ty);
        let zone = &mut self.inside.lock().unwrap().zone;
        if data.is_empty() {
            zone.remove(&key);
        } else {
            zone.insert(key, (ttl.parse().unwrap(), data));
        }
    }

    /// All that it has, in the same form.
    pub(crate) fn holds(&self) -> String {
        let zone = &self.inside.lock().unwrap().zone;
        let set = |((name, ty), (ttl, data)): (&(Name, RecordType), &(u32, Vec<RData>))| {
            let data: Vec<_> = data.iter().map(ToString::to_string).collect();
            let name = name.to_string();
            let name = name.trim_end_matches("example.test.").trim_end_matches('.');
            format!("{name} {ty} {ttl} {}", data.join(" "))
        };
        zone.iter().map(set).collect::<Vec<_>>().join("; ")
    }

    /// What it was asked since the last time.
    pub(crate) fn transcript(&self) -> Vec<String> {
        std::mem::take(&mut self.inside.lock().unwrap().transcript)
    }

    fn answer(&self, bytes: &[u8], is_udp: bool) -> Vec<Vec<u8>> {
        let request = Message::from_vec(bytes).unwrap();
        let inside = &mut *self.inside.lock().unwrap();
        let quirk = inside.quirks.pop_front().unwrap_or(Quirk::Fine);
        inside.transcript.push(describe(&request));
        let is_accepted = !matches!(
            quirk,
            Quirk::Lost | Quirk::Code(_) | Quirk::UnsignedCode(_) | Quirk::Tsig(_)
        );
        let mut answer = Message::response(request.id, request.op_code);
        answer.add_queries(request.queries.clone());
        if is_accepted {
            respond(&mut inside.zone, &request, &mut answer);
        }
        match quirk {
            Quirk::Lost | Quirk::AnswerLost => return Vec::new(),
            Quirk::Garbage => return vec![b"nothing".to_vec()],
            Quirk::Code(code) | Quirk::UnsignedCode(code) => answer.metadata.response_code = code,
            Quirk::Tsig(_) => answer.metadata.response_code = ResponseCode::NotAuth,
            Quirk::NotAuthoritative => answer.metadata.authoritative = false,
            Quirk::Truncated if is_udp => {
                answer.metadata.truncation = true;
                answer.answers.clear();
            }
            _ => {}
        }
        let mut signed = answer.clone();
        if let Some(tsig) = request.signature() {
            sign(&mut signed, &tsig.data, quirk);
        }
        let mut bytes = signed.to_vec().unwrap();
        match quirk {
            Quirk::Unsigned | Quirk::UnsignedCode(_) => bytes = answer.to_vec().unwrap(),
            // A letter of the question, which means the same in the other case.
            Quirk::Forged => bytes[13] ^= 0x20,
            Quirk::Disturbed => {
                let mut other = answer.clone();
                other.metadata.id = answer.id.wrapping_add(1);
                let unsigned = answer.to_vec().unwrap();
                return vec![b"nothing".to_vec(), other.to_vec().unwrap(), unsigned, bytes];
            }
            _ => {}
        }
        vec![bytes]
    }
}

fn whole(name: &str) -> Name {
    let text =
        if name == "@" { "example.test.".to_owned() } else { format!("{name}.example.test.") };
    Name::from_ascii(text).unwrap()
}

fn sign(answer: &mut Message, request: &TSIG, quirk: Quirk) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let (error, other) = match quirk {
        Quirk::Tsig(TsigError::BadTime) => {
            (Some(TsigError::BadTime), (now + 7200).to_be_bytes()[2..].to_vec())
        }
        Quirk::Tsig(error) => (Some(error), Vec::new()),
        _ => (None, Vec::new()),
    };
    let time = if quirk == Quirk::Stale { now - 3600 } else { request.time };
    let algorithm = request.algorithm.clone();
    let mut tsig = TSIG::new(algorithm, time, 300, Vec::new(), answer.id, error, other);
    let length = u16::try_from(request.mac.len()).unwrap().to_be_bytes();
    let of_message = message_tbs(answer, &tsig, &key().name).unwrap();
    if !matches!(error, Some(TsigError::BadKey | TsigError::BadSig)) {
        let mac = key().sign(&[&length, request.mac.as_slice(), &of_message].concat()).unwrap();
        tsig = tsig.set_mac(mac);
    }
    answer.set_signature(Box::new(make_tsig_record(key().name, tsig)));
}

/// As RFC 2136, section 3, and RFC 1034, section 4.3.2, have it, but for what no test needs.
fn respond(zone: &mut Zone, request: &Message, answer: &mut Message) {
    answer.metadata.authoritative = true;
    if request.op_code == OpCode::Query {
        let (name, ty) = (&request.queries[0].name, request.queries[0].query_type);
        let wildcard = name.base_name().prepend_label("*").unwrap();
        for ty in [ty, RecordType::CNAME] {
            let found = [name, &wildcard].into_iter().find_map(|it| zone.get(&(it.clone(), ty)));
            for data in found.into_iter().flat_map(|(_, data)| data) {
                let ttl = found.map_or(0, |(ttl, _)| *ttl);
                answer.add_answer(Record::from_rdata(name.clone(), ttl, data.clone()));
            }
            if found.is_some() {
                break;
            }
        }
        return;
    }
    answer.metadata.response_code = unmet(zone, request).unwrap_or(ResponseCode::NoError);
    if answer.metadata.response_code != ResponseCode::NoError {
        return;
    }
    for change in &request.authorities {
        let key = (change.name.clone(), change.record_type());
        if change.dns_class == DNSClass::ANY {
            zone.remove(&key);
        } else {
            let (ttl, data) = zone.entry(key).or_default();
            *ttl = change.ttl;
            data.push(change.data.clone());
        }
    }
}

fn unmet(zone: &Zone, request: &Message) -> Option<ResponseCode> {
    let mut wanted: Zone = BTreeMap::new();
    for record in &request.answers {
        let key = (record.name.clone(), record.record_type());
        if record.dns_class == DNSClass::IN {
            wanted.entry(key).or_default().1.push(record.data.clone());
        } else if key.1 == RecordType::ANY && zone.keys().any(|(name, _)| *name == key.0) {
            return Some(ResponseCode::YXDomain);
        } else if zone.contains_key(&key) {
            return Some(ResponseCode::YXRRSet);
        }
    }
    let holds = |(key, (_, data)): (&(Name, RecordType), &(u32, Vec<RData>))| {
        zone.get(key).is_some_and(|(_, it)| {
            it.len() == data.len() && it.iter().all(|one| data.contains(one))
        })
    };
    (!wanted.iter().all(holds)).then_some(ResponseCode::NXRRSet)
}

fn describe(request: &Message) -> String {
    if request.op_code == OpCode::Query {
        return format!("{}?", request.queries[0].query_type);
    }
    let prerequisite = |it: &Record| match it.record_type() {
        RecordType::ANY => "unused".to_owned(),
        _ if it.dns_class == DNSClass::IN => it.data.to_string(),
        ty => format!("absent {ty}"),
    };
    let change = |it: &Record| match it.dns_class {
        DNSClass::ANY => format!("remove {}", it.record_type()),
        _ => format!("add {}/{}", it.data, it.ttl),
    };
    let prerequisites: Vec<_> = request.answers.iter().map(prerequisite).collect();
    let changes: Vec<_> = request.authorities.iter().map(change).collect();
    format!("{}: {}", prerequisites.join(", "), changes.join(", "))
}
