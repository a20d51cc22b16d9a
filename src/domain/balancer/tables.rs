//! What follows from what, one line each.
//!
//! A node is `key:marks`, and fine but for its marks: `n` nobody's, `u` of an unfinished creation, `o` with an old
//! record, `f` foreign, `p` without programs, `c` with few files, `N` without a network for the virtual IP; `d` other files, `D` no files; `a` no service, `s` stopped, `S` starting,
//! `x` stuck, `w` serves otherwise, `r` with too little room; `g` another copy, `G` no copy; `K` no keepalived, `k` stopped, `i` not informed;
//! `^` has the virtual IP; `t` tried, `e` put back; `?` silent, `!` silent and behind. `-` before it: it is to leave.

use std::collections::{BTreeMap, BTreeSet};

use super::samples::{wish, with_virtual_ip};
use super::*;
use crate::domain::Next;
use crate::domain::host::{MachineId, Owner};
use crate::domain::name::Name;

pub(super) fn backend(desired: &Desired, name: &str) -> Backend {
    let endpoint = desired.backends[&name.parse().unwrap()];
    Backend { endpoint, is_up: true, is_drained: false, sessions: 3 }
}

pub(super) fn fine(desired: &Desired, machine: &str) -> Facts {
    let names = desired.backends.keys();
    let backends = names.map(|it| (it.clone(), backend(desired, it.as_str()))).collect();
    let has_keepalived = desired.virtual_ip.is_some();
    Facts {
        machine: MachineId(machine.to_owned()),
        owner: Owner::Ours { is_current: true },
        foreign: None,
        has_programs: true,
        most_files: u64::MAX,
        has_network: true,
        on_disk: Lies::Wished,
        good: Lies::Wished,
        proxy: Process::Running(Running { is_wished: true, is_cramped: false, backends }),
        keepalived: if has_keepalived {
            Keepalived::Running { is_current: true }
        } else {
            Keepalived::Absent
        },
        holds: false,
    }
}

fn facts(desired: &Desired, key: &str, marks: &str) -> Facts {
    let mut it = fine(desired, key);
    for mark in marks.chars() {
        match mark {
            'n' => it.owner = Owner::Nobody,
            'u' => it.owner = Owner::Unfinished,
            'o' => it.owner = Owner::Ours { is_current: false },
            'f' => it.owner = Owner::Foreign("somebody".to_owned()),
            'N' => it.has_network = false,
            'p' => it.has_programs = false,
            'c' => it.most_files = 9_100,
            'd' => it.on_disk = Lies::Other,
            'D' => it.on_disk = Lies::Nothing,
            'a' => it.proxy = Process::Absent,
            's' => it.proxy = Process::Stopped,
            'S' => it.proxy = Process::Starting,
            'x' => it.proxy = Process::Stuck,
            'w' => {
                if let Process::Running(running) = &mut it.proxy {
                    running.is_wished = false;
                }
            }
            'r' => {
                if let Process::Running(running) = &mut it.proxy {
                    running.is_cramped = true;
                }
            }
            'g' => it.good = Lies::Other,
            'G' => it.good = Lies::Nothing,
            'K' => it.keepalived = Keepalived::Absent,
            'k' => it.keepalived = Keepalived::Stopped,
            'i' => it.keepalived = Keepalived::Running { is_current: false },
            '^' => it.holds = true,
            't' | 'e' => {}
            other => panic!("{other}"),
        }
    }
    it
}

fn observed(desired: &Desired, text: &str) -> Observed {
    let (mut nodes, mut former) = (BTreeMap::new(), BTreeMap::new());
    let (mut tried, mut failed) = (BTreeSet::new(), BTreeMap::new());
    for word in text.split_whitespace() {
        let (name, marks) = word.split_once(':').unwrap_or((word, ""));
        let key: Name = name.trim_start_matches('-').parse().unwrap();
        let node = match marks {
            "?" => Node::Unseen { is_current: true },
            "!" => Node::Unseen { is_current: false },
            _ => Node::Seen(Box::new(facts(desired, key.as_str(), marks))),
        };
        if marks.contains('t') {
            tried.insert(key.clone());
        }
        if marks.contains('e') {
            failed.insert(key.clone(), "cannot bind".to_owned());
        }
        let map = if name.starts_with('-') { &mut former } else { &mut nodes };
        map.insert(key, node);
    }
    let is_known = !text.contains('n') && !text.contains('u');
    let (before, after) = (Some(Strangers::default()), Some(Strangers::default()));
    Observed { nodes, former, is_known, tried, failed, is_early: false, before, after }
}

fn told(next: Next<Step, Refusal>) -> String {
    match next {
        Next::Done => "done".to_owned(),
        Next::Act(step) => step.to_string(),
        Next::Wait(reason) => format!("wait for {reason}"),
        Next::Refuse(refusal) => format!("refuse {}: {refusal}", refusal.subject()),
    }
}

#[track_caller]
fn check(desired: &Desired, text: &str, expected: &str) {
    let found = told(next(desired, &observed(desired, text)));
    assert!(found.starts_with(expected), "{text}: {found}");
}

fn plain() -> Desired {
    Desired::new(wish()).unwrap()
}

fn moving() -> Desired {
    Desired::new(with_virtual_ip()).unwrap()
}

#[test]
fn a_balancer_is_brought_up_one_node_after_the_other() {
    let it = plain();
    check(&it, "lb1:npDaG lb2:npDaG", "claim lb1, lb2");
    check(&it, "lb1:upDaG lb2:upDaG", "install the programs on lb1, lb2");
    check(&it, "lb1:uDaG lb2:uDaG", "check and write the files of lb1");
    check(&it, "lb1:usG lb2:uDaG", "start HAProxy on lb1");
    check(&it, "lb1:uStG lb2:uDaG", "wait for lb1 to come up");
    check(&it, "lb1:utG lb2:uDaG", "check and write the files of lb2");
    check(&it, "lb1:uG lb2:uG", "keep the configuration of lb1 as one that works");
    check(&it, "lb1:u lb2:u", "record on lb1, lb2 what was applied");
    check(&it, "lb1 lb2", "done");
    check(&it, "lb1:n lb2:?", "refuse nodes[\"lb2\"]: lb2 cannot be looked at");
}

#[test]
fn the_virtual_ip_comes_when_all_proxies_serve() {
    let it = moving();
    check(&it, "lb1:uk lb2:uDaGK", "check and write the files of lb2");
    check(&it, "lb1:uk lb2:uk", "start keepalived on lb1");
    check(&it, "lb1:u^ lb2:uk", "start keepalived on lb2");
    check(&it, "lb1:u lb2:u", "wait for a node to have the virtual IP");
    check(&it, "lb1:u^ lb2:u", "record on lb1, lb2");
    // A newcomer would take the address from those who do not know it.
    check(&it, "lb1:i^ lb2:i lb3:uk", "let keepalived on lb2 read its file anew");
    check(&it, "lb1:i^ lb2 lb3:uk", "let keepalived on lb1 read its file anew");
    check(&it, "lb1:^ lb2 lb3:uk", "start keepalived on lb3");
}

#[test]
fn others_are_listened_for_around_every_change_of_keepalived() {
    let it = moving();
    let check = |text: &str, before: Option<&Strangers>, after: Option<&Strangers>, expected| {
        let mut seen = observed(&it, text);
        (seen.before, seen.after) = (before.cloned(), after.cloned());
        let found = told(next(&it, &seen));
        assert!(found.starts_with(expected), "{text}: {found}");
    };
    let nobody = Strangers::default();
    let owner = Strangers { owners: ["02:00:00:00:00:07".to_owned()].into(), ..nobody.clone() };
    let router = Strangers { routers: [[10, 0, 0, 9].into()].into(), ..nobody.clone() };

    let listen = "listen on lb1, lb2 whether others have the virtual IP or its router id";
    check("lb1:npDaGK lb2:npDaGK", None, None, listen);
    check("lb1:npDaGK lb2:npDaGK", Some(&nobody), None, "claim lb1, lb2");
    check("lb1:i^ lb2:i", None, None, listen);
    check("lb1:k lb2:k", None, None, listen);
    check("lb1:^ lb2:k", None, None, "start keepalived on lb2");
    check("lb1:^ lb2:d", None, None, "check and write the files of lb2");
    check("lb1:^ lb2", None, None, "done");
    check("lb1:? lb2:?", None, None, "done");
    let taken =
        "refuse virtual_ip.address: 02:00:00:00:00:07 says that it has this address already";
    check("lb1:npDaGK lb2:npDaGK", Some(&owner), None, taken);
    let taken = "refuse virtual_ip.router_id: 10.0.0.9 advertises a virtual router of this number";
    check("lb1:npDaGK lb2:npDaGK", Some(&router), None, taken);

    check("lb1:o^ lb2", None, None, "ask from lb2 whether others have the virtual IP, too");
    check("lb1:u^ lb2:u", Some(&nobody), Some(&nobody), "record on lb1, lb2");
    let shared = "refuse virtual_ip.address: 02:00:00:00:00:07 says that it has this address, too";
    check("lb1:o^ lb2", None, Some(&owner), shared);
    // With nobody left to ask there is no answer.
    check("lb1:o^ lb2:?", None, None, "record on lb1");
}

#[test]
fn a_host_without_files_for_all_connections_is_refused_with_the_number_that_fits() {
    let fits = "refuse max_connections: a service on lb2 may not have files for so many connections, but for 4500";
    check(&plain(), "lb1:npDaG lb2:npcDaG", fits);
    check(&plain(), "lb1 lb2:dc", fits);
    let mut wish = wish();
    wish.max_connections = 4500;
    check(&Desired::new(wish).unwrap(), "lb1:npDaG lb2:npcDaG", "claim lb1, lb2");
}

#[test]
fn whoever_has_the_virtual_ip_is_changed_last() {
    let it = moving();
    check(&it, "lb1:d^ lb2:d", "check and write the files of lb2");
    check(&it, "lb1:d^ lb2:w", "let HAProxy on lb2 read its file anew");
    check(&it, "lb1:d^ lb2:tg", "keep the configuration of lb2");
    check(&it, "lb1:d^ lb2", "check and write the files of lb1");
    // What serves nobody has nothing to lose.
    check(&it, "lb1:d^ lb2:dx", "check and write the files of lb2");
    check(&it, "lb1:^ lb2:x", "restart HAProxy on lb2");
    check(&it, "lb1:^ lb2:s", "start HAProxy on lb2");
}

#[test]
fn what_does_not_come_up_is_put_back_and_goes_nowhere_else() {
    let it = moving();
    check(&it, "lb1:d^ lb2:wtg", "go back on lb2 to the configuration that worked last");
    check(&it, "lb1:d^ lb2:stg", "go back on lb2 to the configuration that worked last");
    check(&it, "lb1:d^ lb2:dSe", "wait for lb2 to serve as before");
    check(
        &it,
        "lb1:d^ lb2:dwe",
        "refuse nodes[\"lb2\"]: lb2 does not serve with this configuration, and no other node gets it: cannot bind",
    );
    check(&it, "lb1:uG lb2:ustG", "refuse nodes[\"lb2\"]: lb2 does not serve");
    check(&it, "lb1:^ lb2:st", "refuse nodes[\"lb2\"]: lb2 does not serve");
}

#[test]
fn a_node_leaves_when_another_has_the_virtual_ip() {
    let it = moving();
    check(&it, "lb1 lb2 -lb3:^", "stop keepalived on lb3, so that another");
    check(&it, "lb1 lb2 -lb3:k", "wait for another node to have the virtual IP");
    check(&it, "lb1:^ lb2 -lb3:k", "remove the balancer from lb3");
    check(&it, "lb1:s lb2:s -lb3:^", "start HAProxy on lb1");
    check(&it, "lb1:? lb2:? -lb3:^", "refuse nodes[\"lb3\"]: lb3 is the only node that serves");
    check(&it, "lb1:^ lb2 -lb3:?", "refuse lost_hosts: lb3 cannot be reached to be cleaned");
    check(&it, "lb1:^ lb2 -lb3:n", "done");
    let mut wish = with_virtual_ip();
    wish.lost_hosts.insert("lb3".parse().unwrap());
    check(&Desired::new(wish).unwrap(), "lb1:^ lb2 -lb3:?", "done");
    check(&plain(), "lb1:i^ lb2", "remove keepalived from lb1");
}

#[test]
fn a_silent_host_is_neither_changed_nor_forgotten() {
    let it = moving();
    check(&it, "lb1:^ lb2:?", "done");
    check(&it, "lb1:d^ lb2:?", "check and write the files of lb1");
    check(&it, "lb1:^ lb2:!", "refuse nodes[\"lb2\"]: lb2 cannot be reached to be changed");
    check(&it, "lb1 lb2:?", "done");
}

#[test]
fn a_proxy_that_needs_more_room_is_restarted_when_it_has_no_address() {
    let it = moving();
    check(&it, "lb1:r^ lb2:r", "stop keepalived on lb2, so that another");
    check(&it, "lb1:r^ lb2:rk", "restart HAProxy on lb2");
    check(&it, "lb1:r^ lb2:k", "start keepalived on lb2");
    check(&it, "lb1:r^ lb2", "stop keepalived on lb1, so that another");
    check(&it, "lb1:rk lb2:k", "restart HAProxy on lb1");
    check(&it, "lb1:rk lb2", "wait for another node to have the virtual IP");
    check(&it, "lb1:dx lb2:r^", "restart HAProxy on lb1");
    check(&it, "lb1:r^ lb2:?", "refuse nodes[\"lb1\"]: lb1 is the only node that serves");
    // How much room it has was not noted by whoever has begun.
    check(&plain(), "lb1:ruG lb2:uDaG", "check and write the files of lb2");
    check(&plain(), "lb1:ruG lb2:uaG", "start HAProxy on lb2");
    check(&plain(), "lb1:r lb2:r", "restart HAProxy on lb1");
}

#[test]
fn what_is_not_ours_stays() {
    let it = plain();
    check(&it, "lb1:f lb2", "refuse nodes[\"lb1\"]: lb1 belongs to somebody");
    let mut seen = observed(&it, "lb1:nDaG lb2:nDaG");
    if let Some(Node::Seen(facts)) = seen.nodes.values_mut().next() {
        facts.foreign = Some("/etc/x".to_owned());
    }
    assert!(told(next(&it, &seen)).starts_with("refuse nodes[\"lb1\"]: /etc/x on lb1 is there"));
    let mut seen = observed(&it, "lb1 lb2");
    for node in seen.nodes.values_mut() {
        *node = Node::Seen(Box::new(fine(&it, "m")));
    }
    assert!(told(next(&it, &seen)).contains("lb1 and lb2 are the same machine"));
    let never = Desired::new(Wish { install: Install::Never, ..wish() }).unwrap();
    check(&moving(), "lb1:uN lb2:u", "refuse virtual_ip: no interface of lb1 has");
    check(&never, "lb1:u lb2:up", "refuse install: haproxy is not there on lb2");
}

fn stranger(them: &mut BTreeMap<Name, Backend>, is_drained: bool, sessions: u64) {
    let (endpoint, is_up) = (([10, 0, 0, 99], 1).into(), true);
    let backend = Backend { endpoint, is_up, is_drained, sessions };
    them.insert("old".parse().unwrap(), backend);
}

#[test]
fn backends_change_while_the_proxy_runs() {
    let it = plain();
    let check = |edit: fn(&mut BTreeMap<Name, Backend>), tried: bool, expected: &str| {
        let mut seen = observed(&it, if tried { "lb1:tg lb2" } else { "lb1 lb2" });
        let Some(Node::Seen(facts)) = seen.nodes.values_mut().next() else { panic!() };
        let Process::Running(running) = &mut facts.proxy else { panic!() };
        edit(&mut running.backends);
        let found = told(next(&it, &seen));
        assert!(found.starts_with(expected), "{found}");
    };
    check(|it| drop(it.pop_first()), false, "take cp1 in on lb1");
    check(
        |it| it.values_mut().for_each(|it| it.is_drained = true),
        false,
        "give cp1, cp2, cp3 connections again on lb1",
    );
    check(|it| stranger(it, false, 0), false, "give old no more connections on lb1");
    check(|it| stranger(it, true, 0), false, "drop old on lb1");
    // It keeps its connections, in the process that goes.
    check(|it| stranger(it, true, 7), false, "let HAProxy on lb1 read its file anew");
    check(|it| stranger(it, true, 7), true, "go back on lb1");
    check(
        |it| it.values_mut().for_each(|it| it.endpoint.set_port(1)),
        false,
        "give cp1, cp2, cp3 no more",
    );
}

#[test]
fn nobody_waits_for_ever_for_what_is_behind_the_balancer() {
    let it = plain();
    let mut seen = observed(&it, "lb1:u lb2:u");
    for node in seen.nodes.values_mut() {
        let Node::Seen(facts) = node else { panic!() };
        let Process::Running(running) = &mut facts.proxy else { panic!() };
        running.backends.values_mut().for_each(|it| it.is_up = false);
    }
    seen.is_early = true;
    assert_eq!(told(next(&it, &seen)), "wait for a backend to be healthy");
    seen.is_early = false;
    assert_eq!(told(next(&it, &seen)), "record on lb1, lb2 what was applied");
}

#[test]
fn a_destroy_cleans_what_is_ours_and_waits_for_nobody_who_is_lost() {
    let check = |lost: &[&str], text: &str, expected: &str| {
        let mut wish = wish();
        wish.lost_hosts = lost.iter().map(|it| it.parse().unwrap()).collect();
        let desired = Desired::new(wish).unwrap();
        let found = told(leave(&desired, &observed(&desired, text)));
        assert!(found.starts_with(expected), "{text}: {found}");
    };
    check(&[], "lb1 lb2 -lb3", "remove the balancer from lb1, lb2, lb3");
    check(&[], "lb1 lb2:?", "refuse lost_hosts: lb2 cannot be reached");
    check(&["lb2"], "lb1 lb2:?", "remove the balancer from lb1");
    check(&[], "lb1:n lb2:f", "done");
}
