//! What types on hosts have in common when they look at their hosts and change them.
#![expect(clippy::disallowed_methods, reason = "counts from now how long hosts may take to start")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::host::{HostModel, target};
use super::pins::{Pins, Places, place_of};
use super::provider::{Client, Gap};
use crate::actions::{Own, former_key, record_name};
use crate::domain::name::{Name, TextFault};
use crate::engine::{Converged, Fleet, Run, Stopped};
use crate::host::Target;
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::path::Path;
use crate::tfplugin::value::Value;

/// For a record that nothing waits for.
const RECORD_LIMIT: Duration = Duration::from_secs(5);

/// Everything that a run needs.
pub(super) struct Ready<Setup, Site, More = ()> {
    pub(super) setup: Setup,
    pub(super) sites: BTreeMap<String, Site>,
    pub(super) targets: BTreeMap<String, Target>,
    pub(super) places: Places,
    pub(super) more: More,
}

/// The hosts of an object, by the keys that a run has for them.
pub(super) struct Laid<Site> {
    pub(super) sites: BTreeMap<String, Site>,
    pub(super) targets: BTreeMap<String, Target>,
    pub(super) places: Places,
}

impl<Site> Laid<Site> {
    /// From the `parts` that are wanted and, after them, those that were; `map` is where they are written. A host that is to be
    /// left has a key of its own.
    ///
    /// # Errors
    /// A way to a host or its site cannot be told.
    pub(super) fn out<'a, Part>(
        client: &Client,
        pins: &Pins,
        map: &Path,
        parts: impl Iterator<Item = (&'a String, &'a Value<HostModel>, Part)>,
        is_wanted: impl Fn(&Name) -> bool,
        site: impl Fn(&Seat<'_>, Part) -> Result<Site, Gap>,
    ) -> Result<Self, Gap> {
        let (sites, targets, places) = (BTreeMap::new(), BTreeMap::new(), Places::new());
        let mut laid = Self { sites, targets, places };
        for (key, host, part) in parts {
            let (Some(host), Ok(name)) = (host.known(), key.parse::<Name>()) else { continue };
            let at = map.key(key);
            let way = target(host, key, &at.attribute("host"), client, pins.of(host))?;
            // What leads to a host that is wanted needs no second way.
            if laid.targets.values().any(|it| it.is_same_place(&way)) {
                continue;
            }
            let is_former = laid.targets.contains_key(key) || !is_wanted(&name);
            let fleet_key = if is_former { former_key(&name) } else { key.clone() };
            let site = site(&Seat { key, name, host, at, way: &way }, part)?;
            laid.places.insert(fleet_key.clone(), place_of(host));
            laid.sites.insert(fleet_key.clone(), site);
            laid.targets.insert(fleet_key, way);
        }
        Ok(laid)
    }
}

/// A host that is to have a site.
pub(super) struct Seat<'a> {
    pub(super) key: &'a str,
    pub(super) name: Name,
    pub(super) host: &'a HostModel,
    /// Where it is written.
    pub(super) at: Path,
    pub(super) way: &'a Target,
}

impl Seat<'_> {
    /// Nothing can be put below its root.
    pub(super) fn unfit(&self, err: TextFault) -> Gap {
        let fault = Diagnostic::error("The root of a host cannot be used", &err);
        Gap::Fault(fault.at(self.at.attribute("host").attribute("root")))
    }
}

/// The end of a run.
pub(super) struct Reached<Observed, Look> {
    /// Of the object: a creation that was begun before goes on under its own.
    pub(super) id: String,
    pub(super) observed: Option<Observed>,
    pub(super) stopped: Option<Stopped>,
    pub(super) looks: BTreeMap<String, Look>,
    pub(super) places: Places,
    /// The keys that hosts have shown.
    pub(super) shown: BTreeMap<String, String>,
    pub(super) warnings: Diagnostics,
}

impl<Observed, Look> Reached<Observed, Look> {
    /// Of hosts whose places and keys are told later.
    pub(super) fn ended<Step>(
        (id, looks): (&str, &BTreeMap<String, Look>),
        converged: Converged<Observed, Step>,
        warnings: Diagnostics,
    ) -> Self
    where
        Look: Clone,
    {
        let Converged { observed, stopped, .. } = converged;
        let (places, shown) = (Places::new(), BTreeMap::new());
        Self { id: id.to_owned(), observed, stopped, looks: looks.clone(), places, shown, warnings }
    }

    /// Nothing was looked at.
    pub(super) fn nothing(id: String, stopped: Stopped) -> Self {
        Self {
            id,
            observed: None,
            stopped: Some(stopped),
            looks: BTreeMap::new(),
            places: Places::new(),
            shown: BTreeMap::new(),
            warnings: Diagnostics::new(),
        }
    }
}

/// The hosts of an object, which nobody has contacted yet.
pub(super) fn fleet(client: &Client, targets: BTreeMap<String, Target>, own: &Own) -> Fleet {
    Fleet::new(Arc::clone(&client.hosts), targets, &record_name(&own.claim))
}

/// The same, locked for a run. Those that are `patient` are waited for as long as their connections say.
pub(super) async fn locked(
    client: &Client,
    targets: BTreeMap<String, Target>,
    own: &Own,
    patient: &BTreeSet<String>,
    run: &Run,
) -> Result<Fleet, Stopped> {
    let patience = targets.values().map(Target::boot_wait).max().unwrap_or_default();
    let by = run.by.min(Instant::now() + patience);
    let mut fleet = fleet(client, targets, own);
    fleet.lock(patient, by).await?;
    Ok(fleet)
}

/// The keys that were not there before. A host that was is not waited for: it may have died, and others go on without it.
pub(super) fn newcomers<'a>(
    before: impl Iterator<Item = &'a str>,
    wanted: impl Iterator<Item = &'a str>,
) -> BTreeSet<String> {
    let before: BTreeSet<_> = before.collect();
    wanted.filter(|it| !before.contains(it)).map(str::to_owned).collect()
}

/// Writes what is only recorded to the hosts that answer soon. Whatever goes wrong: the state has it, and an apply that
/// does more brings it there.
pub(super) async fn record_only(client: &Client, targets: BTreeMap<String, Target>, own: &Own) {
    let mut fleet = fleet(client, targets, own);
    let keys = fleet.keys().map(str::to_owned).collect();
    let written = fleet.some(&keys, async |_, host| own.update_record(&host).await);
    if timeout(RECORD_LIMIT, written).await.is_err() {
        tracing::warn!("the record of some hosts is not up to date, for they do not answer");
    }
    fleet.release().await;
}

/// What a read tells of hosts that did not answer.
pub(super) fn unseen(silent: &BTreeMap<String, String>) -> impl Iterator<Item = Diagnostic> {
    silent.iter().map(|(key, why)| {
        let detail = format!("{why}. What is known of it stays as it is.");
        Diagnostic::warning(format!("{key} cannot be looked at"), detail)
    })
}

/// One warning of everything, in its order, or none of nothing. Of several with one summary OpenTofu shows the first, and
/// that there are others ("and one more similar warning elsewhere"; `-consolidate-warnings` is on unless told otherwise).
pub(super) fn as_one(
    summary: &str,
    all: impl IntoIterator<Item = impl fmt::Display>,
) -> Option<Diagnostic> {
    let detail = all.into_iter().map(|it| format!("{it}.")).collect::<Vec<_>>().join("\n\n");
    (!detail.is_empty()).then(|| Diagnostic::warning(summary, detail))
}

/// The way to a host was edited while no host could be asked what that leads to.
pub(super) fn recorded_only(stopped: &Stopped) -> Diagnostic {
    Diagnostic::warning("The way to a host was recorded, and not tried out", stopped)
        .hint("Once hosts answer, the next plan shows what is to be done.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_worth_a_warning_is_told_in_one() {
        let told = as_one("Much", ["b runs", "c hangs"]);
        assert_eq!(told, Some(Diagnostic::warning("Much", "b runs.\n\nc hangs.")));
        assert_eq!(as_one("Much", [""; 0]), None);
    }
}
