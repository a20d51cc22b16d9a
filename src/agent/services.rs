//! Services under systemd, by `systemctl` with an argument vector.

use std::ffi::OsString;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;

use super::fault::Fault;
use super::mutex;
use super::name;
use super::place::Root;
use super::program::{self, Call};
use crate::proto::agent::Unit;
use crate::proto::agent::service_request::Action;

/// There when systemd is what runs services.
const RUNS: &str = "/run/systemd/system";
const LIMIT: Duration = Duration::from_secs(90);
const PROPERTIES: &str =
    "--property=LoadState,ActiveState,SubState,UnitFileState,MainPID,NRestarts,NeedDaemonReload";

/// Whether systemd runs the services of this host.
pub(super) fn are_systemd(root: &Root) -> bool {
    !root.is_own() && rustix::fs::access(RUNS, rustix::fs::Access::EXISTS).is_ok()
}

/// Does it and waits until it is done.
pub(super) async fn act(
    root: &Root,
    action: Action,
    unit: &str,
    limit: Option<Duration>,
    ending: watch::Receiver<bool>,
) -> Result<(), Fault> {
    let verb = verb(action);
    if !are_systemd(root) {
        return Err(Fault::Refused("no systemd runs services here".to_owned()));
    }
    let mut arguments = vec!["--no-ask-password", verb];
    if action == Action::ReadUnits {
        if !unit.is_empty() {
            return Err(Fault::Invalid("to read the units again names no unit".to_owned()));
        }
    } else {
        name::unit(unit)?;
        arguments.extend(["--", unit]);
    }
    let limit = limit.unwrap_or(LIMIT);
    let _alone = match action {
        Action::ReadUnits => Some(mutex::alone(root, limit, ending.clone()).await?),
        _ => None,
    };
    let done = systemctl(&arguments, limit, Some(ending)).await?;
    done.success(&format!("{verb} {unit}")).map(drop)
}

fn verb(action: Action) -> &'static str {
    match action {
        Action::Look => "show",
        Action::Enable => "enable",
        Action::Disable => "disable",
        Action::Start => "start",
        Action::Stop => "stop",
        Action::Restart => "restart",
        Action::Reload => "reload",
        Action::Mask => "mask",
        Action::Unmask => "unmask",
        Action::ReadUnits => "daemon-reload",
        Action::ResetFailed => "reset-failed",
    }
}

/// The states of units in the order of their names, with one program for all.
pub(super) async fn look(root: &Root, units: &[String]) -> Result<Vec<Unit>, Fault> {
    for unit in units {
        name::unit(unit)?;
    }
    if units.is_empty() {
        return Ok(Vec::new());
    }
    if !are_systemd(root) {
        return Err(Fault::Refused("no systemd runs services here".to_owned()));
    }
    let mut arguments = vec!["show", "--no-pager", PROPERTIES, "--"];
    arguments.extend(units.iter().map(String::as_str));
    let shown = systemctl(&arguments, LIMIT, None).await?.success("look at the units")?;
    let text = String::from_utf8_lossy(&shown.stdout);
    let states = parse(&text, units);
    if states.len() == units.len() {
        return Ok(states);
    }
    Err(Fault::Refused(format!("systemctl told of {} units, not {}", states.len(), units.len())))
}

async fn systemctl(
    arguments: &[&str],
    limit: Duration,
    ending: Option<watch::Receiver<bool>>,
) -> Result<program::Ended, Fault> {
    let program = program::find("systemctl")?;
    let arguments = arguments.iter().map(OsString::from).collect();
    program::run(Call { program, arguments, input: Bytes::new(), limit, ending }).await
}

/// One block of `name=value` lines for each unit, with an empty line between.
fn parse(text: &str, units: &[String]) -> Vec<Unit> {
    let blocks = text.split("\n\n").filter(|it| !it.trim().is_empty());
    blocks.zip(units).map(|(block, name)| unit(name, block)).collect()
}

fn unit(name: &str, block: &str) -> Unit {
    let mut unit = Unit { name: name.to_owned(), ..Unit::default() };
    for (property, value) in block.lines().filter_map(|it| it.split_once('=')) {
        match property {
            "LoadState" => value.clone_into(&mut unit.load),
            "ActiveState" => value.clone_into(&mut unit.active),
            "SubState" => value.clone_into(&mut unit.sub),
            "UnitFileState" => value.clone_into(&mut unit.enabled),
            "MainPID" => unit.process = value.parse().unwrap_or_default(),
            "NRestarts" => unit.restarts = value.parse().unwrap_or_default(),
            "NeedDaemonReload" => unit.stale = value == "yes",
            _ => {}
        }
    }
    unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_belong_to_units_by_their_order() {
        let text = "MainPID=7\nNRestarts=2\nLoadState=loaded\nActiveState=active\nSubState=running\n\
                    UnitFileState=enabled\nNeedDaemonReload=yes\n\nLoadState=not-found\n\
                    ActiveState=inactive\nSubState=dead\nUnitFileState=\nNeedDaemonReload=no\n";
        let units = parse(text, &["a.service".to_owned(), "b.timer".to_owned()]);
        assert_eq!(units[0].process, 7);
        assert!(units[0].stale);
        assert_eq!((units[0].enabled.as_str(), units[0].restarts), ("enabled", 2));
        assert_eq!((units[1].name.as_str(), units[1].load.as_str()), ("b.timer", "not-found"));
    }

    #[tokio::test]
    async fn where_no_systemd_runs_nothing_is_tried() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(Some(folder.path())).unwrap();
        let ending = watch::Sender::new(false);
        let done = act(&root, Action::Start, "a.service", None, ending.subscribe()).await;
        assert!(matches!(done, Err(Fault::Refused(_))));
        assert!(look(&root, &[]).await.unwrap().is_empty());
        assert!(matches!(look(&root, &["-x.service".to_owned()]).await, Err(Fault::Invalid(_))));
    }
}
