//! The audit log: one line for each decision, without secrets.

use std::net::IpAddr;

use dotdo_core::{Error, Tenant};
use tracing::field::display;

use crate::credentials::Part;
use crate::edge::status_of;
use crate::telemetry::AUDIT;

/// What is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// Keys are issued.
    IssueKeys,
    /// A deploy token is issued.
    IssueToken,
    /// Deploy tokens are listed.
    ListTokens,
    /// A deploy token is revoked.
    RevokeToken,
}

/// What is known about a decision while a request is answered.
#[derive(Debug, Default)]
pub(super) struct Decision {
    pub(super) action: Option<Action>,
    pub(super) tenant: Option<Tenant>,
    pub(super) subject: Option<String>,
    /// The id of the deploy token that is used, issued or revoked.
    pub(super) token_id: Option<String>,
    pub(super) access: Option<&'static str>,
    /// What an operator gets keys for, if not its own tenant's part.
    pub(super) part: Option<Part>,
}

impl Action {
    fn name(self) -> &'static str {
        match self {
            Self::IssueKeys => "issue_keys",
            Self::IssueToken => "issue_token",
            Self::ListTokens => "list_tokens",
            Self::RevokeToken => "revoke_token",
        }
    }
}

impl Decision {
    /// Writes the line. A refusal is told by its code; the sentence is in the access log.
    pub(super) fn log(&self, refusal: Option<&Error>, request_id: &str, client: Option<IpAddr>) {
        let Some(action) = self.action.map(Action::name) else { return };
        let result = match refusal {
            None => "allowed",
            Some(error) if is_refusal(error) => "denied",
            Some(_) => "failed",
        };
        let (org, tenant) =
            (self.tenant.as_ref().map(Tenant::org), self.tenant.as_ref().map(Tenant::name));
        let (subject, token_id) = (self.subject.as_deref(), self.token_id.as_deref());
        let (access, code) = (self.access, refusal.map(Error::code));
        let client = client.map(display);
        let of_tenant = self
            .part
            .as_ref()
            .map(|part| part.tenant().map_or("shared".to_owned(), Tenant::to_string));
        tracing::info!(
            target: AUDIT,
            action, result, code, org, tenant, subject, token_id, access, of_tenant, client, request_id, "audit"
        );
    }
}

/// Whether the caller was refused, as opposed to a failure of the broker's.
fn is_refusal(error: &Error) -> bool {
    status_of(error).is_client_error()
}
