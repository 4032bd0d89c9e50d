//! Lines of the audit log: what was written, what was taken out, and what was refused.

use dotdo_core::{Administered, Caller, Error, ObjectId, Response, Result, Tenant};

use super::Call;
use crate::edge::context::RequestContext;
use crate::edge::tenant::Told;
use crate::telemetry::AUDIT;

/// What was done, and to what.
pub(super) struct Deed<'a> {
    /// What was done, in one word.
    pub(super) action: &'static str,
    pub(super) tenant: &'a Tenant,
    pub(super) object: Option<&'a ObjectId>,
    pub(super) caller: &'a Caller,
}

impl Deed<'_> {
    /// Writes the line for an outcome.
    pub(super) fn tell<T>(&self, outcome: &Result<T>, context: &RequestContext) {
        let told = Told::of(outcome);
        let Self { action, tenant, object, caller } = *self;
        let (class, id) = (object.map(ObjectId::class), object.map(ObjectId::id));
        let request_id = String::from_utf8_lossy(context.line.id.as_bytes());
        let client = context.line.client.map(tracing::field::display);
        tracing::info!(
            target: AUDIT,
            action, result = told.result, code = told.code, org = tenant.org(), tenant = tenant.name(), class, id,
            subject = caller.subject(), by_org = caller.tenant().org(), by_tenant = caller.tenant().name(), client,
            %request_id, "audit"
        );
    }
}

/// Tells that somebody was not let in.
pub(super) fn refused(
    refusal: &Error,
    caller: &Caller,
    to: &Administered,
    context: &RequestContext,
) {
    let deed = Deed { action: "administer", tenant: &to.tenant, object: None, caller };
    deed.tell::<()>(&Err(refusal.clone()), context);
}

/// Tells that a database was taken out, and returns the outcome.
pub(super) fn taken(
    outcome: Result<Response>,
    call: &Call<'_>,
    object: &ObjectId,
    context: &RequestContext,
) -> Result<Response> {
    let Call { tenant, caller, .. } = call;
    Deed { action: "take_database", tenant, object: Some(object), caller }.tell(&outcome, context);
    outcome
}
