//! The generated trait: each call in a task of its own and in a span of the log; a panic becomes a
//! diagnostic, for every answer has room for one.
#![expect(clippy::needless_update, reason = "some answers hold nothing but diagnostics")]

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tonic::{Request, Response, Status};
use tracing::{Instrument, debug, error, error_span};

use super::{Service, Shared, TOKEN, apply, import, plan, read};
use crate::proto::tfplugin6::{self as pb, provider_server};
use crate::tfplugin::api::Provider;
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::isolate::{Panicked, isolate};

impl<P: Provider> Service<P> {
    /// Runs one call to its end, whatever the client does meanwhile.
    async fn call<T, F>(
        &self,
        rpc: &'static str,
        type_name: &str,
        work: impl FnOnce(Arc<Shared<P>>) -> F,
        on_panic: impl FnOnce(Diagnostics) -> T,
    ) -> Result<Response<T>, Status>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        static CALLS: AtomicU64 = AtomicU64::new(1);
        let number = CALLS.fetch_add(1, Ordering::Relaxed);
        // Of a span below the level of the filter its lines would miss the fields.
        let span =
            error_span!("rpc", tf_rpc = rpc, tf_req_id = number, tf_resource_type = type_name);
        // Taken now and not in the task, which may start after a stop that is meant for this call.
        let token = self.0.lifecycle.token();
        let work = TOKEN.scope(token, work(Arc::clone(&self.0)));
        async move {
            debug!("call");
            let answer = isolate(work).await.unwrap_or_else(|panicked| {
                error!(%panicked, "the call panicked");
                on_panic(crashed(&panicked).into())
            });
            debug!("answer");
            Ok(Response::new(answer))
        }
        .instrument(span)
        .await
    }
}

fn crashed(panicked: &Panicked) -> Diagnostic {
    Diagnostic::error("The provider crashed in this operation", panicked)
        .hint("This is a bug in the provider; please report it. The state is as it was before.")
}

/// The answer of a call that has nothing to keep: its diagnostics.
macro_rules! only_diagnostics {
    ($module:ident) => {
        |diags: Diagnostics| pb::$module::Response {
            diagnostics: diags.to_proto(),
            ..Default::default()
        }
    };
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl<P: Provider> provider_server::Provider for Service<P> {
    async fn get_metadata(
        &self,
        _: Request<pb::get_metadata::Request>,
    ) -> Answer<pb::get_metadata::Response> {
        Ok(Response::new(self.0.metadata()))
    }

    async fn get_provider_schema(
        &self,
        _: Request<pb::get_provider_schema::Request>,
    ) -> Answer<pb::get_provider_schema::Response> {
        Ok(Response::new(self.0.schemas()))
    }

    async fn get_resource_identity_schemas(
        &self,
        _: Request<pb::get_resource_identity_schemas::Request>,
    ) -> Answer<pb::get_resource_identity_schemas::Response> {
        Ok(Response::new(self.0.identity_schemas()))
    }

    async fn validate_provider_config(
        &self,
        request: Request<pb::validate_provider_config::Request>,
    ) -> Answer<pb::validate_provider_config::Response> {
        let request = request.into_inner();
        let answer = only_diagnostics!(validate_provider_config);
        let work = |shared: Arc<Shared<P>>| async move {
            answer(shared.validate_provider(request.config.as_ref()))
        };
        self.call("ValidateProviderConfig", "", work, answer).await
    }

    async fn configure_provider(
        &self,
        request: Request<pb::configure_provider::Request>,
    ) -> Answer<pb::configure_provider::Response> {
        let request = request.into_inner();
        let work = |shared: Arc<Shared<P>>| shared.configure(request);
        self.call("ConfigureProvider", "", work, only_diagnostics!(configure_provider)).await
    }

    async fn stop_provider(
        &self,
        _: Request<pb::stop_provider::Request>,
    ) -> Answer<pb::stop_provider::Response> {
        self.0.lifecycle.stop();
        Ok(Response::new(pb::stop_provider::Response::default()))
    }

    async fn validate_resource_config(
        &self,
        request: Request<pb::validate_resource_config::Request>,
    ) -> Answer<pb::validate_resource_config::Response> {
        let request = request.into_inner();
        let name = request.type_name.clone();
        let answer = only_diagnostics!(validate_resource_config);
        let work = |shared: Arc<Shared<P>>| async move {
            answer(shared.validate_resource(&request.type_name, request.config.as_ref()))
        };
        self.call("ValidateResourceConfig", &name, work, answer).await
    }

    async fn upgrade_resource_state(
        &self,
        request: Request<pb::upgrade_resource_state::Request>,
    ) -> Answer<pb::upgrade_resource_state::Response> {
        let request = request.into_inner();
        let name = request.type_name.clone();
        let work = |shared: Arc<Shared<P>>| async move { shared.upgrade_state(&request) };
        self.call("UpgradeResourceState", &name, work, only_diagnostics!(upgrade_resource_state))
            .await
    }

    async fn upgrade_resource_identity(
        &self,
        request: Request<pb::upgrade_resource_identity::Request>,
    ) -> Answer<pb::upgrade_resource_identity::Response> {
        let request = request.into_inner();
        let name = request.type_name.clone();
        let work = |shared: Arc<Shared<P>>| async move { shared.upgrade_identity(&request) };
        let answer = only_diagnostics!(upgrade_resource_identity);
        self.call("UpgradeResourceIdentity", &name, work, answer).await
    }

    async fn read_resource(
        &self,
        request: Request<pb::read_resource::Request>,
    ) -> Answer<pb::read_resource::Response> {
        let request = request.into_inner();
        let (name, before) = (request.type_name.clone(), request.clone());
        let work = |shared: Arc<Shared<P>>| shared.read(request);
        self.call("ReadResource", &name, work, |diags| read::kept(&before, &diags)).await
    }

    async fn plan_resource_change(
        &self,
        request: Request<pb::plan_resource_change::Request>,
    ) -> Answer<pb::plan_resource_change::Response> {
        let request = request.into_inner();
        let (name, before) = (request.type_name.clone(), request.clone());
        let work = |shared: Arc<Shared<P>>| shared.plan(request);
        self.call("PlanResourceChange", &name, work, |diags| plan::kept(&before, &diags)).await
    }

    async fn apply_resource_change(
        &self,
        request: Request<pb::apply_resource_change::Request>,
    ) -> Answer<pb::apply_resource_change::Response> {
        let request = request.into_inner();
        let (name, before) = (request.type_name.clone(), request.clone());
        let work = |shared: Arc<Shared<P>>| shared.apply(request);
        self.call("ApplyResourceChange", &name, work, |diags| apply::kept(&before, &diags)).await
    }

    async fn import_resource_state(
        &self,
        request: Request<pb::import_resource_state::Request>,
    ) -> Answer<pb::import_resource_state::Response> {
        let request = request.into_inner();
        let name = request.type_name.clone();
        let work = |shared: Arc<Shared<P>>| shared.import(request);
        self.call("ImportResourceState", &name, work, only_diagnostics!(import_resource_state))
            .await
    }

    async fn move_resource_state(
        &self,
        request: Request<pb::move_resource_state::Request>,
    ) -> Answer<pb::move_resource_state::Response> {
        Ok(Response::new(import::moved(request.get_ref())))
    }

    async fn validate_data_resource_config(
        &self,
        request: Request<pb::validate_data_resource_config::Request>,
    ) -> Answer<pb::validate_data_resource_config::Response> {
        let request = request.into_inner();
        let name = request.type_name.clone();
        let answer = only_diagnostics!(validate_data_resource_config);
        let work = |shared: Arc<Shared<P>>| async move {
            answer(shared.validate_data(&request.type_name, request.config.as_ref()))
        };
        self.call("ValidateDataResourceConfig", &name, work, answer).await
    }

    async fn read_data_source(
        &self,
        request: Request<pb::read_data_source::Request>,
    ) -> Answer<pb::read_data_source::Response> {
        let request = request.into_inner();
        let name = request.type_name.clone();
        let work = |shared: Arc<Shared<P>>| shared.read_data(request);
        self.call("ReadDataSource", &name, work, only_diagnostics!(read_data_source)).await
    }

    async fn validate_ephemeral_resource_config(
        &self,
        request: Request<pb::validate_ephemeral_resource_config::Request>,
    ) -> Answer<pb::validate_ephemeral_resource_config::Response> {
        let request = request.into_inner();
        let name = request.type_name.clone();
        let answer = only_diagnostics!(validate_ephemeral_resource_config);
        let work = |shared: Arc<Shared<P>>| async move {
            answer(shared.validate_ephemeral(&request.type_name, request.config.as_ref()))
        };
        self.call("ValidateEphemeralResourceConfig", &name, work, answer).await
    }

    async fn open_ephemeral_resource(
        &self,
        request: Request<pb::open_ephemeral_resource::Request>,
    ) -> Answer<pb::open_ephemeral_resource::Response> {
        let request = request.into_inner();
        let name = request.type_name.clone();
        let work = |shared: Arc<Shared<P>>| shared.open(request);
        self.call("OpenEphemeralResource", &name, work, only_diagnostics!(open_ephemeral_resource))
            .await
    }

    async fn renew_ephemeral_resource(
        &self,
        request: Request<pb::renew_ephemeral_resource::Request>,
    ) -> Answer<pb::renew_ephemeral_resource::Response> {
        let request = request.into_inner();
        let (name, lease) = (request.type_name.clone(), request.private.clone());
        let work = |shared: Arc<Shared<P>>| shared.renew(request);
        let kept = |diags: Diagnostics| pb::renew_ephemeral_resource::Response {
            diagnostics: diags.to_proto(),
            private: lease,
            renew_at: None,
        };
        self.call("RenewEphemeralResource", &name, work, kept).await
    }

    async fn close_ephemeral_resource(
        &self,
        request: Request<pb::close_ephemeral_resource::Request>,
    ) -> Answer<pb::close_ephemeral_resource::Response> {
        let request = request.into_inner();
        let name = request.type_name.clone();
        let work = |shared: Arc<Shared<P>>| shared.close(request);
        let answer = only_diagnostics!(close_ephemeral_resource);
        self.call("CloseEphemeralResource", &name, work, answer).await
    }

    async fn get_functions(
        &self,
        _: Request<pb::get_functions::Request>,
    ) -> Answer<pb::get_functions::Response> {
        Ok(Response::new(pb::get_functions::Response::default()))
    }

    async fn call_function(
        &self,
        request: Request<pb::call_function::Request>,
    ) -> Answer<pb::call_function::Response> {
        let text = format!("There is no function `{}` in this provider.", request.get_ref().name);
        let error = Some(pb::FunctionError { text, function_argument: None });
        Ok(Response::new(pb::call_function::Response { result: None, error }))
    }
}
