//! Snapshots that an agent takes of a member on its host, beside `etcdctl snapshot save`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use terraform_provider_ha::domain::backup::pages::{Source, check};
use terraform_provider_ha::engine::Fleet;
use terraform_provider_ha::host::messages::SaveSnapshotRequest;
use terraform_provider_ha::host::{Hosts, Target, Way};
use tokio::runtime::Runtime;
use tokio::time::Instant;

use crate::grow;
use crate::local_hosts::processes_of;
use crate::plane::{NODES, Plane};
use crate::report::{Result, done, memory};
use crate::stack::{backup, etcd, etcdctl, place};
use crate::turns::{Aim, Row, timed, turns};

/// How often one is taken.
pub(crate) const SNAPSHOTS: usize = 5;
const TAKEN: u64 = 512 << 20;
/// 64 MiB.
const MOST_MEMORY: f64 = 67.1;
/// Behind the pages.
const DIGEST: u64 = 32;
/// Below it snapshots of the agent lie, as the host sees it.
const FOLDER: &str = "/srv/bench";

/// One member, and this process as the client of the agent on its host.
struct Taker {
    on: Plane,
    fleet: Fleet,
    runtime: Runtime,
}

pub(crate) fn measured() -> Result<Vec<Row>> {
    let mut at = Taker::new()?;
    let mut checks = Vec::new();
    let [whole, peer] = {
        let (on, fleet, runtime) = (&at.on, &mut at.fleet, &at.runtime);
        let file = on.root(NODES[0]).join(&FOLDER[1..]).join("it.db");
        let other = on.path("etcdctl.db");
        turns(
            SNAPSHOTS,
            [
                &mut || {
                    let took = timed(|| runtime.block_on(take(on, fleet)))?;
                    checks.push(timed(|| read(&file))?);
                    fs::remove_file(&file)?;
                    Ok(took)
                },
                &mut || {
                    let path = other.display().to_string();
                    let took =
                        timed(|| done(&mut etcdctl(on, NODES[0], &["snapshot", "save", &path])))?;
                    fs::remove_file(&other)?;
                    Ok(took)
                },
            ],
        )?
    };
    // The first round does not count.
    let checks = checks.split_off(1);
    let streamed = whole.iter().zip(&checks).map(|(whole, check)| whole - check).collect();
    let kept = at.back_up()?;
    let memory = at.memory()?;
    at.runtime.block_on(at.fleet.release());
    Ok(vec![
        Row::ms("512 MiB streamed, hashed, written through", Aim::TimesPeer(1.1), streamed, peer),
        Row::ms("the check of its pages", Aim::None, checks, Vec::new()),
        Row::ms(
            "one of a backup: compressed and read back as well",
            Aim::None,
            vec![kept],
            Vec::new(),
        ),
        Row {
            what: "memory of the agent at most",
            unit: "MB",
            aim: Aim::AtMost(MOST_MEMORY),
            ours: vec![memory],
            peer: Vec::new(),
        },
    ])
}

impl Taker {
    fn new() -> Result<Self> {
        let on = place()?;
        on.config(&[etcd(&on, &NODES[..1], ""), backup("0")].concat());
        on.apply();
        grow(&on, TAKEN)?;
        let hosts = Arc::new(Hosts::new("a benchmark".to_owned(), Some(on.path("agents"))));
        let way = Way::Local { root: on.root(NODES[0]) };
        let target = Target { name: NODES[0].parse()?, way };
        let targets = BTreeMap::from([(NODES[0].to_owned(), target)]);
        let mut fleet = Fleet::new(hosts, targets, "etcd_cluster-store");
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let nobody = BTreeSet::new();
        runtime.block_on(async {
            let by = Instant::now() + Duration::from_secs(30);
            fleet.lock(&nobody, by).await
        })?;
        Ok(Self { on, fleet, runtime })
    }

    /// As the service of the backup does it.
    fn back_up(&mut self) -> Result<f64> {
        let settings = "/etc/etcd-backup/store_x.json";
        let taken = self.fleet.one(NODES[0], async |_, host| host.back_up(settings).await);
        timed(|| Ok(self.runtime.block_on(taken)?))
    }

    /// Of the process that serves this one.
    fn memory(&self) -> Result<f64> {
        let root = self.on.root(NODES[0]);
        let mut all = processes_of(&root.display().to_string()).into_iter();
        let serves = all.find(|(_, line)| line.contains("ha-agent") && line.contains("/ serve/ "));
        let (process, _) = serves.ok_or("no agent serves")?;
        memory(&fs::read_to_string(format!("/proc/{}/status", process.as_raw_nonzero()))?, "VmHWM")
    }
}

async fn take(on: &Plane, fleet: &mut Fleet) -> Result<()> {
    let key = |file: &str| format!("/etc/etcd-store/{file}").into();
    let request = SaveSnapshotRequest {
        member: format!("{}:2379", on.address(NODES[0])),
        authority: key("ca.crt"),
        certificate: key("server.crt"),
        key: key("server.key"),
        directory: FOLDER.to_owned().into(),
        name: "it".to_owned(),
        keep: 1,
        ..SaveSnapshotRequest::default()
    };
    let request = &request;
    let taken = fleet.one(NODES[0], async |_, host| host.save_snapshot(request.clone()).await);
    taken.await?.ok_or("there is no host")?;
    Ok(())
}

/// What the agent does once all has come.
fn read(file: &Path) -> Result<()> {
    let file = File::open(file)?;
    let size = file.metadata()?.len();
    check(&Pages(&file), size - DIGEST)?;
    Ok(())
}

struct Pages<'a>(&'a File);

impl Source for Pages<'_> {
    fn read(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(into, offset)
    }
}
