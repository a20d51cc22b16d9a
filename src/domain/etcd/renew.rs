//! What nobody notices: certificates before their time is up, and the records.

use super::bootstrap::names_of;
use super::next::Turn;
use super::observed::{Certificates, Owner};
use super::steps::Step;
use super::view::View;
use crate::domain::Next;

/// Certificates are read anew with each connection, so all are renewed at once.
pub(super) fn next(view: &View) -> Turn {
    let hosts: Vec<_> = view.seats.iter().filter_map(|it| Some((it.name, it.facts?))).collect();
    let due = names_of(&hosts, |it| it.certificates != Certificates::Good);
    if !due.is_empty() {
        return Some(Next::Act(Step::Certify { hosts: due }));
    }
    // Last of all: a record that is complete says that there is nothing to continue.
    let stale = names_of(&hosts, |it| it.owner != Owner::Ours { is_current: true });
    (!stale.is_empty()).then_some(Next::Act(Step::Record { hosts: stale }))
}
