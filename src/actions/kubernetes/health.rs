//! Whether components serve, by their own word, and who leads: each is asked through the agent of its host.
#![expect(clippy::disallowed_methods, reason = "waits for components by the clock")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::access::{ADMINISTRATORS, Access, issue};
use super::{ControlPlane, Look, Site};
use crate::actions::is_former;
use crate::actions::signing::Newborn;
use crate::domain::host::Unit;
use crate::domain::kubernetes::{Authority, Component, Facts, Leader, Leaders};
use crate::engine::{Fleet, chain};
use crate::host::{Host, HostError};
use crate::remote::kubernetes::{Api, Binding, Credentials, is_healthy};

/// An API server is ready three seconds after its start, and later where all of them start at once on few processors.
const STUCK: Duration = Duration::from_mins(1);
/// For a look, in which a component that does not answer is one that does not serve.
const LOOK: Duration = Duration::from_secs(4);
/// Between two questions to a component that comes up.
const PAUSE: Duration = Duration::from_millis(100);
/// Longer than any run.
const LIFETIME: Duration = Duration::from_hours(24);
/// Longer than any look.
const BRIEF: Duration = Duration::from_mins(10);

/// Who the provider is to the API.
const PROVIDER: (&str, &str) = ("terraform-provider-ha", ADMINISTRATORS);

/// A component of a host, by its key in the fleet.
type At = (String, Component);

/// What one round of questions brought, and what was noticed in those before.
#[derive(Debug, Default)]
pub(super) struct Round {
    serves: BTreeSet<At>,
    /// When it was first seen not to serve, since it last served or was started by us. The process does not matter: one that
    /// dies and is started again and again serves as little as one that hangs.
    since: BTreeMap<At, Instant>,
    stuck: BTreeSet<At>,
    pub(super) has_admins: Option<bool>,
    holders: Option<[Option<String>; 2]>,
}

/// What an API server that is ready says of the whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Told {
    has_admins: Option<bool>,
    /// Of the leases of the controller managers and the schedulers.
    holders: Option<[Option<String>; 2]>,
}

/// Who holds the two leases. None: it is not known.
pub(super) async fn holders(api: &Api) -> Option<[Option<String>; 2]> {
    let lease = async |component: Component| {
        let lease = api.lease(component.program()).await.ok()?;
        Some(lease.map(|it| it.holder))
    };
    let (manager, scheduler) =
        tokio::join!(lease(Component::ControllerManager), lease(Component::Scheduler));
    Some([manager?, scheduler?])
}

impl ControlPlane<'_> {
    /// Asks every component that runs.
    pub(super) async fn ask_components(&mut self) -> Result<(), HostError> {
        let runs = |look: &Look| {
            look.facts.which(|it| it.unit == Unit::Starting).into_iter().collect::<BTreeSet<_>>()
        };
        let alive: BTreeMap<String, BTreeSet<Component>> =
            self.looks.iter().map(|(key, it)| (key.clone(), runs(it))).collect();
        let is_any = |it: &BTreeSet<Component>| it.contains(&Component::ApiServer);
        if self.credentials.is_none() && alive.values().any(is_any) {
            self.credentials = self.sign_for_us().await?;
        }
        let (sites, setup, credentials) = (&self.sites, &self.setup, &self.credentials);
        let keys = alive.iter().filter(|it| !it.1.is_empty()).map(|it| it.0.clone()).collect();
        let asked = self.fleet.some(&keys, async |key, host| {
            let (site, alive) = (&sites[&key], &alive[&key]);
            let socket = |it| site.socket(&setup.desired, it);
            // One that comes up is seen when it does, and not at some later look.
            let server = async {
                let credentials = credentials.as_ref().filter(|_| is_any(alive))?;
                let at = socket(Component::ApiServer);
                timeout(LOOK, told_by(&host, at, credentials)).await.ok()
            };
            let healthy = async |it: Component| {
                alive.contains(&it) && timeout(LOOK, comes_up(&host, socket(it))).await.is_ok()
            };
            Ok(tokio::join!(
                server,
                healthy(Component::ControllerManager),
                healthy(Component::Scheduler)
            ))
        });
        let (mut serves, mut told) = (BTreeSet::new(), Vec::new());
        for (key, answer) in asked.await {
            let Ok((ready, manager, scheduler)) = answer else { continue };
            let [server_at, manager_at, scheduler_at] =
                [Component::ApiServer, Component::ControllerManager, Component::Scheduler]
                    .map(|it| (key.clone(), it));
            serves.extend(manager.then_some(manager_at));
            serves.extend(scheduler.then_some(scheduler_at));
            if let Some(it) = ready {
                serves.insert(server_at);
                told.push(it);
            }
        }
        self.round.conclude(&alive, serves, &told);
        Ok(())
    }

    /// A key that never leaves this process, with a certificate of the control plane's authority. None while there is none.
    async fn sign_for_us(&mut self) -> Result<Option<Credentials>, HostError> {
        let Some((key, look)) = self.looks.iter().find(|(_, it)| it.signs()) else {
            return Ok(None);
        };
        let (site, authority) = (&self.sites[key], look.authority().unwrap_or_default());
        let failed = |reason: String| HostError::Failed {
            host: site.host.clone(),
            call: "make a certificate for the provider".to_owned(),
            reason,
        };
        let own = Newborn::new().map_err(failed)?;
        let request = own.request(&site.authority(Authority::Cluster), PROVIDER, LIFETIME);
        let made = self.fleet.one(key, async |_, host| host.sign(request.clone()).await);
        let certificate = made.await?.unwrap_or_default();
        Credentials::new(&authority, &certificate, &own.key())
            .map(Some)
            .map_err(|it| failed(it.to_string()))
    }

    /// Who leads, as far as holders can be told apart.
    pub(super) fn leaders(&self) -> Option<Leaders> {
        let [manager, scheduler] = self.round.holders.as_ref()?;
        let leader = |holder: &Option<String>| match holder {
            None => Leader::Nobody,
            Some(holder) => leader(holder, &self.sites, &self.looks),
        };
        Some(Leaders { controller_manager: leader(manager), scheduler: leader(scheduler) })
    }
}

/// The node whose host has this name. Local hosts have all the same one.
fn leader(holder: &str, sites: &BTreeMap<String, Site>, looks: &BTreeMap<String, Look>) -> Leader {
    let host = holder.rsplit_once('_').map_or(holder, |(host, _)| host);
    let called = |former: bool| {
        let hosts = looks.iter().filter(move |(key, _)| is_former(key) == former);
        hosts.filter(|(_, it)| it.hostname == host).collect::<Vec<_>>()
    };
    let name = |key: &str| sites.get(key).map_or(Leader::Other, |it| Leader::Node(it.name.clone()));
    match (called(false).as_slice(), called(true).as_slice()) {
        ([(key, _)], _) | ([], [(key, _)]) => name(key),
        _ => Leader::Other,
    }
}

/// Asks an API server until it is ready.
async fn told_by(host: &Host, at: SocketAddr, credentials: &Credentials) -> Told {
    loop {
        match ask_server(host, at, credentials).await {
            Some(it) => return it,
            None => sleep(PAUSE).await,
        }
    }
}

/// Asks until it is healthy.
async fn comes_up(host: &Host, at: SocketAddr) {
    while !ask_other(host, at).await {
        sleep(PAUSE).await;
    }
}

/// None: it is not ready, or does not answer.
async fn ask_server(host: &Host, at: SocketAddr, credentials: &Credentials) -> Option<Told> {
    let stream = host.forward(&at.to_string()).await.ok()?;
    let api = Api::open(stream, at.ip(), credentials).await.ok()?;
    if !api.is_ready().await.ok()? {
        return None;
    }
    let binding = Binding::administrators(ADMINISTRATORS).ok()?;
    let has_admins = async { api.has(&binding).await.ok() };
    let (has_admins, holders) = tokio::join!(has_admins, holders(&api));
    Some(Told { has_admins, holders })
}

async fn ask_other(host: &Host, at: SocketAddr) -> bool {
    let Ok(stream) = host.forward(&at.to_string()).await else { return false };
    is_healthy(stream, at.ip()).await.unwrap_or_default()
}

impl Round {
    fn conclude(
        &mut self,
        alive: &BTreeMap<String, BTreeSet<Component>>,
        serves: BTreeSet<At>,
        told: &[Told],
    ) {
        let now = Instant::now();
        self.serves = serves;
        let mut since = BTreeMap::new();
        for (key, components) in alive {
            let first = (key.clone(), Component::ApiServer);
            for component in components {
                let at = (key.clone(), *component);
                // The others have nobody to talk to while their API server is away.
                let is_excused = at != first && !self.serves.contains(&first);
                if !is_excused && !self.serves.contains(&at) {
                    let when = self.since.get(&at).copied().unwrap_or(now);
                    since.insert(at, when);
                }
            }
        }
        self.since = since;
        let stuck = self.since.iter().filter(|(_, it)| STUCK <= it.elapsed());
        self.stuck = stuck.map(|(at, _)| at.clone()).collect();
        self.has_admins = told.iter().find_map(|it| it.has_admins);
        self.holders = told.iter().find_map(|it| it.holders.clone());
    }

    /// These were started just now.
    pub(super) fn started(&mut self, keys: &BTreeSet<String>, components: &[Component]) {
        self.since.retain(|(key, it), _| !(keys.contains(key) && components.contains(it)));
        self.stuck.retain(|(key, it)| !(keys.contains(key) && components.contains(it)));
    }

    /// How the components of a host are, of which processes are there.
    pub(super) fn judge(&self, key: &str, facts: &mut Facts) {
        for component in Component::ALL.iter().copied() {
            let (at, part) = ((key.to_owned(), component), facts.part_mut(component));
            if part.unit != Unit::Starting {
                continue;
            }
            if self.serves.contains(&at) {
                part.unit = Unit::Running;
            } else if self.stuck.contains(&at) {
                part.unit = Unit::Stuck;
            }
        }
    }
}

/// How an API server is at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It says that it is ready.
    Ready,
    /// It says that it is not, or does not answer.
    NotReady,
}

/// Asks the API server of each node, for a read. Empty when no node signs a certificate to ask with.
pub async fn ask_health(
    fleet: &Fleet,
    sites: &BTreeMap<String, Site>,
    access: &Access,
) -> BTreeMap<String, Health> {
    let Ok(issued) = issue(fleet, access, PROVIDER, BRIEF).await else { return BTreeMap::new() };
    let credentials = Credentials::new(&access.authority, &issued.certificate, &issued.key);
    let Ok(credentials) = credentials else { return BTreeMap::new() };
    let credentials = &credentials;
    let answers = fleet.look(async |key, host| {
        let Some(at) = sites.get(&key).and_then(|it| access.nodes.get(it.name.as_str())) else {
            return Ok(Health::NotReady);
        };
        let is_ready = async {
            let stream = host.forward(&at.to_string()).await.ok()?;
            let api = Api::open(stream, at.ip(), credentials).await.ok()?;
            api.is_ready().await.ok()
        };
        let is_ready = timeout(LOOK, is_ready).await.ok().flatten().unwrap_or_default();
        Ok(if is_ready { Health::Ready } else { Health::NotReady })
    });
    let mut found = BTreeMap::new();
    for (key, answer) in answers.await {
        match answer {
            Ok(it) => drop(found.insert(key, it)),
            Err(error) => tracing::debug!(host = key, error = %chain(&error), "is not asked"),
        }
    }
    found
}

/// What an apply might not mend by itself, in sentences: API servers that run with what is wished, and are not ready.
pub fn concerns(
    sites: &BTreeMap<String, Site>,
    looks: &BTreeMap<String, Look>,
    health: &BTreeMap<String, Health>,
) -> Vec<String> {
    let is_one = |key: &String| {
        let part = looks.get(key).map(|it| *it.facts.part(Component::ApiServer));
        let runs = part.is_some_and(|it| !it.unit.is_down());
        runs && health.get(key) == Some(&Health::NotReady) && !is_former(key)
    };
    let ill = sites.iter().filter(|(key, _)| is_one(key));
    ill.map(|(_, site)| format!("the API server on {} is not ready", site.name)).collect()
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test lets time pass")]
mod tests {
    use super::*;

    const SERVER: Component = Component::ApiServer;
    const MANAGER: Component = Component::ControllerManager;

    fn unit(round: &Round, component: Component) -> Unit {
        let part = crate::domain::kubernetes::Part {
            unit: Unit::Starting,
            ..crate::domain::kubernetes::Part::ABSENT
        };
        let mut facts = Facts {
            machine: crate::domain::host::MachineId("m".to_owned()),
            owner: crate::domain::host::Owner::Nobody,
            keys: None,
            is_begun: true,
            staged: BTreeSet::new(),
            parts: [part; 3],
            previous: None,
            certificates: crate::domain::host::Certificates::Good,
            bundle: crate::domain::kubernetes::KeptBundle::Absent,
        };
        round.judge("a", &mut facts);
        facts.part(component).unit
    }

    /// systemd starts it again after each crash, and a look now and then finds another process.
    #[tokio::test(start_paused = true)]
    async fn a_server_that_never_serves_hangs_and_one_just_started_does_not() {
        let mut round = Round::default();
        let both = BTreeSet::from([SERVER, MANAGER]);
        let alive = BTreeMap::from([("a".to_owned(), both)]);
        let look = |round: &mut Round, serves: &[Component]| {
            let serves = serves.iter().map(|it| ("a".to_owned(), *it)).collect();
            round.conclude(&alive, serves, &[]);
            (unit(round, SERVER), unit(round, MANAGER))
        };
        assert_eq!(look(&mut round, &[]), (Unit::Starting, Unit::Starting));
        tokio::time::advance(STUCK).await;
        // Nobody blames the controller manager for what its API server does.
        assert_eq!(look(&mut round, &[]), (Unit::Stuck, Unit::Starting));
        round.started(&BTreeSet::from(["a".to_owned()]), &[SERVER]);
        assert_eq!(look(&mut round, &[]), (Unit::Starting, Unit::Starting));
        tokio::time::advance(STUCK / 2).await;
        assert_eq!(look(&mut round, &[SERVER]), (Unit::Running, Unit::Starting));
        tokio::time::advance(STUCK).await;
        assert_eq!(look(&mut round, &[SERVER]), (Unit::Running, Unit::Stuck));
        assert_eq!(look(&mut round, &[SERVER, MANAGER]), (Unit::Running, Unit::Running));
        // It serves no more, and has its time again.
        assert_eq!(look(&mut round, &[]), (Unit::Starting, Unit::Starting));
    }
}
