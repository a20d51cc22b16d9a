//! What happens to a balancer and to what is behind it, while clients ask fifty times a second.

use std::time::Duration;

use super::front::{Front, LBS};
use super::load::{Lap, Load};
use super::moves::Moves;
use crate::engine::Engine;
use crate::processes::until;

const BOTH: [usize; 2] = [0, 1];

/// A check finds a frozen server after 1.2 s; the rest is for a machine that two labs share.
pub(crate) const FOUND: Duration = Duration::from_millis(2500);

/// Another node takes over after 1 s.
pub(crate) const TAKEN_OVER: Duration = Duration::from_secs(4);

/// On a machine with the first version of control groups, systemd is not told that all processes of a service have ended,
/// and waits as long as they may take, twice. With the second one it is told at once.
const RESTARTED: Duration = Duration::from_secs(5);

/// The holder says so every 5 s. Clients may have gone to another one.
const REFRESHED: Duration = Duration::from_secs(12);

#[test]
fn a_balancer_outlives_what_happens_to_it() {
    let Some(on) = Front::new(Engine::Tofu, 3) else { return };
    on.wish(&LBS, &[0, 1, 2], "");
    on.settle("bring-up");
    on.settled_on(&BOTH);
    let load = Load::start(on.to(), &on.trust);
    load.runs_on();

    a_server_freezes(&on, &load);
    a_server_dies(&on, &load);
    the_proxy_dies(&on, &load);
    the_proxy_hangs(&on, &load);
    keepalived_dies(&on, &load);
    advertisements_are_lost(&on, &load);
    power_is_lost(&on, &load);

    drop(load);
    on.at.plan_is_empty();
    on.at.destroy();
    for host in BOTH {
        on.is_bare(host);
    }
}

/// What clients see of it.
pub(crate) fn during(load: &Load, what: &str, deed: impl FnOnce()) -> Lap {
    let began = load.begin();
    deed();
    load.runs_on();
    load.runs_on();
    let lap = load.lap(&began);
    eprintln!("{what}: {lap:?}");
    assert!(0 < lap.answered);
    lap
}

/// Until a server is given connections again.
fn is_back(on: &Front, server: usize) {
    let name = format!("cp{server}");
    until("it is given connections", || (on.answers().as_ref() == Some(&name)).then_some(()));
}

fn a_server_freezes(on: &Front, load: &Load) {
    is_back(on, 0);
    let lap = during(load, "a server is frozen", || on.servers.freeze(&on.lab, 0));
    assert!(lap.failed <= 6 && !lap.has_waited() && lap.until < FOUND, "{lap:?}");
    on.servers.thaw(&on.lab, 0);
    is_back(on, 0);
}

fn a_server_dies(on: &Front, load: &Load) {
    let lap = during(load, "a server is killed", || on.servers.kill(&on.lab, 1));
    assert!(lap.failed <= 4 && lap.until < FOUND, "{lap:?}");
    on.servers.revive(&on.lab, 1);
    is_back(on, 1);
}

/// systemd starts it again, or another node takes over: whichever comes first.
fn the_proxy_dies(on: &Front, load: &Load) {
    let (holder, _) = on.settled_on(&BOTH);
    let before = on.pid(holder, "haproxy-api");
    let lap = during(load, "HAProxy is killed", || {
        on.lab.ssh(holder, &format!("kill -KILL {before}"));
        on.settled_on(&BOTH);
    });
    assert!(lap.gap < TAKEN_OVER, "{lap:?}");
    until("it runs again", || {
        let now = on.pid(holder, "haproxy-api");
        (now != "0" && now != before).then_some(())
    });
}

/// Nobody starts it anew, and the address leaves it.
fn the_proxy_hangs(on: &Front, load: &Load) {
    let (holder, _) = on.settled_on(&BOTH);
    let workers = on.workers(holder).join(" ");
    let lap = during(load, "HAProxy hangs", || {
        on.lab.ssh(holder, &format!("kill -STOP {workers}"));
        until("the other has it", || (on.holders(&BOTH) == [1 - holder]).then_some(()));
    });
    assert!(lap.gap < 2 * TAKEN_OVER, "{lap:?}");
    on.lab.ssh(holder, &format!("kill -CONT {workers}"));
    assert_eq!(on.settled_on(&BOTH).0, 1 - holder, "it does not come back by itself");
}

/// However it ends, the address goes with it: two have it for no longer than it takes systemd to see that.
fn keepalived_dies(on: &Front, load: &Load) {
    for (what, which) in
        [("all of keepalived", "keepalived"), ("a part of keepalived", "-n keepalived")]
    {
        let (holder, _) = on.settled_on(&BOTH);
        let before = on.pid(holder, "keepalived-api");
        let moves = Moves::watch(&on.lab, &BOTH, on.virtual_ip());
        let lap = during(load, &format!("{what} is killed"), || {
            on.lab.ssh(holder, &format!("pkill -KILL -x {which}"));
            until("it runs again", || {
                let now = on.pid(holder, "keepalived-api");
                (now != "0" && now != before).then_some(())
            });
            on.settled_on(&BOTH);
        });
        let (both, gained) = moves.since(holder);
        eprintln!("two holders for {both:?}, gained {gained} times");
        assert!(both < RESTARTED, "{both:?}");
        assert!(lap.gap < TAKEN_OVER, "{lap:?}");
    }
}

/// Both take the address, for neither hears of the other. It heals by itself.
fn advertisements_are_lost(on: &Front, load: &Load) {
    let (holder, _) = on.settled_on(&BOTH);
    let moves = Moves::watch(&on.lab, &BOTH, on.virtual_ip());
    on.lab.partition(&[0], &[1]);
    until("both have it", || (on.holders(&BOTH) == BOTH).then_some(()));
    let lap = during(load, "advertisements are lost and found again", || {
        on.lab.heal();
        until("one holder", || (on.holders(&BOTH).len() == 1).then_some(()));
    });
    let (both, _) = moves.since(holder);
    eprintln!("two holders for {both:?}");
    assert!(lap.gap < REFRESHED, "{lap:?}");
}

fn power_is_lost(on: &Front, load: &Load) {
    let (holder, _) = on.settled_on(&BOTH);
    let heir = 1 - holder;
    let lap = during(load, "the power of the holder is cut", || {
        on.lab.cut_power(holder);
        on.settled_on(&[heir]);
    });
    assert!(lap.gap < TAKEN_OVER, "{lap:?}");
    on.at.plan().run.says("cannot be looked at");
    on.lab.start(holder);
    until("its proxy runs", || (on.pid(holder, "haproxy-api") != "0").then_some(()));
    let lap = during(load, "it is back", || on.at.plan_is_empty());
    assert_eq!(lap.failed, 0, "{lap:?}");
    assert_eq!(on.settled_on(&BOTH).0, heir, "who comes back moves nothing");
}
