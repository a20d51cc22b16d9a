//! A control plane on real hosts while its leaders die, its hosts are lost, and those who work on it are ended.

use std::time::Duration;

use crate::amid::{Kills, LIMIT, amid, interrupt, killed_after_steps};
use crate::control_plane::Plane;
use crate::engine::Engine;
use crate::processes::until_within;
use crate::run::Run;

const ABC: [(&str, usize); 3] = [("a", 0), ("b", 1), ("c", 2)];
const ABD: [(&str, usize); 3] = [("a", 0), ("b", 1), ("d", 3)];
const CONTROLLERS: [&str; 2] = ["kube-controller-manager", "kube-scheduler"];

/// A lease runs out after 15 s, and is asked for every 2 s.
const TAKEOVER: Duration = Duration::from_secs(40);

impl Plane {
    /// Whoever leads: the name of a host, `_`, and an id of the process, as it lies in etcd.
    fn holder(&self, component: &str) -> Option<String> {
        let key = format!("/registry/leases/kube-system/{component}");
        let found = self.on.etcdctl_of("store", 0, &["get", "--print-value-only", &key]).ok()?;
        let mut words = found.split(|it: char| !(it.is_ascii_alphanumeric() || "_-".contains(it)));
        let is_it = |it: &&str| it.starts_with('h') && it.get(2..3) == Some("_");
        words.find(is_it).map(str::to_owned)
    }

    /// The host of whoever leads.
    #[track_caller]
    fn leader(&self, component: &str) -> usize {
        let held = until_within(TAKEOVER, "somebody leads", || self.holder(component));
        held[1..2].parse().unwrap()
    }

    /// When the API server of a host was started, by the clock that all of them share.
    fn started(&self, host: usize) -> u64 {
        self.shown(host, "kube-apiserver", "ExecMainStartTimestampMonotonic").parse().unwrap()
    }

    fn ready(&self, hosts: &[usize]) -> usize {
        hosts.iter().filter(|it| self.status(**it, "/readyz") == "200").count()
    }
}

#[test]
fn a_control_plane_outlives_its_leaders_its_hosts_and_a_run() {
    let Some(on) = Plane::new(Engine::Terraform, 4) else { return };
    on.wish(&ABC, "shutdown_delay = \"1s\"");
    on.on.at.settle();

    // Another takes over from who is killed, though systemd starts that one again.
    for component in CONTROLLERS {
        let before = on.holder(component).unwrap();
        let host = on.leader(component);
        on.on.lab.ssh(host, &format!("systemctl kill -s KILL {component}-prod"));
        let taken = || on.holder(component).filter(|it| *it != before);
        until_within(TAKEOVER, &format!("another {component} leads"), taken);
    }

    // The leader comes last.
    let last = on.leader("kube-controller-manager");
    on.wish(&ABC, "shutdown_delay = \"2s\"");
    on.on.at.settle();
    let mut order = [0, 1, 2];
    order.sort_by_key(|it| on.started(*it));
    assert_eq!(order[2], last, "{order:?}");

    // A run that is interrupted ends its step, and the next goes on.
    on.wish(&ABC, "shutdown_delay = \"3s\"");
    let running = amid(&on.on.at, "restart kube-apiserver");
    interrupt(&running);
    let ended = Run::new("apply", &running.end_within(LIMIT));
    assert!(!ended.has("tainted"), "{}", ended.text);
    assert!(2 <= on.ready(&[0, 1, 2]), "more than one is away");
    on.on.at.settle();
    assert_eq!(on.ready(&[0, 1, 2]), 3);

    // A host is gone for good: another takes its place, and then the new one leaves.
    on.on.lab.cut_power(2);
    on.wish(&ABD, "shutdown_delay = \"3s\"");
    on.on.at.settle();
    assert_eq!(on.ready(&[0, 1, 3]), 3);
    on.on.lab.cut_power(3);
    on.wish(&ABD[..2], "shutdown_delay = \"3s\"\n  lost_hosts = [\"d\"]");
    on.on.at.settle();
    on.on.at.destroy();
}

/// Every operation loses its provider after each of its first steps.
#[test]
#[ignore = "minutes; `make soak` runs it"]
fn a_control_plane_outlives_the_providers_that_work_on_it() {
    let Some(on) = Plane::new(Engine::Terraform, 4) else { return };
    let kills = Kills { chosen: |run| run < 30, limit: Duration::from_mins(6), most: 60 };
    let operations: [(&[(&str, usize)], &str); 4] = [
        (&ABC, "shutdown_delay = \"1s\""),
        (&ABC, "shutdown_delay = \"2s\""),
        (&ABD, "shutdown_delay = \"2s\""),
        (&ABD, "shutdown_delay = \"2s\"\n  certificates = { extra_sans = [\"vip.example.test\"] }"),
    ];
    for (nodes, more) in operations {
        on.wish(nodes, more);
        let killed = killed_after_steps(&on.on.at, &[], &kills);
        eprintln!("{killed} providers were killed: {more}");
        assert!(1 <= killed);
        on.on.at.plan_is_empty();
    }
    assert!(1 <= killed_after_steps(&on.on.at, &["-destroy"], &kills));
}
