//! Facts in, one step out.

use std::collections::BTreeMap;

use super::{Facts, Leave, Observed, Refusal, Step};
use crate::domain::Next;
use crate::domain::host::{MachineId, Owner};
use crate::domain::name::{Name, OnDestroy};

/// The one next step towards a backup on all wished hosts, and on no others.
///
/// # Guarantees
/// - Nothing is begun, overwritten or removed on a host that did not answer, or that is another's.
/// - A service runs only with what was written whole. The snapshot that was asked for is taken before it starts: what does
///   not work is found out by the apply.
/// - What is as desired stays untouched: then it is done.
pub fn next(observed: &Observed) -> Next<Step, Refusal> {
    if let Some(refusal) = refuse(observed) {
        return Next::Refuse(refusal);
    }
    let those = |is_so: fn(&Facts) -> bool| -> Option<Vec<Name>> {
        let those = seen(&observed.hosts).filter(|it| is_so(it.1)).map(|it| it.0.clone());
        Some(those.collect::<Vec<_>>()).filter(|it| !it.is_empty())
    };
    if let Some(hosts) = those(|it| it.owner == Owner::Nobody) {
        return Next::Act(Step::Claim(hosts));
    }
    if let Some(hosts) = those(|it| !it.is_written) {
        return Next::Act(Step::Write(hosts));
    }
    if observed.needs_snapshot {
        let host = seen(&observed.hosts).find(|it| it.1.has_member);
        return match host {
            Some((host, _)) => Next::Act(Step::Take(host.clone())),
            None => Next::Refuse(Refusal::NoMember),
        };
    }
    if let Some(hosts) = those(|it| !it.runs) {
        return Next::Act(Step::Start(hosts));
    }
    let retires: Vec<_> = ours(&observed.former).cloned().collect();
    if !retires.is_empty() {
        return Next::Act(Step::Retire(retires));
    }
    match those(|it| it.owner != Owner::Ours { is_current: true }) {
        Some(hosts) => Next::Act(Step::Record(hosts)),
        None => Next::Done,
    }
}

/// The one next step towards no backup at all.
///
/// # Guarantees
/// It is done only when every host has told that nothing is there. What is another's stays.
pub fn leave(wish: Leave, observed: &Observed) -> Next<Step, Refusal> {
    let all = || observed.hosts.iter().chain(&observed.former);
    let hosts: Vec<_> = ours(&observed.hosts).chain(ours(&observed.former)).cloned().collect();
    if !hosts.is_empty() {
        return Next::Act(Step::Dismantle { hosts, purges: wish.0 == OnDestroy::Purge });
    }
    let silent: Vec<_> = all().filter(|it| it.1.is_none()).map(|it| it.0.clone()).collect();
    if silent.is_empty() { Next::Done } else { Next::Refuse(Refusal::Silent(silent)) }
}

/// What a step is expected to do.
pub fn believe(observed: &mut Observed, step: &Step) {
    let on = |map: &mut BTreeMap<Name, Option<Facts>>, hosts: &[Name], change: fn(&mut Facts)| {
        map.iter_mut()
            .filter(|it| hosts.contains(it.0))
            .filter_map(|it| it.1.as_mut())
            .for_each(change);
    };
    let gone = |it: &mut Facts| (it.owner, it.is_written, it.runs) = (Owner::Nobody, false, false);
    match step {
        Step::Claim(names) => on(&mut observed.hosts, names, |it| it.owner = Owner::Unfinished),
        Step::Write(names) => {
            on(&mut observed.hosts, names, |it| (it.is_written, it.runs) = (true, false));
        }
        Step::Take(_) => observed.needs_snapshot = false,
        Step::Start(names) => on(&mut observed.hosts, names, |it| it.runs = true),
        Step::Record(names) => {
            on(&mut observed.hosts, names, |it| it.owner = Owner::Ours { is_current: true });
        }
        Step::Retire(names) => on(&mut observed.former, names, gone),
        Step::Dismantle { hosts, .. } => {
            on(&mut observed.hosts, hosts, gone);
            on(&mut observed.former, hosts, gone);
        }
    }
}

fn refuse(observed: &Observed) -> Option<Refusal> {
    let mut machines: BTreeMap<&MachineId, &Name> = BTreeMap::new();
    for (name, facts) in seen(&observed.hosts) {
        let name = name.clone();
        match &facts.owner {
            Owner::Foreign(owner) => {
                return Some(Refusal::Foreign { name, owner: owner.clone() });
            }
            Owner::Newer(format) => return Some(Refusal::Newer { name, format: *format }),
            Owner::Nobody if facts.foreign.is_some() => {
                let path = facts.foreign.clone().unwrap_or_default();
                return Some(Refusal::ForeignFile { name, path });
            }
            Owner::Nobody | Owner::Unfinished | Owner::Ours { .. } => {}
        }
        let (key, _) = observed.hosts.get_key_value(&name)?;
        if let Some(other) = machines.insert(&facts.machine, key) {
            return Some(Refusal::SameMachine { name, other: other.clone() });
        }
    }
    let unseen: Vec<_> =
        observed.hosts.iter().filter(|it| it.1.is_none()).map(|it| it.0.clone()).collect();
    (!observed.is_known && !unseen.is_empty()).then_some(Refusal::Unseen(unseen))
}

fn seen(hosts: &BTreeMap<Name, Option<Facts>>) -> impl Iterator<Item = (&Name, &Facts)> {
    hosts.iter().filter_map(|(name, it)| Some((name, it.as_ref()?)))
}

fn ours(hosts: &BTreeMap<Name, Option<Facts>>) -> impl Iterator<Item = &Name> {
    seen(hosts).filter(|it| it.1.owner.is_us()).map(|it| it.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn facts(machine: &str, owner: Owner) -> Facts {
        let is_there = owner.is_us();
        Facts {
            machine: MachineId(machine.to_owned()),
            owner,
            foreign: None,
            is_written: is_there,
            runs: is_there,
            has_member: true,
        }
    }

    fn observed(hosts: &[(&str, Option<Facts>)]) -> Observed {
        Observed {
            hosts: hosts.iter().map(|(key, it)| (name(key), it.clone())).collect(),
            former: BTreeMap::new(),
            is_known: true,
            needs_snapshot: false,
        }
    }

    const OURS: Owner = Owner::Ours { is_current: true };

    /// All steps, and how it ends.
    fn course(mut it: Observed, next: impl Fn(&Observed) -> Next<Step, Refusal>) -> Vec<String> {
        let mut told = Vec::new();
        loop {
            match next(&it) {
                Next::Act(step) => {
                    told.push(step.to_string());
                    believe(&mut it, &step);
                    assert!(told.len() < 20, "{told:?}");
                }
                Next::Done => return told,
                Next::Wait(it) => told.push(it),
                Next::Refuse(it) => {
                    told.push(it.to_string());
                    return told;
                }
            }
        }
    }

    #[test]
    fn a_backup_comes_to_hosts_and_goes() {
        let nobody = |it: &str| Some(facts(it, Owner::Nobody));
        let mut new = observed(&[("a", nobody("1")), ("b", nobody("2"))]);
        (new.is_known, new.needs_snapshot) = (false, true);
        let all = [
            "claim a, b",
            "write the schedule of backups on a, b",
            "take a snapshot on a",
            "start backups on a, b",
            "record on a, b what was applied",
        ];
        assert_eq!(course(new.clone(), next), all);

        new.hosts.insert(name("c"), None);
        assert_eq!(
            course(new.clone(), next),
            ["c must answer before the backup is made: nothing is begun without them"]
        );
        // What is there already goes on without it.
        let mut old = observed(&[("a", Some(facts("1", OURS))), ("c", None)]);
        assert_eq!(course(old.clone(), next), [""; 0]);
        old.former.insert(name("b"), Some(facts("2", OURS)));
        old.former.insert(name("d"), None);
        assert_eq!(course(old.clone(), next), ["end backups on b, whose snapshots stay"]);
        assert_eq!(
            course(old.clone(), |it| leave(Leave(OnDestroy::Keep), it)),
            [
                "end backups on a, b, and keep the snapshots",
                "c, d must answer before the backup can go: it would go on there"
            ]
        );
        old.hosts.remove(&name("c"));
        old.former.remove(&name("d"));
        assert_eq!(
            course(old, |it| leave(Leave(OnDestroy::Purge), it)),
            ["end backups on a, b, and delete the snapshots"]
        );
    }

    #[test]
    fn what_is_not_ours_is_refused() {
        let check = |change: fn(&mut Facts), expected: &str| {
            let mut found = facts("1", Owner::Nobody);
            change(&mut found);
            let other = Some(facts("2", OURS));
            assert_eq!(course(observed(&[("a", Some(found)), ("b", other)]), next)[0], expected);
        };
        check(
            |it| it.owner = Owner::Foreign("the etcd_backup \"x\"".to_owned()),
            "a belongs to the etcd_backup \"x\"",
        );
        check(
            |it| it.owner = Owner::Newer(9),
            "the record on a has format 9: use the provider that wrote it, or a later one",
        );
        check(
            |it| it.foreign = Some("/etc/x".to_owned()),
            "/etc/x on a is not of this provider: move it away",
        );
        check(|it| it.machine.0 = "2".to_owned(), "a and b are the same machine");
        let mut down = observed(&[("a", Some(facts("1", OURS)))]);
        down.needs_snapshot = true;
        down.hosts.values_mut().flatten().for_each(|it| it.has_member = false);
        let said = "a snapshot cannot be taken: etcd runs on none of the hosts that answer";
        assert_eq!(course(down, next), [said]);
    }

    proptest! {
        #[test]
        fn every_course_ends_and_touches_no_silent_host(
            hosts in prop::collection::vec((0..5_u8, any::<[bool; 4]>()), 1..6), needs_snapshot: bool,
        ) {
            let mut it = observed(&[]);
            it.needs_snapshot = needs_snapshot;
            for (at, (owner, [is_written, runs, has_member, is_former])) in hosts.iter().enumerate() {
                let owners = [Owner::Nobody, Owner::Unfinished, OURS, Owner::Ours { is_current: false }];
                // The fifth is silent.
                let owner = owners.get(usize::from(*owner)).cloned();
                let found = owner.map(|owner| Facts {
                    is_written: *is_written, runs: *runs, has_member: *has_member, ..facts(&at.to_string(), owner)
                });
                let map = if *is_former { &mut it.former } else { &mut it.hosts };
                map.insert(name(&format!("h{at}")), found);
            }
            let silent: Vec<_> = it.hosts.iter().chain(&it.former).filter(|it| it.1.is_none()).map(|it| it.0.clone()).collect();
            for _ in 0..20 {
                match next(&it) {
                    Next::Act(step) => {
                        let touched = crate::domain::Step::hosts(&step);
                        prop_assert!(silent.iter().all(|it| !touched.contains(&it.as_str())));
                        believe(&mut it, &step);
                    }
                    _ => return Ok(()),
                }
            }
            prop_assert!(false, "it does not end");
        }
    }
}
