//! Observe and perform for the trial service.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use terraform_provider_ha::actions::{
    Act, Owner, Running, record_name, remove_service, run_service, stamp, stamp_path, write_record,
};
use terraform_provider_ha::domain::Next;
use terraform_provider_ha::domain::service::{Definition, Service, render};
use terraform_provider_ha::engine::preflight::Needs;
use terraform_provider_ha::engine::record::{Claim, Record};
use terraform_provider_ha::engine::{Fleet, Stopped, World, gravest};
use terraform_provider_ha::host::messages::service_request::Action;
use terraform_provider_ha::host::messages::{self, FactsRequest};
use terraform_provider_ha::host::{File, Host, HostError, Locked};
use tokio::io::AsyncReadExt as _;
use tokio::time::timeout;

use crate::domain::{self, Desired, Observed, Refusal, Seen, Sight, Step};

pub(crate) const KIND: &str = "trial_service";
/// It answers at once, or something is wrong.
const ANSWER: Duration = Duration::from_secs(2);

/// What the actions know beyond the planner: where things lie, and what is in them.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) name: String,
    /// What stands before each path of this host in what its programs are told.
    pub(crate) root: String,
    /// Where the program listens: address and port.
    pub(crate) address: String,
    pub(crate) version: String,
    pub(crate) message: String,
}

impl Place {
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.version, self.message)
    }

    pub(crate) fn unit(&self) -> String {
        format!("trial-{}.service", self.name)
    }

    fn unit_path(&self) -> String {
        format!("/etc/systemd/system/{}", self.unit())
    }

    fn directory(&self) -> String {
        format!("/etc/trial-{}", self.name)
    }

    fn message_path(&self) -> String {
        format!("{}/message", self.directory())
    }

    fn program_path(&self) -> String {
        format!("/usr/local/lib/trial/{}/echo", self.version)
    }

    fn unit_text(&self) -> String {
        let under = |path: String| format!("{}{path}", self.root);
        let mut service = Service::new(
            &format!("trial-{}", self.name),
            "Says a line to whoever connects",
            &under(self.program_path()),
        );
        service.arguments =
            vec![self.version.clone(), self.address.clone(), under(self.message_path())];
        render(&Definition::new(service).expect("all of it was checked"))
    }

    /// What it is started with. The message is read each time.
    fn stamp(&self) -> [u8; 32] {
        let [(_, unit), _] = self.files();
        stamp(&[unit])
    }

    /// The files that are to be there, by what they are to the user.
    fn files(&self) -> [(&'static str, File); 2] {
        let file = |path, text: String| File {
            path,
            content: text.into_bytes(),
            mode: 0o644,
            ..File::default()
        };
        [
            ("the unit", file(self.unit_path(), self.unit_text())),
            ("the message", file(self.message_path(), format!("{}\n", self.message))),
        ]
    }
}

/// The hosts, the wish, and the program to install.
pub(crate) struct Trial<'a> {
    pub(crate) fleet: &'a mut Fleet,
    pub(crate) desired: Desired,
    /// Of every host that is or was in the resource.
    pub(crate) places: BTreeMap<String, Place>,
    pub(crate) claim: Claim,
    /// Given to a service that is created here.
    pub(crate) id: String,
    pub(crate) program: Vec<u8>,
}

impl World for Trial<'_> {
    type Observed = Observed;
    type Step = Step;
    type Refusal = Refusal;

    async fn observe(&mut self) -> Result<Observed, HostError> {
        let (places, claim) = (&self.places, &self.claim);
        let digest: [u8; 32] = Sha256::digest(&self.program).into();
        let looks =
            self.fleet.each(async |key, host| look(&host, &places[&key], claim, &digest).await);
        Ok(sights(looks.await))
    }

    fn next(&self, observed: &Observed) -> Next<Step, Refusal> {
        domain::next(&self.desired, observed)
    }

    async fn perform(&mut self, step: &Step) -> Result<(), HostError> {
        let hosts: BTreeSet<String> = terraform_provider_ha::domain::Step::hosts(step)
            .into_iter()
            .map(str::to_owned)
            .collect();
        let (places, program, claim) = (&self.places, &self.program, &self.claim);
        let record = |complete| Record {
            kind: KIND.to_owned(),
            name: self.claim.name.clone(),
            id: self.id.clone(),
            complete,
            applied: serde_json::Map::new(),
            consumers: BTreeSet::new(),
        };
        let done = self.fleet.some(&hosts, async |key, host| {
            let place = &places[&key];
            match step {
                Step::Claim(_) => write_record(&host, claim, &record(false)).await,
                Step::Finish(_) => write_record(&host, claim, &record(true)).await,
                Step::Install(_) => install(&host, place, program).await,
                Step::Configure(_) => configure(&host, place).await,
                Step::Start(_) => {
                    run_service(&host, &place.unit(), Act::Start, &place.stamp()).await
                }
                Step::Restart(_) => {
                    run_service(&host, &place.unit(), Act::Restart, &place.stamp()).await
                }
                Step::Remove(_) => remove(&host, place, claim).await,
            }
        });
        gravest(done.await).map(drop)
    }
}

/// Refuses hosts on which it could not run. One that has a part of it has the room and the port already.
pub(crate) async fn preflight(
    fleet: &mut Fleet,
    keys: &BTreeSet<String>,
    places: &BTreeMap<String, Place>,
    claim: &Claim,
    program: &[u8],
) -> Result<(), Stopped> {
    let needs = async |key: String, host: Locked| {
        let place = &places[&key];
        let records = host.records(&[&record_name(claim)]).await?;
        let mut needs = Needs { root: place.root.is_empty(), ..Needs::default() };
        if Owner::of(&records, claim) == Owner::Nobody
            && let Some((address, port)) = place.address.rsplit_once(':')
        {
            needs.space.push((place.program_path(), program.len() as u64));
            let address = address.trim_matches(['[', ']']).to_owned();
            needs.ports.push((address, port.parse().unwrap_or_default()));
        }
        Ok(needs)
    };
    fleet.preflight(keys, needs).await
}

/// Looks at every host without a lock, for a read.
pub(crate) async fn look_at_all(
    fleet: &Fleet,
    places: &BTreeMap<String, Place>,
    claim: &Claim,
    program: &[u8],
) -> Observed {
    let digest: [u8; 32] = Sha256::digest(program).into();
    let looks = fleet.look(async |key, host| look(&host, &places[&key], claim, &digest).await);
    sights(looks.await)
}

fn sights(answers: BTreeMap<String, Result<Seen, HostError>>) -> Observed {
    let sight = |answer| match answer {
        Ok(seen) => Sight::Seen(seen),
        Err(error) => Sight::Unseen(terraform_provider_ha::engine::chain(&error)),
    };
    Observed { nodes: answers.into_iter().map(|(key, it)| (key, sight(it))).collect() }
}

async fn look(
    host: &Host,
    place: &Place,
    claim: &Claim,
    program: &[u8; 32],
) -> Result<Seen, HostError> {
    let wanted = place.files();
    let mut files: Vec<_> = wanted.iter().map(|(_, it)| it.path.clone().into()).collect();
    files.extend([stamp_path(&place.unit()).into(), place.program_path().into()]);
    let request = FactsRequest { units: vec![place.unit()], files, ..FactsRequest::default() };
    let record = record_name(claim);
    let (facts, records) =
        tokio::try_join!(host.facts(request), async { host.records(&[&record]).await })?;
    let differs = |file: &File| {
        let digest: [u8; 32] = Sha256::digest(&file.content).into();
        !facts
            .files
            .iter()
            .any(|it| it.path == file.path && *it.digest == digest && it.mode == file.mode)
    };
    let owner = Owner::of(&records, claim);
    let running = Running::of(&facts, &place.unit(), &place.stamp());
    let said = if running.runs { ask(host, &place.address).await? } else { None };
    let is_there = |it: &messages::File| it.kind() != messages::file::Kind::Absent;
    Ok(Seen {
        has_traces: owner != Owner::Nobody || running.runs || facts.files[..2].iter().any(is_there),
        owner,
        is_installed: facts
            .files
            .last()
            .is_some_and(|it| *it.digest == *program && it.mode == 0o755),
        differing: wanted
            .iter()
            .filter(|(_, it)| differs(it))
            .map(|(name, _)| (*name).to_owned())
            .collect(),
        is_running: running.runs,
        is_stale: running.runs && !running.is_current,
        said,
    })
}

/// What the service says; None when it says nothing.
async fn ask(host: &Host, address: &str) -> Result<Option<String>, HostError> {
    let asked = timeout(ANSWER, async {
        let mut stream = host.forward(address).await?;
        let mut text = String::new();
        // Whatever came until it broke.
        let _ = stream.read_to_string(&mut text).await;
        Ok(text.lines().next().map(str::to_owned))
    });
    match asked.await {
        Ok(Err(HostError::Failed { .. })) | Err(_) => Ok(None),
        Ok(answer) => answer,
    }
}

async fn install(host: &Locked, place: &Place, program: &[u8]) -> Result<(), HostError> {
    let path = place.program_path();
    let above = path.rsplit_once('/').map_or("/", |(above, _)| above).to_owned();
    host.make_directory(&above, 0o755, ("", ""), true).await?;
    let content = program.to_vec();
    host.put(File { path, content, mode: 0o755, ..File::default() }).await.map(drop)
}

async fn configure(host: &Locked, place: &Place) -> Result<(), HostError> {
    host.make_directory("/etc/systemd/system", 0o755, ("", ""), true).await?;
    host.make_directory(&place.directory(), 0o755, ("", ""), true).await?;
    // The unit last: it makes a restart necessary, which would read the rest.
    for (_, file) in place.files().into_iter().rev() {
        host.put(file).await?;
    }
    host.service(Action::ReadUnits, "").await.map(drop)
}

/// The record goes last: until then the next run knows whose this is.
async fn remove(host: &Locked, place: &Place, claim: &Claim) -> Result<(), HostError> {
    remove_service(host, &place.unit()).await?;
    host.remove(&place.directory(), true).await?;
    host.remove("/usr/local/lib/trial", true).await?;
    host.remove_record(&record_name(claim)).await.map(drop)
}
