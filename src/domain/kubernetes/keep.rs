//! The recovery bundle, of which each node keeps a copy: it is sealed once, and again only for other keys or recipients.

use super::observed::{Facts, KeptBundle};
use super::steps::Step;
use super::view::View;
use crate::domain::name::Name;

/// What is to be done for it, if anything.
pub(super) fn next(view: &View) -> Option<Step> {
    let has_keys = |it: &Facts| it.owner.is_us() && it.keys.is_some();
    if view.desired.recipients.is_empty() {
        let hosts = view.names_of(|it| it.owner.is_us() && it.bundle != KeptBundle::Absent);
        return (!hosts.is_empty()).then_some(Step::ForgetBundle { hosts });
    }
    let current = |(name, facts): (&Name, &Facts)| match &facts.bundle {
        KeptBundle::Current(text) if has_keys(facts) => Some((name.clone(), text.clone())),
        _ => None,
    };
    let found = view.seen().find_map(current);
    let wanted = found.as_ref().map(|(_, text)| KeptBundle::Current(text.clone()));
    let hosts = view.names_of(|it| has_keys(it) && Some(&it.bundle) != wanted.as_ref());
    let from = found.map(|(name, _)| name);
    (!hosts.is_empty()).then_some(Step::KeepBundle { from, hosts })
}
