//! The files of a release, as `scripts/dist` packs them: engines install them, and the agents for hosts are inside.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::local::{Local, for_each_engine_with_etcd};
use crate::run::Run;

for_each_engine_with_etcd![an_archive_is_installed_from_a_mirror_and_brings_its_agent];

const RELEASE: &str = concat!("terraform-provider-ha_", env!("CARGO_PKG_VERSION"));

fn an_archive_is_installed_from_a_mirror_and_brings_its_agent(on: &Local) {
    let mirror = on.path("mirror").join(on.engine.registry()).join("terraform-ha/ha");
    fs::create_dir_all(&mirror).unwrap();
    let place = pack(on, &mirror);
    let sums = format!("{RELEASE}_SHA256SUMS");
    let check = tell(Command::new("sha256sum").args(["--check", &sums]).current_dir(&mirror));
    assert_eq!(check, format!("{RELEASE}_{place}.zip: OK\n{RELEASE}_manifest.json: OK\n"));
    let archive = mirror.join(format!("{RELEASE}_{place}.zip"));
    let list = tell(Command::new("unzip").arg("-Z1").arg(&archive));
    let program = format!("terraform-provider-ha_v{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(list.lines().collect::<Vec<_>>(), [&format!("ha-agent_{place}"), &program]);

    on.providers(&format!("  filesystem_mirror {{ path = \"{}\" }}", on.path("mirror").display()));
    on.wish(&["a"], "deletion_protection = false\n  on_destroy = \"purge\"");
    let run = |arguments: &[&str]| -> Run {
        let mut command = on.command(arguments);
        // The agent is to be found beside the provider.
        command.env_remove("HA_AGENT_DIRECTORY");
        on.output(&arguments.join(" "), command).succeeds()
    };
    run(&["init"]).says(&format!("Installed terraform-ha/ha v{}", env!("CARGO_PKG_VERSION")));
    run(&["apply", "-auto-approve"]);
    assert_eq!(on.etcdctl("a", &["member", "list"]).lines().count(), 1);
    run(&["destroy", "-auto-approve"]);
}

/// The archive of what was built with this test; for which system and architecture.
fn pack(on: &Local, to: &Path) -> String {
    let agents = fs::read_dir(on.path("agents")).unwrap().map(|it| it.unwrap().path());
    let agents: Vec<_> = agents.collect();
    let [agent] = &agents[..] else { panic!("{agents:?}") };
    let place = agent.file_name().unwrap().to_str().unwrap().replace("ha-agent_", "");
    // Without what only a debugger reads, for it is compressed and hashed.
    let program = on.path("program");
    let mut strip = Command::new("install");
    strip.args(["-s", env!("CARGO_BIN_EXE_terraform-provider-ha")]).arg(&program);
    tell(&mut strip);
    let mut dist = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/dist-pack"));
    dist.arg(to).args([env!("CARGO_PKG_VERSION"), &place]).arg(program).arg(agent);
    tell(&mut dist);
    place
}

/// What a command says that succeeds.
fn tell(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}
