//! The life of a balancer, from bare hosts to none, while clients ask all the time.

use std::fs;

use super::front::{Front, LBS};
use super::load::{Load, Silent};
use crate::engine::Engine;
use crate::processes::until;

/// Connections that say nothing.
const SILENT: usize = 20;

/// One planned change in which no address moves: nobody notices.
#[track_caller]
pub(crate) fn unnoticed(on: &Front, load: &Load, what: &str) {
    let began = load.begin();
    on.settle(what);
    load.runs_on();
    let lap = load.lap(&began);
    eprintln!("{what}: {lap:?}");
    assert_eq!(lap.failed, 0, "{what}: {lap:?}");
}

/// One planned change in which the address may move: clients are served again soon.
#[track_caller]
fn noticed_for_a_moment(on: &Front, load: &Load, what: &str) {
    let began = load.begin();
    on.settle(what);
    load.runs_on();
    let lap = load.lap(&began);
    eprintln!("{what}: {lap:?}");
    assert!(lap.gap.as_secs() < 3, "{what}: {lap:?}");
}

#[test]
fn a_balancer_lives_and_ends_under_terraform() {
    let Some(on) = Front::bare(Engine::Terraform, 4) else { return };
    files_of_others_are_left_alone(&on);
    on.wish(&LBS, &[0, 1], "install = \"never\"");
    on.at.apply_fails().says("haproxy is not there on lb1, lb2, or keepalived where it is needed");
    on.wish(&LBS, &[0, 1], "");
    let plan = on.at.plan().run.says("install the programs on lb1, lb2");
    plan.says("start keepalived on lb1");
    on.settle("bring-up");
    let (_, took) = on.settled_on(&[0, 1]);
    eprintln!("an answer after {took:?}");

    let load = Load::start(on.to(), &on.trust);
    load.runs_on();
    changes_are_not_noticed(&on, &load);
    what_is_invalid_reaches_nobody(&on, &load);
    what_was_edited_is_mended(&on, &load);
    a_lost_state_is_found_again(&on);

    // More room is a restart, with the address elsewhere.
    on.wish(&LBS, &[1, 2], "max_connections = 9000");
    on.at.plan().run.says("restart HAProxy on lb2");
    noticed_for_a_moment(&on, &load, "more connections");

    // A third node comes, and the holder leaves.
    let (holder, _) = on.settled_on(&[0, 1]);
    let stays = LBS.iter().find(|it| it.1 != holder).copied().unwrap();
    on.wish(&[stays, ("lb3", 2)], &[1, 2], "max_connections = 9000");
    on.at.plan().run.says(&format!("remove the balancer from {}", LBS[holder].0));
    noticed_for_a_moment(&on, &load, "a node is replaced");
    on.settled_on(&[stays.1, 2]);
    on.is_bare(holder);
    drop(load);

    the_address_changes(&on, &[stays, ("lb3", 2)]);
    on.at.destroy();
    for host in [0, 1, 2] {
        on.is_bare(host);
    }
    assert_eq!(on.answers(), None);
}

fn files_of_others_are_left_alone(on: &Front) {
    let config = "/etc/balancer-api/haproxy.cfg";
    on.lab.ssh(1, &format!("mkdir /etc/balancer-api; echo '# mine' >{config}"));
    on.wish(&LBS, &[0, 1], "");
    on.at.apply_fails().says(&format!("{config} on lb2 is there already"));
    assert_eq!(on.lab.ssh(1, &format!("cat {config}")), "# mine\n");
    on.is_bare(0);
    on.lab.ssh(1, "rm -r /etc/balancer-api");
}

fn changes_are_not_noticed(on: &Front, load: &Load) {
    let (holder, _) = on.settled_on(&[0, 1]);
    let mut silent = Silent::open(on.to(), &on.trust, SILENT);
    let workers = [0, 1].map(|it| on.workers(it));
    on.wish(&LBS, &[0, 1, 2], "");
    unnoticed(on, load, "a backend comes");
    assert_eq!([0, 1].map(|it| on.workers(it)), workers, "nothing is reloaded");
    until("the newcomer is asked", || (on.answers().as_deref() == Some("cp2")).then_some(()));
    on.wish(&LBS, &[1, 2], "");
    unnoticed(on, load, "a backend goes");
    assert_ne!(on.answers().as_deref(), Some("cp0"));
    on.wish(&LBS, &[1, 2], "balance = \"roundrobin\"\n  proxy_timeouts = { idle = \"2h\" }");
    unnoticed(on, load, "parameters change");
    assert_ne!(on.workers(holder), workers[holder], "it is reloaded");
    assert_eq!(silent.cut(), 0);
    assert_eq!(on.settled_on(&[0, 1]).0, holder, "nothing moves");
    on.wish(&LBS, &[1, 2], "");
    unnoticed(on, load, "parameters change back");
}

/// What the program finds fault with, and what it finds no fault with and cannot do.
fn what_is_invalid_reaches_nobody(on: &Front, load: &Load) {
    let config = "sha256sum /etc/balancer-api/*";
    let before = [0, 1].map(|it| on.lab.ssh(it, config));
    let began = load.begin();
    for host in [0, 1] {
        on.lab.ssh(host, "sed -i s/^haproxy:/nobody-else:/ /etc/passwd");
    }
    on.wish(&LBS, &[1, 2], "balance = \"source\"");
    on.at.apply_fails().says("and nothing was changed");
    assert_eq!([0, 1].map(|it| on.lab.ssh(it, config)), before);
    for host in [0, 1] {
        on.lab.ssh(host, "sed -i s/^nobody-else:/haproxy:/ /etc/passwd");
    }
    // The port is somebody else's, who shares it with nobody.
    let taken = "printf 'global\\n noreuseport\\ndefaults\\n timeout client 1s\\nfrontend x\\n mode http\\n bind 0.0.0.0:9443\\n' >/root/x.cfg; \
                 systemd-run --quiet --unit=taken haproxy -db -f /root/x.cfg; \
                 until ss -tln | grep -q :9443; do :; done";
    for host in [0, 1] {
        on.lab.ssh(host, taken);
    }
    on.wish(&LBS, &[1, 2], "metrics_port = 9443");
    on.at.apply_fails().says("does not serve with this configuration, and no other node gets it");
    for host in [0, 1] {
        on.lab.ssh(host, "systemctl stop taken");
    }
    load.runs_on();
    let lap = load.lap(&began);
    eprintln!("invalid configurations: {lap:?}");
    assert_eq!(lap.failed, 0, "{lap:?}");
    on.wish(&LBS, &[1, 2], "");
    unnoticed(on, load, "back to what worked");
}

fn what_was_edited_is_mended(on: &Front, load: &Load) {
    let (holder, _) = on.settled_on(&[0, 1]);
    let other = 1 - holder;
    on.lab.ssh(holder, "sed -i 's/retries 2/retries 3/' /etc/balancer-api/haproxy.cfg");
    on.lab.ssh(other, "systemctl stop keepalived-api");
    let plan = on.at.plan().run;
    let plan = plan.says(&format!("{}: /etc/balancer-api/haproxy.cfg was edited", LBS[holder].0));
    plan.says(&format!("{}: keepalived-api.service does not run", LBS[other].0));
    unnoticed(on, load, "what was edited is mended");
    assert_eq!(on.settled_on(&[0, 1]).0, holder);

    // Without its proxy a node gives the address away, and does not take it back.
    on.lab.ssh(holder, "systemctl stop haproxy-api");
    until("the other has it", || (on.holders(&[0, 1]) == [other]).then_some(()));
    on.at.plan().run.says(&format!("{}: haproxy-api.service does not run", LBS[holder].0));
    unnoticed(on, load, "a proxy that was stopped runs again");
    assert_eq!(on.settled_on(&[0, 1]).0, other);
}

fn a_lost_state_is_found_again(on: &Front) {
    let id = || on.at.state()["resources"][0]["instances"][0]["attributes"]["id"].clone();
    let before = id();
    fs::remove_file(on.at.path("terraform.tfstate")).unwrap();
    on.at.apply_fails().says("belongs to the load_balancer \"api\" with the id");
    let import = format!("api@{}", on.lab.address(1));
    on.at.run(&["import", "ha_load_balancer.this", &import]).succeeds();
    assert_eq!(id(), before);
    on.at.plan_is_empty();
}

/// To another one, then to none, and to one again.
fn the_address_changes(on: &Front, nodes: &[(&str, usize)]) {
    let hosts: Vec<_> = nodes.iter().map(|it| it.1).collect();
    let old = on.virtual_ip();
    let other = format!("{}1", &old[..old.len() - 1]);
    let wish = |address: &str| {
        let virtual_ip = format!("{{ address = \"{address}/24\", router_id = 72 }}");
        on.wish_with(nodes, &[1, 2], &format!("virtual_ip = {virtual_ip}"));
    };
    wish(&other);
    on.settle("another virtual IP");
    let to = std::net::SocketAddr::new(other.parse().unwrap(), on.to().port());
    until("an answer there", || crate::backend::ask(to, &on.trust));
    assert_eq!(on.holders(&hosts), [0; 0], "the old one is gone");

    on.wish_with(nodes, &[1, 2], "");
    on.at.plan().run.says("remove keepalived from lb3");
    on.settle("no virtual IP");
    for host in &hosts {
        let to = std::net::SocketAddr::new(on.lab.address(*host).parse().unwrap(), on.to().port());
        until("an answer of the node", || crate::backend::ask(to, &on.trust));
    }
    assert_eq!(crate::backend::ask(to, &on.trust), None);
    on.wish(nodes, &[1, 2], "");
    on.settle("a virtual IP again");
    on.settled_on(&hosts);
}
