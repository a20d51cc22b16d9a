//! Messages to a server that goes wrong.
#![expect(clippy::disallowed_methods, reason = "keeps time limits")]

use std::time::Duration;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::rdata::tsig::TsigError;
use proptest::prelude::*;
use tokio::time::Instant;

use super::server::{FakeServer, Quirk, key, settings};
use super::*;

fn question() -> Question {
    Question { name: Name::from_ascii("api.example.test.").unwrap(), ty: RecordType::A }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(5)
}

fn told(looked: Result<Looked, Failed>) -> String {
    match looked {
        Ok(looked) => {
            let data: Vec<_> = looked.answer.data.iter().map(ToString::to_string).collect();
            format!("{} by {}", data.join(" "), if looked.is_first { "first" } else { "other" })
        }
        Err(failed) => failed.to_string(),
    }
}

#[tokio::test]
async fn a_question_is_asked_until_a_signed_answer_comes() {
    for (quirks, asked, wanted) in [
        (vec![], 1, "10.0.0.1 by first"),
        (vec![Quirk::Lost], 2, "10.0.0.1 by first"),
        (vec![Quirk::Disturbed], 1, "10.0.0.1 by first"),
        (vec![Quirk::Truncated, Quirk::Fine], 2, "10.0.0.1 by first"),
        (vec![Quirk::Code(ResponseCode::ServFail)], 2, "10.0.0.1 by first"),
        (vec![Quirk::Lost; 2], 2, "it did not answer within 150ms"),
        (vec![Quirk::Unsigned; 2], 2, "its answer is not signed"),
        (vec![Quirk::Forged; 2], 2, "the signature of its answer is wrong"),
        (vec![Quirk::Stale; 2], 2, "its answer was signed 3600 seconds from now"),
        (vec![Quirk::Garbage; 2], 2, "what it answered cannot be read"),
        (vec![Quirk::Code(ResponseCode::ServFail); 2], 2, "it answered SERVFAIL"),
        (vec![Quirk::Code(ResponseCode::Refused)], 1, "it answered REFUSED"),
        (vec![Quirk::UnsignedCode(ResponseCode::Refused)], 1, "it answered REFUSED"),
        (vec![Quirk::Code(ResponseCode::NotAuth)], 1, "it answered NOTAUTH"),
        (vec![Quirk::NotAuthoritative], 1, "it does not answer for the zone itself"),
        (vec![Quirk::Tsig(TsigError::BadKey)], 1, "it answered BADKEY"),
        (vec![Quirk::Tsig(TsigError::BadSig)], 1, "it answered BADSIG"),
        (vec![Quirk::Tsig(TsigError::BadTime)], 1, "its clock is 7200 seconds ahead"),
    ] {
        let server = FakeServer::start().await;
        server.has("api A 30 10.0.0.1");
        server.goes_wrong(&quirks);
        let settings = settings(&[&server]);
        let told = told(Client::new(&settings).look(&question(), soon()).await);
        assert!(told.contains(wanted), "{quirks:?}: {told}");
        assert_eq!(server.transcript().len(), asked, "{quirks:?}");
        assert!(!format!("{settings:?} {told}").contains("secret"), "{settings:?}");
    }
}

#[tokio::test]
async fn the_next_server_answers_when_the_first_does_not() {
    let (first, second) = (FakeServer::start().await, FakeServer::start().await);
    first.has("api A 30 10.0.0.1");
    second.has("api A 30 10.0.0.2");
    for quirk in [Quirk::Lost, Quirk::Code(ResponseCode::Refused), Quirk::Unsigned] {
        first.goes_wrong(&[quirk]);
        let settings = settings(&[&first, &second]);
        let mut client = Client::new(&settings);
        assert_eq!(told(client.look(&question(), soon()).await), "10.0.0.2 by other");
        // Who answered is asked first from then on.
        assert_eq!(told(client.look(&question(), soon()).await), "10.0.0.2 by other");
        assert_eq!(first.transcript().len(), 1, "{quirk:?}");
    }
}

#[tokio::test]
async fn nobody_at_home_is_told_at_once() {
    let gone = UdpPort::unused();
    let mut settings = settings(&[]);
    settings.servers = vec![Server { address: "127.0.0.1".to_owned(), port: gone }];
    for transport in [Transport::Udp, Transport::Tcp] {
        settings.transport = transport;
        let failed = Client::new(&settings).look(&question(), soon()).await.unwrap_err();
        assert!(failed.to_string().contains("it cannot be reached: "), "{failed}");
        assert!(failed.is_transient() && !failed.may_have_run());
    }
}

/// A port on which nobody listens.
struct UdpPort;

impl UdpPort {
    fn unused() -> u16 {
        std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
    }
}

fn update() -> Update {
    let name = question().name;
    let data = RData::A(rdata::A([10, 0, 0, 1].into()));
    Update {
        zone: Name::from_ascii("example.test.").unwrap(),
        prerequisites: vec![Prerequisite::Absent(name.clone(), RecordType::A)],
        changes: vec![Change::Add(name, 30, data)],
    }
}

#[tokio::test]
async fn an_update_whose_answer_is_lost_is_not_sent_to_anybody_else() {
    for (quirk, may_have_run) in [
        (Quirk::Lost, true),
        (Quirk::AnswerLost, true),
        (Quirk::Unsigned, true),
        (Quirk::Code(ResponseCode::ServFail), true),
        (Quirk::Code(ResponseCode::Refused), false),
        (Quirk::Tsig(TsigError::BadKey), false),
    ] {
        let (first, second) = (FakeServer::start().await, FakeServer::start().await);
        first.goes_wrong(&[quirk]);
        let settings = settings(&[&first, &second]);
        let updated = Client::new(&settings).update(&update(), soon()).await;
        assert_eq!(updated.is_err(), may_have_run, "{quirk:?}");
        assert_eq!(second.holds().is_empty(), may_have_run, "{quirk:?}");
    }
}

#[tokio::test]
async fn a_prerequisite_that_does_not_hold_is_an_answer() {
    let server = FakeServer::start().await;
    server.has("api A 30 10.0.0.9");
    let settings = settings(&[&server]);
    let updated = Client::new(&settings).update(&update(), soon()).await;
    assert_eq!(updated.unwrap(), Updated::Unmet { exists: true, of_name: false });
    assert_eq!(server.holds(), "api A 30 10.0.0.9");
}

#[tokio::test]
async fn every_algorithm_signs_and_verifies() {
    for name in ["hmac-sha256", "hmac-sha384", "hmac-sha512", "hmac-sha1", "hmac-md5"] {
        let algorithm = Algorithm::named(name).unwrap();
        let key = Key::new("ha.", algorithm, b"x".to_vec()).unwrap();
        let mac = key.sign(b"data").unwrap();
        assert!(key.verifies(b"data", &mac));
        assert!(!key.verifies(b"Data", &mac) && !key.verifies(b"data", &mac[..mac.len() - 1]));
    }
    assert_eq!(Algorithm::named("hmac-sha224"), None);
}

proptest! {
    /// Whatever comes from the network is refused, and nothing ends.
    #[test]
    fn any_bytes_are_no_signed_answer(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(!tsig::is_signed(&bytes, &key(), b"mac"));
    }

    #[test]
    fn a_message_that_is_changed_anywhere_is_not_signed(at in 0_usize..10_000, bit in 0_u8..8) {
        let mut message = question().message(false);
        let (mut bytes, _) = tsig::sign(&mut message, &key(), 1_700_000_000).unwrap();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        prop_assert!(!tsig::is_signed(&bytes, &key(), b""), "byte {}", at);
    }
}
