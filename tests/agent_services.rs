//! Services under the agent's own supervisor, as the provider starts and stops them.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test drives processes, fails by panicking, and tells what it measured"
)]

#[path = "support/agent_client.rs"]
mod agent_client;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use terraform_provider_ha::domain::service::{
    self, Definition, Hardening, Restart, Service, Signal as Asked, Start, render,
};
use terraform_provider_ha::proto::agent::service_request::Action;
use terraform_provider_ha::proto::agent::{
    Claim, EnsureUserRequest, FactsRequest, LogsRequest, MakeDirectoryRequest, PutRequest,
    ServiceRequest, Unit,
};
use tokio::time::sleep;
use tonic::{Code, Status};

use self::agent_client::Agent;

const UNIT: &str = "a.service";
const LONG: Duration = Duration::from_secs(20);
/// More than a program is watched after its start.
const MOMENT: Duration = Duration::from_millis(200);

/// A host in a directory. Whatever still runs on it is killed at the end of the test.
struct Host {
    _folder: TempDir,
    root: PathBuf,
    agent: Agent,
    claim: Claim,
}

impl Host {
    async fn new() -> Self {
        Self::below("").await
    }

    async fn below(path: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Without the `/` that joining nothing adds.
        let root: PathBuf = folder.path().join(path).components().collect();
        fs::create_dir_all(root.join("etc/systemd/system")).unwrap();
        let mut agent = Agent::start(&root).await;
        let claim = agent.lock("test").await;
        Self { _folder: folder, root, agent, claim }
    }

    /// A host whose service is a script of the shell.
    async fn with(script: &str, change: impl FnOnce(&mut Service)) -> Self {
        let host = Self::new().await;
        host.write(script, change);
        host
    }

    fn write(&self, script: &str, change: impl FnOnce(&mut Service)) {
        let mut service = Service {
            arguments: vec!["-c".to_owned(), script.to_owned()],
            restart_delay: Duration::from_millis(10),
            working_directory: Some(self.root.to_str().unwrap().to_owned()),
            ..Service::new("a", "A service", "/bin/sh")
        };
        change(&mut service);
        fs::write(self.unit(), render(&Definition::new(service).unwrap())).unwrap();
    }

    fn unit(&self) -> PathBuf {
        self.root.join("etc/systemd/system").join(UNIT)
    }

    async fn act(&mut self, action: Action) -> Result<Unit, Status> {
        let unit = if action == Action::ReadUnits { "" } else { UNIT }.to_owned();
        let (claim, action) = (Some(self.claim.clone()), action.into());
        let request = ServiceRequest { claim, action, unit, limit: 20 };
        let reply = self.agent.client.service(request).await?.into_inner();
        Ok(reply.unit.unwrap_or_default())
    }

    async fn look(&mut self) -> Unit {
        self.act(Action::Look).await.unwrap()
    }

    async fn words(&mut self) -> String {
        words(&self.look().await)
    }

    async fn until(&mut self, is_so: impl Fn(&Unit) -> bool) -> Unit {
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

    async fn logs(&mut self) -> String {
        let request = LogsRequest { unit: UNIT.to_owned(), lines: 0 };
        let text = self.agent.client.logs(request).await.unwrap().into_inner().text;
        String::from_utf8(text.to_vec()).unwrap()
    }

    /// By its own word.
    fn supervisor(&self) -> i32 {
        supervisor(&self.root.join("var/lib/ha-agent/supervise").join(format!("{UNIT}.state")))
            .unwrap()
    }

    /// What runs because of this host, but for the agent: its directory is in the arguments or is where it runs.
    fn running(&self) -> Vec<i32> {
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

fn words(unit: &Unit) -> String {
    format!("{} {} {}", unit.load, unit.active, unit.sub)
}

fn supervisor(state: &Path) -> Option<i32> {
    fs::read_to_string(state).ok()?.split('\t').nth(1)?.parse().ok()
}

fn processes() -> Vec<i32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|it| it.file_name().to_str()?.parse().ok()).collect()
}

/// State, parent: the third and fourth field of proc_pid_stat(5).
fn stat(id: i32) -> Option<(String, i32)> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?))
}

fn is_running(id: i32) -> bool {
    stat(id).is_some_and(|it| it.0 != "Z")
}

fn kill(id: i32) {
    kill_process(Pid::from_raw(id).unwrap(), Signal::KILL).unwrap();
}

fn id(unit: &Unit) -> i32 {
    unit.process.cast_signed()
}

#[tokio::test]
async fn a_service_runs_from_its_start_to_its_stop_and_leaves_nothing() {
    let script =
        "echo \"$GREETING $STATE_DIRECTORY\"; echo to stderr >&2; sleep 600 & exec sleep 600";
    let mut host = Host::with(script, |it| {
        it.environment = BTreeMap::from([("GREETING".to_owned(), "50% of \"$HOME\"".to_owned())]);
        it.state_directories = vec!["a".to_owned()];
        it.runtime_directories = vec!["a".to_owned()];
        it.open_files = Some(99);
    })
    .await;
    assert_eq!(host.words().await, "loaded inactive dead");
    host.act(Action::Stop).await.unwrap();
    let began = Instant::now();
    let unit = host.act(Action::Start).await.unwrap();
    eprintln!("start: {:?}", began.elapsed());
    assert_eq!(words(&unit), "loaded active running");
    assert_eq!((unit.enabled.as_str(), unit.restarts, unit.stale), ("disabled", 0, false));
    assert!(is_running(id(&unit)));
    let limits = fs::read_to_string(format!("/proc/{}/limits", unit.process)).unwrap();
    assert!(limits.lines().any(|it| it.starts_with("Max open files") && it.contains(" 99 ")));
    let root = host.root.display().to_string();
    assert_eq!(host.logs().await, format!("50% of \"$HOME\" {root}/var/lib/a\nto stderr\n"));
    assert!(host.root.join("run/a").is_dir());
    // Asked for again it is the same.
    assert_eq!(id(&host.act(Action::Start).await.unwrap()), id(&unit));
    let facts = FactsRequest { units: vec![UNIT.to_owned()], ..FactsRequest::default() };
    let facts = host.agent.client.facts(facts).await.unwrap().into_inner();
    assert_eq!((facts.systemd, facts.units), (false, vec![unit]));
    assert_eq!(host.running().len(), 3, "a supervisor, the program, and what it started");

    let began = Instant::now();
    let unit = host.act(Action::Stop).await.unwrap();
    eprintln!("stop: {:?}", began.elapsed());
    assert_eq!((words(&unit).as_str(), unit.process), ("loaded inactive dead", 0));
    assert_eq!(host.running(), Vec::<i32>::new());
    assert!(!host.root.join("run/a").exists() && host.root.join("var/lib/a").is_dir());
    assert_eq!(zombies(&host), 0);
}

/// Children of the agent that nobody waits for.
fn zombies(host: &Host) -> usize {
    let agent = host.agent.process.id().unwrap().cast_signed();
    let is_left = |id: &i32| stat(*id).is_some_and(|it| it == ("Z".to_owned(), agent));
    processes().iter().filter(|it| is_left(it)).count()
}

#[tokio::test]
async fn a_service_that_crashes_is_started_again_after_longer_and_longer_pauses() {
    let mut host = Host::with("date +%s%3N; sleep 0.15; exit 7", |it| {
        it.restart_delay = Duration::from_millis(100);
    })
    .await;
    host.act(Action::Start).await.unwrap();
    let unit = host.until(|it| it.restarts == 3 && it.active == "active").await;
    assert!(!unit.stale);
    let logs = host.logs().await;
    let starts: Vec<u64> = logs.lines().filter_map(|it| it.parse().ok()).collect();
    let gaps: Vec<_> = starts.windows(2).map(|it| it[1] - it[0]).collect();
    // Each run takes 150 ms.
    assert!(gaps[0] >= 240 && gaps[1] >= 340 && gaps[2] >= 540, "{gaps:?}");
    assert!(logs.contains("ha-agent: a.service has ended: exit status 7\n"), "{logs}");
    let unit = host.until(|it| it.sub == "auto-restart").await;
    assert_eq!((words(&unit).as_str(), unit.process), ("loaded activating auto-restart", 0));
    // Who starts it does not wait for the pause.
    host.act(Action::Start).await.unwrap();
    host.act(Action::Stop).await.unwrap();
    assert_eq!(host.words().await, "loaded inactive dead");
    assert_eq!(host.running(), Vec::<i32>::new());
}

#[tokio::test]
async fn a_program_that_is_killed_is_started_again() {
    let mut host = Host::with("sleep 600 & sleep 600", |_| ()).await;
    let first = host.act(Action::Start).await.unwrap();
    for restarts in 1..=3 {
        kill(id(&host.look().await));
        let unit = host.until(|it| it.restarts == restarts && it.active == "active").await;
        assert_ne!(unit.process, first.process);
        assert_eq!(host.running().len(), 4, "nothing is left of the run before");
    }
    host.act(Action::Stop).await.unwrap();
    assert_eq!(host.running(), Vec::<i32>::new());
}

#[tokio::test]
async fn a_supervisor_that_is_killed_takes_its_service_along() {
    let mut host = Host::with("sleep 600 & exec sleep 600", |_| ()).await;
    let unit = host.act(Action::Start).await.unwrap();
    kill(host.supervisor());
    let began = Instant::now();
    while is_running(id(&unit)) {
        assert!(began.elapsed() < LONG);
        sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(host.words().await, "loaded failed failed");
    assert_eq!(host.running().len(), 1, "what the program has started is found at the next start");
    assert_eq!(words(&host.act(Action::Start).await.unwrap()), "loaded active running");
    assert_eq!(host.running().len(), 3);
    kill(host.supervisor());
    host.until(|it| it.active == "failed").await;
    host.act(Action::Stop).await.unwrap();
    assert_eq!(host.running(), Vec::<i32>::new());
    assert_eq!(words(&host.act(Action::ResetFailed).await.unwrap()), "loaded inactive dead");
    assert_eq!(zombies(&host), 0);
}

#[tokio::test]
async fn a_service_outlives_the_agent_that_started_it() {
    let mut host = Host::with("exec sleep 600", |_| ()).await;
    let unit = host.act(Action::Start).await.unwrap();
    host.agent.process.kill().await.unwrap();
    host.agent = Agent::start(&host.root).await;
    host.claim = host.agent.lock("test").await;
    assert_eq!(host.look().await, unit);
    let again = host.act(Action::Restart).await.unwrap();
    assert_ne!(again.process, unit.process);
    host.act(Action::Stop).await.unwrap();
    assert_eq!(host.running(), Vec::<i32>::new());
}

#[tokio::test]
async fn what_does_not_stop_in_time_is_killed_and_has_failed() {
    let script = "trap 'echo asked' TERM; while :; do sleep 0.05; done";
    let mut host = Host::with(script, |it| {
        it.stop_timeout = Duration::from_millis(500);
        it.stop_post = vec![["/bin/sh", "-c", "echo after"].map(str::to_owned).to_vec()];
    })
    .await;
    host.act(Action::Start).await.unwrap();
    let began = Instant::now();
    let unit = host.act(Action::Stop).await.unwrap();
    assert!((500..5000).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
    assert_eq!(words(&unit), "loaded failed failed");
    let logs = host.logs().await;
    assert!(logs.contains("asked\nafter\n"), "{logs}");
    assert!(logs.contains("it did not end within 500ms and was killed\n"), "{logs}");
    assert_eq!(host.running(), Vec::<i32>::new());
}

#[tokio::test]
async fn the_stop_signal_is_the_one_that_was_chosen() {
    let mut host = Host::with("trap 'echo by INT; exit' INT; while :; do sleep 0.05; done", |it| {
        it.stop_signal = Asked::Int;
    })
    .await;
    host.act(Action::Start).await.unwrap();
    assert_eq!(words(&host.act(Action::Stop).await.unwrap()), "loaded inactive dead");
    assert!(host.logs().await.starts_with("by INT\n"));
}

#[tokio::test]
async fn a_reload_is_passed_on_to_a_service_that_runs() {
    let script = "trap 'echo again' HUP; echo first; while :; do sleep 0.02; done";
    let mut host = Host::with(script, |it| it.reload = Some(Asked::Hup)).await;
    assert_eq!(host.act(Action::Reload).await.unwrap_err().code(), Code::FailedPrecondition);
    let unit = host.act(Action::Start).await.unwrap();
    assert_eq!(host.act(Action::Reload).await.unwrap(), unit);
    assert_eq!(host.logs().await, "first\nagain\n");
    host.act(Action::Stop).await.unwrap();
    // A program that does not know the signal ends by it, and that is told.
    host.write("exec sleep 600", |it| it.reload = Some(Asked::Hup));
    host.act(Action::Start).await.unwrap();
    let refused = host.act(Action::Reload).await.unwrap_err();
    assert_eq!(refused.message(), "a.service has ended while it was reloaded");
    host.write("exec sleep 600", |_| ());
    host.act(Action::ReadUnits).await.unwrap();
    let refused = host.act(Action::Reload).await.unwrap_err();
    assert_eq!(refused.message(), "a.service cannot be reloaded");
}

#[tokio::test]
async fn a_unit_that_was_changed_is_stale_until_it_is_read_again() {
    let mut host = Host::with("exec sleep 600", |_| ()).await;
    let unit = host.act(Action::Start).await.unwrap();
    host.write("echo new; exec sleep 700", |_| ());
    assert_eq!(host.look().await, Unit { stale: true, ..unit.clone() });
    host.act(Action::ReadUnits).await.unwrap();
    assert_eq!(host.look().await, unit, "it still runs as it was started");
    host.act(Action::Restart).await.unwrap();
    assert_eq!(host.logs().await.lines().last(), Some("new"));
    // What cannot be started is not stopped for it.
    let before = host.look().await;
    fs::write(host.unit(), "[Service]\nType=forking\n").unwrap();
    let refused = host.act(Action::Restart).await.unwrap_err();
    assert!(refused.message().starts_with("the unit a.service cannot be run"), "{refused}");
    let unit = host.look().await;
    assert_eq!(
        (unit.load.as_str(), unit.stale, unit.process),
        ("bad-setting", true, before.process)
    );
    fs::remove_file(host.unit()).unwrap();
    host.act(Action::ReadUnits).await.unwrap();
    assert_eq!(host.words().await, "not-found active running");
    host.act(Action::Stop).await.unwrap();
    assert_eq!(host.words().await, "not-found inactive dead");
}

#[tokio::test]
async fn two_starts_at_once_make_one_service() {
    let mut host = Host::with("echo started; exec sleep 600", |_| ()).await;
    for _ in 0..5 {
        let mut other = Agent::start(&host.root).await;
        let claim = other.lock("other").await;
        let request = ServiceRequest {
            claim: Some(claim),
            action: Action::Start.into(),
            unit: UNIT.to_owned(),
            limit: 20,
        };
        let (first, second) = tokio::join!(host.act(Action::Start), other.client.service(request));
        let (first, second) = (first.unwrap(), second.unwrap().into_inner().unit.unwrap());
        assert_eq!((words(&first), &first), ("loaded active running".to_owned(), &second));
        assert_eq!(host.running().len(), 3, "the other agent, one supervisor, one program");
        host.act(Action::Stop).await.unwrap();
    }
    assert_eq!(host.logs().await.matches("started\n").count(), 5);
}

#[tokio::test]
async fn a_service_that_ends_at_once_has_not_started() {
    let mut host = Host::with("echo no; exit 3", |it| it.restart_delay = LONG).await;
    let refused = host.act(Action::Start).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(refused.message(), "a.service did not start: exit status 3");
    assert_eq!(host.words().await, "loaded activating auto-restart");
    let refused = host.act(Action::Start).await.unwrap_err();
    assert_eq!(refused.message(), "a.service did not start: exit status 3");
    assert!(host.logs().await.starts_with("no\n"));
    host.act(Action::Stop).await.unwrap();
    assert_eq!(host.words().await, "loaded inactive dead");

    host.write("exit 3", |it| {
        it.program = "/none/at/all".to_owned();
        it.restart_delay = LONG;
    });
    host.act(Action::Start).await.unwrap_err();
    let logs = host.logs().await;
    assert!(logs.contains("cannot run /none/at/all: No such file or directory"), "{logs}");
    host.act(Action::Stop).await.unwrap();

    fs::remove_file(host.unit()).unwrap();
    let refused = host.act(Action::Start).await.unwrap_err();
    assert_eq!(refused.message(), "the unit a.service is not there");
    assert_eq!(host.running(), Vec::<i32>::new());
}

#[tokio::test]
async fn a_clean_end_is_no_failure() {
    let mut host = Host::with("sleep 0.3", |it| it.restart = Restart::OnFailure).await;
    host.act(Action::Start).await.unwrap();
    host.until(|it| it.active == "inactive").await;
    let began = Instant::now();
    while !host.running().is_empty() {
        assert!(began.elapsed() < LONG);
        sleep(Duration::from_millis(5)).await;
    }
    host.write("sleep 0.2; kill -9 $$", |it| it.restart = Restart::OnFailure);
    host.act(Action::Start).await.unwrap();
    host.until(|it| it.restarts > 1).await;
    host.act(Action::Stop).await.unwrap();
}

#[tokio::test]
async fn commands_run_before_and_after() {
    let argv = |script: &str| ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
    let mut host = Host::with("echo main; exec sleep 600", |it| {
        it.start_pre = vec![argv("echo one"), argv("echo two; test -e ready")];
        it.stop_post = vec![argv("echo after")];
        it.restart_delay = LONG;
    })
    .await;
    let refused = host.act(Action::Start).await.unwrap_err();
    assert_eq!(refused.message(), "a.service did not start: /bin/sh: exit status 1");
    let logs = host.logs().await;
    assert!(logs.contains("one\ntwo\nafter\n") && !logs.contains("main"), "{logs}");
    fs::write(host.root.join("ready"), "").unwrap();
    host.act(Action::Restart).await.unwrap();
    host.act(Action::Stop).await.unwrap();
    let logs = host.logs().await;
    assert!(logs.contains("one\ntwo\nmain\nafter\n"), "{logs}");
}

/// The program of the next test: it says that it is ready, later than a program that says nothing would count as
/// started.
#[test]
#[ignore = "runs as a service"]
fn a_program_that_notifies() {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    let Ok(address) = std::env::var("NOTIFY_SOCKET") else { return };
    let name = address.strip_prefix('@').unwrap();
    let address = SocketAddr::from_abstract_name(name).unwrap();
    std::thread::sleep(2 * MOMENT);
    UnixDatagram::unbound().unwrap().send_to_addr(b"READY=1", &address).unwrap();
    std::thread::sleep(30 * LONG);
}

#[tokio::test]
async fn a_service_that_notifies_has_started_when_it_says_so_however_long_its_root() {
    let mut host = Host::below(&["a b%$\"'\\", &"x".repeat(200), &"y".repeat(200)].join("/")).await;
    let program = std::env::current_exe().unwrap().to_str().unwrap().to_owned();
    host.write("", |it| {
        it.program = program;
        it.arguments =
            ["--ignored", "--exact", "a_program_that_notifies"].map(str::to_owned).to_vec();
        it.start = Start::Notify;
        it.working_directory = None;
    });
    let began = Instant::now();
    assert_eq!(words(&host.act(Action::Start).await.unwrap()), "loaded active running");
    assert!(began.elapsed() >= 2 * MOMENT);
    host.act(Action::Stop).await.unwrap();
    assert_eq!(host.words().await, "loaded inactive dead");

    host.write("sleep 0.2", |it| {
        it.start = Start::Notify;
        it.working_directory = None;
        it.restart = Restart::OnFailure;
        it.restart_delay = LONG;
    });
    let refused = host.act(Action::Start).await.unwrap_err();
    assert_eq!(refused.message(), "a.service did not start: it ended before it was ready");
    host.act(Action::Stop).await.unwrap();
    assert_eq!(host.running(), Vec::<i32>::new());
}

#[tokio::test]
async fn a_log_that_is_full_is_begun_anew() {
    let script = "yes 0123456789012345678901234567890123456789 | head -c 25000000; echo; echo end; \
                  exec sleep 600";
    let mut host = Host::with(script, |_| ()).await;
    host.act(Action::Start).await.unwrap();
    let began = Instant::now();
    while !host.logs().await.ends_with("\nend\n") {
        assert!(began.elapsed() < LONG);
        sleep(Duration::from_millis(20)).await;
    }
    let folder = host.root.join("var/log/ha");
    let length = |name: &str| fs::metadata(folder.join(name)).unwrap().len();
    assert!((10 << 20..11 << 20).contains(&length("a.log.1")));
    assert!(length("a.log") < 11 << 20);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
    let request = LogsRequest { unit: UNIT.to_owned(), lines: 1000 };
    let text = host.agent.client.logs(request).await.unwrap().into_inner().text;
    assert!(text.len() <= 64 << 10 && text.starts_with(b"0123456789"));
    host.act(Action::Stop).await.unwrap();
}

#[tokio::test]
async fn units_are_enabled_and_masked_as_files() {
    let mut host = Host::with("exec sleep 600", |_| ()).await;
    assert_eq!(host.act(Action::Enable).await.unwrap().enabled, "enabled");
    assert_eq!(host.act(Action::Disable).await.unwrap().enabled, "disabled");
    host.act(Action::Mask).await.unwrap_err();
    fs::remove_file(host.unit()).unwrap();
    assert_eq!(host.act(Action::Mask).await.unwrap().enabled, "masked");
    let refused = host.act(Action::Start).await.unwrap_err();
    assert_eq!(refused.message(), "the unit a.service is masked");
    assert_eq!(host.act(Action::Unmask).await.unwrap().load, "not-found");
}

#[tokio::test]
async fn a_host_in_a_directory_has_one_user_by_every_name() {
    let mut host = Host::new().await;
    let (client, claim) = (&mut host.agent.client, Some(host.claim.clone()));
    let request = EnsureUserRequest {
        claim: claim.clone(),
        name: "etcd".to_owned(),
        group: "etcd".to_owned(),
        home: b"/var/lib/etcd".to_vec().into(),
    };
    let user = client.ensure_user(request).await.unwrap().into_inner();
    let own = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    assert_eq!((user.changed, (user.user, user.group)), (false, own));
    let request = PutRequest {
        claim: claim.clone(),
        path: b"/a".to_vec().into(),
        mode: 0o600,
        user: "etcd".to_owned(),
        group: "etcd".to_owned(),
        ..PutRequest::default()
    };
    assert!(client.put(request).await.unwrap().into_inner().changed);
    let request = MakeDirectoryRequest {
        claim,
        path: b"/b/c".to_vec().into(),
        mode: 0o700,
        user: "etcd".to_owned(),
        group: "etcd".to_owned(),
        parents: true,
    };
    assert!(client.make_directory(request).await.unwrap().into_inner().changed);
}

/// Skipped, with a note, where there is no systemd to ask.
#[test]
fn systemd_understands_our_units() {
    let folder = tempfile::tempdir().unwrap();
    let words = |values: &[&str]| values.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
    let plain = Service::new("plain", "Nothing special", "/bin/true");
    let full = Service {
        arguments: words(&["50%", "$HOME", "${HOME}", "a b", "\"", "'", "\\", ";", "", "-x", "ä"]),
        environment: BTreeMap::from([("A".to_owned(), "50% of \"$B\" \\n '".to_owned())]),
        user: Some("root".to_owned()),
        group: Some("root".to_owned()),
        working_directory: Some("/tmp".to_owned()),
        restart: Restart::OnFailure,
        restart_delay: Duration::from_millis(1500),
        reload: Some(Asked::Hup),
        start: Start::Notify,
        after: words(&["network-online.target"]),
        wants: words(&["network-online.target"]),
        open_files: Some(65536),
        hardening: Hardening::ALL.iter().copied().collect(),
        writable: words(&["/var/lib/a b", "/var/\"'%"]),
        capabilities: Some(words(&["CAP_NET_ADMIN", "CAP_NET_RAW"])),
        state_directories: words(&["a", "b"]),
        runtime_directories: words(&["a"]),
        start_pre: vec![words(&["/bin/true", "50%"]), words(&["/bin/true"])],
        stop_post: vec![words(&["/bin/true", "$MAINPID"])],
        ..Service::new("full", "Everything: 100% \"so\"", "/bin/true")
    };
    let none = Service { capabilities: Some(Vec::new()), ..Service::new("none", "A", "/bin/true") };
    for service in [plain, full, none] {
        let definition = Definition::new(service).unwrap();
        let path = folder.path().join(definition.unit());
        fs::write(&path, render(&definition)).unwrap();
        let verify = std::process::Command::new("systemd-analyze")
            .args(["verify", "--man=no", "--recursive-errors=no"])
            .arg(&path)
            .output();
        let Ok(verified) = verify else {
            eprintln!("skipped: there is no systemd-analyze here");
            return;
        };
        let told = String::from_utf8_lossy(&verified.stderr).into_owned();
        let name = definition.unit();
        let faults: Vec<_> = told.lines().filter(|it| it.contains(&name)).collect();
        assert!(faults.is_empty() && verified.status.success(), "{told}");
        assert_eq!(service::parse(&definition.name, &render(&definition)), Ok(definition));
    }
}
