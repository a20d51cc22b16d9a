//! When a service counts as started, and when it does not.

use std::fs;
use std::time::Instant;

use terraform_provider_ha::domain::service::{Restart, Start};
use terraform_provider_ha::proto::agent::ServiceRequest;
use terraform_provider_ha::proto::agent::service_request::Action;
use tonic::Code;

use crate::agent_client::Agent;
use crate::host::{Host, LONG, MOMENT, UNIT, words};

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
            ["--ignored", "--exact", "starts::a_program_that_notifies"].map(str::to_owned).to_vec();
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
