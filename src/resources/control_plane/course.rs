//! One run over the hosts of a control plane, and what is kept of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::forecast::is_alike;
use super::model::{ControlPlaneModel, complete, is_only_way, name, nodes, with_recorded};
use super::{ControlPlane, Kept, Last, imported, recovery, wish};
use crate::actions::kubernetes::{ControlPlane as World, KIND, Look, Setup, Site};
use crate::actions::{Own, former_key};
use crate::domain::Kind;
use crate::domain::artifacts::Project;
use crate::domain::kubernetes::{
    CertificateWish, Facts, Node, Observed, Refusal, Settings, Warning, warnings,
};
use crate::engine::record::Record;
use crate::engine::{Announced, Fleet, Stopped, converge};
use crate::resources::certificates::{CertificateTerms, terms};
use crate::resources::etcd_access;
use crate::resources::fleet::{Laid, Ready, as_one};
use crate::resources::hosted::{End, Hosted, Job, is_silence, join, known, left_behind, unknown};
use crate::resources::hosts::Placed;
use crate::resources::import::Sought;
use crate::resources::pins::Places;
use crate::resources::programs::programs;
use crate::resources::provider::{Client, Gap};
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::path::Path;
use crate::tfplugin::value::Value;

/// The end of a run.
type Reached = End<ControlPlane>;

impl Hosted for ControlPlane {
    const KIND: &'static str = KIND;
    const WHAT: &'static str = "control plane";
    const REMAINS: &'static str = "the units `kube-apiserver-<name>`, `kube-controller-manager-<name>` and `kube-scheduler-<name>`, /etc/kubernetes-<name> and the records of the control plane in /var/lib/ha-agent/records on each host, and what lies below `etcd_prefix` in etcd";
    const LEAVING: Kind = Kind::MoveAside;
    type Setup = Setup;
    type Site = Site;
    /// The hosts of the cluster of etcd.
    type More = Fleet;
    type Observed = Observed;
    type Look = Look;

    fn hosts(model: &ControlPlaneModel) -> impl Iterator<Item = Placed<'_>> {
        nodes(model).map(|(key, it)| Placed { key, host: &it.host, address: &it.address })
    }

    fn name(model: &ControlPlaneModel) -> Value<String> {
        model.name.clone()
    }

    fn id(model: &mut ControlPlaneModel) -> &mut Value<String> {
        &mut model.id
    }

    fn drift(model: &ControlPlaneModel) -> &Value<Vec<String>> {
        &model.drift
    }

    fn with_recorded(from: &ControlPlaneModel, of: ControlPlaneModel) -> ControlPlaneModel {
        with_recorded(from, of)
    }

    fn is_only_way(one: &ControlPlaneModel, other: &ControlPlaneModel) -> bool {
        is_only_way(one, other)
    }

    fn ready(
        client: &Client,
        wanted: &ControlPlaneModel,
        prior: Option<&ControlPlaneModel>,
        private: &Kept,
        id: &str,
    ) -> Result<Ready<Setup, Site, Fleet>, Gap> {
        let desired = known::<Self, _>(wish::desired(wanted))?;
        let (access, etcd) = etcd_access::open(&wanted.etcd, &Path::root("etcd"), client)?;
        let all = [Some(wanted), prior].into_iter().flatten();
        let Laid { sites, targets, places } = Laid::out(
            client,
            &private.pins,
            &Path::root("nodes"),
            all.flat_map(nodes).map(|(key, it)| (key, &it.host, &it.address)),
            |name| desired.nodes.contains_key(name),
            |seat, address| {
                let place = wish::place(seat.key, seat.host, address)?;
                let (name, host) = (seat.name.clone(), seat.way.name.clone());
                let site = Site::new(&desired, name, host, place, seat.way.root());
                site.map_err(|err| seat.unfit(err))
            },
        )?;
        // With other settings, nobody who was seen before runs what is wished.
        let before = prior.and_then(wish::desired).and_then(Result::ok);
        let is_same = |key: &str| {
            let is_alike = |key| before.as_ref().is_some_and(|it| is_alike(it, &desired, &key));
            prior.is_none() || name(key).is_some_and(is_alike)
        };
        let last = private.last.iter().filter_map(|(key, it)| {
            let is_current = it.is_current && is_same(key);
            Some((key.clone(), Settings { version: it.version.parse().ok()?, is_current }))
        });
        let CertificateTerms { validity, ca_validity, extra_sans } =
            terms(&wanted.certificates).ok_or_else(unknown::<Self>)?;
        let cluster = wanted.name.or_default();
        let is_new = prior.is_none() && wanted.id.known().is_none();
        let is_lost = prior.is_some_and(|it| recovery::is_lost(it, wanted, private));
        let recovery =
            if is_new || is_lost { recovery::keys(client, wanted, prior, &desired)? } else { None };
        let called = format!("kubernetes-{cluster}").parse();
        let setup = Setup {
            called: called.map_err(|_| unknown::<Self>())?,
            certificates: CertificateWish { validity, ca_validity, extra_sans },
            own: Own::new(KIND, &cluster, id, is_new, wish::applied(wanted)),
            is_known: !is_new,
            last: last.collect(),
            programs: Arc::new(programs(client, Project::Kubernetes)?),
            recovery,
            etcd: access,
            desired,
        };
        for (key, site) in &sites {
            setup.check_certificates(site.place).map_err(|err| {
                let fault = Diagnostic::error(format!("{key} cannot have certificates"), &err);
                Gap::Fault(fault.at(Path::root("certificates")))
            })?;
        }
        Ok(Ready { setup, sites, targets, places, more: etcd })
    }

    fn own(setup: &Setup) -> &Own {
        &setup.own
    }

    fn announced(
        private: &Kept,
        _: Option<&ControlPlaneModel>,
        _: &ControlPlaneModel,
    ) -> Announced {
        private.announced.clone()
    }

    async fn work(fleet: &mut Fleet, job: Job<'_, Self>) -> Result<Reached, Stopped> {
        let Job { setup, sites, more: mut etcd, leaves, run, .. } = job;
        let (leaves, desired) = (leaves.is_some(), setup.desired.clone());
        let mut world = World::new(fleet, &mut etcd, setup, sites, leaves);
        let converged = converge(&mut world, run).await;
        let told = converged.observed.iter().filter(|_| !leaves);
        let told = told.flat_map(|it| warnings(&desired, it));
        let told = as_one("Something about the control plane is worth knowing", told);
        let warnings = told.into_iter().collect();
        Ok(Reached::ended((world.id(), world.looks()), converged, warnings))
    }

    fn tell(reached: &Reached, state: &mut ControlPlaneModel) {
        let ours = reached.looks.values().filter(|it| it.is_ours());
        if let Some(ca) = { ours }.find_map(Look::authority) {
            state.ca_certificate = Value::Known(ca);
        }
        if state.recovery_bundle.is_unknown() {
            let kept = reached.looks.values().find_map(Look::bundle);
            state.recovery_bundle = kept.map_or(Value::Null, Value::from);
        }
        complete(state);
    }

    fn kept(reached: &Reached, mut private: Kept, states: &[&ControlPlaneModel]) -> Kept {
        private.pins.take(&reached.places, &reached.shown);
        remember(&mut private, &reached.looks, &reached.places);
        let all = || states.iter().flat_map(|it| nodes(it));
        let hosts = all().filter_map(|(_, it)| it.host.known());
        private.pins.retain(hosts);
        // A host that a node had is of interest until the run has come to its end.
        let is_over = reached.stopped.is_none();
        let had = |key: &str, it: &str| name(key).is_some_and(|key| former_key(&key) == it);
        private.bare.retain(|it| all().any(|(key, _)| key == it));
        private.silent.retain(|it| all().any(|(key, _)| key == it));
        private.last.retain(|it, _| all().any(|(key, _)| key == it || !is_over && had(key, it)));
        private
    }

    fn joined(
        state: &mut ControlPlaneModel,
        planned: &ControlPlaneModel,
        observed: Option<&Observed>,
    ) {
        if let Some(Observed { nodes, former, .. }) = observed {
            let node = |of: &'_ BTreeMap<_, Node>, key: &String| {
                name(key).and_then(|it| of.get(&it).cloned())
            };
            let is_ours = |it: &Facts| it.owner.is_us();
            let serves = |key: &String| {
                let node = node(nodes, key);
                node.as_ref().and_then(Node::seen).is_some_and(|it| is_ours(it) && it.serves())
            };
            let remains =
                |key: &String| node(former, key).is_some_and(|it| it.seen().is_none_or(is_ours));
            join(&mut state.nodes, &planned.nodes, serves, remains);
        }
        complete(state);
    }

    fn is_silence(reached: &Reached, before: &ControlPlaneModel) -> bool {
        let is_want = |it: &Refusal| matches!(it, Refusal::Unseen(_) | Refusal::Silent(_));
        is_silence::<Self, _>(reached, before, is_want, Look::is_blank)
    }

    fn found_on(stopped: &Stopped) -> Option<&str> {
        let Refusal::Foreign { name, .. } = stopped.refusal()? else { return None };
        Some(name.as_str())
    }

    fn left(state: &ControlPlaneModel, observed: Option<&Observed>) -> Diagnostics {
        let nodes = observed.into_iter().flat_map(|it| &it.nodes);
        let lost = nodes.filter(|it| it.1.seen().is_none());
        let mut told: Diagnostics =
            left_behind::<Self>(lost.map(|it| Warning::LeftBehind(it.0.clone()))).collect();
        if state.on_destroy.known().is_none_or(|it| it != "purge") {
            let (name, id) = (state.name.or_default(), state.id.or_default());
            let prefix = state.etcd_prefix.or_default();
            let detail = format!(
                "On each host they are beside /etc/kubernetes-{name}, with `.aside-{id}`. The objects are in etcd below {prefix}; without these keys Secrets among them cannot be read."
            );
            told.push(Diagnostic::warning("The keys of the control plane were kept", detail));
        }
        told
    }

    fn restored(record: &Record, _: &Sought) -> Result<ControlPlaneModel, Diagnostics> {
        imported::restored(record)
    }
}

pub(super) fn remember(private: &mut Kept, looks: &BTreeMap<String, Look>, places: &Places) {
    for (key, look) in looks {
        private.pins.meet(places, key, look.host_key());
        if let Some(Settings { version, is_current }) = look.running() {
            let last = Last { version: version.to_string(), is_current };
            private.last.insert(key.clone(), last);
        }
    }
    recovery::remember_keys(private, looks);
}
