//! Record sets on a server that goes wrong.
#![expect(clippy::disallowed_methods, reason = "keeps time limits")]

use std::time::Duration;

use hickory_proto::op::ResponseCode;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Course, Limits, Shown};
use crate::domain::dns::{Data, Desired, Key, Records};
use crate::remote::dns::server::{FakeServer, Quirk, settings};

/// `10.0.0.1 10.0.0.2/30`; `-` is none.
fn records(key: &Key, text: &str) -> Option<Records> {
    let (data, ttl) = text.rsplit_once('/')?;
    let data = data.split(' ').map(|it| Data::parse(key.ty, it).unwrap()).collect();
    Some(Records { ttl: ttl.parse().unwrap(), data })
}

fn limits(time: Duration) -> Limits {
    Limits { by: Instant::now() + time, cancelled: CancellationToken::new() }
}

struct Case {
    id: &'static str,
    /// What the server has at first, parted by `;`.
    has: &'static str,
    wanted: &'static str,
    owned: &'static str,
    quirks: &'static [Quirk],
    /// How it ends, and the messages.
    ends: &'static str,
    asked: &'static [&'static str],
    holds: &'static str,
}

impl Case {
    const fn of(
        id: &'static str,
        has: &'static str,
        wanted: &'static str,
        owned: &'static str,
    ) -> Self {
        Self { id, has, wanted, owned, quirks: &[], ends: "by us", asked: &[], holds: "" }
    }

    async fn check(self) {
        let server = FakeServer::start().await;
        for set in self.has.split(';').filter(|it| !it.is_empty()) {
            server.has(set);
        }
        server.goes_wrong(self.quirks);
        let (key, settings): (Key, _) = (self.id.parse().unwrap(), settings(&[&server]));
        let owned = records(&key, self.owned).map(|it| it.data);
        let desired = Desired { records: records(&key, self.wanted), owned, adopts: false };
        let mut course = Course::new(&settings, &key);
        let ends = match course.reach(&desired, &limits(Duration::from_secs(3))).await {
            Ok(reached) if reached.by_us => "by us".to_owned(),
            Ok(_) => "already".to_owned(),
            Err(stopped) => stopped.to_string(),
        };
        let name = format!("{} {} from {:?}", self.id, self.wanted, self.has);
        assert!(ends.starts_with(self.ends), "{name}: {ends}");
        assert_eq!(server.holds(), self.holds, "{name}");
        let asked = server.transcript();
        assert!(self.asked.is_empty() || asked == self.asked, "{name}: {asked:#?}");
    }
}

const API: &str = "example.test/api/a";
const CREATE: &str = "absent A, absent CNAME: add 10.0.0.1/30";
const PROBE: &str = "absent A, absent CNAME: ";
const REMOVE: &str = "10.0.0.9: remove A";
const REPLACE: &str = "10.0.0.9: remove A, add 10.0.0.1/30";

#[tokio::test]
async fn a_set_is_created_in_one_message_and_then_seen() {
    Case {
        asked: &[CREATE, "A?"],
        holds: "api A 30 10.0.0.1",
        ..Case::of(API, "", "10.0.0.1/30", "-")
    }
    .check()
    .await;
}

#[tokio::test]
async fn a_set_of_somebody_else_is_left_alone() {
    let foreign = Case {
        ends: "it exists already, and holds 10.0.0.9 for 60 s",
        asked: &[CREATE, "A?", PROBE],
        holds: "api A 60 10.0.0.9",
        ..Case::of(API, "api A 60 10.0.0.9", "10.0.0.1/30", "-")
    };
    foreign.check().await;
    let changed = Case {
        ends: "somebody else has changed it meanwhile",
        holds: "api A 60 10.0.0.9",
        ..Case::of(API, "api A 60 10.0.0.9", "10.0.0.1/30", "10.0.0.2/30")
    };
    changed.check().await;
    let kept = Case {
        ends: "somebody else has changed it meanwhile",
        asked: &["10.0.0.2: remove A", PROBE, "A?", PROBE],
        holds: "api A 60 10.0.0.9",
        ..Case::of(API, "api A 60 10.0.0.9", "-", "10.0.0.2/30")
    };
    kept.check().await;
}

#[tokio::test]
async fn a_set_that_is_already_the_wanted_one_is_taken_over() {
    let case = Case {
        ends: "already",
        asked: &[CREATE, "A?"],
        holds: "api A 30 10.0.0.1",
        ..Case::of(API, "api A 30 10.0.0.1", "10.0.0.1/30", "-")
    };
    case.check().await;
}

#[tokio::test]
async fn a_set_of_ours_is_replaced_and_removed_as_it_was_seen() {
    let replaced = Case {
        asked: &["A?", REPLACE, "A?"],
        holds: "api A 30 10.0.0.1",
        ..Case::of(API, "api A 60 10.0.0.9", "10.0.0.1/30", "10.0.0.9/60")
    };
    replaced.check().await;
    let removed =
        Case { asked: &[REMOVE], ..Case::of(API, "api A 60 10.0.0.9", "-", "10.0.0.9/60") };
    removed.check().await;
    let gone =
        Case { ends: "already", asked: &[REMOVE, PROBE], ..Case::of(API, "", "-", "10.0.0.9/60") };
    gone.check().await;
}

#[tokio::test]
async fn after_a_lost_answer_nothing_is_sent_before_a_look() {
    let applied = Case {
        quirks: &[Quirk::AnswerLost],
        asked: &[CREATE, "A?"],
        holds: "api A 30 10.0.0.1",
        ..Case::of(API, "", "10.0.0.1/30", "-")
    };
    applied.check().await;
    let lost = Case {
        quirks: &[Quirk::Lost],
        asked: &[CREATE, "A?", CREATE, "A?"],
        holds: "api A 30 10.0.0.1",
        ..Case::of(API, "", "10.0.0.1/30", "-")
    };
    lost.check().await;
    let replaced = Case {
        quirks: &[Quirk::Fine, Quirk::AnswerLost],
        asked: &["A?", REPLACE, "A?"],
        holds: "api A 30 10.0.0.1",
        ..Case::of(API, "api A 60 10.0.0.9", "10.0.0.1/30", "10.0.0.9/60")
    };
    replaced.check().await;
    let removed = Case {
        quirks: &[Quirk::AnswerLost],
        asked: &[REMOVE, "A?"],
        ..Case::of(API, "api A 60 10.0.0.9", "-", "10.0.0.9/60")
    };
    removed.check().await;
}

#[tokio::test]
async fn a_server_that_fails_is_tried_until_it_works() {
    let case = Case {
        quirks: &[Quirk::Code(ResponseCode::ServFail), Quirk::Lost, Quirk::Unsigned],
        holds: "api A 30 10.0.0.1",
        ..Case::of(API, "", "10.0.0.1/30", "-")
    };
    case.check().await;
}

#[tokio::test]
async fn a_refusal_ends_it_at_once() {
    let case = Case {
        quirks: &[Quirk::Code(ResponseCode::Refused)],
        ends: "no server takes the update: 127.0.0.1:",
        asked: &[CREATE],
        ..Case::of(API, "", "10.0.0.1/30", "-")
    };
    case.check().await;
}

#[tokio::test]
async fn what_a_wildcard_shows_does_not_exist() {
    const WILD: &str = "* A 60 10.0.0.9";
    let created = Case {
        asked: &[CREATE, "A?"],
        holds: "* A 60 10.0.0.9; api A 30 10.0.0.1",
        ..Case::of(API, WILD, "10.0.0.1/30", "-")
    };
    created.check().await;
    // It was removed by somebody else, and a read took the wildcard for it.
    let again = Case {
        asked: &["A?", REPLACE, PROBE, CREATE, "A?"],
        holds: "* A 60 10.0.0.9; api A 30 10.0.0.1",
        ..Case::of(API, WILD, "10.0.0.1/30", "10.0.0.9/60")
    };
    again.check().await;
    let removed = Case {
        ends: "already",
        asked: &[REMOVE, PROBE],
        holds: WILD,
        ..Case::of(API, WILD, "-", "10.0.0.9/60")
    };
    removed.check().await;
    let other = Case {
        ends: "already",
        asked: &["10.0.0.1: remove A", PROBE],
        holds: WILD,
        ..Case::of(API, WILD, "-", "10.0.0.1/60")
    };
    other.check().await;
}

#[tokio::test]
async fn an_alias_stands_alone() {
    let at_alias = Case {
        ends: "the name is an alias (CNAME) of web.example.test",
        asked: &[CREATE, "A?", PROBE],
        holds: "api CNAME 60 web.example.test.",
        ..Case::of(API, "api CNAME 60 web.example.test.", "10.0.0.1/30", "-")
    };
    at_alias.check().await;
    let occupied = Case {
        ends: "the name has records of other types",
        asked: &["unused: add web.example.test./30", "CNAME?", "unused: "],
        holds: "api A 60 10.0.0.9",
        ..Case::of("example.test/api/cname", "api A 60 10.0.0.9", "web.example.test/30", "-")
    };
    occupied.check().await;
}

#[tokio::test]
async fn an_interrupt_ends_a_run_that_waits() {
    let server = FakeServer::start().await;
    server.goes_wrong(&[Quirk::Lost; 20]);
    let (key, settings): (Key, _) = (API.parse().unwrap(), settings(&[&server]));
    let desired = Desired { records: records(&key, "10.0.0.1/30"), owned: None, adopts: false };
    let limits = limits(Duration::from_mins(1));
    limits.cancelled.cancel();
    let stopped = Course::new(&settings, &key).reach(&desired, &limits).await.unwrap_err();
    assert_eq!(stopped.to_string(), "interrupted");
}

#[tokio::test]
async fn a_server_that_lags_is_waited_for_and_one_that_is_gone_is_not() {
    let (primary, secondary) = (FakeServer::start().await, FakeServer::start().await);
    primary.has("@ NS 60 ns1.example.test. ns2.example.test.");
    primary.has("ns1 A 60 127.0.0.1");
    primary.has("api A 30 10.0.0.1");
    let (key, settings): (Key, _) = (API.parse().unwrap(), settings(&[&primary, &secondary]));
    let wanted = records(&key, "10.0.0.1/30").unwrap();
    let mut course = Course::new(&settings, &key);
    let seen = course.everywhere(&wanted, &limits(Duration::from_secs(2))).await.unwrap();
    let [first, second] = &seen[..] else { panic!("{seen:?}") };
    assert!(matches!(first.shown, Shown::All), "{first:?}");
    assert!(matches!(second.shown, Shown::Nothing(_)), "{second:?}");
    assert_eq!(second.server, "ns2.example.test");

    primary.has("api A 30 10.0.0.2");
    let seen = course.everywhere(&wanted, &limits(Duration::from_secs(1))).await.unwrap();
    assert!(matches!(seen[0].shown, Shown::Old(_)), "{seen:?}");
}
