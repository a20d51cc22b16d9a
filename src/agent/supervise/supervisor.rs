//! The process that keeps one service running.
#![expect(clippy::disallowed_methods, reason = "measures how long a program ran")]

use std::io::{self, PipeWriter};
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::fs::Mode;
use rustix::process::{Signal, setsid, umask};
use tokio::process::Child;
use tokio::runtime::Builder;
use tokio::time::{Instant, sleep_until};

use super::child::{self, RUNTIME, Setting, kernel, number};
use super::identity::{Process, boot};
use super::lock::{lock, sweep};
use super::log::Log;
use super::notify::Notify;
use super::state::{Phase, State};
use super::units::{load, remove_directories};
use super::words::{Asked, FAILED, STARTED, Starter, TAKEN};
use crate::agent::fault::Fault;
use crate::agent::name;
use crate::agent::options::Supervised;
use crate::agent::place::Root;
use crate::agent::program::describe;
use crate::domain::service::{Definition, Restart, Start};

/// A program that ends so soon has not started.
const MOMENT: Duration = Duration::from_millis(100);
/// How long a service may take to be ready, and each command before it. systemd's default too.
const START_LIMIT: Duration = Duration::from_secs(90);
/// The longest pause before a restart, unless the unit asks for a longer one.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// After so long a run the pauses begin anew.
const STEADY: Duration = Duration::from_mins(1);

/// Keeps a service running until it is stopped or ends by itself.
pub(in crate::agent) fn supervise(wish: &Supervised) -> io::Result<()> {
    // It fails when we are started by hand, and then there is a terminal to stay with.
    let _ = setsid();
    std::env::set_current_dir("/")?;
    umask(Mode::WGRP | Mode::WOTH);
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut starter = Starter::waiting();
    let ended = runtime.block_on(run(wish, &mut starter));
    runtime.shutdown_background();
    if let Err(fault) = ended {
        starter.tell(&format!("{FAILED}{}", tonic::Status::from(fault).message()));
    }
    Ok(())
}

async fn run(wish: &Supervised, starter: &mut Starter) -> Result<(), Fault> {
    let Supervised { root, unit } = wish;
    name::unit(unit)?;
    let root = Root::open(root.as_deref())?;
    let asked = Asked::listen().map_err(Fault::failed("listen to signals"))?;
    let Some(_locked) = lock(&root, unit).await? else {
        starter.tell(TAKEN);
        return Ok(());
    };
    let (definition, read) = load(&root, unit)?.definition(unit)?;
    let (log, output) = Log::open(&root, unit)?;
    let state = State {
        boot: boot()?,
        supervisor: Process::own().ok_or_else(|| Fault::Refused("/proc is missing".to_owned()))?,
        main: None,
        phase: Phase::Before,
        restarts: 0,
        read,
        why: String::new(),
    };
    state.write(&root, unit)?;
    let mut supervisor =
        Supervisor { root, unit, definition, state, output, log, asked, starter, stopping: false };
    let last = supervisor.keep().await;
    let names = &supervisor.definition.runtime_directories;
    let removed = remove_directories(&supervisor.root, RUNTIME, names);
    // What is written down last is that nothing runs.
    supervisor.note(last, supervisor.state.why.clone());
    supervisor.tell_how_it_went(last == Phase::Failed);
    removed
}

struct Supervisor<'a> {
    root: Root,
    unit: &'a str,
    definition: Definition,
    state: State,
    /// Where all output of the service goes.
    output: PipeWriter,
    log: Log,
    asked: Asked,
    starter: &'a mut Starter,
    /// Somebody asked for the end.
    stopping: bool,
}

/// How one run came to its end.
struct End {
    is_failure: bool,
    why: String,
}

impl End {
    fn of(status: ExitStatus) -> Self {
        // What systemd takes for a clean end: SuccessExitStatus= in systemd.service(5).
        let asked = [Signal::HUP, Signal::INT, Signal::TERM, Signal::PIPE];
        let is_asked = status.signal().is_some_and(|it| asked.iter().any(|ask| ask.as_raw() == it));
        Self { is_failure: !status.success() && !is_asked, why: describe(status) }
    }

    fn failure(why: impl Into<String>) -> Self {
        Self { is_failure: true, why: why.into() }
    }
}

impl Supervisor<'_> {
    /// Runs it again and again. The phase to leave behind.
    async fn keep(&mut self) -> Phase {
        let mut pause = self.definition.restart_delay;
        loop {
            let began = Instant::now();
            let End { is_failure, why } = self.once().await.unwrap_or_else(|fault| {
                End::failure(tonic::Status::from(fault).message().to_owned())
            });
            self.log.say(&format!("{} has ended: {why}", self.unit));
            self.state.why.clone_from(&why);
            let is_over = self.definition.restart == Restart::OnFailure && !is_failure;
            if self.stopping || is_over {
                return if is_failure { Phase::Failed } else { Phase::Dead };
            }
            if began.elapsed() >= STEADY {
                pause = self.definition.restart_delay;
            }
            self.note(Phase::Pausing, why);
            self.tell_how_it_went(is_failure);
            self.wait(pause).await;
            if self.stopping {
                return Phase::Dead;
            }
            self.state.restarts = self.state.restarts.saturating_add(1);
            pause = (pause * 2).min(LONGEST_PAUSE.max(self.definition.restart_delay));
        }
    }

    /// To the agent that waits, if it still does: the service has ended without ever having run for a moment.
    fn tell_how_it_went(&mut self, is_failure: bool) {
        if is_failure || self.stopping {
            let (unit, why) = (self.unit, &self.state.why);
            self.starter.tell(&format!("{FAILED}{unit} did not start: {why}"));
        }
        self.starter.tell(STARTED);
    }

    async fn wait(&mut self, pause: Duration) {
        let end = Instant::now() + pause;
        loop {
            tokio::select! {
                () = sleep_until(end) => return,
                _ = self.asked.go_on.recv() => return,
                _ = self.asked.stop.recv() => {
                    self.stopping = true;
                    return;
                }
                _ = self.asked.read.recv() => self.read_again(),
                _ = self.asked.reload.recv() => {}
            }
        }
    }

    /// One run, with the commands before and after.
    async fn once(&mut self) -> Result<End, Fault> {
        let setting = Setting::make(&self.root, &self.definition)?;
        let mut end = None;
        self.note(Phase::Before, String::new());
        for argv in self.definition.start_pre.clone() {
            end = self.command(&setting, &argv, Phase::Before, START_LIMIT).await?;
            if end.is_some() || self.stopping {
                break;
            }
        }
        let mut end = match end {
            Some(failed) => failed,
            None if self.stopping => End { is_failure: false, why: "it was stopped".to_owned() },
            None => self.main(&setting).await?,
        };
        self.note(Phase::After, end.why.clone());
        for argv in self.definition.stop_post.clone() {
            let limit = self.definition.stop_timeout;
            if let Some(failed) = self.command(&setting, &argv, Phase::After, limit).await? {
                end = if end.is_failure { end } else { failed };
            }
        }
        Ok(end)
    }

    /// Runs a command before or after. None when it succeeded, or a stop cut it off.
    async fn command(
        &mut self,
        setting: &Setting,
        argv: &[String],
        phase: Phase,
        limit: Duration,
    ) -> Result<Option<End>, Fault> {
        let Some((program, arguments)) = argv.split_first() else { return Ok(None) };
        let failed = || Fault::failed::<io::Error>(format!("run {program}"));
        let mut child = setting.start(program, arguments, None, &self.output).map_err(failed())?;
        let process = Process::of(number(&child));
        let by = Instant::now() + limit;
        let mut cut = None;
        let status = loop {
            tokio::select! {
                status = child.wait() => break status.map_err(failed())?,
                () = sleep_until(by), if cut.is_none() => {
                    cut = Some(Some(End::failure(format!("{program} took longer than {limit:?}"))));
                    child::signal(&child, Signal::KILL);
                }
                _ = self.asked.stop.recv() => {
                    self.stopping = true;
                    if phase == Phase::Before {
                        cut = Some(None);
                        child::signal(&child, Signal::KILL);
                    }
                }
                _ = self.asked.read.recv() => self.read_again(),
            }
        };
        if let Some(process) = process {
            sweep(process).await?;
        }
        if let Some(cut) = cut {
            return Ok(cut);
        }
        let failure = || End::failure(format!("{program}: {}", describe(status)));
        Ok((!status.success()).then(failure))
    }

    /// The program itself.
    async fn main(&mut self, setting: &Setting) -> Result<End, Fault> {
        let program = self.definition.program.clone();
        let failed = || Fault::failed::<io::Error>(format!("run {program}"));
        let notify = match self.definition.start {
            Start::Simple => None,
            Start::Notify => Some(Notify::listen().map_err(failed())?),
        };
        let address = notify.as_ref().map(|it| it.address.as_str());
        let arguments = &self.definition.arguments;
        let mut child =
            setting.start(&program, arguments, address, &self.output).map_err(failed())?;
        self.state.main = Process::of(number(&child));
        self.note(Phase::Starting, String::new());
        let (status, cut) = self.watch(&mut child, notify.as_ref()).await;
        let status = status.map_err(Fault::failed(format!("wait for {program}")))?;
        if let Some(process) = self.state.main {
            sweep(process).await?;
        }
        let is_early = notify.is_some() && self.state.phase == Phase::Starting;
        let end = match cut {
            Some(why) => End::failure(why),
            None if is_early && status.success() => End::failure("it ended before it was ready"),
            None if self.stopping => End { is_failure: false, why: "it was stopped".to_owned() },
            None => End::of(status),
        };
        Ok(end)
    }

    /// Stays with the program until it has ended, and says why it was made to, if that is a failure.
    async fn watch(
        &mut self,
        child: &mut Child,
        notify: Option<&Notify>,
    ) -> (io::Result<ExitStatus>, Option<String>) {
        let process = number(child);
        let first = if notify.is_some() { START_LIMIT } else { MOMENT };
        let (mut by, mut cut) = (Some(Instant::now() + first), None);
        loop {
            let (is_starting, is_stopping) =
                (self.state.phase == Phase::Starting, self.state.phase == Phase::Stopping);
            tokio::select! {
                // An end that is there already counts before anything else.
                biased;
                status = child.wait() => return (status, cut),
                _ = self.asked.stop.recv() => {
                    self.stopping = true;
                    if !is_stopping {
                        by = Some(self.ask_to_end(child));
                    }
                }
                heard = ready(notify, process), if is_starting => match heard {
                    Ok(()) => {
                        by = None;
                        self.is_running();
                    }
                    Err(error) => {
                        cut = Some(format!("cannot hear whether it is ready: {error}"));
                        by = Some(self.ask_to_end(child));
                    }
                },
                () = until(by) => {
                    by = None;
                    if is_stopping {
                        let limit = self.definition.stop_timeout;
                        let why = format!("it did not end within {limit:?} and was killed");
                        cut.get_or_insert(why);
                        child::signal(child, Signal::KILL);
                    } else if notify.is_some() {
                        cut = Some(format!("it was not ready within {START_LIMIT:?}"));
                        by = Some(self.ask_to_end(child));
                    } else {
                        self.is_running();
                    }
                }
                _ = self.asked.reload.recv() => {
                    // Before it runs it may not know the signal, and would end by it.
                    if let Some(signal) = self.definition.reload
                        && self.state.phase == Phase::Running
                    {
                        child::signal(child, kernel(signal));
                    }
                }
                _ = self.asked.read.recv() => self.read_again(),
            }
        }
    }

    fn is_running(&mut self) {
        self.note(Phase::Running, String::new());
        self.starter.tell(STARTED);
    }

    /// When it is to be killed.
    fn ask_to_end(&mut self, child: &Child) -> Instant {
        child::signal(child, kernel(self.definition.stop_signal));
        self.note(Phase::Stopping, String::new());
        Instant::now() + self.definition.stop_timeout
    }

    /// Takes over what is in the unit file now, for whatever comes next. One that cannot be run changes nothing.
    fn read_again(&mut self) {
        let Ok(loaded) = load(&self.root, self.unit) else { return };
        loaded.digest().clone_into(&mut self.state.read);
        match loaded.definition(self.unit) {
            Ok((definition, _)) => self.definition = definition,
            Err(fault) => self.log.say(&fault.to_string()),
        }
        self.note(self.state.phase, self.state.why.clone());
    }

    /// A disk that is full takes the word of it, and not the service.
    fn note(&mut self, phase: Phase, why: String) {
        (self.state.phase, self.state.why) = (phase, why);
        if let Err(fault) = self.state.write(&self.root, self.unit) {
            self.log.say(tonic::Status::from(fault).message());
        }
    }
}

async fn ready(notify: Option<&Notify>, process: i32) -> io::Result<()> {
    match notify {
        Some(notify) => notify.ready(process).await,
        None => std::future::pending().await,
    }
}

async fn until(by: Option<Instant>) {
    match by {
        Some(by) => sleep_until(by).await,
        None => std::future::pending().await,
    }
}
