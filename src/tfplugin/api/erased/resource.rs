//! A resource without its types.

use std::sync::Arc;

use bytes::Bytes;

use super::{Doing, Erased, Planned, Saved, Written, or_return, private, private_bytes};
use crate::tfplugin::api::{
    Applied, Client, Context, Created, Deleted, ImportKey, Object, Planning, Read, Resource, Wanted,
};
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::model::{Model, decode, encode_over};
use crate::tfplugin::schema::Schema;
use crate::tfplugin::value::Datum;

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

pub(crate) fn erase_resource<R: Resource>(inner: R) -> Arc<dyn AnyResource<Client<R::Provider>>> {
    let identity = R::Identity::schema(R::IDENTITY_VERSION);
    let identity = (!identity.attributes.is_empty()).then_some(identity);
    Arc::new(Erased { inner, schema: R::Model::schema(R::VERSION), identity })
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
            let kept = prior.map(|it| it.private.clone()).unwrap_or_default();
            let prior = or_return!(prior.map(object::<R>).transpose(), stopped);
            let model = or_return!(decode(planned), stopped);
            let private = prior.as_ref().map(|it| it.private.clone()).unwrap_or_default();
            let (replace, steps) = (Vec::new(), Vec::new());
            let mut change = Planning { config, prior, planned: model, private, replace, steps };
            let mut diags = self.inner.plan(client, &mut change, context).await;
            let saved = Saved {
                state: encode_over(&change.planned, planned),
                private: private_bytes(&change.private, &kept, &mut diags),
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
            self.stored(applied, known.as_ref(), &Saved::default())
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
        self.stored(applied, known.as_ref(), over)
    }

    fn stored(&self, applied: Applied<R>, known: Option<&R::Identity>, over: &Saved) -> Written {
        let mut diags = applied.diags;
        let identity = self.inner.identify(&applied.state, known);
        let identity = identity.as_ref().or(known);
        let saved = Saved {
            state: encode_over(&applied.state, &over.state),
            private: private_bytes(&applied.private, &over.private, &mut diags),
            identity: identity.map_or(Datum::Null, |it| Datum::Map(it.encode_object())),
        };
        Written { saved: Some(saved), diags }
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
