//! How an object on hosts is created, changed, destroyed and found again, and what is kept of that.

use std::collections::BTreeSet;

use super::{End, Hosted, Job, Work, all_may_go};
use crate::actions::random_id;
use crate::engine::{Run, Stopped};
use crate::resources::fleet::{Reached, Ready, locked, newcomers, record_only, recorded_only};
use crate::resources::import::{HostedIdentity, way_in};
use crate::resources::provider::{Client, Gap};
use crate::resources::{explain, run};
use crate::tfplugin::api::{
    Applied, Context, Created, Deleted, ImportKey, Imported, Object, Wanted,
};
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::value::Value;

/// [`Resource::create`](crate::tfplugin::api::Resource::create).
pub(in crate::resources) async fn create<R: Hosted>(
    client: &Client,
    wanted: Wanted<R>,
    context: &Context,
) -> Created<R> {
    let summary = format!("The {} was not created", R::WHAT);
    let id = match random_id() {
        Ok(id) => id,
        Err(reason) => return Created::Nothing(Diagnostic::error(summary, reason).into()),
    };
    let reached = match reach(client, None, &wanted, &id, context).await {
        Ok(reached) => reached,
        Err(gap) => return Created::Nothing(gap.into_error().into()),
    };
    if let Some(stopped) = &reached.stopped {
        let saved = way_out::<R>(stopped, &wanted.planned).unwrap_or_else(|| {
            format!(
                "Nothing is in the state; what was done is noted on the hosts, and an apply goes on from there. To give it up instead, stop and remove {}.",
                R::REMAINS
            )
        });
        return Created::Nothing(explain(&summary, stopped, &saved).into());
    }
    let mut state = wanted.planned;
    // A creation that was begun before goes on under its own id.
    *R::id(&mut state) = Value::Known(reached.id.clone());
    R::tell(&reached, &mut state);
    let private = R::kept(&reached, wanted.private, &[&state]);
    Created::Made(Applied { state, private, diags: reached.warnings })
}

/// [`Resource::update`](crate::tfplugin::api::Resource::update).
pub(in crate::resources) async fn update<R: Hosted>(
    client: &Client,
    prior: Object<R>,
    wanted: Wanted<R>,
    context: &Context,
) -> Applied<R> {
    let Object { state: mut before, private, .. } = prior;
    let id = R::id(&mut before).or_default();
    if R::with_recorded(&wanted.planned, before.clone()) == wanted.planned {
        let (state, private) = (wanted.planned, wanted.private);
        record::<R>(client, &state, &private, &id).await;
        return Applied { state, private, diags: Diagnostics::new() };
    }
    if let Some(fault) = R::refusal(&before, &wanted.planned) {
        return Applied { state: before, private, diags: fault.into() };
    }
    let reached = match reach(client, Some(&before), &wanted, &id, context).await {
        Ok(reached) => reached,
        Err(gap) => return Applied { state: before, private, diags: gap.into_error().into() },
    };
    let mut diags = reached.warnings.clone();
    let is_recorded = reached.stopped.is_some()
        && R::is_only_way(&wanted.planned, &before)
        && R::is_silence(&reached, &before);
    if let Some(stopped) = &reached.stopped {
        // Where something had to be mended as well, that was not done.
        let is_well = is_recorded && R::drift(&before).known().is_some_and(Vec::is_empty);
        let summary = format!("The {} is not as planned", R::WHAT);
        diags.push(if is_well {
            recorded_only(stopped)
        } else {
            explain(&summary, stopped, R::SAVED)
        });
        if !is_recorded {
            let mut state = R::with_recorded(&wanted.planned, before);
            R::joined(&mut state, &wanted.planned, reached.observed.as_ref());
            let private = R::kept(&reached, private, &[&state, &wanted.planned]);
            return Applied { state, private, diags };
        }
    }
    let mut state = wanted.planned;
    R::tell(&reached, &mut state);
    let private = R::kept(&reached, wanted.private, &[&state]);
    if is_recorded {
        record::<R>(client, &state, &private, &id).await;
    }
    Applied { state, private, diags }
}

/// [`Resource::delete`](crate::tfplugin::api::Resource::delete).
pub(in crate::resources) async fn delete<R: Hosted>(
    client: &Client,
    object: Object<R>,
    context: &Context,
) -> Deleted<R> {
    let Object { mut state, private, .. } = object;
    let remains = |state, private, diags| Deleted::Remains(Applied { state, private, diags });
    let id = R::id(&mut state).or_default();
    let ready = match R::ready(client, &state, None, &private, &id) {
        Ok(ready) => ready,
        Err(gap) => return remains(state, private, gap.into_error().into()),
    };
    let announced = all_may_go::<R>(&[R::LEAVING], Some(&state));
    let run = run(context, announced);
    let reached = go::<R>(client, ready, Some(&state), &BTreeSet::new(), &run).await;
    if let Some(stopped) = &reached.stopped {
        let summary = format!("The {} was not destroyed", R::WHAT);
        let diag = explain(&summary, stopped, "The state keeps it; destroy again.");
        return remains(state, private, diag.into());
    }
    Deleted::Gone(R::left(&state, reached.observed.as_ref()))
}

/// [`Resource::identify`](crate::tfplugin::api::Resource::identify).
pub(in crate::resources) fn identify<R: Hosted>(
    state: &R::Model,
    known: Option<&HostedIdentity>,
) -> Option<HostedIdentity> {
    let hosts = R::hosts(state).filter_map(|it| it.host.known());
    HostedIdentity::of(&R::name(state), hosts, known)
}

/// [`Resource::import`](crate::tfplugin::api::Resource::import).
pub(in crate::resources) async fn import<R: Hosted>(
    client: &Client,
    key: ImportKey<HostedIdentity>,
) -> Result<Imported<R>, Diagnostics> {
    let sought = R::sought(key)?;
    let record = sought.record(R::KIND, &R::title(&sought), client).await?;
    let state = R::restored(&record, &sought)?;
    let (private, identity) = (R::Private::default(), Some(sought.identity()));
    let object = Object { state, private, identity };
    Ok(Imported { object, diags: Diagnostics::new() })
}

async fn reach<R: Hosted>(
    client: &Client,
    prior: Option<&R::Model>,
    wanted: &Wanted<R>,
    id: &str,
    context: &Context,
) -> Result<End<R>, Gap> {
    let Wanted { planned, private, .. } = wanted;
    let ready = R::ready(client, planned, prior, private, id)?;
    let keys = |it| R::hosts(it).map(|it| it.key);
    let patient = newcomers(prior.into_iter().flat_map(keys), keys(planned));
    let run = run(context, R::announced(private, prior, planned));
    Ok(go::<R>(client, ready, None, &patient, &run).await)
}

/// One run, over hosts that are locked as long as it takes.
async fn go<R: Hosted>(
    client: &Client,
    ready: Work<R>,
    leaves: Option<&R::Model>,
    patient: &BTreeSet<String>,
    run: &Run,
) -> End<R> {
    let Ready { setup, sites, targets, places, more } = ready;
    let id = R::own(&setup).id.clone();
    let mut fleet = match locked(client, targets, R::own(&setup), patient, run).await {
        Ok(fleet) => fleet,
        Err(stopped) => return End::<R>::nothing(id, stopped),
    };
    let job = Job { client, setup, sites, more, leaves, patient, run };
    let done = R::work(&mut fleet, job).await;
    let shown = fleet.host_keys();
    fleet.release().await;
    match done {
        Ok(reached) => Reached { places, shown, ..reached },
        Err(stopped) => End::<R>::nothing(id, stopped),
    }
}

/// Writes what is only recorded to the hosts.
async fn record<R: Hosted>(client: &Client, state: &R::Model, private: &R::Private, id: &str) {
    if let Ok(ready) = R::ready(client, state, None, private, id) {
        record_only(client, ready.targets, R::own(&ready.setup)).await;
    }
}

/// The way out when a create finds the object complete on its hosts.
pub(in crate::resources) fn way_out<R: Hosted>(
    stopped: &Stopped,
    planned: &R::Model,
) -> Option<String> {
    let found = R::found_on(stopped)?;
    let host = R::hosts(planned).find(|it| it.key == found)?.host;
    let way = way_in(R::NAME, R::name(planned).known()?, host.known()?);
    let what = R::WHAT;
    Some(format!("If it is this {what} and the state has lost it, bring it back by {way}."))
}
