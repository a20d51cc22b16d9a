//! Services: under systemd by `systemctl` with an argument vector, elsewhere under our own supervisor.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::sleep;

use super::change::{Deed, Host};
use super::fault::Fault;
use super::mutex;
use super::name;
use super::place::Root;
use super::program::{self, Call};
use super::supervise;
use crate::proto::agent::service_request::Action;
use crate::proto::agent::{ServiceReply, ServiceRequest, Unit};

/// There when systemd is what runs services.
const RUNS: &str = "/run/systemd/system";
const LIMIT: Duration = Duration::from_secs(90);
/// A host that goes down has time to do so, and the connection goes with it.
const GOES_DOWN: Duration = Duration::from_secs(15);
/// To ask whether the system is going down.
const STATE_LIMIT: Duration = Duration::from_secs(5);
/// Lines of a log, when nobody says how many.
const LINES: u32 = 100;
/// More would not fit into the text.
const MOST_LINES: u32 = 1000;
const MOST_TEXT: usize = 64 << 10;
const PROPERTIES: &str =
    "--property=LoadState,ActiveState,SubState,UnitFileState,MainPID,NRestarts,NeedDaemonReload";

/// Whether systemd runs the services of this host.
pub(super) fn are_systemd(root: &Root) -> bool {
    !root.is_own() && rustix::fs::access(RUNS, rustix::fs::Access::EXISTS).is_ok()
}

/// Does what is asked of a service, unless that is to look alone, and says how it is then.
pub(super) async fn serve(
    host: &Arc<Host>,
    mut request: ServiceRequest,
) -> Result<ServiceReply, Fault> {
    let (claim, unit) = (request.claim.take(), request.unit.clone());
    let Ok(action) = Action::try_from(request.action) else {
        return Err(Fault::Invalid(format!("there is no action {}", request.action)));
    };
    if action != Action::Look {
        let deed = Deed::new(format!("{} {unit:?}", action.as_str_name()), &request);
        let (root, ending) = (Arc::clone(&host.root), host.life.ending());
        let limit = (request.limit > 0).then(|| Duration::from_secs(request.limit.into()));
        let unit = unit.clone();
        let work = async move { act(&root, action, &unit, limit, ending).await };
        host.change(claim, deed, work).await?;
    }
    let units = if action == Action::ReadUnits { vec![] } else { vec![unit] };
    Ok(ServiceReply { unit: look(&host.root, &units).await?.pop() })
}

/// Does it and waits until it is done.
async fn act(
    root: &Root,
    action: Action,
    unit: &str,
    limit: Option<Duration>,
    ending: watch::Receiver<bool>,
) -> Result<(), Fault> {
    let (verb, limit) = (verb(action), limit.unwrap_or(LIMIT));
    let mut arguments = vec!["--no-ask-password", verb];
    if action == Action::ReadUnits {
        if !unit.is_empty() {
            return Err(Fault::Invalid("to read the units again names no unit".to_owned()));
        }
    } else {
        name::unit(unit)?;
        arguments.extend(["--", unit]);
    }
    if !are_systemd(root) {
        return supervise::act(root, action, unit, limit, ending).await;
    }
    let _alone = match action {
        Action::ReadUnits => Some(mutex::alone(root, limit, ending.clone()).await?),
        _ => None,
    };
    let done = systemctl(&arguments, limit, Some(ending)).await?;
    match judge(done, &format!("{verb} {unit}")).await {
        Err(fault @ Fault::GoingDown(_)) => {
            // Whoever asks again at once hears the same, until he has asked too often.
            sleep(GOES_DOWN).await;
            Err(fault)
        }
        judged => judged.map(drop),
    }
}

/// What systemd says while it goes down is no refusal: the same may work once the host is up again.
async fn judge(ended: program::Ended, doing: &str) -> Result<program::Ended, Fault> {
    match ended.success(doing) {
        Err(fault) if is_going_down().await => Err(Fault::GoingDown(fault.to_string())),
        judged => judged,
    }
}

async fn is_going_down() -> bool {
    let told = run("systemctl", &["is-system-running"], STATE_LIMIT, None).await;
    told.is_ok_and(|it| ends(&String::from_utf8_lossy(&it.stdout)))
}

/// From the word for the state of the system, where systemd was there a moment ago: one that cannot be asked any more
/// has no word, or one of the last two (`systemctl(1)`).
fn ends(state: &str) -> bool {
    matches!(state.trim(), "stopping" | "" | "offline" | "unknown")
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
        return units.iter().map(|it| supervise::look(root, it)).collect();
    }
    let mut arguments = vec!["show", "--no-pager", PROPERTIES, "--"];
    arguments.extend(units.iter().map(String::as_str));
    let shown = judge(systemctl(&arguments, LIMIT, None).await?, "look at the units").await?;
    let text = String::from_utf8_lossy(&shown.stdout);
    let states = parse(&text, units);
    if states.len() == units.len() {
        return Ok(states);
    }
    Err(Fault::Refused(format!("systemctl told of {} units, not {}", states.len(), units.len())))
}

/// The last lines that a unit has written, as many as fit into 64 KiB.
pub(super) async fn logs(root: &Root, unit: &str, lines: u32) -> Result<Vec<u8>, Fault> {
    name::unit(unit)?;
    let lines = if lines == 0 { LINES } else { lines.min(MOST_LINES) };
    if !are_systemd(root) {
        return supervise::logs(root, unit, lines as usize, MOST_TEXT);
    }
    let (number, unit) = (format!("--lines={lines}"), format!("--unit={unit}"));
    let arguments = ["--no-pager", "--quiet", "--output=short-iso", &number, &unit];
    let told = run("journalctl", &arguments, LIMIT, None).await?.success("read the journal")?;
    Ok(supervise::tail(&told.stdout, lines as usize, MOST_TEXT).to_vec())
}

async fn systemctl(
    arguments: &[&str],
    limit: Duration,
    ending: Option<watch::Receiver<bool>>,
) -> Result<program::Ended, Fault> {
    run("systemctl", arguments, limit, ending).await
}

async fn run(
    name: &str,
    arguments: &[&str],
    limit: Duration,
    ending: Option<watch::Receiver<bool>>,
) -> Result<program::Ended, Fault> {
    let program = program::find(name)?;
    let arguments = arguments.iter().map(OsString::from).collect();
    let (input, until) = (Bytes::new(), Bytes::new());
    program::run(Call { program, arguments, input, limit, until, ending }).await
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
#[allow(clippy::disallowed_methods, reason = "a test looks at files")]
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

    #[test]
    fn only_a_system_that_goes_down_is_waited_for() {
        for state in ["stopping\n", "unknown\n", "offline\n", ""] {
            assert!(ends(state), "{state:?}");
        }
        for state in ["running\n", "degraded\n", "starting\n", "maintenance\n"] {
            assert!(!ends(state), "{state:?}");
        }
    }

    #[tokio::test]
    async fn what_is_no_unit_is_refused_everywhere() {
        let folder = tempfile::tempdir().unwrap();
        let own = Root::open(Some(folder.path())).unwrap();
        for root in [own, Root::open(None).unwrap()] {
            for unit in ["-x.service", "a", "../a.service", ""] {
                let ending = watch::Sender::new(false).subscribe();
                let done = act(&root, Action::Start, unit, None, ending).await;
                assert!(matches!(done, Err(Fault::Invalid(_))), "{unit:?}");
                let seen = look(&root, &[unit.to_owned()]).await;
                assert!(matches!(seen, Err(Fault::Invalid(_))), "{unit:?}");
                assert!(matches!(logs(&root, unit, 1).await, Err(Fault::Invalid(_))), "{unit:?}");
            }
            assert!(look(&root, &[]).await.unwrap().is_empty());
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "to look changes nothing");
    }
}
