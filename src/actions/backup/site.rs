//! Where things lie on a host, and what they are to say.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::actions::{Own, etcd};
use crate::domain::backup::{
    Cluster, Compression, Member, ObjectStore, Retention, Settings, Store,
};
use crate::domain::name::{ClusterName, Name};
use crate::domain::service::{self, Definition, Hardening, Service};
use crate::host::{File, HostName, Hosts};

/// The program that stays when the one that speaks to us is gone. All backups of a host share it.
pub(super) const PROGRAM: &str = "/usr/local/lib/ha/backup/ha-agent";
const FOLDER: &str = "/etc/etcd-backup";
/// Of the file with the keys.
pub(super) const KEYS_MODE: u32 = 0o600;
/// Where snapshots wait for a store.
const WAITING: &str = "/var/lib/ha/backups";

/// Where snapshots go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Where {
    /// On each host.
    Directory(String),
    /// Into one for all hosts.
    Store(Arc<ObjectStore>),
}

/// The wish, and what stands around it.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Of the backup.
    pub name: ClusterName,
    /// Of the cluster.
    pub cluster: ClusterName,
    /// The id of the cluster in Terraform.
    pub cluster_id: String,
    /// Five fields of cron, and a time zone.
    pub schedule: (String, String),
    /// Where they go.
    pub into: Where,
    /// How they are stored.
    pub compression: Compression,
    /// Which of them stay.
    pub retention: Retention,
    /// Whose hosts they are.
    pub own: Own,
    /// Whether there is a state.
    pub is_known: bool,
    /// Whether one is to be taken now.
    pub needs_snapshot: bool,
    /// Who has the agents.
    pub hosts: Arc<Hosts>,
}

impl Setup {
    /// What tells this backup from all others on a host. No name has a `_`.
    pub fn called(cluster: &str, name: &str) -> String {
        format!("{cluster}_{name}")
    }

    /// The directory on each host. With a store: where snapshots lie until it has them.
    pub fn directory(&self) -> String {
        match &self.into {
            Where::Directory(path) => path.clone(),
            Where::Store(_) => format!("{WAITING}/{}", self.title()),
        }
    }

    /// The store, if they go to one.
    pub(super) fn store(&self) -> Option<&Arc<ObjectStore>> {
        match &self.into {
            Where::Directory(_) => None,
            Where::Store(store) => Some(store),
        }
    }

    /// What proves to the store who asks. None: nothing is to lie there.
    pub(super) fn keys(&self) -> Option<String> {
        self.store()?.keys.as_ref()?.print().ok()
    }

    pub(super) fn keys_path(&self) -> String {
        format!("{FOLDER}/{}.keys", self.title())
    }

    fn title(&self) -> String {
        Self::called(self.cluster.as_str(), self.name.as_str())
    }

    fn service(&self) -> String {
        format!("etcd-backup-{}", self.title())
    }

    pub(super) fn unit(&self) -> String {
        format!("{}.service", self.service())
    }

    pub(super) fn unit_path(&self) -> String {
        format!("/etc/systemd/system/{}", self.unit())
    }

    pub(super) fn member_unit(&self) -> String {
        format!("etcd-{}.service", self.cluster)
    }

    pub(super) fn settings_path(&self) -> String {
        format!("{FOLDER}/{}.json", self.title())
    }
}

/// A host of the cluster.
#[derive(Clone, Debug)]
pub struct Site {
    /// The key of its member.
    pub key: Name,
    /// How errors call it.
    pub host: HostName,
    /// Where clients reach its member.
    pub endpoint: SocketAddr,
    /// How many come before it.
    pub rank: u32,
    /// What stands before each path in what programs are told.
    pub root: String,
}

impl Site {
    /// The files that are to lie there: settings and unit. None: no unit can hold what is wished.
    pub(super) fn files(&self, setup: &Setup) -> Option<[File; 2]> {
        let at = etcd::client_files(setup.cluster.as_str());
        let settings = Settings::new(
            setup.name.to_string(),
            Cluster { name: setup.cluster.to_string(), resource: setup.cluster_id.clone() },
            Member {
                name: self.key.to_string(),
                rank: self.rank,
                endpoint: self.endpoint.to_string(),
                authority: at.authority,
                certificate: at.certificate,
                key: at.key,
            },
            setup.schedule.clone(),
            (setup.directory(), setup.store().map(|it| in_settings(it, setup))),
            setup.compression,
            setup.retention,
        );
        let file = |path: String, content: String, mode| {
            let content = content.into_bytes();
            File { path, content, mode, ..File::default() }
        };
        let root = &self.root;
        let mut it = Service::new(
            &setup.service(),
            &format!("Backup {} of etcd {}", setup.name, setup.cluster),
            &format!("{root}{PROGRAM}"),
        );
        let path = format!("{root}{}", setup.settings_path());
        it.arguments = ["backup", "--settings", &path].map(str::to_owned).to_vec();
        if root.is_empty() {
            it.after = vec!["network-online.target".to_owned(), setup.member_unit()];
            it.wants = vec!["network-online.target".to_owned()];
            it.hardening = [Hardening::Privileges].into();
        } else {
            it.arguments.extend(["--root", root].map(str::to_owned));
        }
        let unit = service::render(&Definition::new(it).ok()?);
        Some([
            file(setup.settings_path(), settings.print().ok()?, 0o600),
            file(setup.unit_path(), unit, 0o644),
        ])
    }
}

fn in_settings(store: &ObjectStore, setup: &Setup) -> Store {
    let keys = store.keys.is_some().then(|| setup.keys_path());
    Store { bucket: store.bucket.clone(), keys }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::backup::{Bucket, Keys};

    #[test]
    fn the_service_of_a_host_says_all_that_it_needs() {
        let own = Own::new("etcd_backup", "prod_nightly", "1", false, serde_json::Map::new());
        let setup = Setup {
            name: "nightly".parse().unwrap(),
            cluster: "prod".parse().unwrap(),
            cluster_id: "7".to_owned(),
            schedule: ("0 2 * * *".to_owned(), "UTC".to_owned()),
            into: Where::Directory("/srv/etcd".to_owned()),
            compression: Compression::Zstd,
            retention: Retention { last: 7, ..Retention::default() },
            own,
            is_known: true,
            needs_snapshot: false,
            hosts: Arc::new(Hosts::new("test".to_owned(), None)),
        };
        let site = |root: &str| Site {
            key: "a".parse().unwrap(),
            host: "a".parse().unwrap(),
            endpoint: "10.0.0.1:2379".parse().unwrap(),
            rank: 0,
            root: root.to_owned(),
        };
        let [settings, unit] = site("").files(&setup).unwrap();
        let (settings, _) = (Settings::parse(&settings.content).unwrap().0, settings.mode);
        assert_eq!(settings.member.key, "/etc/etcd-prod/server.key");
        assert_eq!(unit.path, "/etc/systemd/system/etcd-backup-prod_nightly.service");
        let text = String::from_utf8(unit.content).unwrap();
        let line = "ExecStart=\"/usr/local/lib/ha/backup/ha-agent\" \"backup\" \"--settings\" \"/etc/etcd-backup/prod_nightly.json\"\n";
        assert!(text.contains(line), "{text}");
        assert!(text.contains("After=network-online.target etcd-prod.service\n"), "{text}");
        let keys = Keys { access_key: "hunter2".to_owned(), secret_key: "hunter3".to_owned() };
        let bucket = Bucket { name: "b".to_owned(), ..Bucket::default() };
        let store = ObjectStore { name: "s".to_owned(), bucket, keys: Some(keys) };
        let setup = Setup { into: Where::Store(Arc::new(store)), ..setup };
        let all = site("").files(&setup).unwrap();
        assert!(!format!("{all:?} {setup:?}").contains("hunter"));
        let settings = Settings::parse(&all[0].content).unwrap().0;
        assert_eq!(settings.directory, "/var/lib/ha/backups/prod_nightly");
        let keys = "/etc/etcd-backup/prod_nightly.keys";
        assert_eq!(settings.store.unwrap().keys.as_deref(), Some(keys));
        assert!(setup.keys().unwrap().contains("hunter3"));
        let [_, unit] = site("/srv/hosts/a").files(&setup).unwrap();
        let text = String::from_utf8(unit.content).unwrap();
        assert!(
            text.contains(
                "\"/srv/hosts/a/etc/etcd-backup/prod_nightly.json\" \"--root\" \"/srv/hosts/a\""
            ),
            "{text}"
        );
    }
}
