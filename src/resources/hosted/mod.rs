//! The life of an object on hosts, which is the same for every type of one. What a type does differently it says in [`Hosted`].

mod life;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt;
use std::future::Future;

#[cfg(test)]
pub(super) use self::life::way_out;
pub(super) use self::life::{create, delete, identify, import, update};
use super::fleet::{Reached, Ready};
use super::hosts::Placed;
use super::import::{HostedIdentity, Sought};
use super::provider::{Client, Gap, Ha};
use crate::actions::Own;
use crate::domain::Kind;
use crate::engine::record::Record;
use crate::engine::{Announced, Fleet, Run, Stopped};
use crate::tfplugin::api::{ImportKey, Resource};
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::value::Value;

/// A type of objects on hosts.
pub(super) trait Hosted:
    Resource<Provider = Ha, Identity = HostedIdentity, Model: PartialEq>
{
    /// What records call its objects.
    const KIND: &'static str;
    /// What people call one of them: `etcd cluster`.
    const WHAT: &'static str;
    /// What a creation leaves that is given up, as the object of "stop and remove".
    const REMAINS: &'static str;
    /// What is told of the state after a change that came to no end.
    const SAVED: &'static str = "What was reached is in the state.";
    /// What happens to a host that is left.
    const LEAVING: Kind = Kind::Remove;
    /// What a run works with.
    type Setup: Send + Sync;
    /// One host of it.
    type Site: Send + Sync;
    /// What else a run needs.
    type More: Send;
    /// What was seen of the whole.
    type Observed: Send + Sync;
    /// What was seen of a host.
    type Look: Send + Sync;

    /// Its hosts, as far as they are known.
    fn hosts(model: &Self::Model) -> impl Iterator<Item = Placed<'_>>;
    /// What the hosts call it.
    fn name(model: &Self::Model) -> Value<String>;
    /// The attribute `id`.
    fn id(model: &mut Self::Model) -> &mut Value<String>;
    /// The attribute `drift`.
    fn drift(model: &Self::Model) -> &Value<Vec<String>>;
    /// The second with what is only recorded of the first, which nothing has to be done for.
    fn with_recorded(from: &Self::Model, of: Self::Model) -> Self::Model;
    /// Whether they differ at most in how hosts are reached, and in what is only recorded.
    fn is_only_way(_one: &Self::Model, _other: &Self::Model) -> bool {
        false
    }
    /// Why nothing must be done that the plan could not know.
    fn refusal(_prior: &Self::Model, _planned: &Self::Model) -> Option<Diagnostic> {
        None
    }

    /// Everything for a run, from what is wanted and what was, if there was something.
    ///
    /// # Errors
    /// Something is not known, or cannot be.
    fn ready(
        client: &Client,
        wanted: &Self::Model,
        prior: Option<&Self::Model>,
        private: &Self::Private,
        id: &str,
    ) -> Result<Work<Self>, Gap>;
    /// Whose it is.
    fn own(setup: &Self::Setup) -> &Own;
    /// The kinds of steps that may be taken: those that the plan has told of, and what needs no telling.
    fn announced(
        private: &Self::Private,
        prior: Option<&Self::Model>,
        planned: &Self::Model,
    ) -> Announced;
    /// One run over hosts that are locked.
    ///
    /// # Errors
    /// It did not begin.
    fn work(
        fleet: &mut Fleet,
        job: Job<'_, Self>,
    ) -> impl Future<Output = Result<End<Self>, Stopped>> + Send;

    /// Puts into the state what only the hosts know.
    fn tell(reached: &End<Self>, state: &mut Self::Model);
    /// What is known of the hosts of these states, the first of which is the present one, and of no others.
    fn kept(reached: &End<Self>, private: Self::Private, states: &[&Self::Model]) -> Self::Private;
    /// The hosts after a run that was stopped: those that serve are in, those that were to leave stay until they have.
    fn joined(state: &mut Self::Model, planned: &Self::Model, observed: Option<&Self::Observed>);
    /// Whether it was stopped for want of hosts, and none of those that answer has shown to be another machine than before.
    fn is_silence(_reached: &End<Self>, _before: &Self::Model) -> bool {
        false
    }
    /// The host that has it already, where a create was refused for that.
    fn found_on(stopped: &Stopped) -> Option<&str>;
    /// What a destroy has left behind.
    fn left(_state: &Self::Model, _observed: Option<&Self::Observed>) -> Diagnostics {
        Diagnostics::new()
    }

    /// What an import means.
    ///
    /// # Errors
    /// It has another form.
    fn sought(key: ImportKey<HostedIdentity>) -> Result<Sought, Diagnostic> {
        Sought::new(Self::NAME, key)
    }
    /// What records call it.
    fn title(sought: &Sought) -> String {
        sought.name().to_owned()
    }
    /// The state that the record of a host tells of, but for what only a look can tell.
    ///
    /// # Errors
    /// It makes none.
    fn restored(record: &Record, sought: &Sought) -> Result<Self::Model, Diagnostics>;
}

/// Everything for a run.
type Work<R> = Ready<<R as Hosted>::Setup, <R as Hosted>::Site, <R as Hosted>::More>;

/// The end of a run.
pub(super) type End<R> = Reached<<R as Hosted>::Observed, <R as Hosted>::Look>;

/// What a run works with, and what it is to do.
pub(super) struct Job<'a, R: Hosted> {
    pub(super) client: &'a Client,
    pub(super) setup: R::Setup,
    pub(super) sites: BTreeMap<String, R::Site>,
    pub(super) more: R::More,
    /// What is to be left, so that nothing of it is there in the end. None: all that is wished is to be.
    pub(super) leaves: Option<&'a R::Model>,
    /// The hosts that are waited for while they start.
    pub(super) patient: &'a BTreeSet<String>,
    pub(super) run: &'a Run,
}

/// All hosts of it may have to go, each in these ways.
pub(super) fn all_may_go<R: Hosted>(kinds: &[Kind], prior: Option<&R::Model>) -> Announced {
    let all = prior.into_iter().flat_map(R::hosts);
    Announced::each(kinds, all.map(|it| it.key))
}

/// What is wished, where a run needs to know all of it.
///
/// # Errors
/// It is not known yet, or is wrong.
pub(super) fn known<R: Hosted, D>(desired: Option<Result<D, Diagnostics>>) -> Result<D, Gap> {
    let desired = desired.ok_or_else(unknown::<R>)?;
    desired.map_err(|faults| faults.into_iter().next().map_or_else(unknown::<R>, Gap::Fault))
}

/// Something that a run needs is not known.
pub(super) fn unknown<R: Hosted>() -> Gap {
    let detail = format!("A value of the {} is not known.", R::WHAT);
    Gap::Fault(Diagnostic::error(format!("The {} cannot be worked on", R::WHAT), detail))
}

/// What a destroy could not clean, since its host is lost.
pub(super) fn left_behind<R: Hosted>(
    lost: impl Iterator<Item = impl fmt::Display>,
) -> impl Iterator<Item = Diagnostic> {
    lost.map(|it| {
        let summary = format!("A lost host of the {} was not cleaned", R::WHAT);
        Diagnostic::warning(summary, format!("{it}."))
            .hint("Should that machine ever come back, wipe it before it is used again.")
    })
}

/// Whether it was stopped for want of hosts, and none of those that answer has shown to be another machine than before.
pub(super) fn is_silence<R: Hosted, Refusal: Error + 'static>(
    reached: &End<R>,
    before: &R::Model,
    is_want: impl Fn(&Refusal) -> bool,
    is_blank: impl Fn(&R::Look) -> bool,
) -> bool {
    let is_want = reached.stopped.as_ref().and_then(Stopped::refusal).is_some_and(is_want);
    let was_there = |key: &String| R::hosts(before).any(|it| it.key == key);
    let is_other = |(key, look): (&String, &R::Look)| was_there(key) && is_blank(look);
    is_want && !reached.looks.iter().any(is_other)
}

/// The parts of an object after a run that was stopped: those that serve are in, those that were to leave stay as long as they
/// remain.
pub(super) fn join<Part: Clone>(
    parts: &mut Value<BTreeMap<String, Part>>,
    planned: &Value<BTreeMap<String, Part>>,
    serves: impl Fn(&String) -> bool,
    remains: impl Fn(&String) -> bool,
) {
    let (mut now, planned) = (parts.or_default(), planned.or_default());
    now.retain(|key, _| planned.contains_key(key) || remains(key));
    for (key, part) in planned {
        if !now.contains_key(&key) && serves(&key) {
            now.insert(key, part);
        }
    }
    *parts = Value::Known(now);
}
