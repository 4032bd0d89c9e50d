//! The end of a tenant, by its own administrator or an operator of the server.

use dotdo_core::{Caller, Error, Response, Result, Scope, Tenant};
use http::{HeaderValue, StatusCode, header};

use super::context::RequestContext;
use super::error::status;
use super::json::json;
use super::objects::Ending;
use super::{Edge, Objects};
use crate::telemetry::AUDIT;

impl<O: Objects> Edge<O> {
    /// Closes `tenant`, and deletes what it has as soon as nobody can write for it any more: a
    /// request that comes too early for that is answered with 202 and the time to wait.
    pub(super) async fn delete_tenant(
        &self,
        tenant: &Tenant,
        caller: &Caller,
        context: &RequestContext,
    ) -> Result<Response> {
        let outcome = match permit(caller, tenant) {
            Ok(()) => self.objects.delete_tenant(tenant).await,
            Err(refusal) => Err(refusal),
        };
        let told = Told::of(&outcome);
        let (org, name, subject) = (tenant.org(), tenant.name(), caller.subject());
        let (by_org, by_tenant) = (caller.tenant().org(), caller.tenant().name());
        let request_id = String::from_utf8_lossy(context.line.id.as_bytes());
        let client = context.line.client.map(tracing::field::display);
        tracing::info!(
            target: AUDIT,
            action = "delete_tenant", result = told.result, code = told.code, org, tenant = name, subject,
            by_org, by_tenant, client, %request_id, "audit"
        );
        outcome.map(|ending| response(tenant, ending))
    }
}

/// The outcome, as the audit log has it.
pub(super) struct Told {
    pub(super) result: &'static str,
    pub(super) code: Option<&'static str>,
}

impl Told {
    pub(super) fn of<T>(outcome: &Result<T>) -> Self {
        match outcome {
            Ok(_) => Self { result: "allowed", code: None },
            Err(error) if status(error.kind()).is_client_error() => {
                Self { result: "denied", code: Some(error.code()) }
            }
            Err(error) => Self { result: "failed", code: Some(error.code()) },
        }
    }
}

/// # Errors
///
/// `Forbidden` unless the caller administers this tenant, or operates the server.
fn permit(caller: &Caller, tenant: &Tenant) -> Result<(), Error> {
    if caller.has(Scope::Operator) {
        return Ok(());
    }
    caller.require(if caller.tenant() == tenant { Scope::Admin } else { Scope::Operator })
}

fn response(tenant: &Tenant, ending: Ending) -> Response {
    let name = serde_json::json!({ "org": tenant.org(), "name": tenant.name() });
    match ending {
        Ending::Deleted { keys } => {
            json(serde_json::json!({ "tenant": name, "state": "deleted", "keys": keys }))
        }
        Ending::Closed { wait } => {
            let seconds = wait.as_secs() + 1;
            let mut response = json(
                serde_json::json!({ "tenant": name, "state": "closed", "deletableInSeconds": seconds }),
            );
            *response.status_mut() = StatusCode::ACCEPTED;
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            response
        }
    }
}
