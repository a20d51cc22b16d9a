//! What is to be done about the certificates of a cluster.

use std::collections::BTreeSet;

use super::plan::{Desired, Found, Leaf, Observed, Pair, Refusal, Seen, Step, Wish};
use super::{Certificate, Profile, Reason, due};
use crate::domain::Next;

/// The one next step: the authority first, then keys, then certificates.
///
/// # Guarantees
/// - An authority is made only when every host was seen, and none has any part of one, nor a certificate.
/// - Where there are two authorities, or there is what cannot be read, nothing is overwritten.
/// - A key that is there stays: what is renewed is the certificate.
///
/// A desired host that was not seen is waited for in the end, and holds up nothing before.
pub fn next(desired: &Desired, observed: &Observed) -> Next<Step, Refusal> {
    plan(desired, observed).unwrap_or_else(Next::Refuse)
}

/// What is not as desired, a sentence each: "a: server certificate expires on 2027-02-03". Of hosts that were seen.
pub fn drift(desired: &Desired, observed: &Observed) -> Vec<String> {
    let Ok(Some((_, authority))) = authority(desired, observed) else {
        return vec!["the certificate authority is missing or in doubt".to_owned()];
    };
    let mut sentences = Vec::new();
    for (host, wish, seen) in wished(desired, observed) {
        if !has_authority(wish, seen) {
            sentences.push(format!("{host}: the certificate authority is missing"));
        }
        for (name, profile) in &wish.leaves {
            let pair = leaf(seen, name);
            match &pair.key {
                Found::Absent => sentences.push(format!("{host}: {name} key is missing")),
                Found::Broken(why) => sentences.push(format!("{host}: {name} key: {why}")),
                Found::Is(_) => {}
            }
            if let Some(reason) = reason(profile, &pair, authority, observed) {
                sentences.push(format!("{host}: {name} certificate {reason}"));
            }
        }
    }
    sentences
}

fn plan(desired: &Desired, observed: &Observed) -> Result<Next<Step, Refusal>, Refusal> {
    let Some((holder, authority)) = authority(desired, observed)? else {
        let mut holders = desired.hosts().iter().filter(|it| it.1.holds_authority);
        let on = holders.next().map(|it| it.0.clone()).unwrap_or_default();
        return Ok(Next::Act(Step::MakeAuthority { on }));
    };
    if authority.not_after <= observed.now {
        return Err(Refusal::Expired(authority.not_after.date()));
    }
    if observed.now < authority.not_before {
        return Err(Refusal::NotYetValid(authority.not_before.date()));
    }
    let lacking = |holds: bool| {
        let lack = wished(desired, observed)
            .filter(|(_, wish, seen)| wish.holds_authority == holds && !has_authority(wish, seen));
        lack.map(|it| it.0.to_owned()).collect::<Vec<_>>()
    };
    let from = || holder.to_owned();
    let to = lacking(true);
    if !to.is_empty() {
        return Ok(Next::Act(Step::CopyAuthority { from: from(), to }));
    }
    let to = lacking(false);
    if !to.is_empty() {
        return Ok(Next::Act(Step::Trust { from: from(), to }));
    }
    let unseen = unseen(desired, observed);
    let mut keys = Vec::new();
    let mut leaves = Vec::new();
    for (host, wish, seen) in wished(desired, observed) {
        for (name, profile) in &wish.leaves {
            let (pair, named) =
                (leaf(seen, name), Leaf { host: host.to_owned(), name: name.clone() });
            match &pair.key {
                Found::Absent => keys.push(named),
                Found::Broken(why) => return Err(unreadable(host, &format!("{name} key"), why)),
                Found::Is(_) => match reason(profile, &pair, authority, observed) {
                    None => {}
                    // While not all were seen, it may be this authority that is the stranger.
                    Some(Reason::OtherAuthority) if !unseen.is_empty() => {
                        return Err(Refusal::Stranger { leaf: named, unseen });
                    }
                    Some(_) => leaves.push(named),
                },
            }
        }
    }
    if !keys.is_empty() {
        return Ok(Next::Act(Step::MakeKeys(keys)));
    }
    if !leaves.is_empty() {
        return Ok(Next::Act(Step::Certify { by: from(), leaves }));
    }
    let awaited: Vec<_> =
        unseen.into_iter().filter(|it| desired.hosts().contains_key(it)).collect();
    if awaited.is_empty() {
        return Ok(Next::Done);
    }
    Ok(Next::Wait(format!("{} to answer", awaited.join(", "))))
}

/// The one authority of all hosts, and the first that holds the whole of it. None when there is none, beyond doubt.
fn authority<'a>(
    desired: &'a Desired,
    observed: &'a Observed,
) -> Result<Option<(&'a str, &'a Certificate)>, Refusal> {
    let all = || observed.hosts.iter().filter_map(|(host, seen)| Some((host, seen.as_ref()?)));
    for (host, seen) in all() {
        if let Found::Broken(why) = &seen.authority.key {
            return Err(unreadable(host, "key of the certificate authority", why));
        }
        if let Found::Broken(why) = &seen.authority.certificate {
            return Err(unreadable(host, "certificate of the authority", why));
        }
    }
    let mut whole = all().filter_map(|(host, seen)| match &seen.authority {
        Pair { key: Found::Is(key), certificate: Found::Is(it) } => Some((host, key, it)),
        _ => None,
    });
    let Some((holder, key, authority)) = whole.next() else {
        return nowhere(desired, observed).map(|()| None);
    };
    if authority.public_key != *key {
        return Err(Refusal::Torn(holder.clone()));
    }
    if !authority.is_authority {
        return Err(Refusal::NoAuthority(holder.clone()));
    }
    for (host, seen) in all() {
        let is_other_key =
            matches!(&seen.authority.key, Found::Is(it) if *it != authority.public_key);
        let is_other = matches!(&seen.authority.certificate, Found::Is(it) if it != authority);
        if is_other_key || is_other {
            return Err(Refusal::Differ { host: host.clone(), other: holder.clone() });
        }
    }
    Ok(Some((holder, authority)))
}

/// That no host has any part of an authority, nor anything that one has signed.
fn nowhere(desired: &Desired, observed: &Observed) -> Result<(), Refusal> {
    let unseen = unseen(desired, observed);
    if !unseen.is_empty() {
        return Err(Refusal::Unseen(unseen));
    }
    for (host, seen) in &observed.hosts {
        let Some(seen) = seen else { continue };
        let certified = seen.leaves.iter().find(|it| it.1.certificate != Found::Absent);
        let what = match (&seen.authority, certified) {
            (Pair { key: Found::Absent, certificate: Found::Absent }, None) => continue,
            (Pair { key: Found::Absent, certificate: Found::Absent }, Some((name, _))) => {
                format!("a {name} certificate")
            }
            (Pair { key: Found::Absent, .. }, _) => "its certificate without the key".to_owned(),
            _ => "its key without the certificate".to_owned(),
        };
        return Err(Refusal::Lost { host: host.clone(), what });
    }
    Ok(())
}

fn seen<'a>(observed: &'a Observed, host: &str) -> Option<&'a Seen> {
    observed.hosts.get(host)?.as_ref()
}

/// Hosts of the cluster that did not answer, desired or not.
fn unseen(desired: &Desired, observed: &Observed) -> Vec<String> {
    let all: BTreeSet<_> = desired.hosts().keys().chain(observed.hosts.keys()).collect();
    all.into_iter().filter(|it| seen(observed, it).is_none()).cloned().collect()
}

/// The desired hosts that were seen.
fn wished<'a>(
    desired: &'a Desired,
    observed: &'a Observed,
) -> impl Iterator<Item = (&'a str, &'a Wish, &'a Seen)> {
    let hosts = desired.hosts().iter();
    hosts.filter_map(|(host, wish)| Some((host.as_str(), wish, seen(observed, host)?)))
}

fn leaf(seen: &Seen, name: &str) -> Pair {
    seen.leaves.get(name).cloned().unwrap_or_default()
}

/// As much of it as is wished.
fn has_authority(wish: &Wish, seen: &Seen) -> bool {
    seen.authority.certificate != Found::Absent
        && (!wish.holds_authority || seen.authority.key != Found::Absent)
}

/// Why the certificate of a pair has to be signed anew. A missing key is said elsewhere, and no certificate is of one.
fn reason(
    profile: &Profile,
    pair: &Pair,
    authority: &Certificate,
    observed: &Observed,
) -> Option<Reason> {
    let Found::Is(key) = &pair.key else { return None };
    let present = match &pair.certificate {
        Found::Absent => None,
        Found::Broken(_) => return Some(Reason::Unreadable),
        Found::Is(certificate) => Some(certificate),
    };
    due(profile, present, authority, key, observed.now)
}

fn unreadable(host: &str, what: &str, why: &str) -> Refusal {
    Refusal::Unreadable { host: host.to_owned(), what: what.to_owned(), why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use time::Duration;

    use super::super::samples::{Ca, Fleet, desired, now};
    use super::*;

    /// Hosts by words: `A` whole authority, `K` its key, `C` its certificate, `B` another whole one, `x` something
    /// that is none; `k` a key of a leaf, `l` with its certificate, `o` with one that is old, `f` with a foreign one,
    /// `?` unseen.
    fn check(hosts: &str, expected: &str) {
        let (ca, other) = (Ca::new("ca"), Ca::new("ca"));
        let fleet = Fleet::of(hosts, &ca, &other);
        let said = match next(&desired("a b -c"), &fleet.observed()) {
            Next::Done => "done".to_owned(),
            Next::Act(step) => step.to_string(),
            Next::Wait(reason) => format!("wait for {reason}"),
            Next::Refuse(refusal) => format!("refuse: {refusal}"),
        };
        assert!(said.starts_with(expected), "{hosts}: {said}");
    }

    #[test]
    fn the_authority_comes_first_then_keys_then_certificates() {
        check("a: b: c:", "make the certificate authority on a");
        check("a:k b:k c:k", "make the certificate authority on a");
        check("a:A b: c:", "copy the certificate authority from a to b");
        check("a: b:A c:", "copy the certificate authority from b to a");
        check("a:A b:K c:", "copy the certificate authority from a to b");
        check("a:C b:A c:", "copy the certificate authority from b to a");
        check("a:A b:A c:", "copy the certificate of the authority from a to c");
        check("a:A b:A c:C", "make the keys server of a, server of b, server of c");
        check("a:Al b:A c:C", "make the keys server of b, server of c");
        check("a:Al b:Ak c:Co", "sign on a the certificates server of b, server of c");
        check("a:Al b:Al c:Cf", "sign on a the certificates server of c");
        check("a:Al b:Al c:Cl", "done");
        // The holder that signs may be on its way out.
        check("a: b: c:C z:A", "copy the certificate authority from z to a, b");
    }

    #[test]
    fn a_host_that_is_not_seen_holds_up_no_other_one() {
        check("a:A b:? c:C", "make the keys server of a, server of c");
        check("a:Al b:? c:Cl", "wait for b to answer");
        check("a:Al c:Cl", "wait for b to answer");
        check("a:Al b:Al c:Cl z:?", "done");
        check(
            "a:Al b:Af c:Cl z:?",
            "refuse: the server certificate of b was signed by another authority, which may be on z",
        );
    }

    #[test]
    fn an_authority_is_never_made_while_there_may_be_one() {
        let unseen =
            "refuse: no host that answers holds the certificate authority, and it may be on";
        check("a: b:? c:", &format!("{unseen} b: bring it back"));
        check("a: b: c: z:?", &format!("{unseen} z: bring it back"));
        check("a: c:", &format!("{unseen} b: bring it back"));
        let lost = "refuse: no host holds the certificate authority any more, but";
        check("a: b:l c:", &format!("{lost} b has a server certificate"));
        check("a: b: c:f", &format!("{lost} c has a server certificate"));
        check("a: b: c: z:l", &format!("{lost} z has a server certificate"));
        check("a:K b: c:", &format!("{lost} a has its key without the certificate"));
        check("a: b: c:C", &format!("{lost} c has its certificate without the key"));
    }

    #[test]
    fn what_is_in_doubt_is_not_overwritten() {
        check("a:A b:B c:", "refuse: b has another certificate authority than a");
        check("a:A b:A c: z:B", "refuse: z has another certificate authority than a");
        check(
            "a:x b: c:",
            "refuse: on a the key of the certificate authority cannot be read: it is x",
        );
        check(
            "a:A b:x c:",
            "refuse: on b the key of the certificate authority cannot be read: it is x",
        );
    }

    #[test]
    fn drift_is_told_in_plain_sentences() {
        let (ca, other) = (Ca::new("ca"), Ca::new("ca"));
        let drift =
            |hosts: &str| drift(&desired("a b -c"), &Fleet::of(hosts, &ca, &other).observed());
        assert_eq!(drift("a:Al b:Al c:Cl"), [""; 0]);
        assert_eq!(
            drift("a:Ao b:k c:C"),
            [
                "a: server certificate expires on 2030-04-11",
                "b: the certificate authority is missing",
                "b: server certificate is missing",
                "c: server key is missing",
            ]
        );
        assert_eq!(drift("a:l b: c:"), ["the certificate authority is missing or in doubt"]);
    }

    #[test]
    fn an_authority_that_is_not_valid_signs_nothing() {
        let ca = Ca::new("ca");
        let at = |when| {
            let observed = Observed { now: when, ..Fleet::of("a:A b:A c:C", &ca, &ca).observed() };
            match next(&desired("a b -c"), &observed) {
                Next::Refuse(refusal) => refusal.to_string(),
                other => panic!("{other:?}"),
            }
        };
        let late = at(ca.certificate.not_after);
        assert_eq!(
            late,
            "the certificate authority expired on 2039-01-01: it has to be replaced by hand"
        );
        let early = at(now() - Duration::days(3650));
        assert!(early.starts_with("the certificate authority is not valid before 2029-01-01"));
    }

    #[test]
    fn somebody_has_to_hold_it() {
        let authority = desired("a").authority().clone();
        let hosts = BTreeMap::from([("a".to_owned(), Wish::default())]);
        Desired::new(authority, hosts).unwrap_err();
    }
}
