//! The trial service on three hosts of transport "local": everything that a host resource stands on, without root.

use std::fs;
use std::io::Read as _;
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::agents::agents_made_of;
use crate::engine::Engine;
use crate::processes::{Running, until};
use crate::run::Run;
use crate::trial::{FIRST, Trial, Wish};

macro_rules! for_each_engine_with_hosts {
    ($($test:ident),+ $(,)?) => {
        mod terraform {
            $(#[test] fn $test() { super::$test(&super::Local::new($crate::engine::Engine::Terraform)); })+
        }
        mod tofu {
            $(#[test] fn $test() { super::$test(&super::Local::new($crate::engine::Engine::Tofu)); })+
        }
    };
}

for_each_engine_with_hosts![
    a_service_comes_up_changes_breaks_is_repaired_and_goes,
    a_create_that_is_killed_is_continued,
    an_interrupted_update_keeps_what_is_true,
    of_two_applies_one_is_turned_away,
    a_host_that_is_not_there_is_a_warning_in_a_plan_and_stops_an_apply,
    hosts_that_are_wrong_are_refused_with_their_path,
];

const NODES: [&str; 3] = ["a", "b", "c"];

/// Three directories that stand for hosts, and what runs there. All of it ends when this is dropped.
struct Local {
    trial: Trial,
}

impl Local {
    fn new(engine: Engine) -> Self {
        let agents = agents_made_of(env!("CARGO_BIN_EXE_ha-agent"));
        Self { trial: Trial::new(engine, "", agents, None) }
    }

    fn root(&self, node: &str) -> PathBuf {
        self.trial.at.path("hosts").join(node)
    }

    /// One of its own for each test process.
    fn address(node: &str) -> String {
        let [.., high, low] = std::process::id().to_be_bytes();
        let number = NODES.iter().position(|it| *it == node).unwrap() + 2;
        format!("127.{}.{}.{number}", high | 128, low)
    }

    fn wish(&self, wish: Wish<'_>, nodes: &[&'static str]) {
        let node = |it: &&'static str| {
            let (address, root) = (Self::address(it), self.root(it));
            let host = format!(
                "address = \"{address}\", transport = \"local\", root = \"{}\"",
                root.display()
            );
            (*it, format!("{{ host = {{ {host} }} }}"))
        };
        let nodes: Vec<_> = nodes.iter().map(node).collect();
        self.trial.wish(wish, &nodes);
    }

    /// Processes of a node whose command line has this word.
    fn processes(&self, node: &str, word: &str) -> Vec<Pid> {
        let root = self.root(node).display().to_string();
        processes_of(&root)
            .into_iter()
            .filter(|(_, line)| line.contains(word))
            .map(|(pid, _)| pid)
            .collect()
    }
}

impl Local {
    /// The programs of a node, without who supervises them.
    fn programs(&self, node: &str) -> Vec<Pid> {
        let mut all = self.processes(node, "/echo");
        let others = self.processes(node, "ha-agent");
        all.retain(|it| !others.contains(it));
        all
    }
}

/// What the service of a node says.
fn said(node: &str) -> Option<String> {
    let mut text = String::new();
    let mut stream = TcpStream::connect((Local::address(node), 7070)).ok()?;
    stream.read_to_string(&mut text).ok()?;
    Some(text.trim_end().to_owned())
}

fn all_say(expected: Option<&str>) {
    for node in NODES {
        assert_eq!(said(node).as_deref(), expected, "{node}");
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        let hosts = self.trial.at.path("hosts").display().to_string();
        // Supervisors take their programs along.
        for (pid, _) in processes_of(&hosts) {
            // It may have ended by itself.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

fn processes_of(path: &str) -> Vec<(Pid, String)> {
    let line = |pid: Pid| {
        let line = fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).ok()?;
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        line.contains(path).then_some((pid, line))
    };
    let all = fs::read_dir("/proc").unwrap().flatten();
    all.filter_map(|it| line(Pid::from_raw(it.file_name().to_str()?.parse().ok()?)?)).collect()
}

fn has_part(directory: &Path) -> bool {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.into_iter().any(|it| {
        let is_part = it.file_name().to_string_lossy().contains(".ha-agent-");
        is_part || (it.file_type().unwrap().is_dir() && has_part(&it.path()))
    })
}

fn a_service_comes_up_changes_breaks_is_repaired_and_goes(on: &Local) {
    let at = &on.trial.at;
    on.wish(FIRST, &["a", "b"]);
    at.plan().run.says("start the service on a");
    at.settle();
    assert_eq!(said("a").as_deref(), Some("1 good morning"));
    assert_eq!(said("c"), None);

    // A third joins; the message changes online.
    let pids = on.programs("a");
    on.wish(Wish { message: "good evening", ..FIRST }, &NODES);
    at.settle();
    all_say(Some("1 good evening"));
    assert_eq!(on.programs("a"), pids);

    // Another version restarts one after the other.
    on.wish(Wish { version: "2", message: "good evening" }, &NODES);
    at.settle();
    all_say(Some("2 good evening"));
    assert_ne!(on.programs("a"), pids);

    // Broken behind its back: the plan says what, an apply mends it.
    for pid in on.processes("a", "supervise") {
        kill_process(pid, Signal::KILL).unwrap();
    }
    until("the end of the service", || said("a").is_none().then_some(()));
    fs::write(on.root("b").join("etc/trial-hello/message"), "nonsense").unwrap();
    at.plan().run.says("a: the service does not run").says("b: the message was edited");
    at.settle();
    all_say(Some("2 good evening"));

    // What crashes comes back by itself.
    let crashed = on.programs("c");
    kill_process(crashed[0], Signal::KILL).unwrap();
    until("a restart", || {
        let programs = on.programs("c");
        (!programs.is_empty() && programs != crashed && said("c").is_some()).then_some(())
    });
    at.plan_is_empty();

    // One leaves, then all go.
    on.wish(Wish { version: "2", message: "good evening" }, &["a", "c"]);
    at.settle();
    assert_eq!(said("b"), None);
    at.destroy();
    all_say(None);
    for node in NODES {
        assert!(on.processes(node, "").is_empty(), "{node}");
        assert!(!has_part(&on.root(node)));
        assert!(!on.root(node).join("etc/trial-hello").exists());
    }
}

fn amid_a_create(on: &Local) -> Running {
    on.wish(FIRST, &NODES);
    let running = Running::new(on.trial.at.spawn_apply(|_| ()));
    until("the first node", || said("a"));
    running
}

fn pid(running: &Running) -> Pid {
    Pid::from_raw(running.pid().try_into().unwrap()).unwrap()
}

fn a_create_that_is_killed_is_continued(on: &Local) {
    let running = amid_a_create(on);
    kill_process_group(pid(&running), Signal::KILL).unwrap();
    drop(running);
    assert!(!on.trial.is_in_state());
    // What was begun is recognised, and continued.
    on.trial.at.run(&["force-unlock", "-force", "x"]);
    fs::remove_file(on.trial.at.path(".terraform.tfstate.lock.info")).ok();
    on.trial.at.settle();
    all_say(Some("1 good morning"));
    on.trial.at.destroy();
}

fn an_interrupted_update_keeps_what_is_true(on: &Local) {
    let at = &on.trial.at;
    on.wish(FIRST, &["a"]);
    at.settle();
    on.wish(Wish { version: "2", ..FIRST }, &NODES);
    let running = Running::new(at.spawn_apply(|_| ()));
    until("the second node", || said("b"));
    kill_process_group(pid(&running), Signal::INT).unwrap();
    let output = running.end();
    let run = Run::new("apply", &output);
    if !output.status.success() {
        run.says("The service is not as planned").says("Apply again to go on.");
    }
    assert!(on.trial.attributes()["nodes"].get("a").is_some());
    at.settle();
    all_say(Some("2 good morning"));
    at.destroy();
}

fn of_two_applies_one_is_turned_away(on: &Local) {
    let at = &on.trial.at;
    on.wish(FIRST, &NODES);
    at.settle();
    // The same hosts from another directory, with a state of its own.
    on.wish(Wish { version: "2", ..FIRST }, &NODES);
    let other = tempfile::tempdir().unwrap();
    for file in ["main.tf", "provider.tf", "terraform.tfstate", ".terraform.lock.hcl"] {
        fs::copy(at.path(file), other.path().join(file)).unwrap();
    }
    symlink(at.path(".terraform"), other.path().join(".terraform")).unwrap();
    let running = Running::new(at.spawn_apply(|_| ()));
    until("the first node", || (said("a").as_deref() == Some("2 good morning")).then_some(()));
    let mut second = at.command(&["apply", "-auto-approve"]);
    let second = Run::new("the second apply", &second.current_dir(other.path()).output().unwrap());
    let first = running.end();
    // Unless the first was done before the second had asked.
    if second.has("another run is at work") {
        second.fails().says("holds it (run 2").says("frees its lock within 30 s");
    }
    assert!(first.status.success());
    at.plan_is_empty();
    at.destroy();
}

fn a_host_that_is_not_there_is_a_warning_in_a_plan_and_stops_an_apply(on: &Local) {
    let at = &on.trial.at;
    on.wish(FIRST, &NODES);
    at.settle();
    let (root, away) = (on.root("b"), at.path("away"));
    for pid in on.processes("b", "") {
        kill_process(pid, Signal::KILL).unwrap();
    }
    fs::rename(&root, &away).unwrap();
    let plan = at.plan();
    plan.run.says("b cannot be looked at").never_says("will be updated");
    on.wish(Wish { version: "2", ..FIRST }, &NODES);
    at.apply_fails().says("b cannot be looked at, and may hold a part of this service");
    assert_eq!(said("a").as_deref(), Some("1 good morning"), "nothing was changed");
    fs::rename(&away, &root).unwrap();
    at.settle();
    all_say(Some("2 good morning"));
    at.destroy();
}

fn hosts_that_are_wrong_are_refused_with_their_path(on: &Local) {
    let at = &on.trial.at;
    let check = |nodes: &[(&str, &str)], said: &str| {
        let nodes: Vec<_> =
            nodes.iter().map(|(key, host)| (*key, format!("{{ host = {{ {host} }} }}"))).collect();
        on.trial.wish(FIRST, &nodes);
        at.plan_fails().says(said);
    };
    let local = "transport = \"local\"";
    check(&[("a", &format!("address = \"127.0.0.2\", {local}"))], "A local host has no root");
    check(
        &[("a", &format!("address = \"10.0.0.1\", {local}, root = \"/srv/a\""))],
        "The address of a local host is not local",
    );
    check(
        &[
            ("a", &format!("address = \"127.0.0.2\", {local}, root = \"/srv/a\"")),
            ("b", &format!("address = \"127.0.0.2\", {local}, root = \"/srv/b\"")),
        ],
        "Two hosts have the same address in the cluster",
    );
    check(&[("a", "address = \"-oProxyCommand=x\"")], "nodes[\"a\"].host.address");
    check(
        &[("a", "address = \"10.0.0.1\", connection = \"edge\"")],
        "names what the provider does not have",
    );
}
