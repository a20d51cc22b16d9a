//! What happens to hosts, connections and providers in the middle of an apply.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use crate::amid::{Kills, killed_after_steps};
use crate::cgroup;
use crate::engine::Engine;
use crate::processes::{Running, until};
use crate::program::within;
use crate::remote::{NODES, Remote, apply_elsewhere, number};
use crate::run::Run;
use crate::trial::{FIRST, Wish};

const SECOND: Wish<'_> = Wish { version: "2", message: "good morning" };
const THIRD: Wish<'_> = Wish { version: "3", message: "good morning" };

/// An apply that has reached its first node.
fn amid(on: &Remote, wish: Wish<'_>) -> Running {
    on.wish(wish, &NODES);
    let running = Running::new(on.trial.at.spawn_apply(|_| ()));
    let line = format!("{} {}", wish.version, wish.message);
    until("the first node", || on.said("a").filter(|it| *it == line));
    running
}

/// It goes on until all is as planned.
#[track_caller]
fn converges(on: &Remote, running: Running, line: &str) {
    Run::new("apply", &running.end()).succeeds();
    on.all_say(Some(line));
    on.trial.at.plan_is_empty();
}

#[test]
fn an_apply_outlives_lost_connections_stalled_hosts_and_reboots() {
    let Some(on) = Remote::new(Engine::Terraform, "root") else { return };

    // Nobody says goodbye. The agent ends by itself, and with it its lock.
    let running = amid(&on, FIRST);
    on.lab.isolate(number("c"));
    let began = Instant::now();
    let has_agent = || {
        let all = cgroup::processes(&on.lab.hosts[number("c")].machine);
        all.iter().any(|it| {
            fs::read_to_string(format!("/proc/{it}/comm")).is_ok_and(|it| it.trim() == "ha-agent")
        })
    };
    assert!(has_agent());
    // Beyond the 30 s: the last heartbeat that it got was before the cut, but it looks at its clock from time to time.
    assert!(within(Duration::from_secs(32), || !has_agent()), "the agent holds its lock for ever");
    eprintln!("the agent was gone after {:?}", began.elapsed());
    on.lab.heal();
    converges(&on, running, "1 good morning");

    // A host stalls, and meanwhile somebody else applies.
    let running = amid(&on, SECOND);
    on.lab.freeze(number("c"));
    let began = Instant::now();
    let elsewhere = tempfile::tempdir().unwrap();
    let turned_away = apply_elsewhere(&on.trial.at, elsewhere.path()).fails();
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    turned_away.says("another run is at work").says("holds it (run ").says("@");
    std::thread::sleep(Duration::from_secs(17).saturating_sub(began.elapsed()));
    on.lab.thaw(number("c"));
    converges(&on, running, "2 good morning");

    // A host that is going down may still answer, and then its systemd says no: that is no refusal.
    let running = amid(&on, THIRD);
    on.lab.reboot(number("b"));
    Run::new("apply", &running.end()).succeeds();
    // The host may go down right after its last step; systemd starts what is there again.
    until("the service", || on.said("b").filter(|it| it == "3 good morning"));
    on.all_say(Some("3 good morning"));
    on.trial.at.plan_is_empty();

    // Nobody but systemd starts it again.
    for node in NODES {
        on.lab.cut_power(number(node));
    }
    for node in NODES {
        on.lab.start(number(node));
    }
    for node in NODES {
        until("the service", || on.said(node));
    }
    on.trial.at.plan_is_empty();
    on.trial.at.destroy();
}

#[test]
fn a_host_that_is_not_fit_or_not_there_is_left_as_it_was() {
    let Some(on) = Remote::new(Engine::Terraform, "root") else { return };
    let at = &on.trial.at;
    on.wish(FIRST, &NODES);
    let untouched = || {
        for node in NODES {
            on.ssh(node, "test ! -e /etc/trial-hello && test ! -e /var/lib/ha");
        }
    };

    // Each is told before anything is changed anywhere.
    let honest = clock_behind(&on);
    at.apply_fails().says("a is not fit: its clock is 7").says(" s ahead of the one of this");
    clock_as_before(&on, &honest);
    untouched();
    on.ssh("b", "systemd-run --quiet --unit=taken systemd-socket-activate -l 7070 true");
    on.ssh("c", "mkdir -p /usr/local/lib/trial");
    on.lab.small_disk(number("c"), "/usr/local/lib/trial", 4);
    on.lab.fill(number("c"), "/usr/local/lib/trial");
    at.apply_fails()
        .says("b is not fit: something listens on port 7070 of")
        .says("c is not fit: /usr/local/lib/trial/1/echo has 0 bytes free, and ");
    untouched();
    on.ssh("b", "systemctl stop taken");
    on.lab.free(number("c"), "/usr/local/lib/trial");
    at.settle();

    // Full in the middle: what was there stays, and nothing partial beside it.
    on.lab.fill(number("c"), "/usr/local/lib/trial");
    on.wish(SECOND, &NODES);
    at.apply_fails().says("cannot install the program on").says("No space left on device");
    on.all_say(Some("1 good morning"));
    let left = on.ssh("c", "find /usr/local/lib/trial -type f -size -4000k ! -name .lab-filler");
    assert_eq!(left.trim(), "/usr/local/lib/trial/1/echo");
    on.lab.free(number("c"), "/usr/local/lib/trial");
    at.settle();
    on.lab.small_disk(number("c"), "/etc/trial-hello", 1);
    at.settle();
    on.lab.fill(number("c"), "/etc/trial-hello");
    on.wish(Wish { message: "good evening", ..SECOND }, &NODES);
    at.apply_fails().says("cannot configure c").says("No space left on device");
    assert_eq!(on.said("c").as_deref(), Some("2 good morning"));
    assert_eq!(on.ssh("c", "ls -A /etc/trial-hello"), ".lab-filler\nmessage\n");
    on.lab.free(number("c"), "/etc/trial-hello");
    at.settle();
    on.all_say(Some("2 good evening"));
    on.ssh("c", "systemctl stop trial-hello && umount /etc/trial-hello /usr/local/lib/trial");

    on.lab.cut_power(number("b"));
    let plan = at.plan().run.says("b cannot be looked at");
    plan.says("c: the message was edited");
    at.apply_fails().says("b cannot be looked at, and may hold a part of this service");
    on.lab.start(number("b"));
    at.settle();
    on.all_say(Some("2 good evening"));
    at.destroy();
}

/// Makes the provider two hours late. What was there before, for `clock_as_before`.
fn clock_behind(on: &Remote) -> [std::path::PathBuf; 2] {
    let path = provider(on);
    let honest = fs::read_link(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let late = "env FAKETIME_DONT_FAKE_MONOTONIC=1 faketime -f -2h";
    fs::write(&path, format!("#!/bin/sh\nexec {late} {} \"$@\"\n", honest.display())).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    init_anew(on);
    [path, honest]
}

fn clock_as_before(on: &Remote, [path, honest]: &[std::path::PathBuf; 2]) {
    fs::remove_file(path).unwrap();
    std::os::unix::fs::symlink(honest, path).unwrap();
    init_anew(on);
}

/// The engine notes the digest of a provider.
fn init_anew(on: &Remote) {
    fs::remove_file(on.trial.at.path(".terraform.lock.hcl")).unwrap();
    on.trial.at.run(&["init"]).succeeds();
}

/// Where Terraform takes the provider from.
fn provider(on: &Remote) -> std::path::PathBuf {
    let home = on.trial.at.path("mirror/registry.terraform.io/terraform-ha/trial/0.1.0");
    let platform = fs::read_dir(home).unwrap().next().unwrap().unwrap();
    platform.path().join("terraform-provider-trial_v0.1.0")
}

#[test]
fn a_provider_that_is_killed_after_any_step_is_continued_by_the_next() {
    let Some(on) = Remote::new(Engine::Terraform, "root") else { return };
    let at = &on.trial.at;
    let kills = Kills { chosen: |_| true, limit: Duration::from_secs(30), most: 20 };
    on.wish(FIRST, &NODES);
    // Claim, install, three times configure and start, note.
    assert!(6 <= killed_after_steps(at, &[], &kills));
    on.all_say(Some("1 good morning"));
    at.plan_is_empty();

    on.wish(SECOND, &NODES);
    assert!(4 <= killed_after_steps(at, &[], &kills));
    on.all_say(Some("2 good morning"));
    at.plan_is_empty();

    assert!(2 <= killed_after_steps(at, &["-destroy"], &kills));
    on.all_say(None);
    assert!(!on.trial.is_in_state());
}
