//! What an agent does with services: the actions of `ServiceRequest`, in systemd's words.

use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::identity::{Process, boot};
use super::lock::sweep;
use super::state::{self, Phase, State};
use super::units;
use super::words::{FAILED, STARTED, TAKEN};
use crate::agent::fault::Fault;
use crate::agent::place::Root;
use crate::agent::program::ended;
use crate::proto::agent::Unit;
use crate::proto::agent::service_request::Action;

/// Between two looks at a state that is about to change.
const STEP: Duration = Duration::from_millis(5);
/// A program that ends so soon after a signal has not understood it.
const MOMENT: Duration = Duration::from_millis(100);
/// For supervisors to read their units again.
const PATIENCE: Duration = Duration::from_secs(2);
/// A supervisor says one sentence.
const LONGEST: u64 = 64 << 10;

/// Does it and waits until it is done.
pub(in crate::agent) async fn act(
    root: &Root,
    action: Action,
    unit: &str,
    limit: Duration,
    ending: watch::Receiver<bool>,
) -> Result<(), Fault> {
    let work = async {
        match action {
            Action::Look => Ok(()),
            Action::Enable => units::enable(root, unit),
            Action::Disable => units::disable(root, unit),
            Action::Mask => units::mask(root, unit),
            Action::Unmask => units::unmask(root, unit),
            Action::Start => start(root, unit).await,
            Action::Stop => stop(root, unit).await,
            Action::Restart => {
                // What cannot be started is not stopped.
                units::load(root, unit)?.definition(unit)?;
                stop(root, unit).await?;
                start(root, unit).await
            }
            Action::Reload => reload(root, unit).await,
            Action::ReadUnits => read_units(root).await,
            Action::ResetFailed => reset_failed(root, unit),
        }
    };
    let name = action.as_str_name();
    tokio::select! {
        done = timeout(limit, work) => done.unwrap_or_else(|_| {
            Err(Fault::Refused(format!("{name} of {unit} is not done after {limit:?}, and goes on")))
        }),
        () = ended(Some(ending)) => {
            Err(Fault::Refused(format!("{name} of {unit} goes on, while the agent ends")))
        }
    }
}

/// The state of a unit. Changes nothing.
pub(in crate::agent) fn look(root: &Root, unit: &str) -> Result<Unit, Fault> {
    let loaded = units::load(root, unit)?;
    let mut seen = Unit {
        name: unit.to_owned(),
        load: loaded.word().to_owned(),
        enabled: units::enabled(root, unit, &loaded)?.to_owned(),
        ..Unit::default()
    };
    let state = State::read(root, unit)?;
    let phase = state.as_ref().map_or(Ok(Phase::Dead), State::phase_now)?;
    (seen.active, seen.sub) = (phase.words().0.to_owned(), phase.words().1.to_owned());
    if let Some(state) = state.filter(|_| phase != Phase::Dead) {
        seen.restarts = state.restarts;
        if state.is_live()? {
            let main = state.main.filter(Process::is_alive);
            seen.process = main.map_or(0, |it| it.id.cast_unsigned());
            seen.stale = state.read != loaded.digest();
        }
    }
    Ok(seen)
}

/// The state of a unit whose supervisor runs.
fn live(root: &Root, unit: &str) -> Result<Option<State>, Fault> {
    let Some(state) = State::read(root, unit)? else { return Ok(None) };
    Ok(if state.is_live()? { Some(state) } else { None })
}

async fn start(root: &Root, unit: &str) -> Result<(), Fault> {
    loop {
        if follow(root, unit).await? {
            return Ok(());
        }
        units::load(root, unit)?.definition(unit)?;
        let told = begin(root, unit).await.map_err(Fault::failed(format!("start {unit}")))?;
        match told.as_str() {
            STARTED => return Ok(()),
            // Somebody else was faster.
            TAKEN => sleep(STEP).await,
            text => {
                let why = text.strip_prefix(FAILED).unwrap_or("its supervisor has ended");
                return Err(Fault::Refused(why.to_owned()));
            }
        }
    }
}

/// Starts a supervisor that lives on without us. What it says first.
async fn begin(root: &Root, unit: &str) -> std::io::Result<String> {
    let mut command = Command::new("/proc/self/exe");
    command.arg0("ha-agent").args(["supervise", "--unit", unit]);
    if let Some(prefix) = root.prefix() {
        command.arg("--root").arg(prefix);
    }
    command.env_clear().current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    let output = child.stdout.take();
    // While we live, somebody has to wait for it when it ends.
    tokio::spawn(async move { child.wait().await });
    let mut told = String::new();
    if let Some(output) = output {
        output.take(LONGEST).read_to_string(&mut told).await?;
    }
    Ok(told)
}

/// Waits until a service runs whose supervisor is there already. False when it ends instead.
async fn follow(root: &Root, unit: &str) -> Result<bool, Fault> {
    let mut tried = None;
    while let Some(state) = live(root, unit)? {
        match (state.phase, tried) {
            (Phase::Running, _) => return Ok(true),
            // Who starts it does not want to wait for the end of the pause.
            (Phase::Pausing, None) => {
                tried = Some(state.restarts);
                state.supervisor.signal(Signal::USR2)?;
            }
            (Phase::Pausing, Some(restarts)) if state.restarts > restarts => {
                return Err(Fault::Refused(format!("{unit} did not start: {}", state.why)));
            }
            _ => {}
        }
        sleep(STEP).await;
    }
    Ok(false)
}

async fn stop(root: &Root, unit: &str) -> Result<(), Fault> {
    let Some(state) = State::read(root, unit)? else { return Ok(()) };
    if !state.is_live()? {
        return left(&state).await;
    }
    state.supervisor.signal(Signal::TERM)?;
    while state.supervisor.is_alive() {
        sleep(STEP).await;
    }
    // As it ended: it may have been killed meanwhile.
    match State::read(root, unit)? {
        Some(state) => left(&state).await,
        None => Ok(()),
    }
}

/// Ends what a supervisor that was killed has left behind.
async fn left(state: &State) -> Result<(), Fault> {
    match state.main {
        Some(main) if state.boot == boot()? => {
            main.signal(Signal::KILL)?;
            sweep(main).await
        }
        _ => Ok(()),
    }
}

async fn reload(root: &Root, unit: &str) -> Result<(), Fault> {
    let (definition, _) = units::load(root, unit)?.definition(unit)?;
    if definition.reload.is_none() {
        return Err(Fault::Refused(format!("{unit} cannot be reloaded")));
    }
    let Some(before) = live(root, unit)?.filter(|it| it.phase == Phase::Running) else {
        return Err(Fault::Refused(format!("{unit} does not run, and cannot be reloaded")));
    };
    before.supervisor.signal(Signal::HUP)?;
    sleep(MOMENT).await;
    let after = live(root, unit)?.filter(|it| it.phase == Phase::Running);
    if after.is_some_and(|it| it.main == before.main) {
        return Ok(());
    }
    Err(Fault::Refused(format!("{unit} has ended while it was reloaded")))
}

/// Lets each supervisor read its unit again. One whose unit cannot be run goes on with the last that could.
async fn read_units(root: &Root) -> Result<(), Fault> {
    let mut stale = Vec::new();
    for unit in state::units(root)? {
        if let Some(state) = live(root, &unit)?
            && state.read != units::load(root, &unit)?.digest()
        {
            state.supervisor.signal(Signal::USR1)?;
            stale.push(unit);
        }
    }
    let read = async {
        for unit in stale {
            while look(root, &unit)?.stale {
                sleep(STEP).await;
            }
        }
        Ok(())
    };
    let late = || Err(Fault::Refused("a supervisor did not read its unit again".to_owned()));
    timeout(PATIENCE, read).await.unwrap_or_else(|_| late())
}

/// A service that runs has not failed.
fn reset_failed(root: &Root, unit: &str) -> Result<(), Fault> {
    let Some(state) = State::read(root, unit)? else { return Ok(()) };
    if state.is_live()? {
        return Ok(());
    }
    State { phase: Phase::Dead, restarts: 0, why: String::new(), ..state }.write(root, unit)
}
