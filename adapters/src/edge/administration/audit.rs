//! Lines of the audit log: what was written, what was taken out, and what was refused.

use std::net::IpAddr;

use dotdo_core::{Administered, Caller, Error, ObjectId, Response, Result, Tenant};

use super::Call;
use crate::edge::context::RequestContext;
use crate::edge::tenant::Told;
use crate::telemetry::AUDIT;

/// What is known of a deed whose client has left before its end: it may go on.
const LEFT: Told = Told { result: "failed", code: Some("CLIENT_LEFT") };

/// What is done, and to what. It is told once: with its outcome, or, when the client leaves before
/// there is one, as it is dropped.
pub(super) struct Deed {
    /// What is done, in one word.
    action: &'static str,
    tenant: Tenant,
    object: Option<ObjectId>,
    caller: Caller,
    client: Option<IpAddr>,
    request_id: String,
    is_told: bool,
}

impl Deed {
    /// Something that `call` does with an object.
    pub(super) fn begin(
        action: &'static str,
        (call, object): (&Call<'_>, &ObjectId),
        context: &RequestContext,
    ) -> Self {
        let mut deed = Self::of(action, (call.caller, &call.tenant), context);
        deed.object = Some(object.clone());
        deed
    }

    /// Something that a caller does with what `tenant` has.
    pub(super) fn of(
        action: &'static str,
        (caller, tenant): (&Caller, &Tenant),
        context: &RequestContext,
    ) -> Self {
        Self {
            action,
            tenant: tenant.clone(),
            object: None,
            caller: caller.clone(),
            client: context.line.client,
            request_id: String::from_utf8_lossy(context.line.id.as_bytes()).into_owned(),
            is_told: false,
        }
    }

    /// Writes the line for an outcome, and returns it.
    pub(super) fn end(mut self, outcome: Result<Response>) -> Result<Response> {
        self.tell(&Told::of(&outcome));
        outcome
    }

    fn tell(&mut self, told: &Told) {
        self.is_told = true;
        let Self { action, tenant, object, caller, client, request_id, .. } = self;
        let (class, id) = (object.as_ref().map(ObjectId::class), object.as_ref().map(ObjectId::id));
        let client = client.map(tracing::field::display);
        tracing::info!(
            target: AUDIT,
            action, result = told.result, code = told.code, org = tenant.org(), tenant = tenant.name(), class, id,
            subject = caller.subject(), by_org = caller.tenant().org(), by_tenant = caller.tenant().name(), client,
            %request_id, "audit"
        );
    }
}

impl Drop for Deed {
    fn drop(&mut self) {
        if !self.is_told {
            self.tell(&LEFT);
        }
    }
}

/// Tells that somebody was not let in.
pub(super) fn refused(
    refusal: &Error,
    caller: &Caller,
    to: &Administered,
    context: &RequestContext,
) {
    let mut deed = Deed::of("administer", (caller, &to.tenant), context);
    deed.tell(&Told::of::<()>(&Err(refusal.clone())));
}
