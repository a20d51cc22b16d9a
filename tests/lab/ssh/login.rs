//! Ways to log in, and to become root.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use secrecy::SecretString;
use tempfile::TempDir;
use terraform_provider_ha::host::ssh::{Connection, Key};

use super::{
    PLACE, WRONG, as_user, configure, connection, fails, keygen, no_agent_is_left, public, show,
    target, works,
};
use crate::lab::{Lab, PASSWORD};
use crate::program::{run, text, within};

/// An ssh-agent with keys, ended when this is dropped.
struct SshAgent {
    process: Child,
    socket: PathBuf,
    _directory: TempDir,
}

impl SshAgent {
    fn with(keys: &[&Path]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("socket");
        let mut command = Command::new("ssh-agent");
        command.arg("-D").arg("-a").arg(&socket).stdout(Stdio::null());
        let process = command.spawn().unwrap();
        assert!(within(Duration::from_secs(5), || socket.exists()));
        for key in keys {
            let mut add = Command::new("ssh-add");
            let added = add.arg(key).env("SSH_AUTH_SOCK", &socket).output().unwrap();
            assert!(added.status.success(), "{}", text(&added));
        }
        Self { process, socket, _directory: directory }
    }

    fn key(&self, only: Option<&str>) -> Key {
        Key::Agent { socket: self.socket.clone(), key: only.map(String::from) }
    }
}

impl Drop for SshAgent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn every_way_to_log_in_works_and_each_failure_names_its_cure() {
    let Some(lab) = Lab::with_plain_hosts(1) else { return };
    let to = |change: &dyn Fn(&mut Connection)| {
        let mut connection = connection(&lab);
        change(&mut connection);
        target(&lab, 0, connection)
    };
    let began = Instant::now();
    works(&to(&|_| ()));
    eprintln!("first contact: {:?}", began.elapsed());
    let placed = format!("find {PLACE} -type f -printf '%p %m %U %T@\\n'");
    let first = lab.ssh(0, &placed);
    assert!(first.contains("/ha-agent 755 0 ") && first.lines().count() == 1, "{first}");
    let began = Instant::now();
    let text = fs::read_to_string(lab.key()).unwrap();
    works(&to(&|it| it.key = Key::Text(text.clone().into())));
    eprintln!("second contact: {:?}", began.elapsed());
    assert_eq!(lab.ssh(0, &placed), first, "it was placed again");
    no_agent_is_left(&lab, 0);

    let encrypted = lab.directory().join("encrypted");
    fs::copy(lab.key(), &encrypted).unwrap();
    keygen(&["-p", "-P", "", "-N", "lab-passphrase", "-f", &show(&encrypted)]);
    let with = |passphrase: Option<&str>| {
        to(&|it| {
            it.key = Key::File(encrypted.clone());
            it.passphrase = passphrase.map(SecretString::from);
        })
    };
    works(&with(Some("lab-passphrase")));
    fails(&with(None), false, "give its `passphrase`");
    fails(&with(Some(WRONG)), false, "cannot be opened with this `passphrase`");

    let other = lab.directory().join("other");
    keygen(&["-t", "ed25519", "-N", "", "-f", &show(&other)]);
    fails(&to(&|it| it.key = Key::File(other.clone())), false, "is not accepted for this user");
    fails(&to(&|it| it.key = Key::File("/none".into())), false, "/none cannot be read");
    fails(&to(&|it| it.user = "nobody-here".to_owned()), false, "nobody-here@");
    fails(&to(&|it| it.user = "-l".to_owned()), false, "is no user");

    // RSA: an agent signs, a file is refused in every format.
    let rsa = lab.directory().join("rsa");
    keygen(&["-t", "rsa", "-b", "2048", "-N", "", "-f", &show(&rsa)]);
    let keys = lab.hosts[0].root().join("root/.ssh/authorized_keys");
    let more = format!("{}\n{}\n", fs::read_to_string(&keys).unwrap(), public(&rsa));
    fs::write(&keys, more).unwrap();
    fails(
        &to(&|it| it.key = Key::File(rsa.clone())),
        false,
        "load it there and set `agent = true`",
    );
    let agent = SshAgent::with(&[&other, &rsa]);
    works(&to(&|it| it.key = agent.key(None)));
    keygen(&["-p", "-P", "", "-N", "", "-m", "PEM", "-f", &show(&rsa)]);
    fails(
        &to(&|it| it.key = Key::File(rsa.clone())),
        false,
        "load it there and set `agent = true`",
    );
    keygen(&["-p", "-P", "", "-N", "", "-m", "PKCS8", "-f", &show(&rsa)]);
    fails(
        &to(&|it| it.key = Key::File(rsa.clone())),
        false,
        "load it there and set `agent = true`",
    );

    let agent = SshAgent::with(&[&other, &lab.key()]);
    works(&to(&|it| it.key = agent.key(None)));
    works(&to(&|it| it.key = agent.key(Some(&public(&lab.key())))));
    let listed = run("ssh-keygen", &["-l", "-f", &show(&lab.key())]).unwrap();
    let fingerprint = listed.split(' ').nth(1).unwrap().to_owned();
    works(&to(&|it| it.key = agent.key(Some(&fingerprint))));
    fails(&to(&|it| it.key = agent.key(Some(&public(&other)))), false, "is not accepted");
    fails(
        &to(&|it| it.key = agent.key(Some("SHA256:none"))),
        false,
        "holds no key that may be used",
    );
    let many: Vec<_> = (0..7).map(|it| lab.directory().join(format!("many{it}"))).collect();
    for it in &many {
        keygen(&["-t", "ed25519", "-N", "", "-f", &show(it)]);
    }
    let crowd = SshAgent::with(&many.iter().map(PathBuf::as_path).collect::<Vec<_>>());
    fails(&to(&|it| it.key = crowd.key(None)), false, "Too many authentication failures");
    drop(agent);
    let gone = Key::Agent { socket: crowd.socket.with_extension("gone"), key: None };
    fails(&to(&|it| it.key = gone.clone()), false, "cannot be reached");
    no_agent_is_left(&lab, 0);
}

#[test]
fn a_certificate_logs_in_where_its_signer_is_trusted() {
    let Some(lab) = Lab::with_plain_hosts(1) else { return };
    let [authority, key] = ["authority", "other"].map(|it| lab.directory().join(it));
    for it in [&authority, &key] {
        keygen(&["-t", "ed25519", "-N", "", "-f", &show(it)]);
    }
    // An ssh-agent takes a certificate along that lies beside its key, as it does not beside this copy.
    let bare = lab.directory().join("bare");
    fs::copy(&key, &bare).unwrap();
    keygen(&["-s", &show(&authority), "-I", "lab", "-n", "root", &format!("{}.pub", show(&key))]);
    fs::write(lab.hosts[0].root().join("etc/ssh/authority.pub"), public(&authority)).unwrap();
    configure(&lab, 0, "TrustedUserCAKeys /etc/ssh/authority.pub");

    let with = |key: Key, certificate: Option<&str>| {
        let certificate_file = certificate.map(|it| lab.directory().join(it));
        target(&lab, 0, Connection { key, certificate_file, ..connection(&lab) })
    };
    let certificate = Some("other-cert.pub");
    works(&with(Key::File(key.clone()), certificate));
    fails(&with(Key::File(key.clone()), None), false, "is not accepted for this user");
    fails(&with(Key::File(lab.key()), certificate), false, "is not for this private key");
    fails(&with(Key::File(key.clone()), Some("none")), false, "none cannot be read");
    let (knows_the_key, knows_both) = (SshAgent::with(&[&bare]), SshAgent::with(&[&key]));
    works(&with(knows_the_key.key(None), certificate));
    fails(&with(knows_the_key.key(None), None), false, "is not accepted for this user");
    works(&with(knows_both.key(None), certificate));
    works(&with(knows_both.key(None), None));
}

#[test]
fn root_is_reached_by_sudo_with_and_without_a_password() {
    let Some(lab) = Lab::with_plain_hosts(1) else { return };
    let with = |user: &str, password: Option<&str>| {
        let sudo_password = password.map(SecretString::from);
        target(&lab, 0, Connection { sudo_password, ..as_user(&lab, user) })
    };
    works(&with("ops", None));
    // Not asked for, so not given: it would be the first thing that the agent reads.
    works(&with("ops", Some(PASSWORD)));
    works(&with("opspw", Some(PASSWORD)));
    fails(&with("opspw", Some(WRONG)), false, "sudo does not accept `sudo_password`");
    let said = fails(&with("opspw", None), false, "or `sudo_password`: ");
    assert!(said.contains("password is required"), "{said}");
    // A shell that traces what it does shows the prompt in its command line.
    let bashrc = lab.hosts[0].root().join("home/opspw/.bashrc");
    fs::write(&bashrc, "set -x\n").unwrap();
    works(&with("opspw", Some(PASSWORD)));
    lab.ssh(0, "chsh -s /usr/sbin/nologin ops");
    let said = fails(&with("ops", None), false, "before anything of ours ran");
    assert!(said.contains("not available"), "{said}");
    lab.ssh(0, "chsh -s /bin/sh ops");
    works(&with("ops", None));
    no_agent_is_left(&lab, 0);
}
