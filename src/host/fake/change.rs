//! A call that changes something in memory, or fails as it was told to.

use std::future::pending;

use tokio_util::sync::CancellationToken;
use tonic::{Response, Status};

use super::state::State;
use super::{Failure, FakeHost};
use crate::proto::agent::service_request::Action;
use crate::proto::agent::{Claim, ServiceReply, ServiceRequest};

/// One connection.
pub(super) struct Calls {
    pub(super) host: FakeHost,
    ends: CancellationToken,
}

impl Calls {
    pub(super) fn new(host: FakeHost, ends: CancellationToken) -> Self {
        Self { host, ends }
    }

    /// A call that changes something: it may be the one that fails.
    pub(super) async fn change<T>(
        &self,
        claim: Option<Claim>,
        line: String,
        work: impl FnOnce(&mut State) -> Result<T, Status>,
    ) -> Result<Response<T>, Status> {
        self.host.state().admit(claim.as_ref())?;
        let from_around = self.host.comes(Some(&line));
        let outcome = {
            let mut state = self.host.state();
            let failure = match state.failure.take() {
                Some((0, failure)) => Some(failure),
                Some((left, failure)) => {
                    state.failure = Some((left - 1, failure));
                    None
                }
                None => from_around,
            };
            match failure {
                Some(Failure::LostBefore) => None,
                Some(Failure::Refused(text)) => return Err(Status::internal(text)),
                after => {
                    state.transcript.push(line);
                    let done = work(&mut state);
                    if after.is_some() { None } else { Some(done) }
                }
            }
        };
        let Some(done) = outcome else {
            self.ends.cancel();
            return pending().await;
        };
        done.map(Response::new)
    }
    /// What is asked of a service.
    pub(super) async fn serve(
        &self,
        request: ServiceRequest,
    ) -> Result<Response<ServiceReply>, Status> {
        let action = request.action();
        if action == Action::Look {
            let unit = Some(self.host.state().unit(&request.unit));
            return Ok(Response::new(ServiceReply { unit }));
        }
        let verb = action.as_str_name().to_lowercase().replace('_', " ");
        let line = format!("{verb} {}", request.unit).trim_end().to_owned();
        self.change(request.claim, line, |state| {
            if action == Action::ReadUnits {
                return Ok(ServiceReply { unit: None });
            }
            state.act(action, &request.unit)?;
            Ok(ServiceReply { unit: Some(state.unit(&request.unit)) })
        })
        .await
    }
}
