//! Secrets that were planted in the configuration of the provider are found nowhere afterwards, and in no list of
//! processes meanwhile. What the engine was given in its environment is passed on to its children by it.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::{self, ScopedJoinHandle};

use crate::cgroup;
use crate::engine::Engine;
use crate::lab::{Lab, PASSWORD};
use crate::remote::{NODES, Remote};
use crate::trial::{FIRST, Wish};

const PASSPHRASE: &str = "planted-passphrase-of-the-key";

/// Ephemeral, since a plan file holds all others.
const VARIABLES: &str = "variable \"key\" {\n  ephemeral = true\n  sensitive = true\n}\n\
                         variable \"passphrase\" {\n  ephemeral = true\n  sensitive = true\n}\n";

#[test]
fn no_secret_is_left_anywhere() {
    let Some(lab) = Lab::with_plain_hosts(NODES.len()) else { return };
    let plain = fs::read_to_string(lab.key()).unwrap();
    let encrypted = lab.directory().join("encrypted");
    fs::copy(lab.key(), &encrypted).unwrap();
    let path = encrypted.display().to_string();
    let change = ["-q", "-p", "-P", "", "-N", PASSPHRASE, "-f", &path];
    crate::program::run("ssh-keygen", &change).unwrap();
    let encrypted = fs::read_to_string(&encrypted).unwrap();

    let key = "private_key = var.key\n    passphrase = var.passphrase";
    let mut on = Remote::on(lab, Engine::Terraform, "opspw", key);
    let at = &mut on.trial.at;
    fs::write(at.path("variables.tf"), VARIABLES).unwrap();
    let (log, temporary) = (at.path("trace.log"), at.path("temporary"));
    fs::create_dir(&temporary).unwrap();
    let environment: [(&str, PathBuf); 6] = [
        ("TF_VAR_key", encrypted.clone().into()),
        ("TF_VAR_passphrase", PASSPHRASE.into()),
        ("HA_SUDO_PASSWORD", PASSWORD.into()),
        ("TF_LOG", "TRACE".into()),
        ("TF_LOG_PATH", log.clone()),
        ("TMPDIR", temporary),
    ];
    at.environment.extend(environment.map(|(name, value)| (name.to_owned(), value)));

    let keys = plain.lines().chain(encrypted.lines()).filter(|it| !it.starts_with("-----"));
    // The first lines of every key are alike.
    let keys = keys.filter(|it| !it.starts_with("b3BlbnNzaC1rZXktdjE"));
    let secrets: Vec<_> =
        [PASSPHRASE, PASSWORD].into_iter().chain(keys).map(str::to_owned).collect();

    let (looks, shown) = thread::scope(|scope| {
        let life = scope.spawn(|| live(&on));
        let seen = watch(&on.lab, &secrets, &life);
        life.join().unwrap();
        seen
    });
    assert!(50 < looks, "only {looks} looks at the processes");
    assert_eq!(shown, [""; 0]);

    // That it can be found at all.
    let here = on.trial.at.path("");
    fs::write(on.trial.at.path("sample"), format!("x{}y", secrets[2])).unwrap();
    assert_eq!(holders(&here, &secrets), [on.trial.at.path("sample").display().to_string()]);
    assert!(fs::metadata(&log).unwrap().len() > 100_000);

    let mut places = Vec::new();
    for host in &on.lab.hosts {
        // What is on its disk beside the image, its journal, and what it holds in memory.
        places.push(on.lab.directory().join(&host.name).join("upper"));
        let process = cgroup::processes(&format!("{}/payload", host.machine))[0];
        places.extend(
            ["run", "tmp", "dev/shm"].map(|it| format!("/proc/{process}/root/{it}").into()),
        );
    }
    for place in places {
        assert!(place.exists(), "{}", place.display());
        assert_eq!(holders(&place, &secrets), [""; 0]);
    }
    let contents =
        Command::new("unzip").arg("-p").arg(on.trial.at.path("plan.out")).output().unwrap();
    assert!(contents.status.success());
    let contents = String::from_utf8_lossy(&contents.stdout);
    for (number, secret) in secrets.iter().enumerate() {
        assert!(!contents.contains(secret), "the plan has secret {number}");
        for node in 0..NODES.len() {
            let journal = on.lab.ssh(node, "journalctl -o export; cat /var/lib/ha-agent/journal/*");
            assert!(!journal.contains(secret), "a journal has secret {number}");
        }
    }
}

/// One of each operation, one that fails among them.
fn live(on: &Remote) {
    let at = &on.trial.at;
    on.wish(FIRST, &["a", "b"]);
    at.plan();
    at.settle();
    on.wish(Wish { version: "2", message: "good evening" }, &NODES);
    at.settle();
    on.wish(Wish { version: "3", message: "good night" }, &NODES);
    on.ssh("a", "mv /usr/bin/sudo /usr/bin/gone");
    at.apply_fails();
    on.ssh("a", "mv /usr/bin/gone /usr/bin/sudo");
    at.settle();
    at.plan();
    at.destroy();
}

/// Looks until the life is over: at the command lines of all processes, and the environments of those on hosts. How often it
/// looked, and what it found.
pub(crate) fn watch(
    lab: &Lab,
    secrets: &[String],
    life: &ScopedJoinHandle<'_, ()>,
) -> (usize, Vec<String>) {
    let (mut looks, mut found) = (0, Vec::new());
    while !life.is_finished() {
        let everywhere =
            fs::read_dir("/proc").unwrap().flatten().map(|it| it.path().join("cmdline"));
        let hosts = lab.hosts.iter().flat_map(|it| cgroup::processes(&it.machine));
        let hosts = hosts.map(|it| PathBuf::from(format!("/proc/{it}/environ")));
        for path in everywhere.chain(hosts) {
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap_or_default()).into_owned();
            let secret = secrets.iter().position(|it| text.contains(it.as_str()));
            found.extend(secret.map(|it| format!("{}: secret {it}", path.display())));
        }
        looks += 1;
    }
    (looks, found)
}

/// The files below a place that hold a secret.
pub(crate) fn holders(place: &Path, secrets: &[String]) -> Vec<String> {
    let mut grep = Command::new("grep");
    grep.args(["-rlFsa", "--devices=skip", "-f", "-"]).arg(place);
    let mut grep = grep.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    // Not in the command line: another test may be looking there.
    grep.stdin.take().unwrap().write_all(secrets.join("\n").as_bytes()).unwrap();
    let output = grep.wait_with_output().unwrap();
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}
