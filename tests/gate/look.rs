//! Reads, imports, upgrades and data sources.

use serde_json::{Value as Json, json};
use terraform_provider_ha::proto::tfplugin6 as pb;
use terraform_provider_ha::proto::tfplugin6::provider_server::Provider as _;
use terraform_provider_ha::tfplugin::api::{Applied, Imported, Object, Read};
use terraform_provider_ha::tfplugin::diagnostics::Diagnostics;
use terraform_provider_ha::tfplugin::value::{Datum, Value};
use tonic::Request;

use crate::client::{
    caught, identity, object, private, read, seen, serve, storable, stored, things, told,
};
use crate::rogue::{Loan, Look, Notes, Thing, ThingIdentity, ThingModel, as_it_is, diag};

#[tokio::test]
async fn a_read_echoes_what_it_does_not_change() {
    let response = read(&things(Thing::default()).await).await;
    assert_eq!(told(&response.diagnostics), "");
    assert_eq!(storable(response.new_state.as_ref()), stored());
    assert_eq!(response.private, private("kept"));
    assert_eq!(response.new_identity, identity("a"));
}

#[tokio::test]
async fn a_read_fills_in_an_identity_that_is_missing() {
    let service = things(Thing::default()).await;
    let request = pb::read_resource::Request {
        type_name: "ha_thing".into(),
        current_state: object(&stored()),
        ..Default::default()
    };
    let response = service.read_resource(Request::new(request)).await.unwrap().into_inner();
    assert_eq!(told(&response.diagnostics), "");
    assert_eq!(response.new_identity, identity("a"));
}

#[tokio::test]
async fn an_identity_stays_without_an_answer() {
    let response = read(&things(Thing { identify: |_, _| None, ..Thing::default() }).await).await;
    assert_eq!(response.new_identity, identity("a"));
}

#[tokio::test]
async fn an_object_that_is_gone_is_null() {
    let response = read(&things(Thing { read: |_| Read::Gone, ..Thing::default() }).await).await;
    assert_eq!(told(&response.diagnostics), "");
    assert_eq!(response.new_state, object(&Json::Null));
}

#[tokio::test]
async fn a_failed_read_keeps_everything() {
    let failed = |_| Read::Failed(diag("no answer"));
    let seen_in_part = |object| {
        let mut applied = as_it_is(object);
        applied.state.size = 9.into();
        applied.private.pin = "new".to_owned();
        Read::Present(Applied { diags: diag("no answer"), ..applied })
    };
    for read_it in [failed as fn(_) -> _, seen_in_part] {
        let response = read(&things(Thing { read: read_it, ..Thing::default() }).await).await;
        assert_eq!(told(&response.diagnostics), "error: no answer");
        assert_eq!(storable(response.new_state.as_ref()), stored());
        assert_eq!(response.private, private("kept"));
        assert_eq!(response.new_identity, identity("a"));
    }
}

#[tokio::test]
async fn a_breach_of_a_read_is_an_error() {
    fn broken(object: Object<Thing>, breach: fn(&mut ThingModel)) -> Read<Thing> {
        let mut applied = as_it_is(object);
        breach(&mut applied.state);
        Read::Present(applied)
    }
    let unknown = |it| broken(it, |state| state.id = Value::Unknown);
    let write_only = |it| broken(it, |state| state.secret = "s".into());
    let bare = |it| broken(it, |state| state.free = Value::Known(Datum::from("x")));
    for (read_it, text) in [
        (unknown as fn(_) -> _, "`id` is still unknown after the operation"),
        (write_only, "`secret` is write-only, but was to be stored"),
        (bare, "`free` does not have the type of the schema"),
    ] {
        let response = read(&things(Thing { read: read_it, ..Thing::default() }).await).await;
        caught(&response.diagnostics, text);
        assert_eq!(storable(response.new_state.as_ref()), stored());
        assert_eq!(response.private, private("kept"));
        assert_eq!(response.new_identity, identity("a"));
    }
}

async fn import(
    thing: Thing,
    id: &str,
    identity: Option<pb::ResourceIdentityData>,
) -> pb::import_resource_state::Response {
    let request = pb::import_resource_state::Request {
        type_name: "ha_thing".into(),
        id: id.into(),
        identity,
        ..Default::default()
    };
    let service = things(thing).await;
    service.import_resource_state(Request::new(request)).await.unwrap().into_inner()
}

#[tokio::test]
async fn an_import_by_identity_keeps_it() {
    for (id, by, identify) in [
        ("a", None, Thing::default().identify),
        ("", identity("a"), Thing::default().identify),
        ("", identity("a"), |_: &_, _: Option<&_>| None),
    ] {
        let response = import(Thing { identify, ..Thing::default() }, id, by).await;
        assert_eq!(told(&response.diagnostics), "");
        let [imported] = &response.imported_resources[..] else { panic!("one object") };
        assert_eq!(imported.type_name, "ha_thing");
        assert_eq!(storable(imported.state.as_ref()), json!({"name": "a"}));
        assert_eq!(imported.private, private(""));
        assert_eq!(imported.identity, identity("a"));
    }
}

#[tokio::test]
async fn a_breach_of_an_import_is_an_error() {
    let thing = Thing {
        import: |_| {
            let state =
                ThingModel { secret: "s".into(), id: Value::Unknown, ..ThingModel::default() };
            let object = Object { state, private: Notes::default(), identity: None };
            Ok(Imported { object, diags: Diagnostics::new() })
        },
        ..Thing::default()
    };
    let response = import(thing, "a", None).await;
    caught(&response.diagnostics, "`secret` is write-only, but was to be stored");
    storable(response.imported_resources[0].state.as_ref());
    let identify = |_: &ThingModel, _: Option<&_>| Some(ThingIdentity { name: Value::Unknown });
    let response = import(Thing { identify, ..Thing::default() }, "a", None).await;
    caught(&response.diagnostics, "has an identity that is still unknown");
}

#[tokio::test]
async fn a_failed_import_finds_nothing() {
    let thing = || Thing { import: |_| Err(diag("no such thing")), ..Thing::default() };
    let response = import(thing(), "a", None).await;
    assert_eq!(told(&response.diagnostics), "error: no such thing");
    assert!(response.imported_resources.is_empty());
    let response = import(thing(), "", None).await;
    assert_eq!(told(&response.diagnostics), "error: Nothing to import was named");
}

async fn upgrade(thing: Thing, version: i64, json: &str) -> pb::upgrade_resource_state::Response {
    let request = pb::upgrade_resource_state::Request {
        type_name: "ha_thing".into(),
        version,
        raw_state: Some(pb::RawState { json: json.to_owned().into(), ..Default::default() }),
    };
    let service = things(thing).await;
    service.upgrade_resource_state(Request::new(request)).await.unwrap().into_inner()
}

#[tokio::test]
async fn an_upgrade_at_the_same_version_only_reads() {
    let thing = || Thing { upgrade: |_| unreachable!("nothing to do"), ..Thing::default() };
    let state = r#"{"name":"a","size":12345678901234567,"gone":[1],"secret":"s"}"#;
    let response = upgrade(thing(), 2, state).await;
    assert_eq!(told(&response.diagnostics), "");
    let upgraded = storable(response.upgraded_state.as_ref());
    assert_eq!(upgraded, json!({"name": "a", "size": 12_345_678_901_234_567_i64}));
    let response = upgrade(thing(), 2, r#"{"name":[]}"#).await;
    assert_eq!(told(&response.diagnostics), "error: The stored object does not fit the schema");
}

#[tokio::test]
async fn an_upgrade_of_an_older_version_may_leave_keys_over() {
    let thing = Thing {
        upgrade: |mut state| {
            state["name"] = state["title"].clone();
            Ok(state)
        },
        ..Thing::default()
    };
    let response = upgrade(thing, 1, r#"{"title":"a","more":{}}"#).await;
    assert_eq!(told(&response.diagnostics), "");
    assert_eq!(storable(response.upgraded_state.as_ref()), json!({"name": "a"}));
}

#[tokio::test]
async fn an_upgrade_loses_no_object() {
    for json in ["null", "", "{", "[]", "1"] {
        let response = upgrade(Thing::default(), 2, json).await;
        assert!(told(&response.diagnostics).starts_with("error: "), "{json}");
        assert_eq!(response.upgraded_state, None, "{json}");
    }
    let thing = Thing { upgrade: |_| Ok(Json::Null), ..Thing::default() };
    let response = upgrade(thing, 1, "{}").await;
    assert_eq!(told(&response.diagnostics), "error: The stored object became nothing");
}

/// The JSON parser keeps exact numbers behind a name of its own. An object with this very key is
/// taken for a number, which then is an error: never a panic, and never another value.
#[tokio::test]
async fn an_upgrade_is_not_misled_by_a_key_of_the_json_parser() {
    for value in [r#""1""#, r#""one""#, "1", "{}"] {
        let json = format!(r#"{{"name":"a","free":{{"$serde_json::private::Number":{value}}}}}"#);
        let response = upgrade(Thing::default(), 2, &json).await;
        assert!(told(&response.diagnostics).starts_with("error: The stored object "), "{json}");
        assert_eq!(response.upgraded_state, None);
    }
}

#[tokio::test]
async fn an_upgraded_identity_fits() {
    let service = things(Thing::default()).await;
    let upgrade = async |json: &str| {
        let raw = pb::RawState { json: json.to_owned().into(), ..Default::default() };
        let request = pb::upgrade_resource_identity::Request {
            type_name: "ha_thing".into(),
            version: 0,
            raw_identity: Some(raw),
        };
        service.upgrade_resource_identity(Request::new(request)).await.unwrap().into_inner()
    };
    let response = upgrade(r#"{"name":"a","address":"b"}"#).await;
    assert_eq!(told(&response.diagnostics), "");
    assert_eq!(response.upgraded_identity, identity("a"));
    let response = upgrade(r#"{"name":{}}"#).await;
    assert_eq!(told(&response.diagnostics), "error: The stored object does not fit the schema");
    assert_eq!(response.upgraded_identity, None);
}

#[tokio::test]
async fn a_move_is_refused() {
    let request = pb::move_resource_state::Request {
        source_type_name: "other_thing".into(),
        target_type_name: "ha_thing".into(),
        ..Default::default()
    };
    let service = things(Thing::default()).await;
    let response = service.move_resource_state(Request::new(request)).await.unwrap().into_inner();
    let told = told(&response.diagnostics);
    assert_eq!(told, "error: Moving between resource types is not supported");
}

async fn look(look: Look) -> pb::read_data_source::Response {
    let request = pb::read_data_source::Request {
        type_name: "ha_look".into(),
        config: object(&json!({"name": "a"})),
        ..Default::default()
    };
    let service = serve(Thing::default(), look, Loan::default()).await;
    service.read_data_source(Request::new(request)).await.unwrap().into_inner()
}

#[tokio::test]
async fn a_breach_of_a_data_source_is_an_error() {
    let response = look(Look::default()).await;
    assert_eq!(told(&response.diagnostics), "");
    let state = seen(response.state.as_ref());
    assert_eq!(state, json!({"name": "a", "id": "1", "seen": "now"}));
    let unknown = |config| Ok(ThingModel { id: Value::Unknown, ..config }.into());
    let response = look(Look { read: unknown }).await;
    caught(&response.diagnostics, "`id` is still unknown after the operation");
    assert_eq!(response.state, None);
    let bare = |config| {
        Ok(ThingModel { free: Value::Known(Datum::from("x")), id: "1".into(), ..config }.into())
    };
    let response = look(Look { read: bare }).await;
    caught(&response.diagnostics, "`free` does not have the type of the schema");
    assert_eq!(response.state, None);
    let response = look(Look { read: |_| Err(diag("no answer")) }).await;
    assert_eq!(told(&response.diagnostics), "error: no answer");
}
