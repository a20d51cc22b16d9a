//! `restore` of a cluster: what is written, what is wrong with it, and what it means.

use std::collections::BTreeMap;
use std::fmt;

use super::forecast;
use super::model::{EtcdClusterModel, members};
use crate::actions::etcd::{Consumer, Source, Terms};
use crate::actions::kubernetes;
use crate::domain::Kind;
use crate::domain::etcd::Desired;
use crate::domain::etcd::restore::{
    Clients, MOST_GENERATION, Observed, Refusal, Step, Subject, Wanted, believe, next,
};
use crate::engine::{Announced, End, Fleet, steps_of};
use crate::model;
use crate::resources::host::{HostModel, target};
use crate::resources::provider::{Client, Gap};
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::model::configured;
use crate::tfplugin::path::Path;
use crate::tfplugin::value::Value;

model! {
    /// A restore. It happens once for each generation, and the number is kept on the hosts: a state that was lost repeats none.
    pub(crate) struct RestoreModel {
        /// A number that may only grow. With a higher one than before, the data of the cluster is replaced.
        generation: Value<i64> = required().check(between(1, MOST_GENERATION_HERE)),
        /// `snapshot`, or `survivor`: the data of the member that is left and goes furthest. What only the lost members had
        /// written is lost.
        from: Value<String> = optional().default("snapshot").check(one_of(&["snapshot", "survivor"])),
        /// Name in `object_stores` of the provider. The host that can look into it first brings the snapshot, and is told the
        /// keys for that alone. One of this, `file` and `directory`.
        store: Value<String> = optional(),
        /// A snapshot on the machine that runs Terraform, with its manifest beside it: `NAME.db.zst` or `NAME.db`, and `NAME.json`.
        file: Value<String> = optional(),
        /// Directory of an `ha_etcd_backup` on the hosts.
        directory: Value<String> = optional().check(text("an absolute path", |it| it.starts_with('/') && !it.ends_with('/'))),
        /// Name of a snapshot in `store` or `directory`, or `latest`: the newest that was verified.
        snapshot: Value<String> = optional().default("latest").check(text("a name without `/`", |it| !it.is_empty() && !it.contains('/'))),
        /// Gives up what was written since the snapshot. Required while the cluster has a quorum.
        discard_current_data: Value<bool> = optional().default(false),
        /// States that API servers which cannot be reached, or are not managed here, are stopped.
        clients_stopped: Value<bool> = optional().default(false),
    }
}

#[expect(clippy::cast_possible_wrap, reason = "it is far below")]
const MOST_GENERATION_HERE: i64 = MOST_GENERATION as i64;

fn at(name: &'static str) -> Path {
    Path::root("restore").attribute(name)
}

/// What is wrong by itself, as far as it is known.
pub(super) fn check(model: &EtcdClusterModel) -> Diagnostics {
    let Value::Known(restore) = &model.restore else { return Diagnostics::new() };
    let fault = |name, detail: &str| {
        Diagnostics::from(Diagnostic::error("It is not clear what to restore", detail).at(at(name)))
    };
    let given = |it: &Value<String>| !it.is_null();
    let sources = [
        ("store", given(&restore.store)),
        ("file", given(&restore.file)),
        ("directory", given(&restore.directory)),
    ];
    let given: Vec<_> = sources.iter().filter(|it| it.1).map(|it| it.0).collect();
    let is_latest = restore.snapshot.known().is_none_or(|it| it == "latest");
    let from = match &restore.from {
        Value::Unknown => return Diagnostics::new(),
        Value::Null => None,
        Value::Known(from) => Some(from.as_str()),
    };
    match (from, given[..].as_ref()) {
        (Some("survivor"), []) => Diagnostics::new(),
        (Some("survivor"), [one, ..]) => {
            fault(one, "With `from = \"survivor\"` the data comes from a member that is left.")
        }
        (_, []) => fault("directory", "None of `file`, `directory` and `store` is set."),
        (_, ["file"]) if !is_latest => {
            let detail =
                "`file` names the snapshot already; `snapshot` is for `store` and `directory`.";
            fault("snapshot", detail)
        }
        (_, [_]) => Diagnostics::new(),
        (_, [_, second, ..]) => {
            fault(second, "More than one of `file`, `directory` and `store` is set.")
        }
    }
}

/// The highest generation that the state knows of.
pub(super) fn reached(prior: Option<&EtcdClusterModel>) -> u64 {
    let shown = prior.and_then(|it| it.access.known()?.generation.known());
    let asked = prior.and_then(|it| it.restore.known()?.generation.known());
    let highest = shown.into_iter().chain(asked).max();
    highest.and_then(|it| u64::try_from(*it).ok()).unwrap_or_default()
}

/// The number that a restore has.
fn generation(restore: &RestoreModel) -> Option<u64> {
    u64::try_from(*restore.generation.known()?).ok()
}

/// What `access` is to show. Unknown while it is not known whether it grows.
pub(super) fn shown(model: &EtcdClusterModel) -> Value<i64> {
    let before = model.access.known().and_then(|it| it.generation.known()).copied();
    let before = before.unwrap_or_default();
    match &model.restore {
        Value::Null => Value::Known(before),
        Value::Unknown => Value::Unknown,
        Value::Known(it) => match it.generation {
            Value::Known(generation) => Value::Known(before.max(generation)),
            _ => Value::Unknown,
        },
    }
}

/// Whether a restore is wished that the state has not seen. None: that is not known yet.
pub(super) fn grows(prior: Option<&EtcdClusterModel>, planned: &EtcdClusterModel) -> Option<bool> {
    match &planned.restore {
        Value::Null => Some(false),
        Value::Unknown => None,
        Value::Known(it) => generation(it).map(|it| reached(prior) < it),
    }
}

/// A number that was used before.
pub(super) fn shrinks(
    prior: Option<&EtcdClusterModel>,
    planned: &EtcdClusterModel,
) -> Option<Diagnostic> {
    let generation = generation(planned.restore.known()?)?;
    let reached = reached(prior);
    (generation < reached).then(|| {
        let detail =
            format!("Generation {reached} was restored already, and {generation} is lower.");
        let fault = Diagnostic::error("A generation may only grow", detail).at(at("generation"));
        fault.hint(&format!("To restore once more, set it to {}.", reached + 1))
    })
}

/// What a plan needs to know of it. None: nothing is to be restored, or not all is known. `id`: of the cluster, once it has
/// one.
pub(super) fn wanted(
    prior: Option<&EtcdClusterModel>,
    planned: &EtcdClusterModel,
    id: Option<&str>,
) -> Option<Wanted> {
    let restore = planned.restore.known().filter(|_| grows(prior, planned) == Some(true))?;
    let written = Written::of(restore)?;
    Some(Wanted {
        generation: generation(restore)?,
        source: written.to_string(),
        is_of_survivor: matches!(written, Written::Survivor),
        discards: *restore.discard_current_data.known()?,
        clients_stopped: *restore.clients_stopped.known()?,
        resource: id.map(str::to_owned),
    })
}

/// What a run is to do. None: nothing is to be restored.
///
/// # Errors
/// The provider has no such store, or it is not known yet.
pub(super) fn terms(
    prior: Option<&EtcdClusterModel>,
    planned: &EtcdClusterModel,
    id: Option<&str>,
    client: &Client,
) -> Result<Option<Terms>, Gap> {
    let written = || Written::of(planned.restore.known()?);
    let Some((wanted, written)) = wanted(prior, planned, id).zip(written()) else {
        return Ok(None);
    };
    Ok(Some(Terms { wanted, source: written.source(client)? }))
}

/// Where the data comes from, as it is written. Of several snapshots None is the newest that was verified.
enum Written<'a> {
    Survivor,
    File(&'a String),
    Store(&'a String, Option<&'a String>),
    Directory(&'a String, Option<&'a String>),
}

impl<'a> Written<'a> {
    /// None: it is not known yet.
    fn of(restore: &'a RestoreModel) -> Option<Self> {
        if restore.from.known()? == "survivor" {
            return Some(Self::Survivor);
        }
        if let Value::Known(file) = &restore.file {
            return Some(Self::File(file));
        }
        let snapshot = Some(restore.snapshot.known()?).filter(|it| *it != "latest");
        if let Value::Known(store) = &restore.store {
            return Some(Self::Store(store, snapshot));
        }
        Some(Self::Directory(restore.directory.known()?, snapshot))
    }

    fn source(&self, client: &Client) -> Result<Source, Gap> {
        Ok(match self {
            Self::Survivor => Source::Survivor,
            Self::File(file) => Source::File(file.into()),
            Self::Store(store, snapshot) => {
                let store = client.object_store(store, &at("store"))?;
                Source::Store { store, snapshot: snapshot.cloned() }
            }
            Self::Directory(path, snapshot) => {
                Source::Directory { path: (*path).clone(), snapshot: snapshot.cloned() }
            }
        })
    }
}

/// A run that goes on tells by it whether the same is wished.
impl fmt::Display for Written<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (place, snapshot) = match self {
            Self::Survivor => return f.write_str("the data of a member that is left"),
            Self::File(file) => return write!(f, "the snapshot in the file {file}"),
            Self::Store(store, snapshot) => (format!("the store {store}"), snapshot),
            Self::Directory(path, snapshot) => ((*path).clone(), snapshot),
        };
        match snapshot {
            None => write!(f, "the newest verified snapshot in {place}"),
            Some(name) => write!(f, "the snapshot {name} in {place}"),
        }
    }
}

/// A store that the provider block does not have. One that it may have later is none.
pub(super) fn missing_store(planned: &EtcdClusterModel, client: &Client) -> Option<Diagnostic> {
    let written = Written::of(planned.restore.known()?)?;
    match written.source(client) {
        Err(Gap::Fault(fault)) => Some(fault),
        Err(Gap::Unknown(_)) | Ok(_) => None,
    }
}

/// The steps of a restore, what of them is announced, and why there are none.
pub(super) fn forecast(
    prior: Option<&EtcdClusterModel>,
    planned: &EtcdClusterModel,
    desired: &Desired,
    wanted: &Wanted,
    has_quorum: bool,
) -> (Vec<Step>, Announced, Option<Refusal>) {
    let mut etcd = forecast::observed(prior, planned, desired);
    if !has_quorum {
        etcd.cluster = None;
    }
    let former: Vec<_> = etcd.former.keys().map(ToString::to_string).collect();
    let observed = Observed {
        etcd,
        progress: BTreeMap::new(),
        found: None,
        heard: desired.members.keys().cloned().collect(),
        clients: Clients::default(),
    };
    let apply = |it: &mut Observed, step: &Step| believe(desired, wanted, it, step);
    let found = steps_of(observed, |it| next(desired, wanted, it), apply);
    let mut announced = Announced::by(&found.steps);
    // Hosts that are not as the state has them stop and switch as well.
    announced.add(Kind::Restore, members(planned).map(|(key, _)| key.as_str()));
    announced.add(Kind::Restore, former.iter().map(String::as_str));
    announced.add(Kind::MoveAside, former.iter().map(String::as_str));
    let refusal = match found.end {
        End::Refused(refusal) => Some(refusal),
        End::Done | End::Waits(_) | End::Endless => None,
    };
    (found.steps, announced, refusal)
}

/// The hosts of a control plane, as those of the cluster remember them. None: the provider block leads to none of them.
pub(super) fn reach(consumer: &Consumer, client: &Client) -> Option<Fleet> {
    let way = |(key, way): (&String, &serde_json::Value)| {
        let model = configured::<HostModel>(way).ok()?;
        let way = target(&model, key, &Path::root("restore"), client, None).ok()?;
        Some((key.clone(), way))
    };
    let targets = consumer.hosts.iter().map(way).collect::<Option<BTreeMap<_, _>>>()?;
    let lock = format!("{}-{}", kubernetes::KIND, consumer.name);
    Some(Fleet::new(std::sync::Arc::clone(&client.hosts), targets, &lock))
}

/// A refusal as an error at what is at fault.
pub(super) fn explain(refusal: &Refusal) -> Diagnostic {
    let diag = Diagnostic::error("The etcd cluster cannot be restored as it is wished", refusal);
    let path = match refusal.subject() {
        Subject::Cluster(subject) => super::wish::path(&subject),
        Subject::Restore(None) => Some(Path::root("restore")),
        Subject::Restore(Some(name)) => Some(at(name)),
    };
    match path {
        Some(path) => diag.at(path),
        None => diag,
    }
}
