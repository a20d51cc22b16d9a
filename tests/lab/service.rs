//! The life of a service on real hosts, through real engines.

use std::fs;

use crate::engine::Engine;
use crate::lab::PASSWORD;
use crate::processes::until;
use crate::remote::{NODES, Remote, number};
use crate::trial::{FIRST, Wish};

#[test]
fn a_service_lives_and_ends_under_terraform() {
    let Some(on) = Remote::new(Engine::Terraform, "root") else { return };
    lives_and_ends(&on);
}

#[test]
fn a_service_lives_and_ends_under_opentofu_and_a_sudo_that_asks_for_a_password() {
    let Some(mut on) = Remote::new(Engine::Tofu, "opspw") else { return };
    on.trial.at.environment.push(("HA_SUDO_PASSWORD".to_owned(), PASSWORD.into()));
    lives_and_ends(&on);
}

/// What a service that is gone leaves on its host.
const STAYS: [&str; 3] = ["/usr/local/lib/ha-agent", "/var/lib/ha-agent", "/var/lib/ha"];

fn lives_and_ends(on: &Remote) {
    let at = &on.trial.at;
    let before = ["a", "b"].map(|it| on.everything(it));
    on.wish(FIRST, &["a", "b"]);
    at.plan().run.says("start the service on a");
    at.settle();
    assert_eq!(on.said("a").as_deref(), Some("1 good morning"));
    assert_eq!(on.said("c"), None);

    // A third joins; the message changes online.
    let pid = on.pid("a");
    on.wish(Wish { message: "good evening", ..FIRST }, &NODES);
    at.settle();
    on.all_say(Some("1 good evening"));
    assert_eq!(on.pid("a"), pid);

    let second = Wish { version: "2", message: "good evening" };
    on.wish(second, &NODES);
    at.settle();
    on.all_say(Some("2 good evening"));
    assert_ne!(on.pid("a"), pid);

    // Broken behind its back: the plan says what, an apply mends it.
    on.ssh("a", "systemctl stop trial-hello");
    on.ssh("b", "echo nonsense >/etc/trial-hello/message");
    at.plan().run.says("a: the service does not run").says("b: the message was edited");
    at.settle();
    on.all_say(Some("2 good evening"));
    let crashed = on.pid("c");
    on.ssh("c", &format!("kill -KILL {crashed}"));
    // In between systemd knows of no process, though the killed one may have had a last word.
    until("a restart", || {
        Some(on.pid("c")).filter(|it| ![crashed.as_str(), "0"].contains(&it.as_str()))
    });
    until("an answer", || on.said("c"));
    at.plan_is_empty();

    another_machine_needs_consent(on, second);

    on.wish(second, &["a", "c"]);
    at.settle();
    assert_eq!(on.said("b"), None);
    at.destroy();
    on.all_say(None);
    for (node, before) in ["a", "b"].into_iter().zip(before) {
        let mut left = on.everything(node);
        left.retain(|it| !before.contains(it) && !STAYS.iter().any(|stays| it.starts_with(stays)));
        assert_eq!(left, [""; 0], "{node}");
    }
}

/// The state knows the key of the machine that was there, whatever the file of known hosts says by now.
fn another_machine_needs_consent(on: &Remote, wish: Wish<'_>) {
    let (at, c) = (&on.trial.at, number("c"));
    on.lab.cut_power(c);
    on.lab.rebuild(c);
    let plan = at.plan().run.says("c cannot be looked at");
    let fingerprints: Vec<_> = plan.text.match_indices("SHA256:").collect();
    assert!(2 <= fingerprints.len(), "{}", plan.text);
    let other = Wish { message: "never said", ..wish };
    on.wish(other, &NODES);
    let refused = at.apply_fails().says("c cannot be looked at, and may hold a part");
    assert!(2 <= refused.text.matches("SHA256:").count(), "{}", refused.text);
    assert_eq!(on.said("a").as_deref(), Some("2 good evening"), "nothing was changed");

    let key = on.lab.hosts[c].root().join("etc/ssh/ssh_host_ed25519_key.pub");
    let key = format!("host_key = \"{}\"", fs::read_to_string(key).unwrap().trim());
    on.wish_with(wish, &[("a", ""), ("b", ""), ("c", &key)]);
    at.settle();
    on.all_say(Some("2 good evening"));
    // From now on the new key is the one that is pinned.
    on.wish(wish, &NODES);
    at.settle();
}
