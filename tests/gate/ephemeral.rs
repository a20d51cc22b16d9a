//! Ephemeral resources. No client closes what it was told of with an error, so the service does.

use bytes::Bytes;
use serde_json::json;
use terraform_provider_ha::proto::tfplugin6 as pb;
use terraform_provider_ha::proto::tfplugin6::provider_server::Provider as _;
use terraform_provider_ha::tfplugin::diagnostics::Diagnostics;
use terraform_provider_ha::tfplugin::service::Service;
use terraform_provider_ha::tfplugin::value::Value;
use tonic::Request;

use crate::client::{object, seen, serve, told};
use crate::rogue::{Loan, Look, Rogue, Thing, ThingModel, diag};

async fn lend(loan: Loan) -> Service<Rogue> {
    serve(Thing::default(), Look::default(), loan).await
}

async fn open(loan: Loan) -> pb::open_ephemeral_resource::Response {
    let request = pb::open_ephemeral_resource::Request {
        type_name: "ha_loan".into(),
        config: object(&json!({"name": "a"})),
        ..Default::default()
    };
    lend(loan).await.open_ephemeral_resource(Request::new(request)).await.unwrap().into_inner()
}

#[tokio::test]
async fn what_is_opened_can_be_closed() {
    let response = open(Loan::default()).await;
    assert_eq!(told(&response.diagnostics), "");
    let result = seen(response.result.as_ref());
    assert_eq!(result, json!({"name": "a", "size": 3, "id": "1", "seen": "now"}));
    assert_eq!(response.private, Some("\"loan 7\"".into()));
}

#[tokio::test]
async fn a_breach_is_an_error_and_what_was_opened_is_closed() {
    let renamed = |it| Ok((ThingModel { name: "b".into(), ..it }, Diagnostics::new()));
    let unknown = |it| Ok((ThingModel { id: Value::Unknown, ..it }, Diagnostics::new()));
    let secret = |it| Ok((ThingModel { secret: "s".into(), ..it }, Diagnostics::new()));
    for (open_it, text) in [
        (renamed as fn(_) -> _, "`name` was planned as neither the configured nor the stored"),
        (unknown, "`id` is still unknown after the operation"),
        (secret, "`secret` is write-only, but was to be stored"),
    ] {
        let response = open(Loan { open: open_it, ..Loan::default() }).await;
        let broke = "error: The provider broke a rule of Terraform\nwarning: closed loan 7";
        assert_eq!(told(&response.diagnostics), broke);
        assert!(response.diagnostics[0].detail.contains(text), "{:?}", response.diagnostics);
        assert_eq!((response.result, response.private), (None, None));
    }
}

#[tokio::test]
async fn an_error_beside_a_lease_closes_it() {
    let halfway = |it| Ok((it, diag("halfway")));
    let response = open(Loan { open: halfway, ..Loan::default() }).await;
    assert_eq!(told(&response.diagnostics), "error: halfway\nwarning: closed loan 7");
    assert_eq!((response.result, response.private), (None, None));
    // A lease that cannot be returned is told too, and the client has it.
    let close = |_: &str| diag("the other side is silent");
    let response = open(Loan { open: halfway, close, ..Loan::default() }).await;
    assert_eq!(told(&response.diagnostics), "error: halfway\nerror: the other side is silent");
    assert_eq!((response.result, response.private), (None, Some("\"loan 7\"".into())));
    let response = open(Loan { open: |_| Err(diag("closed today")), ..Loan::default() }).await;
    assert_eq!(told(&response.diagnostics), "error: closed today");
}

#[tokio::test]
async fn a_lease_is_renewed_and_closed() {
    let renew = async |loan: Loan, lease: &'static str| {
        let request = pb::renew_ephemeral_resource::Request {
            type_name: "ha_loan".into(),
            private: Some(Bytes::from(lease)),
        };
        let service = lend(loan).await;
        service.renew_ephemeral_resource(Request::new(request)).await.unwrap().into_inner()
    };
    let response = renew(Loan::default(), "\"loan 7\"").await;
    assert_eq!(told(&response.diagnostics), "");
    assert_eq!(response.private, Some("\"loan 7, renewed\"".into()));
    // A failed renewal keeps the lease, with which it will be closed.
    let response = renew(Loan { renew: || Err(diag("no")), ..Loan::default() }, "\"loan 7\"").await;
    assert_eq!(told(&response.diagnostics), "error: no");
    assert_eq!(response.private, Some("\"loan 7\"".into()));
    let response = renew(Loan::default(), "garbage").await;
    let unreadable = "error: The private data of the object cannot be read";
    assert_eq!(told(&response.diagnostics), unreadable);
    assert_eq!(response.private, Some("garbage".into()));
    let close = async |lease: &'static str| {
        let request = pb::close_ephemeral_resource::Request {
            type_name: "ha_loan".into(),
            private: Some(Bytes::from(lease)),
        };
        let service = lend(Loan::default()).await;
        let response = service.close_ephemeral_resource(Request::new(request)).await;
        told(&response.unwrap().into_inner().diagnostics)
    };
    assert_eq!(close("\"loan 7\"").await, "warning: closed loan 7");
    assert_eq!(close("garbage").await, unreadable);
}
