//! What the agent does with the systemd and the package manager of a real host.

use std::env;
use std::sync::Arc;
use std::time::Duration;

use terraform_provider_ha::domain::service::{Definition, Service, render};
use terraform_provider_ha::host::messages::service_request::Action;
use terraform_provider_ha::host::{File, Hosts, Locked, Patience, Target, Way};

use crate::lab::Lab;
use crate::processes::until;
use crate::ssh::{now, root};

/// What systemd, a shell or a reader of lines might take for something else.
const HOSTILE: [&str; 16] = [
    "",
    " ",
    " a b ",
    "'",
    "\"",
    "\\",
    "\\n\\x41\\",
    "%",
    "%%h %i",
    "$HOME ${HOME} $$",
    ";",
    "#",
    "-",
    "@!:+",
    "ü ☃ 🦀",
    "a=b\u{a0}*?[~",
];

/// Says a line, and stays.
const PROGRAM: &str = "echo \"it is said ☃\"; while :; do sleep 60; done";

async fn lock(lab: &Lab) -> Locked {
    let agents = env::var_os("HA_AGENT_DIRECTORY").expect("`make lab` builds the agents");
    let hosts = Arc::new(Hosts::new("lab".to_owned(), Some(agents.into())));
    let target = Target { name: "a".parse().unwrap(), way: Way::Ssh(root(lab, 0)) };
    hosts.connect(&target, Patience::Once).await.unwrap().lock("lab", 0).await.unwrap()
}

#[test]
fn services_get_what_they_were_to_get_and_packages_are_installed() {
    let Some(lab) = Lab::with_plain_hosts(1) else { return };
    make_repository(&lab);
    now(async {
        let host = lock(&lab).await;
        hostile_strings_arrive(&lab, &host).await;
        assert!(host.ensure_packages(&["lab-package"]).await.unwrap());
        assert!(!host.ensure_packages(&["lab-package"]).await.unwrap());
        let unknown = host.ensure_packages(&["lab-none"]).await.unwrap_err().to_string();
        assert!(unknown.contains("Unable to locate package lab-none"), "{unknown}");
    });
    assert_eq!(lab.ssh(0, "cat /usr/share/lab-package"), "it is here\n");
}

async fn hostile_strings_arrive(lab: &Lab, host: &Locked) {
    let mut service = Service::new("hostile", "Gets what a reader of units may mistake", "/bin/sh");
    service.arguments =
        ["-c", PROGRAM, "name"].iter().chain(&HOSTILE).map(|&it| it.to_owned()).collect();
    let variable =
        |(number, value): (usize, &&str)| (format!("HOSTILE_{number}"), (*value).to_owned());
    service.environment = HOSTILE.iter().enumerate().map(variable).collect();
    // The one that sleeps does not hear of the end.
    service.stop_timeout = Duration::from_secs(1);
    let definition = Definition::new(service).unwrap();
    let path = format!("/etc/systemd/system/{}", definition.unit());
    let content = render(&definition).into_bytes();
    host.put(File { path, content, mode: 0o644, ..File::default() }).await.unwrap();
    host.service(Action::ReadUnits, "").await.unwrap();
    let unit = host.service(Action::Start, &definition.unit()).await.unwrap().unwrap();
    assert_eq!((unit.load.as_str(), unit.active.as_str()), ("loaded", "active"));

    let process = "/proc/$(systemctl show -p MainPID --value hostile)";
    let split = |what: &str| -> Vec<String> {
        let text = lab.ssh(0, &format!("cat {process}/{what}"));
        text.trim_end_matches('\0').split('\0').map(str::to_owned).collect()
    };
    // The program is told by its name, whatever file that is.
    assert_eq!(split("cmdline")[1..], definition.arguments);
    let environment = split("environ");
    for (name, value) in &definition.environment {
        assert!(environment.contains(&format!("{name}={value}")), "{name}: {environment:?}");
    }
    let said = || lab.ssh(0, "journalctl -o cat -u hostile").contains("it is said").then_some(());
    until("the line in the journal", said);
    let log = host.logs("hostile.service", 10).await.unwrap();
    assert!(log.contains("it is said ☃"), "{log}");
    host.service(Action::Stop, &definition.unit()).await.unwrap();
}

/// A package in a directory of the host that is its only source.
fn make_repository(lab: &Lab) {
    let control = "Package: lab-package\\nVersion: 1.0\\nArchitecture: all\\nMaintainer: lab <lab@example.test>\\n\
                   Description: for a test\\n";
    lab.ssh(
        0,
        &format!(
            "set -e; rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/*\n\
             mkdir -p /srv/packages /srv/tree/DEBIAN /srv/tree/usr/share; cd /srv/packages\n\
             printf '{control}' >/srv/tree/DEBIAN/control; echo it is here >/srv/tree/usr/share/lab-package\n\
             dpkg-deb --build --root-owner-group /srv/tree lab-package.deb\n\
             {{ printf '{control}'; echo Filename: ./lab-package.deb; echo Size: $(stat -c %s lab-package.deb)\n\
             echo SHA256: $(sha256sum lab-package.deb | cut -d ' ' -f 1); }} >Packages\n\
             echo 'deb [trusted=yes] file:/srv/packages ./' >/etc/apt/sources.list"
        ),
    );
}
