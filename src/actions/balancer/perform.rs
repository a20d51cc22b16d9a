//! How each step is done. What it must guarantee is in the documentation of the planner.
#![expect(clippy::disallowed_methods, reason = "waits for processes by the clock")]

use std::collections::BTreeSet;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::time::{Instant, sleep};

use super::Balancer;
use super::listen::{ASKS, LISTENS};
use super::look::{Look, ask};
use super::site::Site;
use crate::actions::{
    Act, former_key, record_name, remove_service, run_service, stamp, stamp_path, write_record,
};
use crate::domain::balancer::{BACK, Desired, Lies, PROBE, Process, Running, Step, server};
use crate::domain::name::Name;
use crate::engine::gravest;
use crate::host::messages::run_reply::End;
use crate::host::messages::run_request::Program;
use crate::host::messages::service_request::Action;
use crate::host::messages::{RunReply, file};
use crate::host::{File, HostError, Locked};
use crate::remote::haproxy::order;

/// A process that comes up does so within a second; a check of a backend may hold the first look up.
const COMES_UP: Duration = Duration::from_secs(8);
const PAUSE: Duration = Duration::from_millis(100);

/// Lines of the log that say why something did not come up.
const LINES: u32 = 8;

/// `SIGTERM`: keepalived ends itself so after a test in a session of SSH, though the file is good.
const TERM: i32 = 15;

impl Balancer<'_> {
    pub(super) async fn perform_step(&mut self, step: &Step) -> Result<(), HostError> {
        match step {
            Step::Listen { hosts } => {
                self.before = Some(self.strangers(hosts, LISTENS).await?);
                Ok(())
            }
            Step::Confirm { hosts } => {
                self.after = Some(self.strangers(hosts, ASKS).await?);
                Ok(())
            }
            Step::Claim { hosts } => self.record(hosts, false).await,
            Step::Record { hosts } => self.record(hosts, true).await,
            Step::Install { hosts } => {
                let names: &[&str] = match self.setup.desired.virtual_ip {
                    Some(_) => &["haproxy", "keepalived"],
                    None => &["haproxy"],
                };
                let installed = async |_, host: Locked| host.ensure_packages(names).await;
                gravest(self.fleet.some(&keys(hosts), installed).await).map(drop)
            }
            Step::Write { host } => {
                self.tried.remove(host);
                self.on(host, async |it| write(&it).await).await
            }
            Step::Start { host } => self.try_it(host, Action::Start).await,
            Step::Restart { host } => self.try_it(host, Action::Restart).await,
            Step::Reload { host } => self.try_it(host, Action::Reload).await,
            Step::AddBackends { host, names } => {
                self.on(host, async |it| add(&it, names).await).await
            }
            Step::DropBackends { host, names } => {
                let give = |it: &Name| {
                    format!("set server {BACK}/{it} state maint;del server {BACK}/{it}")
                };
                self.on(host, async |it| change(&it, names, give, "Server deleted.").await).await
            }
            Step::ReadyBackends { host, names } => {
                let give = |it: &Name| {
                    format!("set server {BACK}/{it} state ready;enable health {BACK}/{it}")
                };
                self.on(host, async |it| give_all(&it, names, give).await).await
            }
            Step::DrainBackends { host, names } => {
                let give = |it: &Name| {
                    format!("disable health {BACK}/{it};set server {BACK}/{it} state drain")
                };
                self.on(host, async |it| give_all(&it, names, give).await).await
            }
            Step::PutBack { host } => self.put_back(host).await,
            Step::Keep { host } => self.on(host, async |it| keep(&it).await).await,
            Step::TakePart { host } => {
                let hosts = std::sync::Arc::clone(&self.setup.hosts);
                let take = async |it: At| {
                    place_probe(&it, &hosts).await?;
                    run_keepalived(&it, Act::Start).await
                };
                self.on(host, take).await
            }
            Step::Inform { host } => {
                self.on(host, async |it| run_keepalived(&it, Act::Reload).await).await
            }
            Step::MoveAway { host } => {
                let move_away = async |it: At| {
                    let unit = it.site.keepalived_unit();
                    it.host.service(Action::Stop, &unit).await?;
                    it.host.service(Action::Disable, &unit).await.map(drop)
                };
                self.on(host, move_away).await
            }
            Step::Unguard { host } => {
                let unguard = async |it: At| {
                    remove_service(&it.host, &it.site.keepalived_unit()).await?;
                    it.host.remove(&it.site.files().vrrp(), false).await.map(drop)
                };
                self.on(host, unguard).await
            }
            Step::Retire { host } => self.clean(&BTreeSet::from([former_key(host)])).await,
            Step::Dismantle { hosts } => {
                let former = hosts.iter().map(former_key);
                let all = hosts.iter().map(ToString::to_string).chain(former);
                // What is there and not ours stays as it is.
                let is_ours = |it: &String| self.looks.get(it).is_some_and(|it| it.facts.is_ours());
                let ours = all.filter(is_ours).collect();
                self.clean(&ours).await
            }
        }
    }

    /// Does something on the wanted host of a key; on the former one where there is no other.
    async fn on<A>(&mut self, key: &Name, work: impl Fn(At) -> A + Sync) -> Result<(), HostError>
    where
        A: Future<Output = Result<(), HostError>>,
    {
        let own = key.to_string();
        let fleet_key = if self.sites.contains_key(&own) { own } else { former_key(key) };
        let Some(look) = self.looks.get(&fleet_key).cloned() else { return Ok(()) };
        let (site, desired) = (self.sites[&fleet_key].clone(), self.setup.desired.clone());
        let done = self.fleet.one(&fleet_key, async |_, host| {
            let (site, look, desired) = (site.clone(), look.clone(), desired.clone());
            work(At { host, site, look, desired }).await
        });
        done.await.map(drop)
    }

    /// Whether it helped is seen by the next look. What the service refuses is for the planner too: it puts back. What was
    /// lost midway was not tried: the note about it may be missing.
    async fn try_it(&mut self, key: &Name, action: Action) -> Result<(), HostError> {
        self.on(key, async |it| act(&it, action).await).await?;
        self.tried.insert(key.clone());
        Ok(())
    }

    async fn put_back(&mut self, key: &Name) -> Result<(), HostError> {
        let own = key.to_string();
        let unit = self.sites.get(&own).map(Site::proxy_unit).unwrap_or_default();
        let logs = async |_, host: Locked| host.logs(&unit, LINES).await;
        let said = self.fleet.one(&own, logs).await.ok().flatten().unwrap_or_default();
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        // Noted first: whatever becomes of it, this configuration is not tried once more.
        self.failed.insert(key.clone(), said);
        let back = async |it: At| {
            let (site, host) = (&it.site, &it.host);
            let copy = host.read(&site.files().good(), 0).await?;
            if copy.file.is_none_or(|it| it.kind() != file::Kind::Regular) {
                return Ok(());
            }
            let config = File { content: copy.content.to_vec(), ..it.look.wanted.config.clone() };
            host.put(config).await?;
            let is_alive = !matches!(it.look.facts.proxy, Process::Absent | Process::Stopped);
            let action = if is_alive { Action::Reload } else { Action::Start };
            service(&it, action).await
        };
        self.on(key, back).await
    }

    async fn record(&mut self, hosts: &[Name], is_complete: bool) -> Result<(), HostError> {
        let (claim, record) = (&self.setup.own.claim, self.setup.own.record(is_complete));
        let written = async |_, host: Locked| write_record(&host, claim, &record).await;
        gravest(self.fleet.some(&keys(hosts), written).await).map(drop)
    }

    /// The record goes last: until then the next run knows whose this is.
    async fn clean(&mut self, keys: &BTreeSet<String>) -> Result<(), HostError> {
        let (sites, claim) = (&self.sites, &self.setup.own.claim);
        let done = self.fleet.some(keys, async |key, host| {
            let site = &sites[&key];
            remove_service(&host, &site.keepalived_unit()).await?;
            remove_service(&host, &site.proxy_unit()).await?;
            host.remove(site.files().directory(), true).await?;
            host.remove_record(&record_name(claim)).await.map(drop)
        });
        gravest(done.await).map(drop)
    }
}

/// A node at work, as it was seen.
struct At {
    host: Locked,
    site: Site,
    look: Look,
    desired: Desired,
}

impl At {
    fn failed(&self, call: &str, reason: String) -> HostError {
        HostError::Failed { host: self.host.name().clone(), call: call.to_owned(), reason }
    }
}

pub(super) fn keys(hosts: &[Name]) -> BTreeSet<String> {
    hosts.iter().map(ToString::to_string).collect()
}

async fn write(it: &At) -> Result<(), HostError> {
    let (host, wanted) = (&it.host, &it.look.wanted);
    host.make_directory(it.site.files().directory(), 0o755, ("", ""), true).await?;
    // No configuration that is there names it, unless it is the same.
    if let Some(authority) = &wanted.authority {
        host.put(authority.clone()).await?;
    }
    check(it, &wanted.config, &it.site.told().proxy(), Program::Haproxy, &["-c", "-f"]).await?;
    if let Some(config) = &wanted.vrrp {
        check(it, config, &it.site.told().vrrp(), Program::Keepalived, &["-t", "-f"]).await?;
    }
    host.make_directory("/etc/systemd/system", 0o755, ("", ""), true).await?;
    for file in wanted.files() {
        host.put(file.clone()).await?;
    }
    host.service(Action::ReadUnits, "").await.map(drop)
}

/// Lets the program itself read a file, beside the one that is in use.
async fn check(
    it: &At,
    wanted: &File,
    told: &str,
    program: Program,
    flags: &[&str],
) -> Result<(), HostError> {
    let host = &it.host;
    let path = format!("{}.new", wanted.path);
    host.put(File { path: path.clone(), ..wanted.clone() }).await?;
    let told = format!("{told}.new");
    let arguments: Vec<_> = flags.iter().copied().chain([told.as_str()]).collect();
    let reply = host.run(program, "", &arguments).await;
    host.remove(&path, false).await?;
    let reply = reply?;
    if is_content(&reply) {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&reply.stderr);
    let said: String = said.trim().chars().take(2000).collect();
    let name = program.as_str_name().to_lowercase();
    Err(it.failed(&format!("let {name} check its file, and nothing was changed"), said))
}

fn is_content(reply: &RunReply) -> bool {
    let is_silent = reply.stderr.trim_ascii().is_empty();
    match reply.end {
        Some(End::Status(status)) => status == 0 || status == 128 + TERM && is_silent,
        Some(End::Signal(signal)) => signal == TERM && is_silent,
        None => false,
    }
}

async fn act(it: &At, action: Action) -> Result<(), HostError> {
    service(it, action).await?;
    // What it gets is in the unit, which may be an old one still.
    if action != Action::Reload && it.look.facts.on_disk == Lies::Wished {
        note_room(it).await?;
    }
    let until = Instant::now() + COMES_UP;
    loop {
        // The process that was there before may have been started with the same, but for its backends.
        let (process, _) = ask(&it.host, &it.site, &it.look.wanted).await;
        let is_new = |running: &Running| {
            let all = running.backends.iter().map(|(name, it)| (name, &it.endpoint));
            running.is_wished && all.eq(it.desired.backends.iter())
        };
        if matches!(&process, Process::Running(it) if is_new(it)) || until <= Instant::now() {
            return Ok(());
        }
        sleep(PAUSE).await;
    }
}

/// Last: a crash before it costs one more restart, never one too few.
async fn note_room(it: &At) -> Result<(), HostError> {
    let path = stamp_path(&it.site.proxy_unit());
    if let Some((directory, _)) = path.rsplit_once('/') {
        it.host.make_directory(directory, 0o755, ("", ""), true).await?;
    }
    let content = it.desired.open_files().to_string().into_bytes();
    it.host.put(File { path, content, mode: 0o600, ..File::default() }).await.map(drop)
}

/// What the service manager refuses is told in the log; whether the process runs is seen by itself.
async fn service(it: &At, action: Action) -> Result<(), HostError> {
    let (host, unit) = (&it.host, it.site.proxy_unit());
    host.service(Action::Enable, &unit).await?;
    if action != Action::Reload {
        host.service(Action::ResetFailed, &unit).await?;
    }
    match host.service(action, &unit).await {
        Err(error @ HostError::Failed { .. }) => {
            tracing::warn!(host = %host.name(), %error, "the service did not come up");
            Ok(())
        }
        done => done.map(drop),
    }
}

async fn told(it: &At, orders: &str) -> Result<String, HostError> {
    let stream = it.host.forward_socket(&it.site.files().admin()).await?;
    order(stream, orders).await.map_err(|source| HostError::Interrupted {
        host: it.host.name().clone(),
        call: "give orders to HAProxy".to_owned(),
        source: source.into(),
    })
}

async fn give_all(
    it: &At,
    names: &[Name],
    give: impl Fn(&Name) -> String,
) -> Result<(), HostError> {
    for name in names {
        told(it, &give(name)).await?;
    }
    Ok(())
}

/// An order that is not obeyed, for the program may be too old for it, is replaced by a reload of the file.
async fn change(
    it: &At,
    names: &[Name],
    give: impl Fn(&Name) -> String,
    done: &str,
) -> Result<(), HostError> {
    for name in names {
        let said = told(it, &give(name)).await?;
        if !said.contains(done) {
            tracing::info!(host = %it.host.name(), backend = %name, said, "is reloaded instead");
            return act(it, Action::Reload).await;
        }
    }
    Ok(())
}

async fn add(it: &At, names: &[Name]) -> Result<(), HostError> {
    let give = |name: &Name| {
        let endpoint = it.desired.backends.get(name)?;
        let line = server(&it.desired, name, *endpoint, it.site.told());
        Some(format!(
            "add server {BACK}/{line};enable health {BACK}/{name};enable server {BACK}/{name}"
        ))
    };
    let give = |name: &Name| give(name).unwrap_or_default();
    change(it, names, give, "New server registered.").await
}

async fn keep(it: &At) -> Result<(), HostError> {
    let path = it.site.files().good();
    it.host.put(File { path, ..it.look.wanted.config.clone() }).await.map(drop)
}

async fn run_keepalived(it: &At, act: Act) -> Result<(), HostError> {
    let stamp = stamp(it.look.wanted.vrrp.as_slice());
    run_service(&it.host, &it.site.keepalived_unit(), act, &stamp).await
}

/// The agent as a program that stays, when the one that speaks to us is gone.
async fn place_probe(it: &At, hosts: &crate::host::Hosts) -> Result<(), HostError> {
    let content = hosts.agent_for(&it.look.architecture);
    let content = content.map_err(|reason| it.failed("place the probe", reason))?;
    if it.look.probe.as_deref() == Some(&Sha256::digest(&content)[..]) {
        return Ok(());
    }
    if let Some((directory, _)) = PROBE.rsplit_once('/') {
        it.host.make_directory(directory, 0o755, ("", ""), true).await?;
    }
    let (path, mode) = (PROBE.to_owned(), 0o755);
    it.host.put(File { path, content, mode, ..File::default() }).await.map(drop)
}
