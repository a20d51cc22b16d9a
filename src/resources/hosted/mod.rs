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
use super::host::HostModel;
use super::import::{HostedIdentity, Sought};
use super::provider::{Client, Gap, Ha};
use crate::actions::Own;
use crate::domain::Kind;
use crate::engine::record::Record;
use crate::engine::{Announced, Stopped};
use crate::tfplugin::api::{Context, ImportKey, Resource};
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

    /// Its hosts by their keys.
    fn hosts(model: &Self::Model) -> impl Iterator<Item = (&String, &Value<HostModel>)>;
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
    /// The kinds of steps that the plan has told of.
    fn announced(private: &Self::Private) -> &Announced;
    /// One run over the hosts.
    fn go(
        client: &Client,
        ready: Work<Self>,
        errand: Errand<'_, Self>,
        context: &Context,
    ) -> impl Future<Output = End<Self>> + Send;

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

/// What a run is to do.
pub(super) struct Errand<'a, R: Hosted> {
    pub(super) aim: Aim<'a, R>,
    pub(super) announced: Announced,
    /// The hosts that are waited for while they start.
    pub(super) patient: BTreeSet<String>,
}

/// What is to be there in the end.
pub(super) enum Aim<'a, R: Hosted> {
    /// All that is planned, from what was.
    Reach { prior: Option<&'a R::Model>, planned: &'a R::Model },
    /// Nothing of what was.
    Leave(&'a R::Model),
}

impl<R: Hosted> Aim<'_, R> {
    pub(super) fn leaves(&self) -> bool {
        matches!(self, Self::Leave(_))
    }
}

/// All hosts of it may have to be left.
pub(super) fn all_may_go<R: Hosted>(prior: Option<&R::Model>) -> Announced {
    let all = prior.into_iter().flat_map(R::hosts);
    Announced::each(&[R::LEAVING], all.map(|(key, _)| key.as_str()))
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
    let was_there = |key: &String| R::hosts(before).any(|(it, _)| it == key);
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
