//! Dry starts: a program is asked for its opinion before anything is restarted with what it is given.

use sha2::{Digest as _, Sha256};

use super::Site;
use super::site::Wanted;
use crate::domain::kubernetes::{
    Component, Desired, LOADED, Scratch, Verdict, Version, rehearsal, verdict,
};
use crate::host::messages::FactsRequest;
use crate::host::messages::run_reply::End;
use crate::host::messages::run_request::Program;
use crate::host::{File, HostError, Locked};

/// Below those that the kernel gives to clients, and above those of most services.
const FIRST_PORT: u16 = 20_000;
const PORTS: u16 = 10_000;

/// Lets a program judge its arguments and the files that it is to have, which lie elsewhere for that moment.
///
/// # Errors
/// What it does not take, in its own words.
pub(super) async fn rehearse(
    host: &Locked,
    site: &Site,
    desired: &Desired,
    component: Component,
    (version, wanted): (Version, &Wanted),
) -> Result<(), HostError> {
    let folder = format!("{}/rehearsal", site.folder());
    host.make_directory(&folder, 0o700, ("", ""), true).await?;
    let tried = attempt(host, site, desired, component, (version, wanted), &folder).await;
    host.remove(&folder, true).await?;
    tried
}

async fn attempt(
    host: &Locked,
    site: &Site,
    desired: &Desired,
    component: Component,
    (version, wanted): (Version, &Wanted),
    folder: &str,
) -> Result<(), HostError> {
    let failed = |reason: String| HostError::Failed {
        host: host.name().clone(),
        call: format!("start {component} {version} dry, and nothing was changed"),
        reason,
    };
    let told = |path: &str| format!("{}{path}", site.root);
    let scratch = Scratch {
        port: if component == Component::ApiServer { free_port(host, site).await? } else { 1 },
        folder: told(folder)
            .parse()
            .map_err(|it: crate::domain::name::TextFault| failed(it.to_string()))?,
    };
    let mut lines = rehearsal(desired, component, site.place, site.told(), &scratch);
    for file in &wanted.files {
        let copy = format!("{folder}/{}", file.path.rsplit('/').next().unwrap_or_default());
        let end = format!("={}", told(&file.path));
        for line in &mut lines {
            if let Some(flag) = line.strip_suffix(&end) {
                *line = format!("{flag}={}", told(&copy));
            }
        }
        // Whoever tries is the agent itself.
        let (content, mode) = (file.content.clone(), 0o600);
        host.put(File { path: copy, content, mode, ..File::default() }).await?;
    }
    let (program, until) = match component {
        Component::ApiServer => (Program::KubeApiserver, LOADED),
        Component::ControllerManager => (Program::KubeControllerManager, ""),
        Component::Scheduler => (Program::KubeScheduler, ""),
    };
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    let reply = host.run_until(program, &Site::programs(version), &lines, until).await?;
    let status = match reply.end {
        Some(End::Status(status)) => status,
        Some(End::Signal(signal)) => 128 + signal,
        None => 1,
    };
    let mut written = String::from_utf8_lossy(&reply.stdout).into_owned();
    written.push_str(&String::from_utf8_lossy(&reply.stderr));
    match verdict(component, Some(status), &written) {
        Verdict::Fine => Ok(()),
        Verdict::Refused(why) => Err(failed(why)),
        Verdict::Open => Err(failed("it has not said anything in time".to_owned())),
    }
}

/// One that nobody listens at. Hosts of one machine begin to look at different ones.
async fn free_port(host: &Locked, site: &Site) -> Result<u16, HostError> {
    let request = FactsRequest { listeners: true, ..FactsRequest::default() };
    let facts = host.facts(request).await?;
    let own = Sha256::digest(format!("{}{}", site.place.address, site.root));
    let start = u16::from_le_bytes([own[0], own[1]]) % PORTS;
    let ports = (0..PORTS).map(|it| FIRST_PORT + (start + it) % PORTS);
    let is_taken = |port: u16| facts.listeners.iter().any(|it| it.port == u32::from(port));
    ports.into_iter().find(|it| !is_taken(*it)).ok_or_else(|| HostError::Failed {
        host: host.name().clone(),
        call: "find a port that is free".to_owned(),
        reason: format!("none from {FIRST_PORT} on is"),
    })
}
