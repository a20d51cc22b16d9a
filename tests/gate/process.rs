//! What no operation may do to the others: panics, garbage, unknown types, stops, limits.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use serde_json::{Value as Json, json};
use terraform_provider_ha::proto::tfplugin6 as pb;
use terraform_provider_ha::proto::tfplugin6::provider_server::Provider as _;
use terraform_provider_ha::tfplugin::api::{Context, Created, Deleted};
use terraform_provider_ha::tfplugin::serve::Lifecycle;
use terraform_provider_ha::tfplugin::service::Service;
use tokio::sync::Notify;
use tonic::Request;

use crate::client::{
    apply, apply_of, configured, identity, object, plan, plan_of, private, seen, serve, stored,
    things, told, unconfigured,
};
use crate::rogue::{Loan, Look, Rogue, Thing, as_it_is, diag, reached};

fn garbage() -> Option<pb::DynamicValue> {
    Some(pb::DynamicValue {
        msgpack: Bytes::from_static(b"\xdf\xff\xff\xff\xffno"),
        json: Bytes::new(),
    })
}

/// The diagnostics of each RPC that takes a type and values, with what it must keep.
async fn call_all(
    service: &Service<Rogue>,
    name: &str,
    value: &dyn Fn(&Json) -> Option<pb::DynamicValue>,
) -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    let config = json!({"name": "a"});
    let type_name =
        |kind: &str| if name.is_empty() { format!("ha_{kind}") } else { name.to_owned() };
    let thing = type_name("thing");

    let request = pb::validate_resource_config::Request {
        type_name: thing.clone(),
        config: value(&config),
        ..Default::default()
    };
    let response = service.validate_resource_config(Request::new(request)).await.unwrap();
    all.push(("validate", told(&response.into_inner().diagnostics)));

    let mut request = plan_of(&config, &stored());
    request.type_name = thing.clone();
    (request.prior_state, request.config) = (value(&stored()), value(&config));
    let response = plan(service, request).await;
    assert_eq!(response.planned_state, value(&stored()));
    assert_eq!(response.planned_private, private("kept"));
    assert_eq!(response.planned_identity, identity("a"));
    all.push(("plan", told(&response.diagnostics)));

    for (kind, prior, planned) in [
        ("create", Json::Null, json!({"name": "a", "size": 3, "id": "?", "seen": "?"})),
        ("update", stored(), stored()),
        ("delete", stored(), Json::Null),
    ] {
        let mut request = apply_of(&config, &prior, &planned);
        request.type_name = thing.clone();
        request.config = value(&config);
        request.prior_state = value(&prior);
        let response = apply(service, request).await;
        assert_eq!(response.new_state, value(&prior), "{kind}");
        assert_eq!(response.private, private("planned"), "{kind}");
        assert_eq!(response.new_identity, if prior.is_null() { None } else { identity("a") });
        all.push((kind, told(&response.diagnostics)));
    }

    let request = pb::read_resource::Request {
        type_name: thing.clone(),
        current_state: value(&stored()),
        private: private("kept"),
        current_identity: identity("a"),
        ..Default::default()
    };
    let response = service.read_resource(Request::new(request)).await.unwrap().into_inner();
    assert_eq!(response.new_state, value(&stored()));
    assert_eq!(response.private, private("kept"));
    assert_eq!(response.new_identity, identity("a"));
    all.push(("read", told(&response.diagnostics)));

    let request = pb::read_data_source::Request {
        type_name: type_name("look"),
        config: value(&config),
        ..Default::default()
    };
    let response = service.read_data_source(Request::new(request)).await.unwrap().into_inner();
    assert_eq!(response.state, None);
    all.push(("data source", told(&response.diagnostics)));

    let request = pb::open_ephemeral_resource::Request {
        type_name: type_name("loan"),
        config: value(&config),
        ..Default::default()
    };
    let response = service.open_ephemeral_resource(Request::new(request)).await.unwrap();
    all.push(("open", told(&response.into_inner().diagnostics)));
    all
}

/// The RPCs that take a type and no block, and so no garbage.
async fn call_others(service: &Service<Rogue>, name: &str) -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    let type_name =
        |kind: &str| if name.is_empty() { format!("ha_{kind}") } else { name.to_owned() };
    let request = pb::import_resource_state::Request {
        type_name: type_name("thing"),
        id: "a".into(),
        ..Default::default()
    };
    let response = service.import_resource_state(Request::new(request)).await.unwrap();
    all.push(("import", told(&response.into_inner().diagnostics)));
    let lease = Some(Bytes::from("\"loan 7\""));
    let request = pb::renew_ephemeral_resource::Request {
        type_name: type_name("loan"),
        private: lease.clone(),
    };
    let response = service.renew_ephemeral_resource(Request::new(request)).await.unwrap();
    assert_eq!(response.get_ref().private, lease);
    all.push(("renew", told(&response.into_inner().diagnostics)));
    let request =
        pb::close_ephemeral_resource::Request { type_name: type_name("loan"), private: lease };
    let response = service.close_ephemeral_resource(Request::new(request)).await.unwrap();
    all.push(("close", told(&response.into_inner().diagnostics)));
    all
}

#[tokio::test]
async fn a_panic_is_an_error_and_keeps_the_state() {
    let thing = Thing {
        validate: || panic!("validate"),
        plan: |_| panic!("plan"),
        create: |_, _| panic!("create"),
        read: |_| panic!("read"),
        update: |_, _, _| panic!("update"),
        delete: |_, _| panic!("delete"),
        import: |_| panic!("import"),
        upgrade: |_| panic!("upgrade"),
        ..Thing::default()
    };
    let look = Look { read: |_| panic!("look") };
    let loan =
        Loan { open: |_| panic!("open"), renew: || panic!("renew"), close: |_| panic!("close") };
    let service = serve(thing, look, loan).await;
    let all = call_all(&service, "", &object).await;
    for (rpc, told) in all.into_iter().chain(call_others(&service, "").await) {
        assert_eq!(told, "error: The provider crashed in this operation", "{rpc}");
    }
    let raw_state = Some(pb::RawState { json: Bytes::from("{}"), ..Default::default() });
    let request =
        pb::upgrade_resource_state::Request { type_name: "ha_thing".into(), version: 1, raw_state };
    let response = service.upgrade_resource_state(Request::new(request)).await.unwrap();
    let told = told(&response.into_inner().diagnostics);
    assert_eq!(told, "error: The provider crashed in this operation");
}

#[tokio::test]
async fn garbage_is_an_error_and_echoed() {
    let service = serve(Thing::default(), Look::default(), Loan::default()).await;
    for (rpc, told) in call_all(&service, "", &|_| garbage()).await {
        assert_eq!(told, "error: The provider was sent a value that it cannot read", "{rpc}");
    }
    let config = garbage();
    let request = pb::configure_provider::Request { config, ..Default::default() };
    let response = service.configure_provider(Request::new(request)).await.unwrap();
    assert!(!response.into_inner().diagnostics.is_empty());
    let request = pb::validate_provider_config::Request { config: garbage() };
    let response = service.validate_provider_config(Request::new(request)).await.unwrap();
    assert!(!response.into_inner().diagnostics.is_empty());
}

#[tokio::test]
async fn garbage_in_private_data_keeps_it_and_in_an_identity_makes_it_anew() {
    let service = things(Thing::default()).await;
    let request = pb::read_resource::Request {
        type_name: "ha_thing".into(),
        current_state: object(&stored()),
        private: Bytes::from("garbage"),
        current_identity: Some(pb::ResourceIdentityData { identity_data: garbage() }),
        ..Default::default()
    };
    let response = service.read_resource(Request::new(request.clone())).await.unwrap().into_inner();
    let unreadable = "error: The private data of the object cannot be read";
    assert_eq!(told(&response.diagnostics), unreadable);
    assert_eq!(response.private, "garbage");
    let request = pb::read_resource::Request { private: private("kept"), ..request };
    let response = service.read_resource(Request::new(request)).await.unwrap().into_inner();
    assert_eq!(told(&response.diagnostics), "");
    assert_eq!(response.new_identity, identity("a"));
    let mut request = apply_of(&json!({"name": "a"}), &stored(), &stored());
    request.planned_private = Bytes::from("garbage");
    let response = apply(&service, request).await;
    assert_eq!(told(&response.diagnostics), unreadable);
    assert_eq!(seen(response.new_state.as_ref()), stored());
    assert_eq!(response.private, "garbage");
}

#[tokio::test]
async fn an_unknown_type_is_an_error_and_keeps_the_state() {
    let service = serve(Thing::default(), Look::default(), Loan::default()).await;
    let all = call_all(&service, "ha_nothing", &object).await;
    for (rpc, told) in all.into_iter().chain(call_others(&service, "ha_nothing").await) {
        assert!(told.starts_with("error: Unknown "), "{rpc}: {told}");
    }
}

#[tokio::test]
async fn an_unconfigured_provider_is_an_error_and_keeps_the_state() {
    let service = unconfigured(Thing::default(), Look::default(), Loan::default());
    let all = call_all(&service, "", &object).await;
    for (rpc, told) in all.into_iter().chain(call_others(&service, "").await) {
        // Validation needs no provider block.
        let wanted = if rpc == "validate" { "" } else { "error: The provider is not configured" };
        assert_eq!(told, wanted, "{rpc}");
    }
}

#[tokio::test]
async fn a_stop_cancels_what_runs_and_not_what_comes_later() {
    let began = Arc::new(Notify::new());
    let thing = Thing {
        create: |wanted, context| {
            assert!(context.cancelled().is_cancelled());
            let mut applied = reached(wanted);
            applied.diags = diag("stopped");
            Created::Made(applied)
        },
        update: |_, wanted, context| {
            assert!(!context.cancelled().is_cancelled());
            reached(wanted)
        },
        waits: Some(Arc::clone(&began)),
        ..Thing::default()
    };
    let service = Arc::new(things(thing).await);
    let running = {
        let service = Arc::clone(&service);
        let planned = json!({"name": "a", "size": 3, "id": "?", "seen": "?"});
        let request = apply_of(&json!({"name": "a"}), &Json::Null, &planned);
        tokio::spawn(async move { apply(&service, request).await })
    };
    began.notified().await;
    let stop = pb::stop_provider::Request::default();
    let stopped = service.stop_provider(Request::new(stop)).await.unwrap().into_inner();
    assert_eq!(stopped.error, "");
    let applied = running.await.unwrap();
    assert_eq!(told(&applied.diagnostics), "error: stopped");
    assert_eq!(seen(applied.new_state.as_ref())["id"], "1");
    let later = apply(&service, apply_of(&json!({"name": "a"}), &stored(), &stored())).await;
    assert_eq!(told(&later.diagnostics), "");
}

#[tokio::test]
async fn a_call_that_began_is_stopped_and_waited_for_even_before_its_task_runs() {
    let thing = Thing {
        create: |wanted, context| {
            let mut applied = reached(wanted);
            applied.state.seen = context.cancelled().is_cancelled().to_string().into();
            Created::Made(applied)
        },
        ..Thing::default()
    };
    let lifecycle = Lifecycle::default();
    let service = configured(thing, lifecycle.clone()).await;
    let planned = json!({"name": "a", "size": 3, "id": "?", "seen": "?"});
    let request = apply_of(&json!({"name": "a"}), &Json::Null, &planned);
    // On the one thread of this test the task of the call cannot run before the test waits.
    let mut call = pin!(apply(&service, request));
    assert!(is_pending(call.as_mut()).await);
    assert!(is_pending(pin!(lifecycle.idle())).await, "nobody waits for the mutation");
    service.stop_provider(Request::new(pb::stop_provider::Request::default())).await.unwrap();
    assert_eq!(seen(call.await.new_state.as_ref())["seen"], "true");
}

async fn is_pending<F: Future>(mut work: Pin<&mut F>) -> bool {
    poll_fn(|context| Poll::Ready(work.as_mut().poll(context).is_pending())).await
}

/// The limit of an operation, told as its `seen`.
fn limit(context: &Context) -> String {
    format!("{}s", context.remaining().as_secs_f64().round())
}

#[tokio::test]
async fn the_timeouts_of_the_object_limit_its_operations() {
    let thing = Thing {
        create: |wanted, context| {
            let mut applied = reached(wanted);
            applied.state.seen = limit(context).into();
            Created::Made(applied)
        },
        update: |_, wanted, context| {
            let mut applied = reached(wanted);
            applied.state.seen = limit(context).into();
            applied
        },
        delete: |object, context| {
            let mut applied = as_it_is(object);
            applied.state.seen = limit(context).into();
            applied.diags = diag("look at the limit");
            Deleted::Remains(applied)
        },
        ..Thing::default()
    };
    let service = things(thing).await;
    let check = async |timeouts: Json, limits: [&str; 3]| {
        let config = json!({"name": "a", "timeouts": timeouts});
        let mut prior = stored();
        prior["timeouts"] = timeouts.clone();
        let new = json!({"name": "a", "size": 3, "id": "?", "seen": "?", "timeouts": timeouts});
        let mut planned = prior.clone();
        planned["seen"] = "?".into();
        for (request, limit) in [
            apply_of(&config, &Json::Null, &new),
            apply_of(&config, &prior, &planned),
            apply_of(&Json::Null, &prior, &Json::Null),
        ]
        .into_iter()
        .zip(limits)
        {
            let applied = apply(&service, request).await;
            assert_eq!(seen(applied.new_state.as_ref())["seen"], limit);
        }
    };
    check(Json::Null, ["60s", "120s", "90s"]).await;
    check(json!({"create": "5s", "delete": "1h"}), ["5s", "120s", "3600s"]).await;
}

#[tokio::test]
async fn a_timeout_of_zero_is_refused() {
    let service = things(Thing::default()).await;
    for (read, wanted) in [
        ("0s", "error: `timeouts.read` has a wrong value"),
        ("0", "error: `timeouts.read` has a wrong value"),
        ("soon", "error: `timeouts.read` has a value that does not fit"),
        ("1ns", ""),
    ] {
        let request = pb::validate_resource_config::Request {
            type_name: "ha_thing".into(),
            config: object(&json!({"name": "a", "timeouts": {"read": read}})),
            ..Default::default()
        };
        let response = service.validate_resource_config(Request::new(request)).await.unwrap();
        assert_eq!(told(&response.into_inner().diagnostics), wanted, "{read}");
    }
}
