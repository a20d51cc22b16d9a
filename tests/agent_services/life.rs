//! A service from its start to its stop, and whatever ends it in between.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use terraform_provider_ha::domain::service::{Restart, Signal as Asked};
use terraform_provider_ha::proto::agent::service_request::Action;
use terraform_provider_ha::proto::agent::{FactsRequest, LogsRequest};
use tokio::time::sleep;

use crate::agent_client::Agent;
use crate::host::{Host, LONG, UNIT, id, is_running, kill, processes, stat, words};

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
