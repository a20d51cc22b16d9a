//! The examples for real hosts where they lie in the repository, as users get them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use serde_json::json;

use crate::balancer::faults::{FOUND, TAKEN_OVER, during};
use crate::balancer::load::Load;
use crate::bind::Bind;
use crate::engine::Engine;
use crate::etcd::client::Client;
use crate::front_door::Door;
use crate::lab::Lab;
use crate::processes::until;
use crate::published_folder::Published;

/// Hosts by their names in the examples, and their numbers in the lab.
const HOSTS: [(&str, usize); 5] = [("a", 0), ("b", 1), ("c", 2), ("lb1", 3), ("lb2", 4)];
pub(crate) const ALL: [usize; 5] = [0, 1, 2, 3, 4];

/// An example with what each of them asks for; `hosts` are those that it has.
fn example<'a>(on: &'a Door, folder: &'a str, hosts: &[(&str, usize)]) -> Published<'a> {
    let cluster = &on.plane.on;
    let provider = env!("CARGO_BIN_EXE_terraform-provider-ha");
    cluster.at.overrides(std::path::Path::new(provider).parent().unwrap());
    let mut it = Published::new(&cluster.at, folder, &cluster.artifacts());
    let hosts: BTreeMap<_, _> = hosts.iter().map(|it| (it.0, on.lab().address(it.1))).collect();
    it.variables.insert("hosts", json!(hosts).to_string());
    it.variables.insert("virtual_ip", format!("{}/24", on.lab().virtual_ip()));
    it.variables.insert("ssh_private_key_file", on.lab().key().display().to_string());
    it.variables.insert("ssh_known_hosts_file", on.lab().known_hosts().display().to_string());
    it.variables.insert("kubeconfig", cluster.at.path("kubeconfig").display().to_string());
    it.variables.insert("deletion_protection", "false".to_owned());
    it
}

pub(crate) fn ssh<'a>(on: &'a Door, bind: &Bind) -> Published<'a> {
    let mut it = example(on, "examples/ssh", &HOSTS);
    it.variables.insert("dns_zone", "example.test".to_owned());
    it.variables.insert("dns_server", bind.server.to_string());
    it.secret = Some(bind.secret.clone());
    it
}

pub(crate) fn members(of: &mut Published<'_>, names: &[&str]) {
    of.variables.insert("members", json!(names).to_string());
}

#[test]
fn the_ssh_example_lives_and_ends_on_five_hosts() {
    let (Some(lab), Some(bind)) = (Lab::with_hosts(5), Bind::start()) else { return };
    let on = Door::on(lab, Engine::Tofu);
    let mut example = ssh(&on, &bind);
    let before = ALL.map(|it| on.lab().hosts[it].own_files());
    let began = Instant::now();
    example.settle();
    eprintln!("from bare hosts: {:?}", began.elapsed());
    let virtual_ip = on.lab().virtual_ip();
    assert_eq!(bind.shows("api", "A"), format!("30: {virtual_ip}"));

    // Another host in the place of one, while clients write to etcd and ask the API.
    let client = Client::start(&on.plane.on, &ALL);
    let load = Load::start(on.to(), &on.caller());
    load.runs_on();
    members(&mut example, &["a", "b", "lb1"]);
    let began = Instant::now();
    let lap = during(&load, "lb1 takes the place of c", || drop(example.settle()));
    assert!(lap.gap < 2 * TAKEN_OVER, "{lap:?}");
    assert!(on.plane.on.members(0).contains_key("lb1"));
    eprintln!("{:?}: {:?}", began.elapsed(), client.lap());
    drop(load);
    eprintln!("{} writes", client.end());

    let began = Instant::now();
    example.run_on_state("destroy", &["-auto-approve"]).succeeds();
    eprintln!("destroy: {:?}", began.elapsed());
    assert_eq!(bind.shows("api", "A"), "-");
    for host in ALL {
        leaves_what_is_documented(&on, host, &before[host]);
    }
}

/// After a destroy nothing more lies on a host than the guide says, and nothing runs.
#[track_caller]
pub(crate) fn leaves_what_is_documented(on: &Door, host: usize, before: &BTreeSet<String>) {
    let page = include_str!("../../docs/guides/hosts.md");
    let (_, table) = page.split_once("\n## What a destroy leaves\n").unwrap();
    let rows = table.lines().filter_map(|it| it.strip_prefix("| `")?.split_once("` | "));
    let named = rows.flat_map(|it| it.0.split("`, `")).map(|it| it.replace("<name>", "prod"));
    let named: Vec<_> = named.map(|it| it.trim_end_matches('…').to_owned()).collect();
    let left = on.lab().hosts[host].own_files();
    let is_told = |it: &&String| named.iter().any(|told| it.starts_with(told));
    let untold: Vec<_> = left.difference(before).filter(|it| !is_told(it)).collect();
    assert!(untold.is_empty(), "h{host}: {untold:?}");
    let records = "/var/lib/ha-agent/records/";
    assert!(!left.iter().any(|it| it.starts_with(records)), "h{host} has records: {left:?}");
    // HAProxy and keepalived of the distribution are not ours.
    let running = "pgrep -l '^(etcd|kube-|ha-agent)'; systemctl list-units --plain --no-legend 'haproxy-*' 'keepalived-*' 'etcd-*' || true";
    // The agent of the run that has just ended may be at its end.
    until("nothing runs", || on.lab().ssh(host, running).is_empty().then_some(()));
}

#[test]
fn the_stacked_example_bears_the_loss_of_a_host() {
    let Some(lab) = Lab::with_hosts(3) else { return };
    let on = Door::on(lab, Engine::Terraform);
    let example = example(&on, "examples/stacked", &HOSTS[..3]);
    let began = Instant::now();
    example.settle();
    eprintln!("from bare hosts: {:?}", began.elapsed());

    let all = [0, 1, 2];
    let load = Load::start(on.to(), &on.caller());
    load.runs_on();
    let holder = on.holder(&all);
    let others: Vec<_> = all.into_iter().filter(|it| *it != holder).collect();
    let lap = during(&load, "the power of the host with the virtual IP is cut", || {
        on.lab().cut_power(holder);
        on.holder(&others);
    });
    // Once the address has moved, an answer may still wait for the API server that is gone.
    assert!(lap.gap < TAKEN_OVER + FOUND, "{lap:?}");
    on.lab().start(holder);
    until("it serves again", || {
        let plan = example.run_on_state("plan", &["-detailed-exitcode"]);
        plan.has("No changes.").then_some(())
    });
    drop(load);
    example.run_on_state("destroy", &["-auto-approve"]).succeeds();
}
