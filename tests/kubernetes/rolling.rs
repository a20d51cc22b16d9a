//! Clients notice nothing of what is changed.

use std::fs;
use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, Issuer, KeyPair};
use terraform_provider_ha::domain::kubernetes::{Arguments, Component};
use terraform_provider_ha::remote::kubernetes::Api;
use time::OffsetDateTime;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::binaries::binaries;
use crate::load::Load;
use crate::local::Local;

const NODES: [&str; 3] = ["a", "b", "c"];
/// No address of any node.
const OTHER: &str = "203.0.113.9";

/// Three nodes behind the balancer.
async fn served() -> Option<Local> {
    let mut at = Local::new(&NODES).await?;
    at.wish.endpoint = format!("{}:6443", Local::place("front").address).parse().unwrap();
    // More than twice what the balancer needs to notice.
    at.wish.shutdown_delay = Duration::from_secs(3);
    let done = at.converge(false).await;
    Local::steps(&done);
    at.is_ready().await;
    Some(at)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_fails_while_arguments_and_certificates_change() {
    let Some(mut at) = served().await else { return };
    let load = Load::begin(&at).await;
    at.wish.api_server.arguments =
        Arguments::new(Component::ApiServer, vec!["--v=1".to_owned()]).unwrap();
    let done = at.converge(false).await;
    load.end().await.is_flawless(500);
    assert_eq!(restarts(&Local::steps(&done)), 3);

    let before = at.processes();
    let load = Load::begin(&at).await;
    at.extra_sans = vec![OTHER.to_owned()];
    let done = at.converge(false).await;
    assert_eq!(restarts(&Local::steps(&done)), 0);
    until_all_are_called(&at, OTHER).await;
    load.goes_on(50).await;
    load.end().await.is_flawless(50);
    assert_eq!(at.processes(), before, "nothing restarts");
    assert_eq!(at.drift().await, Vec::<String>::new());

    // Nobody believes any of them any more, and still nothing has to restart.
    for node in NODES {
        expire(&at, node);
    }
    let drift = at.drift().await;
    assert!(drift.len() == 3 && drift.iter().all(|it| it.contains("expired")), "{drift:?}");
    let done = at.converge(false).await;
    assert_eq!(restarts(&Local::steps(&done)), 0);
    at.is_ready().await;
    assert_eq!(at.processes(), before, "nothing restarts");
    assert_eq!(at.drift().await, Vec::<String>::new());
}

/// Puts a certificate that has expired in the place of that of an API server, for the key beside it.
fn expire(at: &Local, node: &str) {
    let pki = at.root(node).join("etc/kubernetes-prod/pki");
    let read = |file: &str| fs::read_to_string(pki.join(file)).unwrap();
    let key = |file: &str| KeyPair::from_pem(&read(file)).unwrap();
    let issuer = Issuer::from_ca_cert_pem(&read("ca/ca.crt"), key("ca/ca.key")).unwrap();
    let mut params = CertificateParams::new([Local::place(node).address.to_string()]).unwrap();
    let now = OffsetDateTime::from(SystemTime::now());
    let days = time::Duration::days;
    (params.not_before, params.not_after) = (now - days(2), now - days(1));
    let signed = params.signed_by(&key("apiserver.key"), &issuer).unwrap();
    fs::write(pki.join("apiserver.crt"), signed.pem()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "another Kubernetes is built for it, which takes minutes; `make soak` runs it"]
async fn no_request_fails_while_a_minor_is_installed() {
    let Some(later) = binaries("kubernetes", "1.35.4") else { return };
    let Some(mut at) = served().await else { return };
    let load = Load::begin(&at).await;
    (at.programs, at.wish.version) = (later, "1.35.4".parse().unwrap());
    let done = at.converge(false).await;
    load.end().await.is_flawless(500);
    // API servers, and then the two that follow them.
    assert_eq!(restarts(&Local::steps(&done)), 6);
    let report = at.is_ready().await;
    let versions: Vec<_> = report.nodes.values().map(|it| it.version.clone()).collect();
    assert_eq!(versions, vec![Some("1.35.4".to_owned()); 3]);
    assert_eq!(at.drift().await, Vec::<String>::new());
    assert_eq!(at.converge(false).await.steps.len(), 0, "it is as wished");
}

fn restarts(steps: &[String]) -> usize {
    steps.iter().filter(|it| it.starts_with("restart ")).count()
}

/// Waits until every API server shows a certificate with this address.
async fn until_all_are_called(at: &Local, address: &str) {
    let (credentials, by) = (at.credentials().await, Instant::now() + Duration::from_secs(90));
    for server in at.access().await.nodes.into_values() {
        loop {
            let stream = TcpStream::connect(server).await.unwrap();
            if Api::open(stream, address.parse().unwrap(), &credentials).await.is_ok() {
                break;
            }
            assert!(Instant::now() < by, "{server} shows an old certificate");
            sleep(Duration::from_millis(200)).await;
        }
    }
}
