//! `ha_dns_record`: all records of one name and type.

mod model;
mod spelling;

use std::collections::BTreeSet;

use tokio::time::Instant;

use self::model::{DnsRecordIdentity, DnsRecordModel};
use super::dns::{explain, settings, stopped};
use super::provider::{Client, Gap, Ha};
use crate::actions::dns::{Course, Elsewhere, Limits, Shown};
use crate::domain::dns::{Data, Desired, Key, Observed, Records, Type};
use crate::remote::dns::Settings;
use crate::tfplugin::api::{
    Applied, Context, Created, Deleted, ImportKey, Imported, Object, Planning, Read, Resource,
    Wanted,
};
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::value::Value;

/// The resource.
pub(super) struct DnsRecord;

impl Resource for DnsRecord {
    const NAME: &'static str = "ha_dns_record";
    type Provider = Ha;
    type Model = DnsRecordModel;
    type Identity = DnsRecordIdentity;
    type Private = ();

    fn validate(&self, config: &DnsRecordModel) -> Diagnostics {
        let mut told = model::check_place(config);
        told.extend(model::check_ttl(config));
        told.extend(spelling::check(config));
        told
    }

    async fn plan(&self, _: &Client, change: &mut Planning<Self>, _: &Context) -> Diagnostics {
        let planned = &mut change.planned;
        let Some(key) = model::key(planned) else { return Diagnostics::new() };
        planned.id = key.to_string().into();
        planned.fqdn = key.name.to_string().into();
        if let Some(prior) = &change.prior
            && model::key(&prior.state).is_some_and(|it| it == key)
            && spelling::are_same(key.ty, &prior.state.records, &planned.records)
        {
            planned.records = prior.state.records.clone();
        }
        Diagnostics::new()
    }

    async fn create(
        &self,
        client: &Client,
        wanted: Wanted<Self>,
        context: &Context,
    ) -> Created<Self> {
        let Wanted { planned, .. } = wanted;
        let (key, settings) = match ready(client, &planned) {
            Ok(ready) => ready,
            Err(gap) => return Created::Nothing(gap.into_error().into()),
        };
        let desired = match desired(&planned, key.ty, None) {
            Ok(desired) => desired,
            Err(fault) => return Created::Nothing(fault.into()),
        };
        let (mut course, limits) = (Course::new(&settings, &key), limits(context));
        let mut diags = Diagnostics::new();
        match course.reach(&desired, &limits).await {
            Ok(reached) if reached.by_us => {}
            Ok(_) => diags.push(taken_over(&key)),
            Err(err) => {
                let summary = "The DNS record was not created";
                return Created::Nothing(stopped(summary, &key, &err, true).into());
            }
        }
        diags.extend(everywhere(&mut course, &planned, &key, &limits).await);
        if diags.has_errors() {
            // A record set that is recorded with an error would be destroyed by the next apply.
            let saved = "Nothing is recorded, though the primary has the record set. Apply again: it is then taken over, and waited for.";
            return Created::Nothing(diags.into_iter().map(|it| it.hint(saved)).collect());
        }
        Created::Made(Applied { state: planned, private: (), diags })
    }

    async fn read(&self, client: &Client, object: Object<Self>, context: &Context) -> Read<Self> {
        let Object { mut state, .. } = object;
        let kept = |state, diag: Diagnostic| {
            Read::Present(Applied { state, private: (), diags: diag.into() })
        };
        let (key, settings) = match ready(client, &state) {
            Ok(ready) => ready,
            Err(Gap::Unknown(unknown)) => return kept(state, unknown.warning()),
            Err(Gap::Fault(fault)) => return Read::Failed(fault.into()),
        };
        let looked = Course::new(&settings, &key).look(look_until(context)).await;
        let (observed, server, is_first) = match looked {
            Ok(looked) => looked,
            Err(failed) if failed.is_transient() => {
                let summary = "A DNS record cannot be looked at";
                let detail = format!("{key}: {failed}. What is stored stays as it is.");
                return kept(state, explain(Diagnostic::warning(summary, detail), &failed));
            }
            Err(failed) => {
                let summary = "A DNS record cannot be read";
                let detail = format!("{key}: {failed}. What is stored stays as it is.");
                return Read::Failed(explain(Diagnostic::error(summary, detail), &failed).into());
            }
        };
        let before = state.clone();
        if let Observed::Present(records) = &observed {
            see(&mut state, records, key.ty);
        }
        let is_gone = !matches!(observed, Observed::Present(_));
        if !is_first && (is_gone || state != before) {
            let summary = "A DNS record may have changed";
            let detail = format!(
                "{key}: {server} shows {observed}, but the first server does not answer, and others may lag behind. What is stored stays as it is."
            );
            let hint = "Look why the first server does not answer, then plan again.";
            return kept(before, Diagnostic::warning(summary, detail).hint(hint));
        }
        if is_gone {
            return Read::Gone;
        }
        Read::Present(Applied { state, private: (), diags: Diagnostics::new() })
    }

    async fn update(
        &self,
        client: &Client,
        prior: Object<Self>,
        wanted: Wanted<Self>,
        context: &Context,
    ) -> Applied<Self> {
        let (prior, planned) = (prior.state, wanted.planned);
        let done = |state, diags| Applied { state, private: (), diags };
        if (&prior.ttl, &prior.records) == (&planned.ttl, &planned.records) {
            return done(planned, Diagnostics::new());
        }
        let (key, settings) = match ready(client, &planned) {
            Ok(ready) => ready,
            Err(gap) => return done(prior, gap.into_error().into()),
        };
        let owned = records(&prior, key.ty).map(|it| it.data);
        let desired = match desired(&planned, key.ty, owned) {
            Ok(desired) => desired,
            Err(fault) => return done(prior, fault.into()),
        };
        let (mut course, limits) = (Course::new(&settings, &key), limits(context));
        if let Err(err) = course.reach(&desired, &limits).await {
            let diag = stopped("The DNS record is not as planned", &key, &err, false);
            return done(prior, diag.into());
        }
        // The server holds the whole: what it has is the state, even when others lag behind.
        let diags = everywhere(&mut course, &planned, &key, &limits).await;
        done(planned, diags)
    }

    async fn delete(
        &self,
        client: &Client,
        object: Object<Self>,
        context: &Context,
    ) -> Deleted<Self> {
        let Object { state, .. } = object;
        let remains = |state, diag: Diagnostic| {
            Deleted::Remains(Applied { state, private: (), diags: diag.into() })
        };
        let (key, settings) = match ready(client, &state) {
            Ok(ready) => ready,
            Err(gap) => return remains(state, gap.into_error()),
        };
        let owned = records(&state, key.ty).map(|it| it.data);
        let desired = Desired { records: None, owned, adopts: false };
        match Course::new(&settings, &key).reach(&desired, &limits(context)).await {
            Ok(_) => Deleted::Gone(Diagnostics::new()),
            Err(err) => {
                remains(state, stopped("The DNS record was not removed", &key, &err, false))
            }
        }
    }

    fn identify(
        &self,
        state: &DnsRecordModel,
        _: Option<&DnsRecordIdentity>,
    ) -> Option<DnsRecordIdentity> {
        let key = model::key(state)?;
        Some(DnsRecordIdentity {
            zone: key.zone.to_string().into(),
            name: key.relative().to_owned().into(),
            r#type: key.ty.to_string().into(),
        })
    }

    async fn import(
        &self,
        client: &Client,
        key: ImportKey<DnsRecordIdentity>,
        context: &Context,
    ) -> Result<Imported<Self>, Diagnostics> {
        let id = match key {
            ImportKey::Id(id) => id,
            ImportKey::Identity(DnsRecordIdentity { zone, name, r#type }) => {
                let part = |it: Value<String>| it.into_known().unwrap_or_default();
                format!("{}/{}/{}", part(zone), part(name), part(r#type))
            }
        };
        let key: Key = id.parse().map_err(|err| {
            Diagnostic::error("This is no id of a DNS record", &err)
                .hint("It is `<zone>/<name>/<type>`, such as `example.test/api/A`; the name `@` is the zone itself.")
        })?;
        let settings = client.dns().and_then(settings).map_err(Gap::into_error)?;
        let looked = Course::new(&settings, &key).look(look_until(context)).await;
        let (observed, server, _) = looked.map_err(|failed| {
            let detail = format!("{key}: {failed}.");
            explain(Diagnostic::error("The DNS record cannot be looked at", detail), &failed)
        })?;
        let Observed::Present(records) = observed else {
            let detail = format!("{key}: {server} shows {observed}.");
            return Err(Diagnostic::error("There is no such DNS record", detail)
                .hint("Check zone, name and type; what does not exist is created by an apply.")
                .into());
        };
        let state = model::imported(&key, &records);
        let object = Object { state, private: (), identity: None };
        Ok(Imported { object, diags: Diagnostics::new() })
    }
}

/// Everything that a message needs.
fn ready(client: &Client, state: &DnsRecordModel) -> Result<(Key, Settings), Gap> {
    let settings = client.dns().and_then(settings)?;
    // The values have passed the same check before.
    let key = model::key(state).ok_or_else(|| {
        let detail = "`zone`, `name` and `type` do not name a record set.";
        Gap::Fault(Diagnostic::error("The DNS record has no place", detail))
    })?;
    Ok((key, settings))
}

fn limits(context: &Context) -> Limits {
    let by = Instant::from_std(context.deadline());
    Limits { by, cancelled: context.cancelled().clone() }
}

/// A read that takes its whole time is an error, and so nothing could be said about it.
fn look_until(context: &Context) -> Instant {
    let spare = context.remaining() / 10;
    Instant::from_std(context.deadline()) - spare
}

/// What a plan wants. Without records that can be read it is refused: none at all would mean to remove them.
fn desired(
    planned: &DnsRecordModel,
    ty: Type,
    owned: Option<BTreeSet<Data>>,
) -> Result<Desired, Diagnostic> {
    let Some(records) = records(planned, ty) else {
        let detail = "`records` and `ttl` do not make a record set.";
        return Err(Diagnostic::error("The DNS record has no records", detail));
    };
    let adopts = planned.on_conflict.known().is_some_and(|it| it == "adopt");
    Ok(Desired { records: Some(records), owned, adopts })
}

/// The record set that a model describes.
fn records(model: &DnsRecordModel, ty: Type) -> Option<Records> {
    let ttl = u32::try_from(*model.ttl.known()?).ok()?;
    let data = model.records.known()?.iter();
    let data = data.map(|it| Data::parse(ty, it)).collect::<Result<_, _>>().ok()?;
    Some(Records { ttl, data })
}

/// What a look tells: the server holds the whole.
fn see(state: &mut DnsRecordModel, records: &Records, ty: Type) {
    let none = BTreeSet::new();
    let own = state.records.known().unwrap_or(&none);
    state.records = spelling::in_words_of(own, records, ty).into();
    state.ttl = i64::from(records.ttl).into();
}

fn taken_over(key: &Key) -> Diagnostic {
    let detail = format!(
        "{key} existed already, and was exactly as planned. It is managed here from now on, and will be removed by a destroy."
    );
    Diagnostic::warning("An existing DNS record was taken over", detail)
        .hint("If somebody else needs it, remove it from the state with `terraform state rm`.")
}

/// Waits for all name servers of the zone, if that is wanted.
async fn everywhere(
    course: &mut Course<'_>,
    planned: &DnsRecordModel,
    key: &Key,
    limits: &Limits,
) -> Diagnostics {
    let waits = planned.wait_for.known().is_some_and(|it| it == "all");
    let Some(records) = records(planned, key.ty).filter(|_| waits) else {
        return Diagnostics::new();
    };
    let seen = match course.everywhere(&records, limits).await {
        Ok(seen) => seen,
        Err(failed) => {
            let detail = format!("{key}: {failed}.");
            let summary = "The name servers of the zone are not known";
            return explain(Diagnostic::warning(summary, detail), &failed).into();
        }
    };
    let one = |it: Elsewhere| match it.shown {
        Shown::All => None,
        Shown::Old(observed) => {
            let detail = format!("{key}: {} still shows {observed}.", it.server);
            Some(Diagnostic::error("A name server of the zone lags behind", detail)
                .hint("Look whether it is told of changes (NOTIFY) and may transfer the zone; or raise `timeouts`, or set `wait_for = \"primary\"`."))
        }
        Shown::Nothing(fault) => {
            let detail = format!("{key}: {}: {fault}. It was not waited for.", it.server);
            Some(Diagnostic::warning("A name server of the zone cannot be asked", detail))
        }
    };
    seen.into_iter().filter_map(one).collect()
}
