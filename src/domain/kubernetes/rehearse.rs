//! A dry start: a program tells by itself which of its arguments and files it does not take, before anything is restarted
//! with them.
//!
//! An API server has no mode for that. It judges all it was given before it needs etcd, so it is started where there is
//! none, and ended once it has loaded its admission plugins, after 0.4 s. The other two would take part in elections: they
//! read their flags and print their version.

use super::arguments::Component;
use super::desired::Desired;
use super::flags::flags;
use super::layout::Layout;
use crate::domain::host::Place;
use crate::domain::name::Folder;

/// What is not there for good: a port of loopback that is free, and a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scratch {
    /// Where an API server would listen.
    pub port: u16,
    /// Where it writes.
    pub folder: Folder,
}

/// How a dry start went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All was taken.
    Fine,
    /// Something was not; what, in the program's words.
    Refused(String),
    /// It has said neither yet.
    Open,
}

/// Nobody answers there.
const NOWHERE: &str = "https://127.0.0.1:1";
/// What an API server says next after it has judged everything. It may be ended then.
pub const LOADED: &str = "mutating admission controller(s)";

/// The command line of a dry start: what the component gets, but for what others would notice.
pub fn rehearsal(
    desired: &Desired,
    component: Component,
    place: Place,
    at: &Layout,
    scratch: &Scratch,
) -> Vec<String> {
    let mut lines = flags(desired, component, place, at);
    if component != Component::ApiServer {
        lines.push("--version".to_owned());
        return lines;
    }
    let instead = [
        ("--etcd-servers=", NOWHERE.to_owned()),
        ("--bind-address=", "127.0.0.1".to_owned()),
        ("--secure-port=", scratch.port.to_string()),
        ("--audit-log-path=", format!("{}/audit.log", scratch.folder)),
    ];
    // In their place: of a list, both would count.
    for line in &mut lines {
        if let Some((flag, value)) = instead.iter().find(|(flag, _)| line.starts_with(flag)) {
            *line = format!("{flag}{value}");
        }
    }
    lines.push(format!("--cert-dir={}", scratch.folder));
    lines
}

/// What is to be thought of a dry start that has written this so far. `status`: with which it has ended, if it has.
pub fn verdict(component: Component, status: Option<i32>, written: &str) -> Verdict {
    let is_fine = match component {
        Component::ApiServer => written.contains(LOADED),
        Component::ControllerManager | Component::Scheduler => status == Some(0),
    };
    match status {
        _ if is_fine => Verdict::Fine,
        None => Verdict::Open,
        Some(_) => Verdict::Refused(reason(written)),
    }
}

/// Of a log, the error that ended it; of anything else its last line.
fn reason(written: &str) -> String {
    let lines = || written.lines().map(str::trim).filter(|it| !it.is_empty());
    let failed = lines().filter_map(|it| it.split_once("\"command failed\" err=")).next_back();
    if let Some((_, text)) = failed {
        return text.trim_matches('"').replace("\\\"", "\"");
    }
    let error = lines().filter_map(|it| it.strip_prefix("Error: ")).next_back();
    error.or_else(|| lines().next_back()).unwrap_or("it ended without a word").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::kubernetes::notation::want;

    #[test]
    fn a_dry_start_touches_nothing_that_others_use() {
        let desired = want("a b", "1.34");
        let place = desired.nodes[&"a".parse().unwrap()];
        let at = Layout::new(&desired.name, "").unwrap();
        let scratch = Scratch { port: 40_001, folder: "/run/ha/dry".parse().unwrap() };
        let usual = flags(&desired, Component::ApiServer, place, &at);
        let dry = rehearsal(&desired, Component::ApiServer, place, &at, &scratch);
        let changed: Vec<_> = dry.iter().filter(|it| !usual.contains(it)).collect();
        let expected = [
            "--bind-address=127.0.0.1",
            "--secure-port=40001",
            "--etcd-servers=https://127.0.0.1:1",
            "--audit-log-path=/run/ha/dry/audit.log",
            "--cert-dir=/run/ha/dry",
        ];
        assert_eq!(changed, expected);
        assert_eq!(dry.len(), usual.len() + 1);
        let dry = rehearsal(&desired, Component::Scheduler, place, &at, &scratch);
        assert_eq!(dry.last().map(String::as_str), Some("--version"));
    }

    #[test]
    fn a_program_says_what_it_does_not_take() {
        let check = |component, status, written: &str, expected: &str| {
            let found = match verdict(component, status, written) {
                Verdict::Fine => "fine".to_owned(),
                Verdict::Refused(why) => format!("refused: {why}"),
                Verdict::Open => "open".to_owned(),
            };
            assert_eq!(found, expected, "{written}");
        };
        let loaded = "I1129 14:58:02.1 7 plugins.go:157] Loaded 12 mutating admission controller(s) successfully in the following order: …\n";
        let server = Component::ApiServer;
        check(server, None, loaded, "fine");
        check(
            server,
            None,
            "I1129 14:58:02.1 7 options.go:263] external host was not specified\n",
            "open",
        );
        check(
            server,
            Some(1),
            "I1129 14:58:02.1 7 a.go:1] x\nE1129 14:58:02.2 7 run.go:72] \"command failed\" err=\"enable-admission-plugins plugin \\\"X\\\" is unknown\"\n",
            "refused: enable-admission-plugins plugin \"X\" is unknown",
        );
        check(
            server,
            Some(1),
            "Usage: …\n\nError: unknown flag: --port\n",
            "refused: unknown flag: --port",
        );
        check(server, Some(2), "panic: x\n", "refused: panic: x");
        check(server, Some(1), "", "refused: it ended without a word");
        check(Component::Scheduler, Some(0), "Kubernetes v1.34.4\n", "fine");
        check(
            Component::Scheduler,
            Some(1),
            "Error: unknown flag: --port\n",
            "refused: unknown flag: --port",
        );
        check(Component::Scheduler, None, "", "open");
    }
}
