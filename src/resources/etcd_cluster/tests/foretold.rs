//! What a plan announces of members that have to be replaced though nobody edited anything.

use serde_json::json;

use super::*;
use crate::domain::etcd::{MemberId, Step};
use crate::resources::etcd_cluster::ill::Ill;

/// Of a, b and c.
async fn with_ill(edit: Json, ill: &[(&str, Ill)]) -> Told {
    let ill = ill.iter().map(|(key, it)| ((*key).to_owned(), *it)).collect();
    let told = told(Some(&json!({})), &edit, Kept { ill, ..Kept::default() }).await;
    assert!(!told.diags.has_errors(), "{:?}", told.diags);
    told
}

fn removal(key: &str) -> Step {
    let (member, host) = (MemberId(0), key.parse().ok());
    Step::RemoveMember { label: key.to_owned(), member, host }
}

#[tokio::test]
async fn a_member_without_its_data_is_replaced_as_the_plan_says() {
    let told = with_ill(json!({}), &[("c", Ill::Blank)]).await;
    assert_eq!(
        told.steps,
        [
            "remove c from the cluster",
            "add c as a learner at https://192.0.2.3:2380",
            "start the learner c",
            "give c a vote",
        ]
    );
    assert!(told.announced.allows(&removal("c")) && !told.announced.allows(&removal("b")));
    assert!(told.announced.allows(&Step::MoveAside { host: "c".parse().unwrap() }));
    // The first one leads no more.
    let told = with_ill(json!({}), &[("a", Ill::Blank)]).await;
    assert_eq!(told.steps[0], "remove a from the cluster");
}

#[tokio::test]
async fn a_corrupt_member_is_replaced_as_the_plan_says() {
    let told = with_ill(json!({}), &[("b", Ill::Corrupt)]).await;
    let steps: Vec<_> = told.steps.iter().map(String::as_str).collect();
    assert_eq!(steps[..2], ["remove b from the cluster", "clear the alarm of the former member 2"]);
    assert!(steps.contains(&"stop what is left on b of a former member and move its data aside"));
    assert!(steps.contains(&"give b a vote"));
    assert!(told.announced.allows(&removal("b")));
    assert!(told.announced.allows(&Step::MoveAside { host: "b".parse().unwrap() }));
    // The leader gives the lead away before.
    let told = with_ill(json!({}), &[("a", Ill::Corrupt)]).await;
    assert_eq!(told.steps[..2], ["move the lead from a to b", "remove a from the cluster"]);
}

#[tokio::test]
async fn what_was_edited_comes_after_the_rescue() {
    let told = with_ill(json!({"election_timeout": "2s"}), &[("c", Ill::Blank)]).await;
    let at = |step: &str| told.steps.iter().position(|it| it == step);
    let settings = at("restart etcd on a with 3.6.16 and its new settings");
    assert!(at("give c a vote") < settings, "{:?}", told.steps);
    // Its key has left the map as well.
    let told = with_ill(json!({"members": members("a b")}), &[("c", Ill::Blank)]).await;
    assert!(told.steps.contains(&"remove c from the cluster".to_owned()), "{:?}", told.steps);
    assert!(told.announced.allows(&removal("c")));
}

/// An earlier run may have ended between its start and its vote, and another one may have dropped it.
#[tokio::test]
async fn what_is_left_of_a_newcomer_may_be_cleaned() {
    let told = with_ill(json!({"members": members("a b c d")}), &[]).await;
    assert!(told.announced.allows(&Step::MoveAside { host: "d".parse().unwrap() }));
    assert!(told.announced.allows(&removal("d")) && !told.announced.allows(&removal("c")));
    let told = with_ill(json!({}), &[]).await;
    assert_eq!((told.steps, told.announced), (Vec::new(), Announced::default()));
}

#[tokio::test]
async fn what_cannot_be_mended_is_not_announced() {
    let told = with_ill(json!({}), &[("b", Ill::Blank), ("c", Ill::Blank)]).await;
    assert_eq!(told.steps, Vec::<String>::new());
    assert!(!told.announced.allows(&removal("c")));
}

#[test]
fn private_data_of_before_is_read() {
    let kept: Kept = serde_json::from_str(r#"{"announced":{},"pins":{},"last":{}}"#).unwrap();
    assert!(kept.ill.is_empty());
    let ill = ill::Found::from([("c".to_owned(), Ill::Blank)]);
    let text = serde_json::to_string(&Kept { ill, ..kept }).unwrap();
    assert!(text.ends_with(r#""ill":{"c":"blank"},"has_quorum":false,"restored":0}"#), "{text}");
}
