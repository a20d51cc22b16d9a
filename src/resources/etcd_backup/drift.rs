//! What an apply would mend about the snapshots.

use super::model::EtcdBackupModel;
use super::wish;
use crate::actions::backup::Stored;
use crate::domain::backup::{Missed, Moment};

const NONE: &str = "there is no verified snapshot";
const ONE: &str = "the newest verified snapshot misses a slot";
const MORE: &str = "the newest verified snapshot misses two slots or more";
const UNVERIFIED: &str = "does not count";
const WAITS: &str = "snapshots wait for the store";

/// Whether one is mended by another snapshot.
pub(super) fn wants_snapshot(sentence: &str) -> bool {
    [NONE, ONE, MORE].contains(&sentence)
        || sentence.contains(UNVERIFIED)
        || sentence.contains(WAITS)
}

/// In sentences. What hosts that do not answer have is not known: nothing is missed for the want of one of them.
pub(super) fn drift(model: &EtcdBackupModel, stored: &Stored, now: Moment) -> Vec<String> {
    let damaged = |(name, (key, why)): (&String, &(String, String))| {
        format!("{key}: {name} {UNVERIFIED}: {why}")
    };
    let mut found: Vec<_> = stored.unverified.iter().map(damaged).collect();
    found.extend(stored.waits.iter().map(|(key, why)| format!("{key}: {WAITS}: {why}")));
    let is_whole = stored.silent.is_empty();
    let schedule = wish::schedule(model).and_then(Result::ok);
    match (stored.newest(), schedule) {
        (None, _) if is_whole => found.push(NONE.to_owned()),
        (Some(newest), Some(schedule)) => match Missed::of(&schedule, newest.covers(), now) {
            Missed::More => found.push(MORE.to_owned()),
            Missed::One if is_whole => found.push(ONE.to_owned()),
            Missed::One | Missed::None => {}
        },
        (None, _) | (Some(_), None) => {}
    }
    found
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::backup::Manifest;

    #[test]
    fn what_is_missing_is_told_and_wants_a_snapshot() {
        let mut model = EtcdBackupModel::default();
        (model.schedule, model.time_zone) = ("0 * * * *".into(), "UTC".into());
        let snapshot = |slot| ("a".to_owned(), Manifest { slot: Some(slot), ..Manifest::empty() });
        let silent = || BTreeMap::from([("b".to_owned(), "no".to_owned())]);
        let check = |stored: &Stored, now, expected: &[&str]| {
            let found = drift(&model, stored, now);
            assert_eq!(found, expected);
            assert!(found.iter().all(|it| wants_snapshot(it)));
        };
        let mut stored = Stored::default();
        check(&stored, 9000, &[NONE]);
        stored.snapshots = vec![snapshot(3600)];
        check(&stored, 7300, &[]);
        check(&stored, 9000, &[ONE]);
        check(&stored, 90_000, &[MORE]);
        stored.silent = silent();
        check(&stored, 9000, &[]);
        check(&stored, 90_000, &[MORE]);
        stored.snapshots.clear();
        check(&stored, 90_000, &[]);
        let damaged = ("c".to_owned(), "its data is gone".to_owned());
        stored.unverified.insert("prod.x.1".to_owned(), damaged);
        check(&stored, 0, &["c: prod.x.1 does not count: its data is gone"]);
        stored.waits.insert("c".to_owned(), "it is gone".to_owned());
        let waits = "c: snapshots wait for the store: it is gone";
        check(&stored, 0, &["c: prod.x.1 does not count: its data is gone", waits]);
        assert!(!wants_snapshot("a: etcd-backup-prod_x.service does not run"));
    }
}
