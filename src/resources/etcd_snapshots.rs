//! `ha_etcd_snapshots`: which snapshots there are.

use std::collections::BTreeMap;
use std::sync::Arc;

use time::OffsetDateTime;

use super::etcd_access::{EtcdAccessModel, open};
use super::host::{HostModel, known, target};
use super::moment::timestamp;
use super::provider::{Client, Gap, Ha};
use crate::actions::backup::{Stored, stored, stored_in};
use crate::domain::backup::{Compression, Manifest, Moment, ObjectStore};
use crate::domain::name::Folder;
use crate::engine::Fleet;
use crate::model;
use crate::tfplugin::api::{self, Context, DataSource};
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::path::Path;
use crate::tfplugin::value::Value;

model! {
    /// Snapshots of etcd that an `ha_etcd_backup` has kept, as their manifests say.
    ///
    /// A store is asked through the first host that can look into it. A host that does not answer is told by a warning, and never fails a plan. Nothing is changed on the hosts, and no lock is
    /// taken. The answers change by themselves: what is made of them may differ from plan to plan.
    pub(crate) struct EtcdSnapshotsModel {
        /// The cluster: `access` of an `ha_etcd_cluster`. Either this or `host`.
        cluster: Value<EtcdAccessModel> = optional(),
        /// A host to look at, for when the cluster is gone.
        host: Value<HostModel> = optional(),
        /// Name in `object_stores` of the provider, whose keys are told to a host for this. Either this or `directory`.
        store: Value<String> = optional(),
        /// Directory on each of the hosts.
        directory: Value<String> = optional().check(text("an absolute path of letters, digits, `-`, `_`, `.` and `/`", |it| it.parse::<Folder>().is_ok())),
        /// Name of the backup. Of all when left out.
        name: Value<String> = optional(),
        /// Those that were verified, the oldest first.
        snapshots: Value<Vec<EtcdSnapshotModel>> = computed(),
        /// Name of the newest of them; null if there is none.
        newest_verified: Value<String> = computed(),
        /// What lies there and does not count, in sentences.
        unverified: Value<Vec<String>> = computed(),
    }
}

model! {
    /// A snapshot, by its manifest.
    pub(crate) struct EtcdSnapshotModel {
        /// Its name.
        name: Value<String> = computed(),
        /// Host that has it; null in an object store.
        host: Value<String> = computed(),
        /// Name of the cluster.
        cluster: Value<String> = computed(),
        /// Id that etcd had given to the cluster, in hexadecimal digits.
        cluster_id: Value<String> = computed(),
        /// Name of the backup.
        backup: Value<String> = computed(),
        /// Member that it was taken of.
        member: Value<String> = computed(),
        /// The slot that it is of, like `2027-02-03T02:00:00Z`; null if it was asked for beside the schedule.
        slot: Value<String> = computed(),
        /// When it was taken.
        taken: Value<String> = computed(),
        /// The last change in it.
        revision: Value<u64> = computed(),
        /// Version of etcd.
        etcd_version: Value<String> = computed(),
        /// `zstd` or `none`.
        compression: Value<String> = computed(),
        /// Size of the file, in bytes.
        size: Value<u64> = computed(),
        /// Digest of the file, in hexadecimal digits.
        sha256: Value<String> = computed(),
    }
}

/// The data source.
pub(super) struct EtcdSnapshots;

impl DataSource for EtcdSnapshots {
    const NAME: &'static str = "ha_etcd_snapshots";
    type Provider = Ha;
    type Model = EtcdSnapshotsModel;

    fn validate(&self, config: &EtcdSnapshotsModel) -> Diagnostics {
        let mut found = Diagnostics::new();
        let is_two = |one: bool, other: bool| one && other;
        let mut say = |summary: &str, detail: &str, at: &str| {
            found.push(Diagnostic::error(summary, detail).at(Path::root(at)));
        };
        if is_two(config.cluster.is_null(), config.host.is_null()) {
            say("It is not said where to look", "Set `cluster` or `host`.", "cluster");
        }
        if is_two(config.cluster.is_known(), config.host.is_known()) {
            say("It is said twice where to look", "Set `cluster` or `host`, not both.", "host");
        }
        if is_two(config.store.is_null(), config.directory.is_null()) {
            say("It is not said what to look into", "Set `store` or `directory`.", "directory");
        }
        if is_two(config.store.is_known(), config.directory.is_known()) {
            let detail = "Set `store` or `directory`, not both.";
            say("It is said twice what to look into", detail, "directory");
        }
        found
    }

    async fn read(
        &self,
        client: &Client,
        mut model: EtcdSnapshotsModel,
        _: &Context,
    ) -> Result<api::Answer<EtcdSnapshotsModel>, Diagnostics> {
        let opened = fleet(&model, client).and_then(|opened| Ok((opened, store(&model, client)?)));
        let ((cluster, fleet), store) = match opened {
            Ok(opened) => opened,
            Err(Gap::Unknown(unknown)) => {
                tell(&mut model, Stored::default());
                let detail = format!("{unknown} is known only after apply.");
                let warning = Diagnostic::warning("The hosts cannot be asked yet", detail);
                return Ok(api::Answer { value: model, diags: warning.into() });
            }
            Err(Gap::Fault(fault)) => return Err(fault.into()),
        };
        let (directory, name) = (model.directory.or_default(), model.name.or_default());
        let found = match store {
            Some(store) => stored_in(&fleet, &store, (&cluster, &name)).await,
            None => stored(&fleet, &directory, (&cluster, &name)).await,
        };
        let told = |(key, why): (&String, &String)| {
            if model.store.is_null() {
                Diagnostic::warning(format!("{key} cannot be looked at"), format!("{why}."))
            } else {
                dark(key, why)
            }
        };
        let diags = found.silent.iter().map(told).collect();
        tell(&mut model, found);
        Ok(api::Answer { value: model, diags })
    }
}

/// A store that no host can look into.
pub(super) fn dark(name: &str, why: &str) -> Diagnostic {
    Diagnostic::warning(format!("The store {name} cannot be looked into"), format!("{why}."))
}

fn store(model: &EtcdSnapshotsModel, client: &Client) -> Result<Option<Arc<ObjectStore>>, Gap> {
    let name = known(&model.store, &Path::default(), "store")?;
    name.map(|it| client.object_store(it, &Path::root("store"))).transpose()
}

/// The name of the cluster, empty for any, and the hosts. Nothing is contacted.
fn fleet(model: &EtcdSnapshotsModel, client: &Client) -> Result<(String, Fleet), Gap> {
    if !model.cluster.is_null() {
        let (access, fleet) = open(&model.cluster, &Path::root("cluster"), client)?;
        return Ok((access.name.to_string(), fleet));
    }
    let at = Path::default();
    let Some(host) = known(&model.host, &at, "host")? else {
        return Ok((String::new(), Fleet::new(Arc::clone(&client.hosts), BTreeMap::new(), "none")));
    };
    let key = "host".to_owned();
    let way = target(host, &key, &Path::root("host"), client, None)?;
    let targets = BTreeMap::from([(key, way)]);
    Ok((String::new(), Fleet::new(Arc::clone(&client.hosts), targets, "none")))
}

fn tell(model: &mut EtcdSnapshotsModel, found: Stored) {
    model.newest_verified = found.newest().map(|it| it.name.clone()).into();
    let unverified = found.unverified.into_iter();
    let unverified = unverified.map(|(name, (key, why))| format!("{key}: {name}: {why}"));
    model.unverified = Value::Known(unverified.collect());
    let is_on_host = model.store.is_null();
    let snapshots = found.snapshots.into_iter();
    let snapshots = snapshots.map(|(key, it)| snapshot(is_on_host.then_some(key), it));
    model.snapshots = Value::Known(snapshots.collect());
}

fn snapshot(key: Option<String>, it: Manifest) -> EtcdSnapshotModel {
    let compression = match it.compression {
        Compression::Zstd => "zstd",
        Compression::None => "none",
    };
    EtcdSnapshotModel {
        name: it.name.into(),
        host: key.into(),
        cluster: it.cluster.into(),
        cluster_id: it.cluster_id.into(),
        backup: it.backup.into(),
        member: it.member.into(),
        slot: it.slot.and_then(moment).into(),
        taken: moment(it.taken).into(),
        revision: it.revision.into(),
        etcd_version: it.etcd_version.into(),
        compression: compression.into(),
        size: it.size.into(),
        sha256: it.sha256.into(),
    }
}

fn moment(at: Moment) -> Option<String> {
    OffsetDateTime::from_unix_timestamp(at).ok().map(timestamp)
}
