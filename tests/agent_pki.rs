//! Keys, authorities and certificates on real agents, asked for and judged as the provider does it.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test drives processes, fails by panicking, and says what it left out"
)]

#[path = "support/agents.rs"]
mod agents;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use agents::agents_made_of;
use tempfile::TempDir;
use terraform_provider_ha::domain::pki::{Certificate, Profile, Reason, Usage, due};
use terraform_provider_ha::host::fake::FakeHost;
use terraform_provider_ha::host::messages::key::Kind;
use terraform_provider_ha::host::messages::{FactsRequest, SignRequest, Subject};
use terraform_provider_ha::host::{File, Host, HostError, Hosts, Locked, Patience, Target, Way};
use time::{Duration, OffsetDateTime};

const AUTHORITY: &str = "/pki/ca";
const NAMES: [&str; 3] = ["etcd-a.example.test", "10.0.0.1", "fd00::1"];

/// A host that is a directory, and a lock on it.
struct Lab {
    root: TempDir,
    locked: Locked,
}

impl Lab {
    async fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("pki")).unwrap();
        let locked = lock(root.path()).await;
        Self { root, locked }
    }

    fn path(&self, path: &str) -> std::path::PathBuf {
        self.root.path().join(path.trim_start_matches('/'))
    }

    async fn authority(&self) -> Certificate {
        let made = self.locked.make_authority(AUTHORITY, "etcd-prod", 3652).await.unwrap();
        Certificate::parse(made.certificate.as_bytes()).unwrap()
    }

    /// A key at a path and a certificate for it, signed here.
    async fn certify(
        &self,
        key: &str,
        change: impl Fn(&mut SignRequest),
    ) -> Result<Certificate, HostError> {
        self.locked.make_key(key, ("", "")).await?;
        let csr = self.locked.make_csr(key, subject()).await?;
        let mut request = request(csr);
        change(&mut request);
        let pem = self.locked.sign(request).await?;
        Ok(Certificate::parse(pem.as_bytes()).unwrap())
    }
}

async fn lock(root: &Path) -> Locked {
    let agent = Some(agents_made_of(env!("CARGO_BIN_EXE_ha-agent")));
    let hosts = Hosts::new("anna@desk".to_owned(), agent);
    let way = Way::Local { root: root.to_owned() };
    let target = Target { name: "a".parse().unwrap(), way };
    hosts.connect(&target, Patience::Once).await.unwrap().lock("etcd", 0).await.unwrap()
}

fn subject() -> Subject {
    Subject {
        common_name: "etcd-a".to_owned(),
        organization: "ha".to_owned(),
        dns_names: vec![NAMES[0].to_owned()],
        addresses: NAMES[1..].iter().map(|&it| it.to_owned()).collect(),
    }
}

fn request(csr: String) -> SignRequest {
    SignRequest {
        authority: AUTHORITY.to_owned().into(),
        csr,
        subject: Some(subject()),
        server: true,
        client: true,
        lifetime: 8760 * 3600,
        ..SignRequest::default()
    }
}

fn profile() -> Profile {
    let usages = [Usage::Server, Usage::Client];
    Profile::new(("etcd-a", Some("ha")), NAMES, usages, Duration::hours(8760)).unwrap()
}

fn now() -> OffsetDateTime {
    SystemTime::now().into()
}

async fn key_of(host: &Host, path: &str) -> (Kind, Vec<u8>) {
    let request = FactsRequest { keys: vec![path.to_owned().into()], ..FactsRequest::default() };
    let key = host.facts(request).await.unwrap().keys[0].clone();
    (key.kind(), key.public_key.to_vec())
}

fn refusal<T: std::fmt::Debug>(done: Result<T, HostError>) -> String {
    match done.unwrap_err() {
        HostError::Failed { reason, .. } => reason,
        other => panic!("{other}"),
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[tokio::test]
async fn a_key_is_born_once_and_known_by_its_public_half() {
    let lab = Lab::new().await;
    assert_eq!(key_of(&lab.locked, "/pki/a.key").await, (Kind::Absent, vec![]));
    let made = lab.locked.make_key("/pki/a.key", ("", "")).await.unwrap();
    assert!(made.changed && made.public_key.len() == 32);
    let file = lab.path("/pki/a.key");
    let (born, node) = (fs::read(&file).unwrap(), fs::metadata(&file).unwrap().ino());
    assert_eq!(mode(&file), 0o600);
    let again = lab.locked.make_key("/pki/a.key", ("", "")).await.unwrap();
    assert!(!again.changed && again.public_key == made.public_key);
    assert_eq!(fs::metadata(&file).unwrap().ino(), node);
    assert_eq!(key_of(&lab.locked, "/pki/a.key").await, (Kind::Key, made.public_key.to_vec()));

    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(lab.locked.make_key("/pki/a.key", ("", "")).await.unwrap().changed);
    assert_eq!((mode(&file), fs::read(&file).unwrap()), (0o600, born));
    let other = lab.locked.make_key("/pki/b.key", ("", "")).await.unwrap();
    assert_ne!(other.public_key, made.public_key);
}

#[tokio::test]
async fn what_is_no_key_stays_and_is_not_repeated() {
    let lab = Lab::new().await;
    let rsa = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n";
    for text in ["", "canary", rsa] {
        fs::write(lab.path("/pki/a.key"), text).unwrap();
        let said = refusal(lab.locked.make_key("/pki/a.key", ("", "")).await);
        assert_eq!(said, "/pki/a.key is no private key, ECDSA P-256 in PKCS#8 PEM");
        refusal(lab.locked.make_csr("/pki/a.key", subject()).await);
        assert_eq!(key_of(&lab.locked, "/pki/a.key").await.0, Kind::Unseen);
        assert_eq!(fs::read_to_string(lab.path("/pki/a.key")).unwrap(), text);
    }
    let said = refusal(lab.locked.make_csr("/pki/none.key", subject()).await);
    assert_eq!(said, "there is no key /pki/none.key");
}

#[tokio::test]
async fn an_authority_is_made_once_and_as_a_whole() {
    let lab = Lab::new().await;
    let first = lab.authority().await;
    assert!(first.is_authority && first.is_signed_by(&first) && first.subject_key_id.is_some());
    assert_eq!(first.common_names, ["etcd-prod"]);
    assert!(first.serial.len() == 16);
    let before = now() - first.not_before;
    assert!(before >= Duration::minutes(5) && before < Duration::minutes(6), "{before}");
    assert_eq!((first.not_after - first.not_before).whole_days(), 3652);
    assert_eq!(mode(&lab.path("/pki/ca")), 0o755);
    assert_eq!(mode(&lab.path("/pki/ca/ca.key")), 0o600);
    assert_eq!(mode(&lab.path("/pki/ca/ca.crt")), 0o644);
    assert_eq!(lab.authority().await, first);
    let names: Vec<_> =
        fs::read_dir(lab.path("/pki")).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(names, ["ca"]);

    // An empty directory in the way is taken.
    fs::remove_dir_all(lab.path("/pki/ca")).unwrap();
    fs::create_dir(lab.path("/pki/ca")).unwrap();
    let second = lab.authority().await;
    assert!(second.public_key != first.public_key && second.serial != first.serial);
}

#[tokio::test]
async fn half_an_authority_or_a_stranger_is_refused() {
    let lab = Lab::new().await;
    lab.authority().await;
    let files = ["/pki/ca/ca.key", "/pki/ca/ca.crt"].map(|it| lab.path(it));
    let whole = files.each_ref().map(|it| fs::read(it).unwrap());
    let said = async || {
        let made = refusal(lab.locked.make_authority(AUTHORITY, "etcd-prod", 3652).await);
        let signed = refusal(lab.certify("/pki/a.key", |_| ()).await);
        (made, signed)
    };
    for (file, content) in files.iter().zip(&whole) {
        fs::remove_file(file).unwrap();
        let half = "only half of a certificate authority is in /pki/ca";
        assert_eq!(said().await, (half.to_owned(), half.to_owned()));
        fs::write(file, content).unwrap();
    }
    // A leaf in the place of its authority, and another key beside the certificate.
    let leaf = lab.certify("/pki/a.key", |_| ()).await.unwrap();
    fs::write(&files[1], leaf.pem()).unwrap();
    let torn = "/pki/ca/ca.crt is not the certificate of an authority with the key beside it";
    assert_eq!(said().await.0, torn);
    fs::write(&files[1], &whole[1]).unwrap();
    fs::copy(lab.path("/pki/a.key"), &files[0]).unwrap();
    assert_eq!(said().await.1, torn);

    for file in &files {
        fs::remove_file(file).unwrap();
    }
    fs::write(lab.path("/pki/ca/precious"), "precious").unwrap();
    assert_eq!(said().await.0, "/pki/ca holds something that is no certificate authority");
    assert!(lab.path("/pki/ca/precious").exists());
    let mut names: Vec<_> =
        fs::read_dir(lab.path("/pki")).unwrap().map(|it| it.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["a.key", "ca"]);
}

#[tokio::test]
async fn a_certificate_is_as_the_signer_was_told_and_belongs_to_its_key() {
    let lab = Lab::new().await;
    let authority = lab.authority().await;
    let first = lab.certify("/pki/a.key", |_| ()).await.unwrap();
    let key = key_of(&lab.locked, "/pki/a.key").await.1.try_into().unwrap();
    assert_eq!(due(&profile(), Some(&first), &authority, &key, now()), None);
    assert_eq!(first.authority_key_id, authority.subject_key_id);
    // A renewal keeps the key and not the serial number.
    let second = lab.certify("/pki/a.key", |_| ()).await.unwrap();
    assert!(second.public_key == first.public_key && second.serial != first.serial);

    let other = lab.certify("/pki/b.key", |_| ()).await.unwrap();
    let reason = due(&profile(), Some(&other), &authority, &key, now());
    assert_eq!(reason, Some(Reason::OtherKey));
    // The wishes of the CSR do not count.
    let change = |it: &mut SignRequest| {
        it.subject = Some(Subject { common_name: "x".to_owned(), ..Subject::default() });
        it.client = false;
    };
    let plain = lab.certify("/pki/a.key", change).await.unwrap();
    assert_eq!(
        (plain.common_names.as_slice(), plain.organizations.len()),
        (["x".to_owned()].as_slice(), 0)
    );
    assert!(plain.dns_names.is_empty() && plain.addresses.is_empty());
    assert!(plain.usages.iter().eq(&[Usage::Server]) && !plain.is_authority);
    let long = lab.certify("/pki/a.key", |it| it.lifetime = u32::MAX).await.unwrap();
    assert_eq!(long.not_after, authority.not_after);
}

#[tokio::test]
async fn what_must_not_be_signed_is_refused() {
    let lab = Lab::new().await;
    lab.authority().await;
    let check = async |change: &dyn Fn(&mut SignRequest), expected: &str| {
        assert_eq!(refusal(lab.certify("/pki/a.key", change).await), expected);
    };
    let named =
        |change: fn(&mut Subject)| move |it: &mut SignRequest| change(it.subject.as_mut().unwrap());
    check(
        &|it| (it.client, it.server) = (false, false),
        "a certificate is for a server, a client or both",
    )
    .await;
    check(&|it| it.lifetime = 0, "a certificate lives for a second at least").await;
    check(&|it| it.subject = None, "there is no subject in the request").await;
    check(&|it| it.authority = "/none".into(), "there is no certificate authority in /none").await;
    check(&named(|it| it.dns_names = vec!["a b".to_owned()]), "\"a b\" is no DNS name").await;
    check(&named(|it| it.addresses = vec!["a".to_owned()]), "\"a\" is no IP address").await;
    let no_csr = "the CSR is none for a key of ECDSA P-256";
    check(&|it| it.csr = String::new(), no_csr).await;
    check(&|it| it.csr = it.csr.replacen("\nM", "\nX", 1), no_csr).await;
    // The last byte of the signature.
    let forge = |it: &mut SignRequest| {
        let end = it.csr.find("-----END").unwrap() - 6;
        let sign = if it.csr.as_bytes()[end] == b'A' { "B" } else { "A" };
        it.csr.replace_range(end..=end, sign);
    };
    check(&forge, no_csr).await;
    let of_rsa = include_str!("fixtures/pki/rsa.csr");
    check(&|it| it.csr = of_rsa.to_owned(), no_csr).await;
}

#[tokio::test]
async fn a_client_gets_a_day_without_a_lock_and_nothing_is_written() {
    let lab = Lab::new().await;
    let authority = lab.authority().await;
    lab.locked.make_key("/pki/a.key", ("", "")).await.unwrap();
    let csr = lab.locked.make_csr("/pki/a.key", subject()).await.unwrap();
    let host: &Host = &lab.locked;
    let before = tree(lab.root.path());
    let asked = |change: fn(&mut SignRequest)| {
        let mut request =
            SignRequest { server: false, lifetime: 24 * 3600, ..request(csr.clone()) };
        change(&mut request);
        host.sign_for_client(request)
    };
    let signed = Certificate::parse(asked(|_| ()).await.unwrap().as_bytes()).unwrap();
    assert!(signed.is_signed_by(&authority) && signed.usages.iter().eq(&[Usage::Client]));
    for change in [
        (|it| it.lifetime += 1) as fn(&mut SignRequest),
        |it| it.server = true,
        |it| (it.client, it.server) = (false, true),
    ] {
        assert_eq!(refusal(asked(change).await), "a call that changes something shows a lock");
    }
    assert!(tree(lab.root.path()) == before);
}

/// Every file below, with its content and when it was written.
fn tree(at: &Path) -> Vec<(std::path::PathBuf, Vec<u8>, SystemTime)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(at).unwrap() {
        let (path, of) = entry.map(|it| (it.path(), it.metadata().unwrap())).unwrap();
        let content = if of.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        if of.is_dir() {
            found.extend(tree(&path));
        }
        found.push((path, content, of.modified().unwrap()));
    }
    found.sort();
    found
}

#[tokio::test]
async fn the_journal_has_each_deed_and_no_key() {
    let lab = Lab::new().await;
    lab.authority().await;
    lab.certify("/pki/a.key", |_| ()).await.unwrap();
    let told: Vec<_> = lab.locked.deeds(0).await.unwrap().into_iter().map(|it| it.what).collect();
    let expected = [
        "make a certificate authority in /pki/ca",
        "make the key /pki/a.key",
        "sign a certificate for \"etcd-a\" with /pki/ca",
    ];
    assert_eq!(told, expected.map(|it| [it; 2]).concat());
    for key in ["/pki/ca/ca.key", "/pki/a.key"] {
        let key = fs::read_to_string(lab.path(key)).unwrap();
        let secret = key.lines().nth(1).unwrap();
        let journal = fs::read(lab.path("/var/lib/ha-agent/journal/entries")).unwrap();
        assert!(!String::from_utf8_lossy(&journal).contains(&secret[20..]));
    }
}

#[tokio::test]
async fn an_authority_is_copied_by_read_and_put_and_signs_elsewhere() {
    let (here, there) = (Lab::new().await, Lab::new().await);
    let authority = here.authority().await;
    there.locked.make_directory(AUTHORITY, 0o755, ("", ""), true).await.unwrap();
    for (name, mode) in [("ca.key", 0o600), ("ca.crt", 0o644)] {
        let path = format!("{AUTHORITY}/{name}");
        let content = here.locked.read(&path, 0).await.unwrap().content.to_vec();
        let file = File { path, content, mode, ..File::default() };
        assert!(there.locked.put(file).await.unwrap());
    }
    assert_eq!(there.authority().await, authority);
    assert!(there.certify("/pki/a.key", |_| ()).await.unwrap().is_signed_by(&authority));
}

/// What tests of planners with their actions rely on.
#[tokio::test]
async fn a_host_in_memory_makes_the_same() {
    let hosts = Hosts::new("anna@desk".to_owned(), None);
    let target = Target { name: "a".parse().unwrap(), way: Way::Fake(FakeHost::new("a")) };
    let host = hosts.connect(&target, Patience::Once).await.unwrap();
    let locked = host.lock("etcd", 0).await.unwrap();
    let made = locked.make_authority(AUTHORITY, "etcd-prod", 3652).await.unwrap();
    assert!(made.changed);
    assert!(!locked.make_authority(AUTHORITY, "etcd-prod", 3652).await.unwrap().changed);
    let authority = Certificate::parse(made.certificate.as_bytes()).unwrap();
    assert!(locked.make_key("/a.key", ("", "")).await.unwrap().changed);
    assert!(!locked.make_key("/a.key", ("", "")).await.unwrap().changed);
    let csr = locked.make_csr("/a.key", subject()).await.unwrap();
    let leaf = Certificate::parse(locked.sign(request(csr)).await.unwrap().as_bytes()).unwrap();
    let key = key_of(&locked, "/a.key").await.1.try_into().unwrap();
    assert_eq!(due(&profile(), Some(&leaf), &authority, &key, now()), None);
    assert_eq!(key_of(&locked, "/none").await.0, Kind::Absent);
    assert_eq!(key_of(&locked, "/pki/ca/ca.crt").await.0, Kind::Unseen);
}

/// A judge that shares no code with us.
#[tokio::test]
async fn openssl_agrees() {
    let Ok(version) = Command::new("openssl").arg("version").output() else {
        eprintln!("left out: there is no openssl here");
        return;
    };
    eprintln!("{}", String::from_utf8_lossy(&version.stdout).trim());
    let (lab, stranger) = (Lab::new().await, Lab::new().await);
    let [authority, other] = [lab.authority().await, stranger.authority().await];
    let leaf = lab.certify("/pki/a.key", |_| ()).await.unwrap();
    let client = lab.certify("/pki/a.key", |it| it.server = false).await.unwrap();
    for (name, certificate) in
        [("ca", &authority), ("other", &other), ("leaf", &leaf), ("client", &client)]
    {
        fs::write(lab.path(name), certificate.pem()).unwrap();
    }
    let verify = |authority: &str, purpose: &[&str], leaf: &str| {
        let mut command = Command::new("openssl");
        command.args(["verify", "-x509_strict", "-check_ss_sig", "-CAfile", authority]);
        let ended = command.args(purpose).arg(leaf).current_dir(lab.root.path()).output().unwrap();
        ended.status.success()
    };
    let server = ["-purpose", "sslserver", "-verify_hostname", NAMES[0]];
    assert!(verify("ca", &server, "leaf"));
    assert!(verify("ca", &["-purpose", "sslserver", "-verify_ip", NAMES[2]], "leaf"));
    assert!(verify("ca", &["-purpose", "sslclient"], "leaf"));
    assert!(verify("ca", &["-purpose", "sslclient"], "client"));
    assert!(!verify("ca", &["-purpose", "sslserver"], "client"));
    assert!(!verify("ca", &["-verify_hostname", "b.example.test"], "leaf"));
    assert!(!verify("other", &[], "leaf"));
    // It reads the key, and finds the same public half in it.
    let public = |arguments: &[&str], file: &Path| {
        let command = Command::new("openssl").args(arguments).arg("-in").arg(file).output();
        String::from_utf8(command.unwrap().stdout).unwrap()
    };
    let of_key = public(&["pkey", "-pubout"], &lab.path("/pki/a.key"));
    assert!(of_key.starts_with("-----BEGIN PUBLIC KEY-----"));
    assert_eq!(of_key, public(&["x509", "-noout", "-pubkey"], &lab.path("leaf")));
}
