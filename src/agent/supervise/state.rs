//! What a supervisor writes down about itself, for every agent to read.

use rustix::fs::Mode;

use super::identity::{Process, boot};
use crate::agent::fault::Fault;
use crate::agent::files::look;
use crate::agent::files::owner::Owner;
use crate::agent::files::put::{Wanted, put};
use crate::agent::line;
use crate::agent::place::{HostPath, Root};
use crate::agent::state::{DIRECTORY, place};

/// Below the directory of the agent.
pub(super) const FOLDER: &str = "supervise";
const SUFFIX: &str = ".state";
const MOST_BYTES: u64 = 64 << 10;

/// What a service is doing, in systemd's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It does not run, and should not.
    Dead,
    /// It does not run, after a failure.
    Failed,
    /// Commands run before it.
    Before,
    /// It runs, and is not ready.
    Starting,
    /// It runs.
    Running,
    /// It was asked to end.
    Stopping,
    /// Commands run after it.
    After,
    /// It is started again in a moment.
    Pausing,
}

impl Phase {
    const ALL: &[Self] = &[
        Self::Dead,
        Self::Failed,
        Self::Before,
        Self::Starting,
        Self::Running,
        Self::Stopping,
        Self::After,
        Self::Pausing,
    ];

    /// `ActiveState` and `SubState`.
    pub(super) fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Dead => ("inactive", "dead"),
            Self::Failed => ("failed", "failed"),
            Self::Before => ("activating", "start-pre"),
            Self::Starting => ("activating", "start"),
            Self::Running => ("active", "running"),
            Self::Stopping => ("deactivating", "stop-sigterm"),
            Self::After => ("deactivating", "stop-post"),
            Self::Pausing => ("activating", "auto-restart"),
        }
    }
}

/// The state of one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) boot: String,
    pub(super) supervisor: Process,
    /// What it started last; it need not run any more.
    pub(super) main: Option<Process>,
    pub(super) phase: Phase,
    pub(super) restarts: u32,
    /// The digest of the unit file as it was read last; empty when there was none.
    pub(super) read: String,
    /// Why it ended last.
    pub(super) why: String,
}

impl State {
    /// Absent when the service never ran here.
    pub(super) fn read(root: &Root, unit: &str) -> Result<Option<Self>, Fault> {
        let path = HostPath::parse(format!("{DIRECTORY}/{FOLDER}/{unit}{SUFFIX}").as_bytes())?;
        let Some(place) = root.find(&path)? else { return Ok(None) };
        let (_, text) = look::read(&place, MOST_BYTES)?;
        if text.is_empty() {
            return Ok(None);
        }
        let state = String::from_utf8(text).ok().and_then(|it| parse(it.trim_end_matches('\n')));
        // A service that runs must not look as if it did not.
        let state = state.ok_or_else(|| Fault::Refused(format!("{path} holds no state")))?;
        Ok(Some(state))
    }

    /// Whoever reads it sees the whole of it.
    pub(super) fn write(&self, root: &Root, unit: &str) -> Result<(), Fault> {
        let content = self.render();
        let mode = Mode::RUSR | Mode::WUSR;
        let wanted = Wanted { content: content.as_bytes(), mode, owner: Owner::of_agent() };
        put(&place(root, FOLDER, &format!("{unit}{SUFFIX}"))?, wanted).map(drop)
    }

    /// Whether its supervisor runs: a state that says "running" may have outlived it.
    pub(super) fn is_live(&self) -> Result<bool, Fault> {
        Ok(self.boot == boot()? && self.supervisor.is_alive())
    }

    /// What the service does now.
    pub(super) fn phase_now(&self) -> Result<Phase, Fault> {
        Ok(match self.phase {
            phase if self.is_live()? => phase,
            // The machine stopped, and the service with it, as every other.
            _ if self.boot != boot()? => Phase::Dead,
            phase @ (Phase::Dead | Phase::Failed) => phase,
            _ => Phase::Failed,
        })
    }

    fn render(&self) -> String {
        let main = self.main.unwrap_or(Process { id: 0, started: 0 });
        let numbers = [
            self.supervisor.id.to_string(),
            self.supervisor.started.to_string(),
            main.id.to_string(),
            main.started.to_string(),
            self.restarts.to_string(),
        ];
        let [id, started, main_id, main_started, restarts] = numbers.each_ref().map(String::as_str);
        let sub = self.phase.words().1;
        let Self { boot, read, why, .. } = self;
        line::render(&[boot, id, started, main_id, main_started, sub, restarts, read, why])
    }
}

/// The units that have a state.
pub(super) fn units(root: &Root) -> Result<Vec<String>, Fault> {
    let path = HostPath::parse(format!("{DIRECTORY}/{FOLDER}").as_bytes())?;
    let failed = || Fault::failed::<rustix::io::Errno>(format!("list {path}"));
    let directory = match root.directory(&path) {
        Err(rustix::io::Errno::NOENT) => return Ok(Vec::new()),
        directory => directory.map_err(failed())?,
    };
    let mut units = Vec::new();
    for entry in rustix::fs::Dir::read_from(&directory).map_err(failed())? {
        let entry = entry.map_err(failed())?;
        let name = entry.file_name().to_string_lossy();
        units.extend(name.strip_suffix(SUFFIX).map(str::to_owned));
    }
    Ok(units)
}

fn parse(line: &str) -> Option<State> {
    let [boot, id, started, main_id, main_started, sub, restarts, read, why] = line::parse(line)?;
    let process = |id: &str, started: &str| {
        Some(Process { id: id.parse().ok()?, started: started.parse().ok()? })
    };
    Some(State {
        boot,
        supervisor: process(&id, &started)?,
        main: Some(process(&main_id, &main_started)?).filter(|it| it.id > 0),
        phase: *Phase::ALL.iter().find(|it| it.words().1 == sub)?,
        restarts: restarts.parse().ok()?,
        read,
        why,
    })
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test looks at files")]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_read_back_and_a_torn_one_is_not_taken_for_none() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(Some(folder.path())).unwrap();
        assert_eq!(State::read(&root, "a.service").unwrap(), None);
        for (phase, id) in Phase::ALL.iter().zip(0..) {
            let state = State {
                boot: "b".to_owned(),
                supervisor: Process { id: 7, started: u64::MAX },
                main: (id > 0).then_some(Process { id, started: 8 }),
                phase: *phase,
                restarts: 3,
                read: String::new(),
                why: "exit status 1\n\t".to_owned(),
            };
            state.write(&root, "a.service").unwrap();
            assert_eq!(State::read(&root, "a.service").unwrap(), Some(state));
        }
        assert_eq!(units(&root).unwrap(), ["a.service"]);
        std::fs::write(folder.path().join("var/lib/ha-agent/supervise/a.service.state"), "b\t7")
            .unwrap();
        State::read(&root, "a.service").unwrap_err();
    }

    #[test]
    fn a_state_outlives_its_supervisor_as_a_failure_and_a_boot_as_nothing() {
        let own = Process::own().unwrap();
        let gone = Process { started: own.started + 1, ..own };
        let now = |boot: &str, supervisor, phase| {
            let (boot, read, why) = (boot.to_owned(), String::new(), String::new());
            State { boot, supervisor, main: None, phase, restarts: 0, read, why }
                .phase_now()
                .unwrap()
        };
        let boot = boot().unwrap();
        assert_eq!(now(&boot, own, Phase::Running), Phase::Running);
        assert_eq!(now(&boot, gone, Phase::Running), Phase::Failed);
        assert_eq!(now(&boot, gone, Phase::Pausing), Phase::Failed);
        assert_eq!(now(&boot, gone, Phase::Dead), Phase::Dead);
        assert_eq!(now("earlier", own, Phase::Running), Phase::Dead);
        assert_eq!(now("earlier", own, Phase::Failed), Phase::Dead);
    }
}
