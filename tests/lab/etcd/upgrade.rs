//! From one minor to the next, and what keeps the old one running.

use std::fs;
use std::time::Duration;

use super::client::Client;
use super::cluster::{ABC, Cluster, UNPROTECTED, VERSIONS};
use super::life::planned;
use crate::engine::Engine;

#[test]
fn a_cluster_is_upgraded_minor_by_minor_under_opentofu() {
    let Some(on) = Cluster::new(Engine::Tofu, 3) else { return };
    let all = [0, 1, 2];
    let [first, second, third] = VERSIONS;
    on.wish(first, &ABC, UNPROTECTED);
    on.at.settle();
    let client = Client::start(&on, &all);

    on.wish(third, &ABC, UNPROTECTED);
    on.at.plan_fails().says("version");
    on.wish(second, &ABC, UNPROTECTED);
    on.at.plan().run.says("keep a verified snapshot of").says("restart etcd on a with 3.6");
    planned(&on, &client, &all, "an upgrade to 3.6");
    on.wish(first, &ABC, UNPROTECTED);
    on.at.plan_fails().says("version");

    // What arrives is not what was published: nothing of it is ever run.
    on.wish(third, &ABC, UNPROTECTED);
    let before = all.map(|it| on.pid(it));
    let spoiled = Spoiled::new(&on, third);
    for (spoil, said) in [
        (Spoiled::flip as fn(&Spoiled), "is not what was expected, and was not installed"),
        (Spoiled::truncate, "is not what was expected, and was not installed"),
        (Spoiled::remove, "cannot be read"),
    ] {
        spoil(&spoiled);
        on.at.apply_fails().says(&format!("cannot bring etcd {third} to a, b, c")).says(said);
        assert_eq!(all.map(|it| on.pid(it)), before);
        for host in all {
            let command = format!("test ! -e /usr/local/lib/ha/etcd/{third}");
            on.lab.ssh(host, &command);
        }
    }
    spoiled.restore();
    planned(&on, &client, &all, "an upgrade to 3.7");
    for host in all {
        assert!(on.etcdctl(host, &["endpoint", "status"]).contains(third));
    }
    assert!(client.lap().gap < Duration::from_secs(1));
    client.end();
    on.at.destroy();
}

/// The archive of a version in the directory of the provider.
struct Spoiled {
    file: std::path::PathBuf,
    honest: std::path::PathBuf,
}

impl Spoiled {
    fn new(on: &Cluster, version: &str) -> Self {
        let all = fs::read_dir(on.artifacts()).unwrap().map(|it| it.unwrap().path());
        let is_it = |it: &std::path::PathBuf| it.display().to_string().contains(version);
        let file = all.into_iter().find(is_it).unwrap();
        Self { honest: fs::read_link(&file).unwrap(), file }
    }

    fn write(&self, content: &[u8]) {
        fs::remove_file(&self.file).unwrap();
        fs::write(&self.file, content).unwrap();
    }

    fn flip(&self) {
        let mut content = fs::read(&self.honest).unwrap();
        let middle = content.len() / 2;
        content[middle] ^= 1;
        self.write(&content);
    }

    fn truncate(&self) {
        let content = fs::read(&self.honest).unwrap();
        self.write(&content[..content.len() / 2]);
    }

    fn remove(&self) {
        fs::remove_file(&self.file).unwrap();
    }

    fn restore(&self) {
        std::os::unix::fs::symlink(&self.honest, &self.file).unwrap();
    }
}
