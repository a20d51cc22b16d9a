//! The traits without their types: values as [`Datum`], private data as bytes. It is a thin
//! translation, so that the service is compiled once and not once per resource.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;

use super::{
    Applied, Client, Context, Created, DataSource, Deleted, Ephemeral, ImportKey, Object, Planning,
    Read, Resource, Wanted,
};
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::model::{Model, decode, encode_over};
use crate::tfplugin::path::Path;
use crate::tfplugin::schema::Schema;
use crate::tfplugin::value::Datum;

type Doing<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A stored object without types. `identity` is null where there is none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Saved {
    pub(crate) state: Datum,
    pub(crate) private: Bytes,
    pub(crate) identity: Datum,
}

/// The end of a write: what there is now, if anything.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) saved: Option<Saved>,
    pub(crate) diags: Diagnostics,
}

/// A plan without types.
#[derive(Debug, Default)]
pub(crate) struct Planned {
    pub(crate) saved: Saved,
    pub(crate) replace: Vec<Path>,
    pub(crate) steps: Vec<String>,
    pub(crate) diags: Diagnostics,
}

/// An ephemeral result without types.
#[derive(Debug, Default)]
pub(crate) struct Leased {
    pub(crate) value: Datum,
    pub(crate) lease: Option<Bytes>,
    pub(crate) renew_at: Option<SystemTime>,
    pub(crate) diags: Diagnostics,
}

pub(crate) trait AnyResource<C>: Send + Sync {
    fn schema(&self) -> &Schema;
    fn identity(&self) -> Option<&Schema>;
    fn validate(&self, config: &Datum) -> Diagnostics;
    fn protects(&self, saved: &Saved) -> Diagnostics;
    fn plan<'a>(
        &'a self,
        client: &'a C,
        config: &'a Datum,
        prior: Option<&'a Saved>,
        planned: &'a Datum,
        context: &'a Context,
    ) -> Doing<'a, Planned>;
    fn create<'a>(
        &'a self,
        client: &'a C,
        config: &'a Datum,
        planned: &'a Saved,
        context: &'a Context,
    ) -> Doing<'a, Written>;
    fn read<'a>(
        &'a self,
        client: &'a C,
        saved: &'a Saved,
        context: &'a Context,
    ) -> Doing<'a, Written>;
    fn update<'a>(
        &'a self,
        client: &'a C,
        config: &'a Datum,
        prior: &'a Datum,
        planned: &'a Saved,
        context: &'a Context,
    ) -> Doing<'a, Written>;
    fn delete<'a>(
        &'a self,
        client: &'a C,
        saved: &'a Saved,
        context: &'a Context,
    ) -> Doing<'a, Written>;
    fn import<'a>(
        &'a self,
        client: &'a C,
        key: ImportKey<Datum>,
        context: &'a Context,
    ) -> Doing<'a, Written>;
    fn upgrade(&self, from: i64, state: serde_json::Value)
    -> Result<serde_json::Value, Diagnostic>;
}

pub(crate) trait AnyDataSource<C>: Send + Sync {
    fn schema(&self) -> &Schema;
    fn validate(&self, config: &Datum) -> Diagnostics;
    fn read<'a>(
        &'a self,
        client: &'a C,
        config: &'a Datum,
        context: &'a Context,
    ) -> Doing<'a, (Datum, Diagnostics)>;
}

pub(crate) trait AnyEphemeral<C>: Send + Sync {
    fn schema(&self) -> &Schema;
    fn validate(&self, config: &Datum) -> Diagnostics;
    fn open<'a>(
        &'a self,
        client: &'a C,
        config: &'a Datum,
        context: &'a Context,
    ) -> Doing<'a, Leased>;
    fn renew<'a>(
        &'a self,
        client: &'a C,
        lease: &'a Bytes,
        context: &'a Context,
    ) -> Doing<'a, Leased>;
    fn close<'a>(
        &'a self,
        client: &'a C,
        lease: &'a Bytes,
        context: &'a Context,
    ) -> Doing<'a, Diagnostics>;
}

/// A typed implementation with its schemas.
struct Erased<T> {
    inner: T,
    schema: Schema,
    identity: Option<Schema>,
}

pub(crate) fn erase_resource<R: Resource>(inner: R) -> Arc<dyn AnyResource<Client<R::Provider>>> {
    let identity = R::Identity::schema(R::IDENTITY_VERSION);
    let identity = (!identity.attributes.is_empty()).then_some(identity);
    Arc::new(Erased { inner, schema: R::Model::schema(R::VERSION), identity })
}

pub(crate) fn erase_data_source<D: DataSource>(
    inner: D,
) -> Arc<dyn AnyDataSource<Client<D::Provider>>> {
    Arc::new(Erased { inner, schema: D::Model::schema(0), identity: None })
}

pub(crate) fn erase_ephemeral<E: Ephemeral>(
    inner: E,
) -> Arc<dyn AnyEphemeral<Client<E::Provider>>> {
    Arc::new(Erased { inner, schema: E::Model::schema(0), identity: None })
}

/// The value, or a return of what the diagnostics become.
macro_rules! or_return {
    ($result:expr, $otherwise:expr) => {
        match $result {
            Ok(value) => value,
            Err(diags) => return $otherwise(diags),
        }
    };
}

impl<R: Resource> AnyResource<Client<R::Provider>> for Erased<R> {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn identity(&self) -> Option<&Schema> {
        self.identity.as_ref()
    }

    fn validate(&self, config: &Datum) -> Diagnostics {
        decode(config).map_or_else(|faults| faults, |config| self.inner.validate(&config))
    }

    fn protects(&self, saved: &Saved) -> Diagnostics {
        object::<R>(saved).map_or_else(|faults| faults, |object| self.inner.protects(&object))
    }

    fn plan<'a>(
        &'a self,
        client: &'a Client<R::Provider>,
        config: &'a Datum,
        prior: Option<&'a Saved>,
        planned: &'a Datum,
        context: &'a Context,
    ) -> Doing<'a, Planned> {
        Box::pin(async move {
            let stopped = |diags| Planned { diags, ..Planned::default() };
            let config = or_return!(decode(config), stopped);
            let prior = or_return!(prior.map(object::<R>).transpose(), stopped);
            let model = or_return!(decode(planned), stopped);
            let private = prior.as_ref().map(|it| it.private.clone()).unwrap_or_default();
            let (replace, steps) = (Vec::new(), Vec::new());
            let mut change = Planning { config, prior, planned: model, private, replace, steps };
            let diags = self.inner.plan(client, &mut change, context).await;
            let saved = Saved {
                state: encode_over(&change.planned, planned),
                private: private_bytes(&change.private),
                identity: Datum::Null,
            };
            Planned { saved, replace: change.replace, steps: change.steps, diags }
        })
    }

    fn create<'a>(
        &'a self,
        client: &'a Client<R::Provider>,
        config: &'a Datum,
        planned: &'a Saved,
        context: &'a Context,
    ) -> Doing<'a, Written> {
        Box::pin(async move {
            let nothing = |diags| Written { saved: None, diags };
            let wanted = or_return!(wanted::<R>(config, planned), nothing);
            match self.inner.create(client, wanted, context).await {
                Created::Made(applied) => self.written(applied, planned),
                Created::Nothing(diags) => nothing(diags),
            }
        })
    }

    fn read<'a>(
        &'a self,
        client: &'a Client<R::Provider>,
        saved: &'a Saved,
        context: &'a Context,
    ) -> Doing<'a, Written> {
        Box::pin(async move {
            let kept = |diags| Written { saved: Some(saved.clone()), diags };
            let object = or_return!(object::<R>(saved), kept);
            match self.inner.read(client, object, context).await {
                Read::Present(applied) => self.written(applied, saved),
                Read::Gone => Written::default(),
                Read::Failed(diags) => kept(diags),
            }
        })
    }

    fn update<'a>(
        &'a self,
        client: &'a Client<R::Provider>,
        config: &'a Datum,
        prior: &'a Datum,
        planned: &'a Saved,
        context: &'a Context,
    ) -> Doing<'a, Written> {
        Box::pin(async move {
            // Of the private data only the planned is sent: it is what stays.
            let before = Saved { state: prior.clone(), ..planned.clone() };
            let kept = |diags| Written { saved: Some(before.clone()), diags };
            let prior = or_return!(object::<R>(&before), kept);
            let wanted = or_return!(wanted::<R>(config, planned), kept);
            let applied = self.inner.update(client, prior, wanted, context).await;
            self.written(applied, planned)
        })
    }

    fn delete<'a>(
        &'a self,
        client: &'a Client<R::Provider>,
        saved: &'a Saved,
        context: &'a Context,
    ) -> Doing<'a, Written> {
        Box::pin(async move {
            let kept = |diags| Written { saved: Some(saved.clone()), diags };
            let object = or_return!(object::<R>(saved), kept);
            let protected = self.inner.protects(&object);
            if protected.has_errors() {
                return kept(protected);
            }
            match self.inner.delete(client, object, context).await {
                // An error says that something is left, whatever the kind of the answer.
                Deleted::Gone(diags) if diags.has_errors() => kept(diags),
                Deleted::Gone(diags) => Written { saved: None, diags },
                Deleted::Remains(applied) => self.written(applied, saved),
            }
        })
    }

    fn import<'a>(
        &'a self,
        client: &'a Client<R::Provider>,
        key: ImportKey<Datum>,
        context: &'a Context,
    ) -> Doing<'a, Written> {
        Box::pin(async move {
            let nothing = |diags| Written { saved: None, diags };
            let (key, named) = match key {
                ImportKey::Id(id) => (ImportKey::Id(id), None),
                ImportKey::Identity(identity) => {
                    let identity: R::Identity = or_return!(decode(&identity), nothing);
                    (ImportKey::Identity(identity.clone()), Some(identity))
                }
            };
            let imported = or_return!(self.inner.import(client, key, context).await, nothing);
            let Object { state, private, identity } = imported.object;
            let known = identity.or(named);
            let applied = Applied { state, private, diags: imported.diags };
            self.stored(applied, known.as_ref(), &Datum::Null)
        })
    }

    fn upgrade(
        &self,
        from: i64,
        state: serde_json::Value,
    ) -> Result<serde_json::Value, Diagnostic> {
        self.inner.upgrade(from, state)
    }
}

impl<R: Resource> Erased<R> {
    /// What was reached, over what it was read from or planned as.
    fn written(&self, applied: Applied<R>, over: &Saved) -> Written {
        // An identity from another version of the provider may not fit: it is then made anew.
        let known = identity::<R>(over);
        self.stored(applied, known.as_ref(), &over.state)
    }

    fn stored(&self, applied: Applied<R>, known: Option<&R::Identity>, over: &Datum) -> Written {
        let identity = self.inner.identify(&applied.state, known);
        let identity = identity.as_ref().or(known);
        let saved = Saved {
            state: encode_over(&applied.state, over),
            private: private_bytes(&applied.private),
            identity: identity.map_or(Datum::Null, |it| Datum::Map(it.encode_object())),
        };
        Written { saved: Some(saved), diags: applied.diags }
    }
}

impl<D: DataSource> AnyDataSource<Client<D::Provider>> for Erased<D> {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn validate(&self, config: &Datum) -> Diagnostics {
        decode(config).map_or_else(|faults| faults, |config| self.inner.validate(&config))
    }

    fn read<'a>(
        &'a self,
        client: &'a Client<D::Provider>,
        config: &'a Datum,
        context: &'a Context,
    ) -> Doing<'a, (Datum, Diagnostics)> {
        Box::pin(async move {
            let none = |diags| (Datum::Null, diags);
            let model = or_return!(decode(config), none);
            let answer = or_return!(self.inner.read(client, model, context).await, none);
            (encode_over(&answer.value, config), answer.diags)
        })
    }
}

impl<E: Ephemeral> AnyEphemeral<Client<E::Provider>> for Erased<E> {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn validate(&self, config: &Datum) -> Diagnostics {
        decode(config).map_or_else(|faults| faults, |config| self.inner.validate(&config))
    }

    fn open<'a>(
        &'a self,
        client: &'a Client<E::Provider>,
        config: &'a Datum,
        context: &'a Context,
    ) -> Doing<'a, Leased> {
        Box::pin(async move {
            let none = |diags| Leased { diags, ..Leased::default() };
            let model = or_return!(decode(config), none);
            let opened = or_return!(self.inner.open(client, model, context).await, none);
            let value = encode_over(&opened.value, config);
            let lease = Some(private_bytes(&opened.lease));
            Leased { value, lease, renew_at: opened.renew_at, diags: opened.diags }
        })
    }

    fn renew<'a>(
        &'a self,
        client: &'a Client<E::Provider>,
        lease: &'a Bytes,
        context: &'a Context,
    ) -> Doing<'a, Leased> {
        Box::pin(async move {
            // OpenTofu closes with what a renewal returns, also a failed one.
            let kept = |diags| Leased { lease: Some(lease.clone()), diags, ..Leased::default() };
            let held = or_return!(private(lease), kept);
            let renewed = or_return!(self.inner.renew(client, held, context).await, kept);
            let lease = Some(private_bytes(&renewed.value.lease));
            let renew_at = renewed.value.renew_at;
            Leased { value: Datum::Null, lease, renew_at, diags: renewed.diags }
        })
    }

    fn close<'a>(
        &'a self,
        client: &'a Client<E::Provider>,
        lease: &'a Bytes,
        context: &'a Context,
    ) -> Doing<'a, Diagnostics> {
        Box::pin(async move {
            let lease = or_return!(private(lease), |diags| diags);
            self.inner.close(client, lease, context).await
        })
    }
}

fn object<R: Resource>(saved: &Saved) -> Result<Object<R>, Diagnostics> {
    let state = decode(&saved.state)?;
    let private = stored_private(&saved.private)?;
    Ok(Object { state, private, identity: identity::<R>(saved) })
}

fn wanted<R: Resource>(config: &Datum, planned: &Saved) -> Result<Wanted<R>, Diagnostics> {
    let private = stored_private(&planned.private)?;
    Ok(Wanted { planned: decode(&planned.state)?, config: decode(config)?, private })
}

fn identity<R: Resource>(saved: &Saved) -> Option<R::Identity> {
    saved.identity.entries().and_then(|_| decode(&saved.identity).ok())
}

/// Private data; none at all is the default, as after an import or from older versions.
fn stored_private<T: serde::de::DeserializeOwned + Default>(
    bytes: &Bytes,
) -> Result<T, Diagnostics> {
    if bytes.is_empty() { Ok(T::default()) } else { private(bytes) }
}

fn private<T: serde::de::DeserializeOwned>(bytes: &Bytes) -> Result<T, Diagnostics> {
    serde_json::from_slice(bytes).map_err(|err| {
        Diagnostic::error("The private data of the object cannot be read", &err)
            .hint(
                "It was written by another version of the provider; use that one, or a newer one.",
            )
            .into()
    })
}

fn private_bytes<T: serde::Serialize>(private: &T) -> Bytes {
    // Only a type whose own `Serialize` fails ends here, as a map with keys that are no strings.
    serde_json::to_vec(private).unwrap_or_default().into()
}
