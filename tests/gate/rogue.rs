//! A provider whose every operation can be replaced by one that breaks the rules.

use serde::{Deserialize, Serialize};
use std::sync::Arc;
use terraform_provider_ha::model;
use terraform_provider_ha::tfplugin::api::{
    Answer, Applied, Context, Created, DataSource, Deleted, Ephemeral, ImportKey, Imported, Object,
    Opened, Planning, Provider, Read, Renewed, Resource, Wanted,
};
use terraform_provider_ha::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use terraform_provider_ha::tfplugin::model::{Nothing, Timeouts};
use terraform_provider_ha::tfplugin::value::{Datum, Value};
use tokio::sync::Notify;

model! {
    pub(crate) struct ThingModel {
        name: Value<String> = required().check(not_empty()),
        size: Value<i64> = optional().default(3).restarts("engine"),
        zone: Value<String> = optional().refuses_change().way_out("Move over first."),
        disk: Value<String> = optional().replaces(),
        secret: Value<String> = optional().write_only(),
        free: Value<Datum> = optional(),
        id: Value<String> = computed(),
        seen: Value<String> = computed().changes_always(),
        timeouts: Value<Timeouts> = timeouts(60, 120, 30, 90),
    }
}

model! {
    pub(crate) struct ThingIdentity {
        name: Value<String> = required(),
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Notes {
    pub(crate) pin: String,
}

pub(crate) struct Rogue;

impl Provider for Rogue {
    type Config = Nothing;
    type Client = ();

    async fn configure(&self, Nothing: Nothing, _: &Context) -> Result<(), Diagnostics> {
        Ok(())
    }
}

/// A resource; [`Thing::default`] keeps all rules.
#[derive(Clone)]
pub(crate) struct Thing {
    pub(crate) validate: fn() -> Diagnostics,
    pub(crate) plan: fn(&mut Planning<Thing>) -> Diagnostics,
    pub(crate) protects: fn(&Object<Thing>) -> Diagnostics,
    pub(crate) create: fn(Wanted<Thing>, &Context) -> Created<Thing>,
    pub(crate) read: fn(Object<Thing>) -> Read<Thing>,
    pub(crate) update: fn(Object<Thing>, Wanted<Thing>, &Context) -> Applied<Thing>,
    pub(crate) delete: fn(Object<Thing>, &Context) -> Deleted<Thing>,
    pub(crate) identify: fn(&ThingModel, Option<&ThingIdentity>) -> Option<ThingIdentity>,
    pub(crate) import: fn(ImportKey<ThingIdentity>) -> Result<Imported<Thing>, Diagnostics>,
    pub(crate) upgrade: fn(serde_json::Value) -> Result<serde_json::Value, Diagnostic>,
    /// With it a create says that it began, and then waits until it is cancelled.
    pub(crate) waits: Option<Arc<Notify>>,
}

pub(crate) fn diag(text: &str) -> Diagnostics {
    Diagnostic::error(text, "for the test").into()
}

/// What apply reaches when it keeps the rules.
pub(crate) fn reached(wanted: Wanted<Thing>) -> Applied<Thing> {
    let mut state = wanted.planned;
    if state.id.is_unknown() {
        state.id = "1".into();
    }
    if state.seen.is_unknown() {
        state.seen = "now".into();
    }
    Applied { state, private: wanted.private, diags: Diagnostics::new() }
}

/// A stored object as it is.
pub(crate) fn as_it_is(object: Object<Thing>) -> Applied<Thing> {
    Applied { state: object.state, private: object.private, diags: Diagnostics::new() }
}

impl Default for Thing {
    fn default() -> Self {
        Self {
            validate: Diagnostics::new,
            plan: |_| Diagnostics::new(),
            protects: |_| Diagnostics::new(),
            create: |wanted, _| Created::Made(reached(wanted)),
            read: |object| Read::Present(as_it_is(object)),
            update: |_, wanted, _| reached(wanted),
            delete: |_, _| Deleted::Gone(Diagnostics::new()),
            identify: |state, _| Some(ThingIdentity { name: state.name.clone() }),
            import: |key| {
                let name = match key {
                    ImportKey::Id(id) => id.into(),
                    ImportKey::Identity(identity) => identity.name,
                };
                let state = ThingModel { name, ..ThingModel::default() };
                let object = Object { state, private: Notes::default(), identity: None };
                Ok(Imported { object, diags: Diagnostics::new() })
            },
            upgrade: Ok,
            waits: None,
        }
    }
}

impl Resource for Thing {
    const NAME: &'static str = "ha_thing";
    const VERSION: i64 = 2;
    type Provider = Rogue;
    type Model = ThingModel;
    type Identity = ThingIdentity;
    type Private = Notes;

    fn validate(&self, _: &ThingModel) -> Diagnostics {
        (self.validate)()
    }

    async fn plan(&self, (): &(), change: &mut Planning<Self>, _: &Context) -> Diagnostics {
        (self.plan)(change)
    }

    fn protects(&self, object: &Object<Self>) -> Diagnostics {
        (self.protects)(object)
    }

    async fn create(&self, (): &(), wanted: Wanted<Self>, context: &Context) -> Created<Self> {
        if let Some(began) = &self.waits {
            began.notify_one();
            context.cancelled().cancelled().await;
        }
        (self.create)(wanted, context)
    }

    async fn read(&self, (): &(), object: Object<Self>, _: &Context) -> Read<Self> {
        (self.read)(object)
    }

    async fn update(
        &self,
        (): &(),
        prior: Object<Self>,
        wanted: Wanted<Self>,
        context: &Context,
    ) -> Applied<Self> {
        (self.update)(prior, wanted, context)
    }

    async fn delete(&self, (): &(), object: Object<Self>, context: &Context) -> Deleted<Self> {
        (self.delete)(object, context)
    }

    fn identify(&self, state: &ThingModel, known: Option<&ThingIdentity>) -> Option<ThingIdentity> {
        (self.identify)(state, known)
    }

    async fn import(
        &self,
        (): &(),
        key: ImportKey<ThingIdentity>,
        _: &Context,
    ) -> Result<Imported<Self>, Diagnostics> {
        (self.import)(key)
    }

    fn upgrade(&self, _: i64, state: serde_json::Value) -> Result<serde_json::Value, Diagnostic> {
        (self.upgrade)(state)
    }
}

/// A data source that gives what `read` makes of its arguments.
pub(crate) struct Look {
    pub(crate) read: fn(ThingModel) -> Result<Answer<ThingModel>, Diagnostics>,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            read: |config| Ok(ThingModel { id: "1".into(), seen: "now".into(), ..config }.into()),
        }
    }
}

impl DataSource for Look {
    const NAME: &'static str = "ha_look";
    type Provider = Rogue;
    type Model = ThingModel;

    async fn read(
        &self,
        (): &(),
        config: ThingModel,
        _: &Context,
    ) -> Result<Answer<ThingModel>, Diagnostics> {
        (self.read)(config)
    }
}

/// An ephemeral resource; closing it is told as a warning.
pub(crate) struct Loan {
    pub(crate) open: fn(ThingModel) -> Result<(ThingModel, Diagnostics), Diagnostics>,
    pub(crate) renew: fn() -> Result<(), Diagnostics>,
    pub(crate) close: fn(&str) -> Diagnostics,
}

impl Default for Loan {
    fn default() -> Self {
        let open = |config| {
            let value = ThingModel { id: "1".into(), seen: "now".into(), ..config };
            Ok((ThingModel { size: 3.into(), secret: Value::Null, ..value }, Diagnostics::new()))
        };
        let close = |lease: &str| Diagnostic::warning(format!("closed {lease}"), "").into();
        Self { open, renew: || Ok(()), close }
    }
}

impl Ephemeral for Loan {
    const NAME: &'static str = "ha_loan";
    type Provider = Rogue;
    type Model = ThingModel;
    type Lease = String;

    async fn open(
        &self,
        (): &(),
        config: ThingModel,
        _: &Context,
    ) -> Result<Opened<Self>, Diagnostics> {
        let (value, diags) = (self.open)(config)?;
        Ok(Opened { value, lease: "loan 7".into(), renew_at: None, diags })
    }

    async fn renew(
        &self,
        (): &(),
        lease: String,
        _: &Context,
    ) -> Result<Answer<Renewed<String>>, Diagnostics> {
        (self.renew)()?;
        Ok(Renewed { lease: format!("{lease}, renewed"), renew_at: None }.into())
    }

    async fn close(&self, (): &(), lease: String, _: &Context) -> Diagnostics {
        (self.close)(&lease)
    }
}
