//! A plugin with next to nothing in it, for the tests of the process contract.
//!
//! `ReadResource` answers with the state that it got; for the type `loud` it logs a lot, for `panics` it panics in a
//! task of its own, and for `crashes` outside of it. `ApplyResourceChange` keeps a diary in the directory that
//! `planned_private` names: the file `started`, and then `finished` once there is a file `release`, or `cancelled`.
#![allow(clippy::disallowed_methods, reason = "keeps a diary for the tests")]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::wildcard_imports,
    reason = "a plugin that breaks on request, and speaks of most messages"
)]

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use terraform_provider_ha::proto::tfplugin6::provider_server::Provider;
use terraform_provider_ha::proto::tfplugin6::*;
use terraform_provider_ha::tfplugin::isolate::isolate;
use terraform_provider_ha::tfplugin::serve::{self, About, Lifecycle};
use tonic::{Request, Response, Status};

const ABOUT: About =
    About { address: "example.com/terraform-ha/bare", name: "bare", version: "1.2.3" };

fn main() -> ExitCode {
    serve::run(&ABOUT, |lifecycle| Bare { lifecycle })
}

struct Bare {
    lifecycle: Lifecycle,
}

/// What is not served here.
macro_rules! unimplemented {
    ($($name:ident: $message:ident,)*) => {
        #[tonic::async_trait]
        impl Provider for Bare {
            $(async fn $name(&self, _: Request<$message::Request>) -> Result<Response<$message::Response>, Status> {
                Err(Status::unimplemented(stringify!($name)))
            })*

            async fn stop_provider(
                &self,
                _: Request<stop_provider::Request>,
            ) -> Result<Response<stop_provider::Response>, Status> {
                self.lifecycle.stop();
                Ok(Response::new(Default::default()))
            }

            async fn read_resource(
                &self,
                request: Request<read_resource::Request>,
            ) -> Result<Response<read_resource::Response>, Status> {
                let request = request.into_inner();
                match request.type_name.as_str() {
                    "loud" => (0..100).for_each(|_| tracing::error!("{}", "loud ".repeat(10_000))),
                    "panics" => {
                        let panicked = isolate(async { panic!("{}", "as asked") }).await;
                        return panicked.map_err(|error| Status::internal(error.to_string()));
                    }
                    "crashes" => panic!("{}", "as asked"),
                    _ => (),
                }
                let new_state = request.current_state;
                Ok(Response::new(read_resource::Response { new_state, ..Default::default() }))
            }

            async fn apply_resource_change(
                &self,
                request: Request<apply_resource_change::Request>,
            ) -> Result<Response<apply_resource_change::Response>, Status> {
                let diary = String::from_utf8_lossy(&request.get_ref().planned_private).into_owned();
                let (token, mutation) = (self.lifecycle.token(), self.lifecycle.begin_mutation());
                let done = isolate(async move {
                    let _mutation = mutation;
                    let diary = PathBuf::from(diary);
                    note(&diary, "started");
                    tokio::select! {
                        () = token.cancelled() => note(&diary, "cancelled"),
                        () = released(&diary) => note(&diary, "finished"),
                    }
                });
                done.await.map_err(|error| Status::internal(error.to_string()))?;
                Ok(Response::new(Default::default()))
            }
        }
    };
}

unimplemented! {
    get_metadata: get_metadata,
    get_provider_schema: get_provider_schema,
    get_resource_identity_schemas: get_resource_identity_schemas,
    validate_provider_config: validate_provider_config,
    configure_provider: configure_provider,
    validate_resource_config: validate_resource_config,
    upgrade_resource_state: upgrade_resource_state,
    upgrade_resource_identity: upgrade_resource_identity,
    plan_resource_change: plan_resource_change,
    import_resource_state: import_resource_state,
    move_resource_state: move_resource_state,
    validate_data_resource_config: validate_data_resource_config,
    read_data_source: read_data_source,
    validate_ephemeral_resource_config: validate_ephemeral_resource_config,
    open_ephemeral_resource: open_ephemeral_resource,
    renew_ephemeral_resource: renew_ephemeral_resource,
    close_ephemeral_resource: close_ephemeral_resource,
    get_functions: get_functions,
    call_function: call_function,
}

fn note(diary: &std::path::Path, what: &str) {
    fs::write(diary.join(what), "").expect("the test gave a directory");
}

async fn released(diary: &std::path::Path) {
    while !diary.join("release").exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
