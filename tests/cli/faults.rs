//! Interrupts, kills, crowds and pipes that nobody reads.

use std::fs;
use std::process::{Child, Command};
use std::thread;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::json;

use crate::engine::for_each_engine;
use crate::processes::{Running, children, ended, is_gone, until};
use crate::run::Run;
use crate::workspace::{Workspace, thing};

for_each_engine![
    an_interrupt_stops_an_update_at_a_safe_point,
    an_interrupted_create_is_tainted_and_replaced,
    a_termination_of_all_saves_what_was_reached,
    a_second_interrupt_leaves_no_process_and_no_lock,
    a_killed_engine_leaves_no_process,
    a_killed_provider_keeps_the_prior_state,
    a_provider_may_be_called_without_encryption,
    fifty_things_are_applied_at_once,
    eight_engines_run_side_by_side,
    the_log_has_the_lines_of_the_provider,
    a_log_that_is_read_late_ends_in_the_same_state,
];

/// How many steps a slow operation takes; it is never waited for to its end.
const STEPS: usize = 400;
const SLOW: &str = "delay = \"20s\"";

fn steps(at: &Workspace) -> usize {
    at.events().iter().filter(|it| it.starts_with("step a ")).count()
}

/// An apply in the middle of its steps.
fn amid_an_apply(at: &Workspace) -> Running {
    let running = Running::new(at.spawn_apply(|_| ()));
    until("the third step", || (3 <= steps(at)).then_some(()));
    running
}

fn amid_an_update(at: &Workspace) -> Running {
    at.thing("note = \"old\"");
    at.apply();
    at.thing(&format!("note = \"new\"\nsize = 4\n{SLOW}"));
    amid_an_apply(at)
}

fn pid(running: &Running) -> Pid {
    Pid::from_raw(running.pid().try_into().unwrap()).unwrap()
}

/// What Ctrl-C does: the whole group gets it, the provider too.
fn interrupt(running: &Running) {
    kill_process_group(pid(running), Signal::INT).unwrap();
}

fn an_interrupt_stops_an_update_at_a_safe_point(at: &Workspace) {
    let running = amid_an_update(at);
    interrupt(&running);
    stops_at_a_safe_point(at, running);
}

/// As a service manager or a build server does it.
fn a_termination_of_all_saves_what_was_reached(at: &Workspace) {
    let running = amid_an_update(at);
    kill_process_group(pid(&running), Signal::TERM).unwrap();
    stops_at_a_safe_point(at, running);
}

fn stops_at_a_safe_point(at: &Workspace, running: Running) {
    Run::new("an apply that was stopped", &running.end())
        .fails()
        .says("Error: Interrupted at a safe point")
        .says(&format!("Stopped after step {} of {STEPS}. Apply again.", steps(at)));
    assert!(steps(at) < STEPS);
    // What was reached is saved, and the rest is in the next plan.
    let stored = at.stored("a").unwrap();
    assert_eq!(stored["attributes"]["size"], 4);
    assert_eq!(stored["attributes"]["note"], "old");
    assert!(stored.get("status").is_none(), "it is not tainted");
    at.thing("note = \"new\"\nsize = 4");
    at.settle();
    assert_eq!(at.object("a").unwrap()["note"], "new");
}

fn an_interrupted_create_is_tainted_and_replaced(at: &Workspace) {
    at.thing(SLOW);
    let running = amid_an_apply(at);
    interrupt(&running);
    Run::new("an interrupted apply", &running.end())
        .fails()
        .says("Error: Interrupted at a safe point");
    assert_eq!(at.stored("a").unwrap()["status"], "tainted");
    at.thing("");
    at.settle().says("1 added, 0 changed, 1 destroyed");
}

fn a_second_interrupt_leaves_no_process_and_no_lock(at: &Workspace) {
    let running = amid_an_update(at);
    let plugins = children(running.pid());
    assert!(!plugins.is_empty());
    interrupt(&running);
    // Whether it comes before or after the provider has stopped by the first one: all must be well.
    let _ = kill_process_group(pid(&running), Signal::INT);
    let output = running.end();
    assert!(!output.status.success());
    until("the end of the provider", || plugins.iter().all(|it| is_gone(*it)).then_some(()));
    assert!(steps(at) < STEPS);
    at.thing("note = \"new\"\nsize = 4");
    at.settle();
}

fn a_killed_engine_leaves_no_process(at: &Workspace) {
    let running = amid_an_update(at);
    let plugins = children(running.pid());
    assert!(!plugins.is_empty());
    kill_process(pid(&running), Signal::KILL).unwrap();
    until("the end of the provider", || plugins.iter().all(|it| is_gone(*it)).then_some(()));
    drop(running.end());
    // It stopped at a step; the object is whole, although nobody heard of it.
    assert!(steps(at) < STEPS);
    assert_eq!(at.object("a").unwrap()["size"], json!(4));
    assert_eq!(at.attributes()["size"], json!(1));
    at.thing("note = \"new\"\nsize = 4");
    at.settle();
    assert_eq!(at.object("a").unwrap()["note"], "new");
}

fn a_killed_provider_keeps_the_prior_state(at: &Workspace) {
    let running = amid_an_update(at);
    let [plugin] = children(running.pid())[..] else { panic!("one provider is expected") };
    kill_process(Pid::from_raw(plugin.try_into().unwrap()).unwrap(), Signal::KILL).unwrap();
    let output = running.end();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(at.attributes()["size"], json!(1));
    at.thing("note = \"new\"\nsize = 4");
    at.settle();
}

fn a_provider_may_be_called_without_encryption(at: &Workspace) {
    at.thing("");
    let plainly = |command: &mut Command| {
        command.env("TF_DISABLE_PLUGIN_TLS", "1");
    };
    Run::new("an apply without TLS", &Running::new(at.spawn_apply(plainly)).end()).succeeds();
    at.plan_is_empty();
}

fn fifty_things_are_applied_at_once(at: &Workspace) {
    at.config(
        r#"
        resource "probe_thing" "many" {
          count = 50
          name  = "many-${count.index}"
          delay = "1s"
        }
        "#,
    );
    let many = ["apply", "-auto-approve", "-parallelism=50"];
    at.run(&many).succeeds().says("50 added, 0 changed, 0 destroyed");
    let events = at.events();
    let created = events.iter().filter(|it| it.starts_with("create many-")).count();
    assert_eq!(created, 50);
    // At once: many had begun before the first one was done, how many depends on the machine.
    let first = events.iter().position(|it| it.starts_with("create ")).unwrap();
    let begun = events[..first].iter().filter(|it| it.ends_with(" 1")).count();
    assert!(10 < begun, "{:?}", &events[..first]);
    at.plan_is_empty();
    at.run(&["destroy", "-auto-approve", "-parallelism=50"]).succeeds().says("50 destroyed");
}

fn eight_engines_run_side_by_side(at: &Workspace) {
    let workspaces: Vec<_> = (0..8).map(|_| Workspace::new(at.engine)).collect();
    let start = |at: &Workspace| {
        at.config(&(thing("a", "delay = \"200ms\"") + &thing("b", "note = probe_thing.a.id")));
        Running::new(at.spawn_apply(|_| ()))
    };
    let running: Vec<_> = workspaces.iter().map(start).collect();
    for (at, running) in workspaces.iter().zip(running) {
        Run::new("one of eight applies", &running.end()).succeeds();
        assert_eq!(at.stored("b").unwrap()["attributes"]["note"], "thing-a");
    }
}

fn the_log_has_the_lines_of_the_provider(at: &Workspace) {
    at.thing("delay = \"50ms\"");
    let log = at.path("log");
    let traced = |command: &mut Command| {
        command.env("TF_LOG", "TRACE").env("TF_LOG_PATH", &log);
    };
    Run::new("a traced apply", &Running::new(at.spawn_apply(traced)).end()).succeeds();
    let log = fs::read_to_string(log).unwrap();
    let line = |what: &str| {
        let mut lines = log.lines().filter(|it| it.contains("provider.terraform-provider-probe"));
        lines.find(|it| it.contains(what)).unwrap_or_else(|| panic!("no line of {what:?}:\n{log}"))
    };
    let step = line(": step:");
    assert!(step.contains("[INFO]"), "{step}");
    for field in ["count=1", "step=1", "name=a", "tf_rpc=ApplyResourceChange", "@module="] {
        assert!(step.contains(field), "{field} is not in {step}");
    }
    assert!(line(": creating").contains("tf_resource_type=probe_thing"));
    assert!(line("tf_rpc=PlanResourceChange").contains("[DEBUG]"));
}

/// The engine itself waits for a reader then, whatever a provider does. Nothing may be lost by it.
fn a_log_that_is_read_late_ends_in_the_same_state(at: &Workspace) {
    at.thing("delay = \"1s\"");
    let mut child: Child = at.spawn_apply(|command| {
        command.env("TF_LOG", "TRACE");
    });
    let mut stderr = child.stderr.take().unwrap();
    // A pipe holds 16 pages, and fewer bytes when lines do not fill them.
    let waiting = || rustix::io::ioctl_fionread(&stderr).unwrap();
    until("a pipe that fills", || (32 << 10 < waiting()).then_some(()));
    assert!(child.try_wait().unwrap().is_none(), "it waits");
    let late = thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()).unwrap());
    let mut stdout = child.stdout.take().unwrap();
    thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
    assert!(ended(child).success());
    assert!(64 << 10 < late.join().unwrap(), "it had to wait");
    at.plan_is_empty();
}
