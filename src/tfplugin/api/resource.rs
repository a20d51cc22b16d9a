//! A managed resource. The types of the results make it impossible to drop state on an error.

use std::future::Future;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Client, Context, Provider};
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::model::Model;
use crate::tfplugin::path::Path;

/// A managed resource.
///
/// # Guarantees
/// - Every value given here has passed the schema and its checks, at apply with nothing unknown.
/// - A change that the schema refuses never reaches `update`.
/// - Create, update and delete run to their end in a task of their own, whatever the client does.
/// - A panic becomes an error diagnostic, and the prior state is kept.
pub trait Resource: Send + Sync + Sized + 'static {
    /// The full type name: `ha_etcd_cluster`.
    const NAME: &'static str;
    /// The version of the stored object; grows when [`Resource::upgrade`] is needed.
    const VERSION: i64 = 0;
    /// The version of the stored identity.
    const IDENTITY_VERSION: i64 = 0;
    /// The provider that serves it.
    type Provider: Provider;
    /// Configuration and state.
    type Model: Model;
    /// What identifies the object; [`Nothing`](crate::tfplugin::model::Nothing) for none.
    type Identity: Model;
    /// Kept beside the state, never shown; no secret belongs here.
    type Private: Serialize + DeserializeOwned + Clone + Default + Send + Sync;

    /// Checks the configuration beyond its schema; values may be unknown. Nothing is contacted.
    fn validate(&self, _config: &Self::Model) -> Diagnostics {
        Diagnostics::new()
    }

    /// Completes the plan of a create or update, and tells its steps. What it plans may follow only
    /// from configuration, prior state and private data: it is called again inside apply.
    fn plan(
        &self,
        _client: &Client<Self::Provider>,
        _change: &mut Planning<Self>,
        _context: &Context,
    ) -> impl Future<Output = Diagnostics> + Send {
        async { Diagnostics::new() }
    }

    /// Errors that forbid to destroy the object, by its state alone. Asked in the plan of a
    /// destroy or replacement, and again at apply, which is all that `-replace` and taint reach.
    fn protects(&self, _object: &Object<Self>) -> Diagnostics {
        Diagnostics::new()
    }

    /// Creates the object.
    fn create(
        &self,
        client: &Client<Self::Provider>,
        wanted: Wanted<Self>,
        context: &Context,
    ) -> impl Future<Output = Created<Self>> + Send;

    /// Looks at the object.
    fn read(
        &self,
        client: &Client<Self::Provider>,
        object: Object<Self>,
        context: &Context,
    ) -> impl Future<Output = Read<Self>> + Send;

    /// Changes the object in place.
    fn update(
        &self,
        client: &Client<Self::Provider>,
        prior: Object<Self>,
        wanted: Wanted<Self>,
        context: &Context,
    ) -> impl Future<Output = Applied<Self>> + Send;

    /// Destroys the object.
    fn delete(
        &self,
        client: &Client<Self::Provider>,
        object: Object<Self>,
        context: &Context,
    ) -> impl Future<Output = Deleted<Self>> + Send;

    /// What identifies an object with this state; `known` is the identity stored before, or the
    /// one it was imported by. Without an answer the known one stays.
    fn identify(
        &self,
        _state: &Self::Model,
        _known: Option<&Self::Identity>,
    ) -> Option<Self::Identity> {
        None
    }

    /// Finds an existing object. A read follows, so the state needs only what a read needs.
    ///
    /// # Errors
    /// There is no such object, or it cannot be told.
    fn import(
        &self,
        _client: &Client<Self::Provider>,
        _key: ImportKey<Self::Identity>,
        _context: &Context,
    ) -> impl Future<Output = Result<Imported<Self>, Diagnostics>> + Send {
        async {
            let detail = format!("{} has no import.", Self::NAME);
            Err(Diagnostic::error("This resource cannot be imported", detail).into())
        }
    }

    /// Brings a stored object of version `from`, older than [`Resource::VERSION`], to the present
    /// shape. Keys that are not in the schema are ignored, missing ones are null.
    ///
    /// # Errors
    /// There is no way from that version.
    fn upgrade(
        &self,
        from: i64,
        _state: serde_json::Value,
    ) -> Result<serde_json::Value, Diagnostic> {
        let (name, now) = (Self::NAME, Self::VERSION);
        let detail = format!("{name} stored with version {from} cannot be brought to {now}.");
        Err(Diagnostic::error("The stored object is of an unknown version", detail))
    }
}

/// A stored object.
pub struct Object<R: Resource> {
    /// As it was last seen.
    pub state: R::Model,
    /// What the provider keeps beside it.
    pub private: R::Private,
    /// What identifies it; not in states from before there was an identity.
    pub identity: Option<R::Identity>,
}

/// What apply is to reach.
pub struct Wanted<R: Resource> {
    /// The plan; computed values in it may still be unknown.
    pub planned: R::Model,
    /// The configuration, for its write-only values.
    pub config: R::Model,
    /// As the plan left it.
    pub private: R::Private,
}

/// What was reached, and what stood in the way.
pub struct Applied<R: Resource> {
    /// The object as it is now; what is not finished keeps its prior value.
    pub state: R::Model,
    /// What to keep beside it.
    pub private: R::Private,
    /// An error says that the object is not as planned.
    pub diags: Diagnostics,
}

/// The end of a create.
pub enum Created<R: Resource> {
    /// The object exists. With an error Terraform marks it as tainted, and will destroy it.
    Made(Applied<R>),
    /// Nothing is recorded; an apply starts again. The errors say what was done and what to do.
    Nothing(Diagnostics),
}

/// The end of a read.
pub enum Read<R: Resource> {
    /// The object as it was seen.
    Present(Applied<R>),
    /// It is proven that the object does not exist any more.
    Gone,
    /// It could not be seen; the stored object stays.
    Failed(Diagnostics),
}

/// The end of a delete.
pub enum Deleted<R: Resource> {
    /// Nothing remains; warnings may tell what was kept aside.
    Gone(Diagnostics),
    /// This remains, for the reason told.
    Remains(Applied<R>),
}

/// How the user names an object to import.
#[derive(Clone, Debug)]
pub enum ImportKey<I> {
    /// By the text of `terraform import` or `id = "…"`.
    Id(String),
    /// By its identity.
    Identity(I),
}

/// An object found by an import.
pub struct Imported<R: Resource> {
    /// At least what a read needs.
    pub object: Object<R>,
    /// Warnings.
    pub diags: Diagnostics,
}

/// A plan being made, of a create (`prior` is `None`) or of an update.
pub struct Planning<R: Resource> {
    /// The configuration.
    pub config: R::Model,
    /// The stored object.
    pub prior: Option<Object<R>>,
    /// The plan: defaults and computed values are in place.
    pub planned: R::Model,
    /// What apply will be given; it starts as it is stored.
    pub private: R::Private,
    /// Paths that demand replacement, beyond those that the schema names.
    pub replace: Vec<Path>,
    /// What applying this plan will do, step by step, for the one warning that tells it.
    pub steps: Vec<String>,
}
