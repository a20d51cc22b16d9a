//! What nobody notices: certificates before their time is up, the recovery bundle, and the records.

use super::keep;
use super::next::Turn;
use super::refusal::Refusal;
use super::steps::Step;
use super::view::View;
use crate::domain::Next;
use crate::domain::host::{Certificates, Owner};

/// Certificates are read anew by what runs, so all are renewed at once.
pub(super) fn next(view: &View) -> Turn {
    let due = view.names_of(|it| it.certificates != Certificates::Good);
    if !due.is_empty() {
        return Some(Next::Act(Step::Certify { hosts: due }));
    }
    if let Some(step) = keep::next(view) {
        return Some(Next::Act(step));
    }
    // A record that is complete says that there is nothing to continue.
    let stale = view.names_of(|it| it.owner != Owner::Ours { is_current: true });
    if !stale.is_empty() {
        return Some(Next::Act(Step::Record { hosts: stale }));
    }
    let version = view.desired.version;
    let is_behind = |it: &&super::view::Seat| {
        it.facts.is_none() && it.last.is_none_or(|it| !it.is_wish(version))
    };
    let silent: Vec<_> = view.seats.iter().filter(is_behind).map(|it| it.name.clone()).collect();
    (!silent.is_empty()).then_some(Next::Refuse(Refusal::Silent(silent)))
}
