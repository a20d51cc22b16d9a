//! `probe_thing`: a managed resource with every feature.

mod model;
mod steps;

use std::collections::BTreeMap;
use std::io;

use serde::{Deserialize, Serialize};
use terraform_provider_ha::proto::tfplugin6::DynamicValue;
use terraform_provider_ha::tfplugin::api::{
    Applied, Context, Created, Deleted, ImportKey, Imported, Object, Planning, Read, Resource,
    Wanted,
};
use terraform_provider_ha::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use terraform_provider_ha::tfplugin::model::{Model, decode};
use terraform_provider_ha::tfplugin::path::Path;
use terraform_provider_ha::tfplugin::value::{Datum, Value};
use terraform_provider_ha::tfplugin::wire;

pub(crate) use self::model::{ThingIdentity, ThingModel};
use self::steps::Steps;
use crate::provider::{Objects, Probe};
use crate::store::{Record, Store};

pub(crate) struct Thing;

/// Kept beside the state: how often it was planned to be written.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Writes {
    planned: i64,
    reads: i64,
}

impl Resource for Thing {
    const NAME: &'static str = "probe_thing";
    const VERSION: i64 = 1;
    type Provider = Probe;
    type Model = ThingModel;
    type Identity = ThingIdentity;
    type Private = Writes;

    fn validate(&self, config: &ThingModel) -> Diagnostics {
        let twice = config.members.known().and_then(|members| {
            let address = |at: &String| members[at].address.known().cloned();
            members.keys().find(|a| {
                members.keys().any(|b| a < &b && address(a).is_some() && address(a) == address(b))
            })
        });
        let fault = |name: &String| {
            let path = Path::root("members").key(name).attribute("address");
            // The engines show only the block for a path inside an attribute: the text must name it.
            let detail = format!("`{path}` is taken by another member; each needs one of its own.");
            Diagnostic::error("Two members share an address", detail).at(path)
        };
        twice.map(fault).into_iter().collect()
    }

    async fn plan(&self, _: &Objects, change: &mut Planning<Self>, _: &Context) -> Diagnostics {
        change.private.planned += 1;
        let Some(prior) = &change.prior else { return Diagnostics::new() };
        let none = BTreeMap::default();
        let before = prior.state.members.known().unwrap_or(&none);
        let after = change.planned.members.known().unwrap_or(&none);
        let joins = after.keys().filter(|it| !before.contains_key(*it));
        let leaves = before.keys().filter(|it| !after.contains_key(*it));
        change.steps.extend(joins.map(|it| format!("member {it} joins")));
        change.steps.extend(leaves.map(|it| format!("member {it} leaves")));
        Diagnostics::new()
    }

    async fn create(
        &self,
        objects: &Objects,
        wanted: Wanted<Self>,
        context: &Context,
    ) -> Created<Self> {
        let store = match objects.known() {
            Ok(store) => store,
            Err(diags) => return Created::Nothing(diags),
        };
        let fail = wanted.planned.fail.known().cloned().unwrap_or_default();
        if fail == "create" {
            let detail = "Nothing was written. Take `fail` away and apply again.";
            return Created::Nothing(Diagnostic::error("The thing was not created", detail).into());
        }
        let steps = Steps { store, name: name(&wanted.planned), context };
        let mut diags = steps.all(&wanted.planned).await;
        let private = wanted.private.clone();
        let state = match write(store, "create", wanted, 1) {
            Ok(state) => state,
            Err(err) => {
                let diag = Diagnostic::error("The file cannot be written", &err);
                return Created::Nothing(diag.into());
            }
        };
        if fail == "create-partial" {
            let detail = "The file is written, but the thing does not work.";
            diags.push(Diagnostic::error("The thing is created in part", detail));
        }
        Created::Made(Applied { state, private, diags })
    }

    async fn read(&self, objects: &Objects, object: Object<Self>, _: &Context) -> Read<Self> {
        let Object { mut state, mut private, .. } = object;
        let Some(store) = objects.if_known() else {
            let detail = "`directory` is known only after apply; the stored object stays.";
            let diags = Diagnostic::warning("The thing was not looked at", detail).into();
            return Read::Present(Applied { state, private, diags });
        };
        if state.fail.known().is_some_and(|it| it == "read") {
            let detail = "The fault was injected. What is stored stays.";
            return Read::Failed(Diagnostic::error("The thing cannot be read", detail).into());
        }
        let name = name(&state);
        let found = store.log(&format!("read {name}")).and_then(|()| store.get(&name));
        match found {
            Ok(Some(record)) => {
                private.reads += 1;
                see(&mut state, &record);
                Read::Present(Applied { state, private, diags: Diagnostics::new() })
            }
            Ok(None) => Read::Gone,
            Err(err) => Read::Failed(Diagnostic::error("The thing cannot be read", &err).into()),
        }
    }

    async fn update(
        &self,
        objects: &Objects,
        prior: Object<Self>,
        wanted: Wanted<Self>,
        context: &Context,
    ) -> Applied<Self> {
        let (before, private) = (prior.state.clone(), wanted.private.clone());
        let failed = |diags| Applied { state: before, private, diags };
        let store = match objects.known() {
            Ok(store) => store,
            Err(diags) => return failed(diags),
        };
        let serial = prior.state.serial.known().copied().unwrap_or_default() + 1;
        let steps = Steps { store, name: name(&wanted.planned), context };
        let mut diags = steps.all(&wanted.planned).await;
        let mut wanted = wanted;
        if wanted.planned.fail.known().is_some_and(|it| it == "update") {
            let detail = "The size is reached, the note is not. Take `fail` away and apply again.";
            diags.push(
                Diagnostic::error("The thing is not as planned", detail).at(Path::root("note")),
            );
        }
        if diags.has_errors() {
            // What was not reached keeps its prior value, so that the next plan shows the rest.
            wanted.planned.note = prior.state.note.clone();
        }
        let private = wanted.private.clone();
        match write(store, "update", wanted, serial) {
            Ok(state) => Applied { state, private, diags },
            Err(err) => failed(Diagnostic::error("The file cannot be written", &err).into()),
        }
    }

    async fn delete(&self, objects: &Objects, object: Object<Self>, _: &Context) -> Deleted<Self> {
        let Object { state, private, .. } = object;
        let name = name(&state);
        let is_asked_to_fail = state.fail.known().is_some_and(|it| it == "delete");
        let remains = |diags| Deleted::Remains(Applied { state, private, diags });
        let store = match objects.known() {
            Ok(store) => store,
            Err(diags) => return remains(diags),
        };
        let fail = store.get(&name).map(|_| ()).and_then(|()| store.log(&format!("delete {name}")));
        if let Err(err) = fail {
            return remains(Diagnostic::error("The file cannot be removed", &err).into());
        }
        if is_asked_to_fail {
            let detail = "The file is still there. Take `fail` away, apply, and destroy again.";
            return remains(Diagnostic::error("The thing was not destroyed", detail).into());
        }
        match store.remove(&name) {
            Ok(()) => Deleted::Gone(Diagnostics::new()),
            Err(err) => remains(Diagnostic::error("The file cannot be removed", &err).into()),
        }
    }

    fn protects(&self, object: &Object<Self>) -> Diagnostics {
        if object.state.protected.known() != Some(&true) {
            return Diagnostics::new();
        }
        let detail = "Set `protected` to false and apply, then destroy.";
        Diagnostic::error("The thing is protected", detail).at(Path::root("protected")).into()
    }

    fn identify(&self, state: &ThingModel, known: Option<&ThingIdentity>) -> Option<ThingIdentity> {
        let directory = known.map(|it| it.directory.clone()).unwrap_or_default();
        state.name.is_known().then(|| ThingIdentity { name: state.name.clone(), directory })
    }

    async fn import(
        &self,
        objects: &Objects,
        key: ImportKey<ThingIdentity>,
        _: &Context,
    ) -> Result<Imported<Self>, Diagnostics> {
        let store = objects.known()?;
        let (name, identity) = match key {
            ImportKey::Id(id) => (id, None),
            ImportKey::Identity(it) => (it.name.known().cloned().unwrap_or_default(), Some(it)),
        };
        let found = store.get(&name);
        let record = match found {
            Ok(Some(record)) => record,
            Ok(None) => {
                let detail = format!("There is no {name}.json in {}.", store.directory());
                return Err(Diagnostic::error("There is no such thing", detail).into());
            }
            Err(err) => return Err(Diagnostic::error("The thing cannot be read", &err).into()),
        };
        let state = recorded(&record)?;
        let object = Object { state, private: Writes::default(), identity };
        Ok(Imported { object, diags: Diagnostics::new() })
    }

    fn upgrade(
        &self,
        from: i64,
        mut state: serde_json::Value,
    ) -> Result<serde_json::Value, Diagnostic> {
        if from != 0 {
            let detail = format!("Version {from} was never released.");
            return Err(Diagnostic::error("The stored thing is of an unknown version", detail));
        }
        if let Some(object) = state.as_object_mut() {
            // Version 0 had `title` for `name`, and `size` as a string.
            if let Some(title) = object.remove("title") {
                object.insert("name".to_owned(), title);
            }
            let size = object.get("size").and_then(|it| it.as_str()?.parse::<i64>().ok());
            object.insert("size".to_owned(), size.into());
        }
        Ok(state)
    }
}

fn name(state: &ThingModel) -> String {
    state.name.known().cloned().unwrap_or_default()
}

/// Writes the file and logs it; answers with the thing as it is now.
fn write(store: &Store, event: &str, wanted: Wanted<Thing>, serial: i64) -> io::Result<ThingModel> {
    let state = complete(wanted.planned, serial);
    let object = Datum::Map(state.encode_object());
    let encoded = wire::encode(&object, ThingModel::schema(0).ty()).map_err(io::Error::other)?;
    let record = Record {
        name: name(&state),
        note: state.note.known().cloned(),
        size: state.size.known().copied().unwrap_or(1),
        serial,
        password: wanted.config.password.known().map(|it| it.expose().clone()),
        state: encoded.msgpack.into(),
        edited: false,
    };
    store.log(&format!("{event} {}", record.name))?;
    store.put(&record)?;
    Ok(state)
}

/// The state that was last applied, as the file has it.
fn recorded(record: &Record) -> Result<ThingModel, Diagnostics> {
    let value = DynamicValue { msgpack: record.state.clone().into(), ..DynamicValue::default() };
    let object = wire::decode(Some(&value), ThingModel::schema(0).ty());
    let object = object.map_err(|err| Diagnostic::error("The file has no readable state", &err))?;
    decode(&object)
}

/// The plan with its computed values.
fn complete(mut planned: ThingModel, serial: i64) -> ThingModel {
    let name = name(&planned);
    let note = planned.note.known().cloned().unwrap_or_default();
    let size = planned.size.known().copied().unwrap_or(1);
    planned.id = format!("thing-{name}").into();
    planned.fingerprint = format!("{name}:{}:{size}", note.len()).into();
    planned.serial = serial.into();
    planned.drift = Vec::new().into();
    if let Value::Known(settings) = &mut planned.settings {
        let mode = settings.mode.known().cloned().unwrap_or_default();
        let depth = settings.depth.known().map_or_else(|| "any".to_owned(), i64::to_string);
        settings.effective = format!("{mode}/{depth}").into();
    }
    if let Value::Known(members) = &mut planned.members {
        for member in members.values_mut() {
            let address = member.address.known().cloned().unwrap_or_default();
            let port = member.port.known().copied().unwrap_or_default();
            member.endpoint = format!("{address}:{port}").into();
        }
    }
    planned
}

/// What a look at the file tells. Configured values are never changed by a look: what an apply
/// would mend is drift.
fn see(state: &mut ThingModel, record: &Record) {
    let size = record.size;
    let note = record.note.clone().unwrap_or_default();
    state.id = format!("thing-{}", record.name).into();
    state.fingerprint = format!("{}:{}:{size}", record.name, note.len()).into();
    state.serial = record.serial.into();
    let edited = record.edited.then(|| format!("{}.json was edited", record.name));
    state.drift = edited.into_iter().collect::<Vec<_>>().into();
}
