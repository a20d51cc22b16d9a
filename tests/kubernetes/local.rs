//! Directories that stand for hosts, with a member of etcd on one of them.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Map, json};
use tempfile::TempDir;
use terraform_provider_ha::actions::etcd::{self, EtcdCluster};
use terraform_provider_ha::actions::kubernetes::{
    ADMINISTRATORS, Access, ControlPlane, KIND, Look, Report, Setup, Site, drift, issue,
    look_at_all, status,
};
use terraform_provider_ha::actions::programs::{By, Programs};
use terraform_provider_ha::actions::{Own, former_key};
use terraform_provider_ha::domain::Kind;
use terraform_provider_ha::domain::artifacts::{Project, Source};
use terraform_provider_ha::domain::etcd as etcd_domain;
use terraform_provider_ha::domain::host::Place;
use terraform_provider_ha::domain::kubernetes::{
    Admission, Audit, CertificateWish, Desired, Encryption, Etcd, Extras, Observed, Step,
    TlsVersion, Wish,
};
use terraform_provider_ha::domain::name::OnDestroy;
use terraform_provider_ha::engine::{Announced, Backoff, Converged, Fleet, Run, chain, converge};
use terraform_provider_ha::host::{Hosts, Target, Way};
use terraform_provider_ha::remote::http::{Proxy, Route};
use terraform_provider_ha::remote::kubernetes::Credentials;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::agents::agents_made_of;
use crate::binaries::binaries;

pub(crate) const VERSION: &str = "1.34.4";
const ETCD: &str = "3.6.16";
const NAMES: [&str; 6] = ["etcd", "a", "b", "c", "d", "front"];
const ID: &str = "6f1d2a34-0000-4000-8000-000000000001";

/// All that runs there ends when this is dropped.
pub(crate) struct Local {
    directory: TempDir,
    hosts: Arc<Hosts>,
    pub(crate) programs: PathBuf,
    etcd_programs: PathBuf,
    etcd: etcd::Access,
    /// What is wished, to be edited.
    pub(crate) wish: Wish,
    pub(crate) extra_sans: Vec<String>,
    prior: Vec<String>,
    is_known: bool,
}

impl Local {
    /// With a cluster of etcd that runs. None: there are no programs, and that is said.
    pub(crate) async fn new(nodes: &[&str]) -> Option<Self> {
        let (programs, etcd_programs) = (binaries("kubernetes", VERSION)?, binaries("etcd", ETCD)?);
        let agents = Some(agents_made_of(env!("CARGO_BIN_EXE_ha-agent")));
        let hosts = Arc::new(Hosts::new("a test".to_owned(), agents));
        let nowhere = etcd::Access {
            name: "prod".parse().unwrap(),
            authority: String::new(),
            members: BTreeMap::new(),
        };
        let directory = tempfile::tempdir().unwrap();
        let mut at = Self {
            directory,
            hosts,
            programs,
            etcd_programs,
            etcd: nowhere,
            wish: wish(),
            extra_sans: Vec::new(),
            prior: Vec::new(),
            is_known: false,
        };
        at.wish_nodes(nodes);
        at.start_etcd().await;
        Some(at)
    }

    pub(crate) fn root(&self, node: &str) -> PathBuf {
        self.directory.path().join("hosts").join(node)
    }

    /// One of its own for each test process, below those of other tests.
    pub(crate) fn place(node: &str) -> Place {
        let [.., high, low] = std::process::id().to_be_bytes();
        let number = NAMES.iter().position(|it| *it == node).unwrap() + 10;
        let address = format!("127.{}.{low}.{number}", 128 | (high & 63)).parse().unwrap();
        Place { address, is_local: true }
    }

    fn target(&self, node: &str) -> Target {
        Target { name: node.parse().unwrap(), way: Way::Local { root: self.root(node) } }
    }

    fn programs(&self, project: Project) -> Arc<Programs> {
        let directory = match project {
            Project::Etcd => self.etcd_programs.clone(),
            Project::Kubernetes => self.programs.clone(),
        };
        let route = Route { proxy: Proxy::Direct, authorities: None };
        Arc::new(Programs {
            source: Source::upstream(project),
            by: By::Directory(directory),
            route,
        })
    }

    pub(crate) fn wish_nodes(&mut self, nodes: &[&str]) {
        let node = |it: &&str| (it.parse().unwrap(), Self::place(it));
        self.wish.nodes = nodes.iter().map(node).collect();
    }

    async fn start_etcd(&mut self) {
        let place = Self::place("etcd");
        let desired = etcd_domain::Desired::new(etcd_domain::Wish {
            name: "prod".parse().unwrap(),
            version: ETCD.parse().unwrap(),
            members: BTreeMap::from([("etcd".parse().unwrap(), place)]),
            ports: etcd_domain::Ports { client: 2379, peer: 2380, metrics: 2381 },
            data_dir: "/var/lib/etcd/prod".parse().unwrap(),
            wal_dir: None,
            timing: etcd_domain::Timing::new(Duration::from_millis(100), Duration::from_secs(1))
                .unwrap(),
            quota: 2 << 30,
            auto_compaction: None,
            arguments: etcd_domain::Arguments::default(),
            environment: etcd_domain::Environment::default(),
            lost_hosts: BTreeSet::new(),
            is_protected: false,
            on_destroy: OnDestroy::Purge,
        })
        .unwrap();
        let own = Own::new(etcd::KIND, "prod", ID, true, Map::new());
        let setup = etcd::Setup {
            called: "etcd-prod".parse().unwrap(),
            desired: desired.clone(),
            certificates: etcd::Certificates {
                validity: time::Duration::days(365),
                ca_validity: time::Duration::days(3650),
                extra_sans: Vec::new(),
            },
            own,
            known: None,
            generation: 0,
            last: BTreeMap::new(),
            programs: self.programs(Project::Etcd),
        };
        let root = self.root("etcd");
        let site = etcd::Site::new(
            &desired,
            "etcd".parse().unwrap(),
            "etcd".parse().unwrap(),
            place,
            root.to_str().unwrap(),
        );
        let sites = BTreeMap::from([("etcd".to_owned(), site.unwrap())]);
        let mut fleet = self.etcd_fleet();
        let boots = BTreeSet::from(["etcd".to_owned()]);
        fleet.lock(&boots, Instant::now() + Duration::from_secs(30)).await.unwrap();
        let mut world = EtcdCluster::new(&mut fleet, setup, sites, false);
        let done = converge(&mut world, &run(false)).await;
        assert!(done.stopped.is_none(), "{:?}", done.stopped);
        let authority = world.looks()["etcd"].authority().unwrap();
        fleet.release().await;
        let client = std::net::SocketAddr::new(place.address, 2379);
        self.etcd.authority = authority;
        self.etcd.members = BTreeMap::from([("etcd".to_owned(), client)]);
        self.wish.etcd.endpoints = vec![format!("https://{client}").parse().unwrap()];
    }

    fn etcd_fleet(&self) -> Fleet {
        let targets = BTreeMap::from([("etcd".to_owned(), self.target("etcd"))]);
        Fleet::new(Arc::clone(&self.hosts), targets, "etcd_cluster-prod")
    }

    fn setup(&self) -> Setup {
        let desired = Desired::new(self.wish.clone()).unwrap();
        let applied = Map::from_iter([(
            "wish".to_owned(),
            json!(format!("{:?} {:?}", self.wish, self.extra_sans)),
        )]);
        Setup {
            called: "control-plane-prod".parse().unwrap(),
            own: Own::new(KIND, "prod", ID, !self.is_known, applied),
            certificates: CertificateWish {
                validity: time::Duration::days(365),
                ca_validity: time::Duration::days(3650),
                extra_sans: self.extra_sans.clone(),
            },
            is_known: self.is_known,
            last: BTreeMap::new(),
            programs: self.programs(Project::Kubernetes),
            recovery: None,
            etcd: self.etcd.clone(),
            desired,
        }
    }

    /// Wanted hosts, and those that were wanted before.
    fn sites(&self, setup: &Setup) -> (BTreeMap<String, Site>, BTreeMap<String, Target>) {
        let (mut sites, mut targets) = (BTreeMap::new(), BTreeMap::new());
        let wanted = setup.desired.nodes.keys().map(|it| (it.to_string(), it.to_string()));
        let is_former = |it: &&String| !setup.desired.nodes.contains_key(&it.parse().unwrap());
        let former = self.prior.iter().filter(is_former);
        let former = former.map(|it| (former_key(&it.parse().unwrap()), it.clone()));
        for (key, node) in wanted.chain(former) {
            let root = self.root(&node);
            let site = Site::new(
                &setup.desired,
                node.parse().unwrap(),
                node.parse().unwrap(),
                Self::place(&node),
                root.to_str().unwrap(),
            );
            sites.insert(key.clone(), site.unwrap());
            targets.insert(key, self.target(&node));
        }
        (sites, targets)
    }

    fn fleet(&self, targets: BTreeMap<String, Target>) -> Fleet {
        Fleet::new(Arc::clone(&self.hosts), targets, "control_plane-prod")
    }

    /// Brings about what is wished, or the end of it.
    pub(crate) async fn converge(&mut self, leaves: bool) -> Converged<Observed, Step> {
        let setup = self.setup();
        let (sites, targets) = self.sites(&setup);
        let boots = targets.keys().cloned().collect();
        let (mut fleet, mut etcd) = (self.fleet(targets), self.etcd_fleet());
        fleet.lock(&boots, Instant::now() + Duration::from_secs(30)).await.unwrap();
        let mut world = ControlPlane::new(&mut fleet, &mut etcd, setup, sites, leaves);
        let done = converge(&mut world, &run(true)).await;
        for it in &done.steps {
            eprintln!("{:>7.2?} {}", it.took, it.step);
        }
        fleet.release().await;
        if let Some(stopped) = &done.stopped {
            eprintln!("stopped: {}", chain(stopped));
            eprintln!("{:?}", self.drift().await);
        }
        if done.stopped.is_none() {
            self.is_known = true;
            self.prior = self.wish.nodes.keys().map(ToString::to_string).collect();
        }
        done
    }

    /// The steps that it took to come to what is wished.
    #[track_caller]
    pub(crate) fn steps(done: &Converged<Observed, Step>) -> Vec<String> {
        let why = done.stopped.as_ref().map(|it| chain(it));
        assert!(done.stopped.is_none(), "{why:?}");
        done.steps.iter().map(|it| it.step.to_string()).collect()
    }

    async fn looks(&self) -> (Setup, BTreeMap<String, Site>, BTreeMap<String, Look>) {
        let setup = self.setup();
        let (sites, targets) = self.sites(&setup);
        let (looks, silent) = look_at_all(&self.fleet(targets), &sites, &setup).await;
        assert!(silent.is_empty(), "{silent:?}");
        (setup, sites, looks)
    }

    /// What an apply would mend.
    pub(crate) async fn drift(&self) -> Vec<String> {
        let (setup, sites, looks) = self.looks().await;
        drift(&setup, &sites, &looks)
    }

    pub(crate) async fn access(&self) -> Access {
        let (setup, _, looks) = self.looks().await;
        let socket = |(name, place): (&terraform_provider_ha::domain::name::Name, &Place)| {
            (name.to_string(), setup.desired.socket(*place))
        };
        Access {
            name: setup.desired.name.clone(),
            authority: looks.values().find_map(Look::authority).unwrap(),
            nodes: setup.desired.nodes.iter().map(socket).collect(),
        }
    }

    /// Of an administrator.
    pub(crate) async fn credentials(&self) -> Credentials {
        let (_, targets) = self.sites(&self.setup());
        let (fleet, access) = (self.fleet(targets), self.access().await);
        let user = ("a test", ADMINISTRATORS);
        let issued = issue(&fleet, &access, user, Duration::from_mins(10)).await.unwrap();
        Credentials::new(&access.authority, &issued.certificate, &issued.key).unwrap()
    }

    pub(crate) async fn status(&self) -> Report {
        let (_, targets) = self.sites(&self.setup());
        let access = self.access().await;
        status(&self.fleet(targets), &access, Instant::now() + Duration::from_secs(20)).await
    }

    /// Waits until all serve and somebody leads: a lease that nobody gave back runs out after 15 s.
    pub(crate) async fn is_ready(&self) -> Report {
        let by = Instant::now() + Duration::from_mins(1);
        loop {
            let report = self.status().await;
            if report.is_ready {
                return report;
            }
            assert!(Instant::now() < by, "{report:?}");
        }
    }

    /// Where the API server of a node answers.
    pub(crate) fn url(node: &str, path: &str) -> String {
        format!("https://{}:6443{path}", Self::place(node).address)
    }

    /// All that runs on a host dies, also what would start it again, and what connects to it.
    pub(crate) fn kill_all_of(&self, host: &str) {
        for (pid, _) in processes_of(&format!("{}/", self.root(host).display())) {
            // It may have ended by itself.
            let _ = kill_process(pid, Signal::KILL);
        }
        for (pid, _) in processes_of(&format!("{}\0", self.root(host).display())) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }

    /// It stays where it is, and does nothing any more.
    pub(crate) fn freeze(&self, host: &str, program: &str) {
        let found = self.processes().into_iter().find(|it| it.0 == host && it.1 == program);
        kill_process(Pid::from_raw(found.unwrap().2).unwrap(), Signal::STOP).unwrap();
    }

    /// What runs of programs below the hosts: the host, the program and the process.
    pub(crate) fn processes(&self) -> Vec<(String, String, i32)> {
        let hosts = format!("{}/", self.directory.path().join("hosts").display());
        let program = |(pid, line): (Pid, String)| {
            let rest = line.split('\0').next()?.strip_prefix(&hosts)?.to_owned();
            let (host, path) = rest.split_once('/')?;
            let program = path.rsplit('/').next()?;
            Some((host.to_owned(), program.to_owned(), pid.as_raw_nonzero().get()))
        };
        let mut found: Vec<_> = processes_of(&hosts).into_iter().filter_map(program).collect();
        found.sort();
        found
    }
}

/// Those whose command line has this text, with it.
fn processes_of(text: &str) -> Vec<(Pid, String)> {
    let process = |entry: std::fs::DirEntry| {
        let pid = Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)?;
        let line = std::fs::read(entry.path().join("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).into_owned();
        line.contains(text).then_some((pid, line))
    };
    std::fs::read_dir("/proc").unwrap().flatten().filter_map(process).collect()
}

impl Drop for Local {
    fn drop(&mut self) {
        let hosts = format!("{}/", self.directory.path().join("hosts").display());
        // Also what starts them again.
        for (pid, _) in processes_of(&hosts) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

fn run(may_destroy: bool) -> Run {
    let mut announced = Announced::default();
    if may_destroy {
        for kind in [Kind::Remove, Kind::MoveAside] {
            announced.add(kind, NAMES);
        }
    }
    Run {
        by: Instant::now() + Duration::from_mins(4),
        cancelled: CancellationToken::new(),
        announced,
        backoff: Backoff::seeded(1),
        retries: 3,
    }
}

fn wish() -> Wish {
    let paths = ["/livez", "/readyz", "/healthz"];
    Wish {
        name: "prod".parse().unwrap(),
        version: VERSION.parse().unwrap(),
        endpoint: "api.example.test:6443".parse().unwrap(),
        etcd: Etcd { endpoints: Vec::new(), generation: 0 },
        etcd_prefix: "/registry".parse().unwrap(),
        nodes: BTreeMap::new(),
        port: 6443,
        service_cidrs: vec!["10.96.0.0/12".parse().unwrap()],
        pod_cidrs: vec!["10.244.0.0/16".parse().unwrap()],
        cluster_domain: "cluster.local".parse().unwrap(),
        issuer: None,
        api_server: Extras::default(),
        controller_manager: Extras::default(),
        scheduler: Extras::default(),
        feature_gates: BTreeMap::new(),
        admission: Admission::default(),
        audit: Some(Audit { policy: None, max_age: 30, max_backups: 10, max_size: 100 }),
        encryption: Encryption::Secretbox,
        anonymous_paths: paths.iter().map(|it| it.parse().unwrap()).collect(),
        tls_min_version: TlsVersion::V12,
        tls_cipher_suites: None,
        shutdown_delay: Duration::from_secs(1),
        recipients: BTreeSet::new(),
        lost_hosts: BTreeSet::new(),
        is_protected: false,
        on_destroy: OnDestroy::Keep,
    }
}
