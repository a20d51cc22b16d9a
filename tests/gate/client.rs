//! The client's side: real messages, written from and read into JSON.

use bytes::Bytes;
use serde_json::{Value as Json, json};
use terraform_provider_ha::proto::tfplugin6 as pb;
use terraform_provider_ha::proto::tfplugin6::diagnostic::Severity;
use terraform_provider_ha::proto::tfplugin6::provider_server::Provider as _;
use terraform_provider_ha::tfplugin::api::Registry;
use terraform_provider_ha::tfplugin::model::Model;
use terraform_provider_ha::tfplugin::serve::Lifecycle;
use terraform_provider_ha::tfplugin::service::Service;
use terraform_provider_ha::tfplugin::types::Type;
use terraform_provider_ha::tfplugin::value::Datum;
use terraform_provider_ha::tfplugin::wire;
use tonic::Request;

use crate::rogue::{Loan, Look, Rogue, Thing, ThingIdentity, ThingModel};

pub(crate) type Plan = pb::plan_resource_change::Request;
pub(crate) type Apply = pb::apply_resource_change::Request;

/// A service with these, configured.
pub(crate) async fn serve(thing: Thing, look: Look, loan: Loan) -> Service<Rogue> {
    configure(unconfigured(thing, look, loan)).await
}

/// A service with this resource in a process of which the test holds the end.
pub(crate) async fn configured(thing: Thing, lifecycle: Lifecycle) -> Service<Rogue> {
    configure(Service::new(Registry::new(Rogue).resource(thing), lifecycle)).await
}

async fn configure(service: Service<Rogue>) -> Service<Rogue> {
    let config = Some(wire::encode(&Datum::Map([].into()), &Type::Object([].into())).unwrap());
    let request = pb::configure_provider::Request { config, ..Default::default() };
    let answer = service.configure_provider(Request::new(request)).await.unwrap().into_inner();
    assert_eq!(answer.diagnostics, vec![]);
    service
}

pub(crate) fn unconfigured(thing: Thing, look: Look, loan: Loan) -> Service<Rogue> {
    let registry = Registry::new(Rogue).resource(thing).data_source(look).ephemeral(loan);
    Service::new(registry, Lifecycle::default())
}

pub(crate) async fn things(thing: Thing) -> Service<Rogue> {
    serve(thing, Look::default(), Loan::default()).await
}

fn ty() -> Type {
    ThingModel::schema(0).ty().clone()
}

/// An object; `"?"` is unknown, what is left out is null, and `null` is no object.
pub(crate) fn object(json: &Json) -> Option<pb::DynamicValue> {
    let Type::Object(types) = ty() else { unreachable!("a block is an object") };
    let Json::Object(given) = json else {
        return Some(wire::encode(&Datum::Null, &ty()).unwrap());
    };
    assert!(given.keys().all(|it| types.contains_key(it)), "{json}");
    let one = |(name, ty): (String, Type)| {
        let value = match given.get(&name) {
            Some(Json::String(text)) if text == "?" => Datum::UNKNOWN,
            Some(value) => wire::decode_state(value, &ty).unwrap(),
            None => Datum::Null,
        };
        (name, value)
    };
    let datum = Datum::Map(types.into_iter().map(one).collect());
    Some(wire::encode(&datum, &ty()).unwrap())
}

pub(crate) fn identity(name: &str) -> Option<pb::ResourceIdentityData> {
    let datum = Datum::Map([("name".to_owned(), Datum::from(name))].into());
    let identity_data = Some(wire::encode(&datum, ThingIdentity::schema(0).ty()).unwrap());
    Some(pb::ResourceIdentityData { identity_data })
}

/// What [`object`] writes, without what is null.
pub(crate) fn seen(value: Option<&pb::DynamicValue>) -> Json {
    show(&wire::decode(value, &ty()).unwrap())
}

fn show(datum: &Datum) -> Json {
    match datum {
        Datum::Null => Json::Null,
        Datum::Unknown(_) => "?".into(),
        Datum::Bool(value) => (*value).into(),
        Datum::Number(value) => value.as_i64().into(),
        Datum::String(text) => text.clone().into(),
        Datum::Map(entries) => {
            let there = entries.iter().filter(|(_, it)| !it.is_null());
            there.map(|(key, it)| (key.clone(), show(it))).collect()
        }
        Datum::Dynamic(inner) => show(&inner.1),
        other => format!("{other:?}").into(),
    }
}

pub(crate) fn private(pin: &str) -> Bytes {
    json!({"pin": pin}).to_string().into()
}

/// The object that most tests start from.
pub(crate) fn stored() -> Json {
    json!({"name": "a", "size": 3, "id": "1", "seen": "before"})
}

pub(crate) fn plan_of(config: &Json, prior: &Json) -> Plan {
    let is_new = prior.is_null();
    Plan {
        type_name: "ha_thing".into(),
        prior_state: object(prior),
        proposed_new_state: object(config),
        config: object(config),
        prior_private: if is_new { Bytes::new() } else { private("kept") },
        prior_identity: if is_new { None } else { identity("a") },
        ..Plan::default()
    }
}

pub(crate) fn apply_of(config: &Json, prior: &Json, planned: &Json) -> Apply {
    Apply {
        type_name: "ha_thing".into(),
        prior_state: object(prior),
        planned_state: object(planned),
        config: object(config),
        planned_private: private("planned"),
        planned_identity: if prior.is_null() { None } else { identity("a") },
        ..Apply::default()
    }
}

pub(crate) async fn plan(
    service: &Service<Rogue>,
    request: Plan,
) -> pb::plan_resource_change::Response {
    service.plan_resource_change(Request::new(request)).await.unwrap().into_inner()
}

pub(crate) async fn apply(
    service: &Service<Rogue>,
    request: Apply,
) -> pb::apply_resource_change::Response {
    service.apply_resource_change(Request::new(request)).await.unwrap().into_inner()
}

pub(crate) async fn read(service: &Service<Rogue>) -> pb::read_resource::Response {
    let request = pb::read_resource::Request {
        type_name: "ha_thing".into(),
        current_state: object(&stored()),
        private: private("kept"),
        current_identity: identity("a"),
        ..Default::default()
    };
    service.read_resource(Request::new(request)).await.unwrap().into_inner()
}

/// `error: summary` or `warning: summary`, each on a line.
pub(crate) fn told(diagnostics: &[pb::Diagnostic]) -> String {
    let line = |it: &pb::Diagnostic| match it.severity() {
        Severity::Error => format!("error: {}", it.summary),
        Severity::Warning => format!("warning: {}", it.summary),
        Severity::Invalid => "invalid".to_owned(),
    };
    diagnostics.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// There is one error, for a broken rule, and it says this.
#[track_caller]
pub(crate) fn caught(diagnostics: &[pb::Diagnostic], text: &str) {
    assert_eq!(told(diagnostics), "error: The provider broke a rule of Terraform");
    assert!(diagnostics[0].detail.contains(text), "{}", diagnostics[0].detail);
}

/// The state can be stored: there, wholly known, without write-only values. Gives what it is.
#[track_caller]
pub(crate) fn storable(state: Option<&pb::DynamicValue>) -> Json {
    let state = seen(state);
    assert!(state.is_object(), "there is no object");
    assert!(state.get("secret").is_none(), "{state} has a write-only value");
    assert!(!state.to_string().contains("\"?\""), "{state} is not known");
    state
}
