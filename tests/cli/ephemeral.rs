//! A value that lives only while a run needs it.

use crate::engine::for_each_engine;
use crate::workspace::Workspace;

for_each_engine![an_ephemeral_value_is_opened_renewed_and_closed];

fn an_ephemeral_value_is_opened_renewed_and_closed(at: &Workspace) {
    at.config(
        r#"
        ephemeral "probe_token" "t" {
          name = "t"
          ttl  = "1s"
        }
        resource "probe_thing" "a" {
          name     = "a"
          password = ephemeral.probe_token.t.value
          delay    = "2500ms"
        }
        "#,
    );
    at.apply().never_says("token-t");
    assert_eq!(at.object("a").unwrap()["password"], "token-t");

    let events = at.events();
    let tokens = || events.iter().filter(|it| it.ends_with(" t"));
    let count = |event: &str| tokens().filter(|it| *it == event).count();
    // Once in the plan and once in the apply, which takes as long as the delay.
    assert_eq!((count("open t"), count("close t")), (2, 2), "{events:?}");
    assert!(1 <= count("renew t"), "{events:?}");
    let last_renewal = events.iter().rposition(|it| it == "renew t");
    let created = events.iter().position(|it| it == "create a");
    assert!(last_renewal < events.iter().rposition(|it| it == "close t"), "{events:?}");
    assert!(created < events.iter().rposition(|it| it == "close t"), "{events:?}");

    at.plan_is_empty();
    for file in ["terraform.tfstate", "plan.out"] {
        let stored = std::fs::read_to_string(at.path(file)).unwrap_or_default();
        assert!(!stored.contains("token-t"), "{file}: {stored}");
    }
}
