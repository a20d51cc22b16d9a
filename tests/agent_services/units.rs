//! Units as files: read again, enabled, masked, and as systemd reads them.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use terraform_provider_ha::domain::service::{
    self, Definition, Hardening, Restart, Service, Signal as Asked, Start, render,
};
use terraform_provider_ha::proto::agent::service_request::Action;
use terraform_provider_ha::proto::agent::{
    EnsureUserRequest, MakeDirectoryRequest, PutRequest, Unit,
};
use tonic::Code;

use crate::host::Host;

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
