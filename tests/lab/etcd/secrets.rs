//! The keys of a cluster are on its hosts, in their place, and nowhere else; after its end they are nowhere.

use std::fs;
use std::path::PathBuf;
use std::thread;

use super::cluster::{ABC, Cluster, UNPROTECTED, VERSION};
use crate::cgroup;
use crate::engine::Engine;
use crate::lab::{Lab, PASSWORD};
use crate::secrets::{holders, watch};

#[test]
fn keys_are_in_their_place_and_nowhere_else() {
    let Some(lab) = Lab::with_plain_hosts(4) else { return };
    let key = format!("private_key_file = \"{}\"", lab.key().display());
    let mut on = Cluster::on(lab, Engine::Terraform, "opspw", &key);
    let (log, temporary) = (on.at.path("trace.log"), on.at.path("temporary"));
    fs::create_dir(&temporary).unwrap();
    let environment: [(&str, PathBuf); 4] = [
        ("HA_SUDO_PASSWORD", PASSWORD.into()),
        ("TF_LOG", "TRACE".into()),
        ("TF_LOG_PATH", log.clone()),
        ("TMPDIR", temporary),
    ];
    on.at.environment.extend(environment.map(|(name, value)| (name.to_owned(), value)));
    on.wish(VERSION, &ABC, UNPROTECTED);
    on.at.settle();

    let secrets = secrets(&on, &[0, 1, 2]);
    // The authority and two leaves, at least two lines of each.
    assert!(2 * 7 < secrets.len());
    let (looks, shown) = thread::scope(|scope| {
        let life = scope.spawn(|| {
            on.wish(VERSION, &[&ABC[..], &[("d", 3)]].concat(), UNPROTECTED);
            on.at.plan();
            on.at.settle();
        });
        let seen = watch(&on.lab, &secrets, &life);
        life.join().unwrap();
        seen
    });
    assert!(50 < looks, "only {looks} looks at the processes");
    assert_eq!(shown, [""; 0]);

    for host in 0..4 {
        let upper = on.lab.directory().join(&on.lab.hosts[host].name).join("upper");
        let found = holders(&upper, &secrets);
        let home = upper.join("etc/etcd-prod").display().to_string();
        assert!(found.iter().any(|it| it.ends_with("/ca/ca.key")), "{found:?}");
        let misplaced: Vec<_> = found.iter().filter(|it| !it.starts_with(&home)).collect();
        assert!(misplaced.is_empty(), "{misplaced:?}");
        let readable = on.lab.ssh(host, "find /etc/etcd-prod -name '*.key' -perm /077");
        assert_eq!(readable, "");
    }
    nowhere_else(&on, &secrets);
    assert!(fs::metadata(&log).unwrap().len() > 100_000);

    on.at.destroy();
    for host in 0..4 {
        let upper = on.lab.directory().join(&on.lab.hosts[host].name).join("upper");
        assert_eq!(holders(&upper, &secrets), [""; 0], "after the end");
    }
}

/// The lines of all private keys on these hosts, and the password.
fn secrets(on: &Cluster, hosts: &[usize]) -> Vec<String> {
    let keys = ["ca/ca.key", "server.key", "peer.key"];
    let of = |host: &usize| {
        let home = on.lab.hosts[*host].root().join("etc/etcd-prod");
        keys.map(|it| fs::read_to_string(home.join(it)).unwrap())
    };
    let text: String = hosts.iter().flat_map(of).collect();
    // The first line of every key says its kind.
    let lines = text
        .lines()
        .filter(|it| !it.starts_with("-----") && !it.starts_with("MIGHAgEAMBMGByqGSM49"));
    let mut all: Vec<_> = lines.map(str::to_owned).collect();
    all.sort();
    all.dedup();
    // What is short could be anywhere.
    all.retain(|it| 20 < it.len());
    all.push(PASSWORD.to_owned());
    all
}

/// Neither where the engine works, nor in what a host holds in memory, nor in its journals.
fn nowhere_else(on: &Cluster, secrets: &[String]) {
    assert_eq!(holders(&on.at.path(""), secrets), [""; 0]);
    let plan = std::process::Command::new("unzip").arg("-p").arg(on.at.path("plan.out")).output();
    let plan = String::from_utf8_lossy(&plan.unwrap().stdout).into_owned();
    assert!(plan.len() > 1000 && !secrets.iter().any(|it| plan.contains(it)));
    for (number, host) in on.lab.hosts.iter().enumerate() {
        let process = cgroup::processes(&format!("{}/payload", host.machine))[0];
        for place in ["run", "tmp", "dev/shm"] {
            let place = PathBuf::from(format!("/proc/{process}/root/{place}"));
            assert_eq!(holders(&place, secrets), [""; 0], "{}", place.display());
        }
        let journal = on.lab.ssh(number, "journalctl -o export; cat /var/lib/ha-agent/journal/*");
        assert!(!secrets.iter().any(|it| journal.contains(it)), "the journal of h{number}");
    }
}
