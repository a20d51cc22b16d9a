//! A host in a directory with one service, and what runs because of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use terraform_provider_ha::domain::service::{Definition, Service, render};
use terraform_provider_ha::proto::agent::service_request::Action;
use terraform_provider_ha::proto::agent::{Claim, LogsRequest, ServiceRequest, Unit};
use tokio::time::sleep;
use tonic::Status;

use crate::agent_client::Agent;

pub(crate) const UNIT: &str = "a.service";
pub(crate) const LONG: Duration = Duration::from_secs(20);
/// More than a program is watched after its start.
pub(crate) const MOMENT: Duration = Duration::from_millis(200);

/// A host in a directory. Whatever still runs on it is killed at the end of the test.
pub(crate) struct Host {
    _folder: TempDir,
    pub(crate) root: PathBuf,
    pub(crate) agent: Agent,
    pub(crate) claim: Claim,
}

impl Host {
    pub(crate) async fn new() -> Self {
        Self::below("").await
    }

    pub(crate) async fn below(path: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Without the `/` that joining nothing adds.
        let root: PathBuf = folder.path().join(path).components().collect();
        fs::create_dir_all(root.join("etc/systemd/system")).unwrap();
        let mut agent = Agent::start(&root).await;
        let claim = agent.lock("test").await;
        Self { _folder: folder, root, agent, claim }
    }

    /// A host whose service is a script of the shell.
    pub(crate) async fn with(script: &str, change: impl FnOnce(&mut Service)) -> Self {
        let host = Self::new().await;
        host.write(script, change);
        host
    }

    pub(crate) fn write(&self, script: &str, change: impl FnOnce(&mut Service)) {
        let mut service = Service {
            arguments: vec!["-c".to_owned(), script.to_owned()],
            restart_delay: Duration::from_millis(10),
            working_directory: Some(self.root.to_str().unwrap().to_owned()),
            ..Service::new("a", "A service", "/bin/sh")
        };
        change(&mut service);
        fs::write(self.unit(), render(&Definition::new(service).unwrap())).unwrap();
    }

    pub(crate) fn unit(&self) -> PathBuf {
        self.root.join("etc/systemd/system").join(UNIT)
    }

    pub(crate) async fn act(&mut self, action: Action) -> Result<Unit, Status> {
        let unit = if action == Action::ReadUnits { "" } else { UNIT }.to_owned();
        let (claim, action) = (Some(self.claim.clone()), action.into());
        let request = ServiceRequest { claim, action, unit, limit: 20 };
        let reply = self.agent.client.service(request).await?.into_inner();
        Ok(reply.unit.unwrap_or_default())
    }

    pub(crate) async fn look(&mut self) -> Unit {
        self.act(Action::Look).await.unwrap()
    }

    pub(crate) async fn words(&mut self) -> String {
        words(&self.look().await)
    }

    pub(crate) async fn until(&mut self, is_so: impl Fn(&Unit) -> bool) -> Unit {
        let began = Instant::now();
        loop {
            let unit = self.look().await;
            if is_so(&unit) {
                return unit;
            }
            assert!(began.elapsed() < LONG, "still {unit:?}\n{}", self.logs().await);
            sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) async fn logs(&mut self) -> String {
        let request = LogsRequest { unit: UNIT.to_owned(), lines: 0 };
        let text = self.agent.client.logs(request).await.unwrap().into_inner().text;
        String::from_utf8(text.to_vec()).unwrap()
    }

    /// By its own word.
    pub(crate) fn supervisor(&self) -> i32 {
        supervisor(&self.root.join("var/lib/ha-agent/supervise").join(format!("{UNIT}.state")))
            .unwrap()
    }

    /// What runs because of this host, but for the agent: its directory is in the arguments or is where it runs.
    pub(crate) fn running(&self) -> Vec<i32> {
        let agent = self.agent.process.id().unwrap_or_default().cast_signed();
        let is_ours = |id: &i32| {
            let arguments = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
            let root = self.root.to_str().unwrap();
            String::from_utf8_lossy(&arguments).contains(root)
                || fs::read_link(format!("/proc/{id}/cwd")).is_ok_and(|it| it == self.root)
        };
        processes().into_iter().filter(|it| *it != agent && is_ours(it)).collect()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        for id in self.running() {
            let _ = kill_process(Pid::from_raw(id).unwrap(), Signal::KILL);
        }
    }
}

pub(crate) fn words(unit: &Unit) -> String {
    format!("{} {} {}", unit.load, unit.active, unit.sub)
}

pub(crate) fn supervisor(state: &Path) -> Option<i32> {
    fs::read_to_string(state).ok()?.split('\t').nth(1)?.parse().ok()
}

pub(crate) fn processes() -> Vec<i32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|it| it.file_name().to_str()?.parse().ok()).collect()
}

/// State, parent: the third and fourth field of proc_pid_stat(5).
pub(crate) fn stat(id: i32) -> Option<(String, i32)> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?))
}

pub(crate) fn is_running(id: i32) -> bool {
    stat(id).is_some_and(|it| it.0 != "Z")
}

pub(crate) fn kill(id: i32) {
    kill_process(Pid::from_raw(id).unwrap(), Signal::KILL).unwrap();
}

pub(crate) fn id(unit: &Unit) -> i32 {
    unit.process.cast_signed()
}
