//! Whatever a fleet begins with, whenever a step is cut off and whichever host falls silent.

use proptest::prelude::*;

use super::samples::{Ca, Fleet, desired, now};
use super::{Certificate, Desired, Found, Pair, Step, due, next};
use crate::domain::Next;

/// More than the steps of a run, with one of each kind cut off.
const MOST_STEPS: usize = 20;

/// What a host may have, in the notation of the tables of `next`.
fn any_fleet(authorities: &'static str, leaves: &'static str) -> impl Strategy<Value = String> {
    let letter = |of: &'static str| prop::sample::select(of.chars().collect::<Vec<_>>());
    let host = (letter(authorities), letter(leaves), prop::bool::weighted(0.15));
    let hosts = prop::collection::vec(host, 4);
    hosts.prop_map(|hosts| {
        let words =
            hosts.iter().zip(["a", "b", "c", "z"]).map(|((authority, leaf, silent), name)| {
                let marks = [*authority, *leaf, if *silent { '?' } else { '-' }];
                let marks: String = marks.iter().filter(|it| **it != '-').collect();
                format!("{name}:{marks}")
            });
        words.collect::<Vec<_>>().join(" ")
    })
}

/// The hosts whose key and certificate work together now, under an authority that some host holds.
fn working(fleet: &Fleet<'_>, desired: &Desired) -> Vec<String> {
    let held = |it: &Certificate| {
        let held = fleet.hosts.values().filter(|it| it.authority.key != Found::Absent);
        let mut held = held.filter_map(|it| match &it.authority.certificate {
            Found::Is(authority) => Some(authority),
            _ => None,
        });
        held.any(|authority| it.is_signed_by(authority))
    };
    let works = |host: &String| match fleet.hosts[host].leaves.get("server") {
        Some(Pair { key: Found::Is(key), certificate: Found::Is(it) }) => {
            let is_valid = it.not_before <= now() && now() < it.not_after;
            is_valid && it.public_key == *key && held(it)
        }
        _ => false,
    };
    desired.hosts().keys().filter(|it| works(it)).cloned().collect()
}

fn is_bare(fleet: &Fleet<'_>) -> bool {
    fleet.hosts.values().all(|it| {
        it.authority.key == Found::Absent
            && it.authority.certificate == Found::Absent
            && it.leaves.values().all(|it| it.certificate == Found::Absent)
    })
}

/// Follows the planner to its end. `cuts`: how many writes of each of the first steps are done before it is cut off.
fn follow(fleet: &mut Fleet<'_>, cuts: &[usize]) -> Result<String, TestCaseError> {
    let desired = desired("a b -c");
    let mut cuts = cuts.iter().copied();
    for _ in 0..MOST_STEPS {
        let step = match next(&desired, &fleet.observed()) {
            Next::Act(step) => step,
            Next::Done => return Ok("done".to_owned()),
            Next::Wait(reason) => return Ok(format!("wait for {reason}")),
            Next::Refuse(refusal) => return Ok(format!("refuse: {refusal}")),
        };
        if matches!(step, Step::MakeAuthority { .. }) {
            prop_assert!(is_bare(fleet), "a second authority");
        }
        let (before, worked) = (fleet.hosts.clone(), working(fleet, &desired));
        fleet.perform(&step, &desired, cuts.next().unwrap_or(usize::MAX));
        let works = working(fleet, &desired);
        prop_assert!(worked.iter().all(|it| works.contains(it)), "{step} broke one of {worked:?}");
        for (host, before) in before {
            let after = &fleet.hosts[&host];
            let leaves = before.leaves.iter().map(|(name, it)| (it, &after.leaves[name]));
            for (before, after) in leaves.chain([(&before.authority, &after.authority)]) {
                let is_kept = before.key == Found::Absent || before.key == after.key;
                prop_assert!(is_kept, "{step} replaced a key of {host}");
            }
        }
    }
    prop_assert!(false, "{MOST_STEPS} steps did not suffice");
    Ok(String::new())
}

fn cuts() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0_usize..4, 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn any_fleet_converges_or_is_refused(hosts in any_fleet("-AKCBx", "-klof"), cuts in cuts()) {
        let (ca, other) = (Ca::new("ca"), Ca::new("ca"));
        let mut fleet = Fleet::of(&hosts, &ca, &other);
        let said = follow(&mut fleet, &cuts)?;
        if said == "done" {
            let holder = fleet.hosts.values().find_map(|it| match &it.authority {
                it if it.key == Found::Absent => None,
                it => Some(it.certificate.clone()),
            });
            let Some(Found::Is(authority)) = holder else { panic!("nobody holds it") };
            for (host, wish) in desired("a b -c").hosts() {
                let seen = &fleet.hosts[host];
                prop_assert_eq!(&seen.authority.certificate, &Found::Is(authority.clone()));
                prop_assert!(!wish.holds_authority || seen.authority.key != Found::Absent);
                let pair = &seen.leaves["server"];
                let (Found::Is(key), Found::Is(it)) = (&pair.key, &pair.certificate) else {
                    panic!("{host} is not done")
                };
                let reason = due(&wish.leaves["server"], Some(it), &authority, key, now());
                prop_assert_eq!(reason, None);
            }
        }
    }

    #[test]
    fn a_fleet_with_a_whole_authority_that_answers_is_not_refused(
        hosts in any_fleet("-AKC", "-klo"),
        cuts in cuts(),
    ) {
        let (ca, other) = (Ca::new("ca"), Ca::new("ca"));
        let mut fleet = Fleet::of(&hosts, &ca, &other);
        fleet.mark_whole("y");
        let said = follow(&mut fleet, &cuts)?;
        prop_assert!(!said.starts_with("refuse"), "{}", said);
        // Once all answer, all is done.
        fleet.silent.clear();
        prop_assert_eq!(follow(&mut fleet, &[])?, "done");
    }

    #[test]
    fn a_bare_fleet_that_answers_gets_an_authority(hosts in any_fleet("-", "-k"), cuts in cuts()) {
        let (ca, other) = (Ca::new("ca"), Ca::new("ca"));
        let mut fleet = Fleet::of(&hosts, &ca, &other);
        let all_answer = fleet.silent.is_empty();
        let said = follow(&mut fleet, &cuts)?;
        prop_assert_eq!(said == "done", all_answer, "{}", said);
    }
}
