//! New nodes, one at a time, once all others serve.

use super::arguments::Component;
use super::create::outfit;
use super::next::{Turn, strays};
use super::steps::Step;
use super::view::View;
use crate::domain::Next;
use crate::domain::host::Owner;

/// All newcomers are made ready together, and join one after the other. Their other two components follow as those of a
/// node that is down.
pub(super) fn next(view: &View) -> Turn {
    let is_new = |owner: &Owner| matches!(owner, Owner::Nobody | Owner::Unfinished);
    let new: Vec<_> = view.seen().filter(|(_, it)| is_new(&it.owner) && !it.is_begun).collect();
    let (first, _) = new.first()?;
    let hosts = strays(view);
    if !hosts.is_empty() {
        return Some(Next::Act(Step::Discard { hosts }));
    }
    if let Some(step) = outfit(&new, view.joining_version()) {
        return Some(Next::Act(step));
    }
    let joining = new.iter().find(|(_, it)| it.part(Component::ApiServer).unit.is_down());
    let host = joining.map_or(*first, |(name, _)| *name).clone();
    Some(Next::Act(Step::Join { host }))
}
