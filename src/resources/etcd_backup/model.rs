//! What is written about a backup.

use std::collections::BTreeMap;

use crate::domain::name::{ClusterName, Folder};
use crate::model;
use crate::resources::etcd_access::{EtcdAccessHostModel, EtcdAccessModel};
use crate::resources::hosts::is_one_machine;
use crate::tfplugin::model::Timeouts;
use crate::tfplugin::value::{Datum, Value};

model! {
    /// Snapshots of a cluster of etcd, taken by its hosts on a schedule, whether anybody runs Terraform or not.
    ///
    /// A service on each host sleeps until a slot is due. The host whose member leads takes the snapshot; the others look
    /// after a grace period, and one of them takes it when there is none. A snapshot counts once its digest is right, its
    /// pages hold together, and it has every change that a quorum had when it began; then it gets a manifest beside it. None
    /// that is there is ever overwritten.
    ///
    /// The first snapshot is taken by the apply that creates the backup: what does not work is found out there. Another is taken
    /// after a restore, and when hosts leave or may be other machines. When the newest verified snapshot misses slots, the plan
    /// tells, and the apply takes one.
    ///
    /// With `store` a snapshot is taken and verified on its host, in `/var/lib/ha/backups`, and brought from there to the bucket;
    /// the copy on the host goes once the bucket has it. What the store does not take waits on the host, is tried again by the
    /// service, and is told as drift; nothing goes from the store meanwhile. The keys need `s3:ListBucket`, `s3:GetObject`,
    /// `s3:PutObject` and `s3:AbortMultipartUpload`, and `s3:DeleteObject` for `retention` and `purge`: without it, let the bucket
    /// remove what is old. A rule that aborts uploads which were never completed belongs to the bucket in any case.
    pub(crate) struct EtcdBackupModel {
        /// Given at create, and kept on the hosts for life.
        id: Value<String> = computed(),
        /// Part of units and of the names of snapshots: lower-case letters, digits and `-`. A cluster may have several.
        name: Value<String> = required().refuses_change().check(text("1 to 40 lower-case letters, digits and `-`, none at the ends", |it| it.parse::<ClusterName>().is_ok())),
        /// The cluster: `access` of an `ha_etcd_cluster`. Another cluster is refused.
        cluster: Value<EtcdAccessModel> = required().changes_online(),
        /// When, in the five fields of cron: minute, hour, day of month, month, day of week. A time that a change of clocks
        /// leaves out comes as much later; one that comes twice counts once.
        schedule: Value<String> = required().changes_online(),
        /// Where that is, as IANA calls it: `Europe/Berlin`.
        time_zone: Value<String> = optional().default("UTC").changes_online(),
        /// Name in `object_stores` of the provider. Either this or `directory`. Hosts keep its keys in a file that only root reads; a
        /// store that others share needs a `prefix` of its own.
        store: Value<String> = optional().changes_online(),
        /// Directory on the hosts of the cluster, absolute. What is there dies with them: copy it elsewhere, or let it be one
        /// that is mounted from elsewhere.
        directory: Value<String> = optional().changes_online().check(text("an absolute path of letters, digits, `-`, `_`, `.` and `/`", |it| it.parse::<Folder>().is_ok())),
        /// Which snapshots stay, at least one of these; with `directory`, of those of each host, and otherwise of those in the store
        /// and, by themselves, of those that wait on a host. Nothing goes before a newer
        /// one is verified, and the newest three that were verified never go.
        retention: Value<RetentionModel> = required().changes_online(),
        /// `zstd` or `none`.
        compression: Value<String> = optional().default("zstd").changes_online().check(one_of(&["zstd", "none"])),
        /// Any change takes one snapshot now.
        triggers: Value<BTreeMap<String, String>> = optional().default(Datum::Map(BTreeMap::new())).changes("takes one snapshot"),
        /// What becomes of the snapshots with a destroy: `keep` leaves them, `purge` deletes them, on hosts and in the store.
        on_destroy: Value<String> = optional().default("keep").records_change().check(one_of(&["keep", "purge"])),
        /// What an apply would mend, in sentences. Empty: all is as planned.
        drift: Value<Vec<String>> = computed().planned_as(Datum::List(Vec::new())),
        /// How long each operation may take.
        timeouts: Value<Timeouts> = timeouts(1800, 1800, 30, 300),
    }
}

model! {
    /// How many snapshots stay.
    pub(crate) struct RetentionModel {
        /// The newest.
        last: Value<i64> = optional().changes_online().check(between(0, 100_000)),
        /// The newest of each of so many hours in which there is one.
        hourly: Value<i64> = optional().changes_online().check(between(0, 100_000)),
        /// The same for days, in `time_zone`.
        daily: Value<i64> = optional().changes_online().check(between(0, 100_000)),
        /// For weeks, which begin on Monday.
        weekly: Value<i64> = optional().changes_online().check(between(0, 100_000)),
        /// For months.
        monthly: Value<i64> = optional().changes_online().check(between(0, 100_000)),
    }
}

/// The hosts of the cluster, as far as they are known.
pub(super) fn hosts(
    model: &EtcdBackupModel,
) -> impl Iterator<Item = (&String, &EtcdAccessHostModel)> {
    model.cluster.known().and_then(|it| it.hosts.known()).into_iter().flatten()
}

/// The second with what is only recorded of the first.
pub(super) fn with_recorded(from: &EtcdBackupModel, of: EtcdBackupModel) -> EtcdBackupModel {
    EtcdBackupModel { on_destroy: from.on_destroy.clone(), timeouts: from.timeouts.clone(), ..of }
}

/// How often the data of the cluster was restored.
fn generation(model: &EtcdBackupModel) -> Option<&Value<i64>> {
    model.cluster.known().map(|it| &it.generation)
}

/// Whether hosts are left, or may be other machines now: the snapshots that they had are gone with them.
fn loses_hosts(before: &EtcdBackupModel, planned: &EtcdBackupModel) -> bool {
    let shows = |it: &EtcdAccessHostModel| it.host.known().map(|it| it.host_key.clone());
    let stays = |(key, was): (&String, &EtcdAccessHostModel)| {
        let is = |is: &EtcdAccessHostModel| {
            is_one_machine((&was.host, &was.address), (&is.host, &is.address))
                && shows(was) == shows(is)
        };
        hosts(planned).any(|it| it.0 == key && is(it.1))
    };
    !hosts(before).all(stays)
}

/// Whether a snapshot is to be taken, whatever the schedule says.
pub(super) fn needs_snapshot(before: Option<&EtcdBackupModel>, planned: &EtcdBackupModel) -> bool {
    before.is_none_or(|before| {
        let drift = before.drift.known().into_iter().flatten();
        before.triggers != planned.triggers
            || before.directory != planned.directory
            || before.store != planned.store
            || generation(before) != generation(planned)
            || loses_hosts(before, planned)
            || drift.map(String::as_str).any(super::drift::wants_snapshot)
    })
}
