//! Who sends a request, and whether they may send it.

use dotdo_core::{Caller, Result, Scope, Target, Tenant};
use http::{Method, header, request};

use super::access::Line;
use crate::auth::Authentication;

/// The caller of a request; `home` is the tenant of those who name none. A token that was verified
/// is removed from it: objects see the caller, and other servers get it in their envelope.
///
/// A caller in the request's extensions comes from the program around this edge, which has
/// authenticated it; no server puts one there.
///
/// # Errors
///
/// Those of the authentication.
pub(super) async fn identify(
    authentication: &Authentication,
    home: &Tenant,
    head: &mut request::Parts,
    line: &mut Line,
) -> Result<Caller> {
    let given: Option<Caller> = head.extensions.get().cloned();
    let caller = match given {
        Some(caller) => Some(caller),
        None => {
            let admitted = authentication.admit(head, line.client).await?;
            if admitted.is_some() {
                head.headers.remove(header::AUTHORIZATION);
            }
            admitted
        }
    };
    line.caller = caller.map(|caller| at_home(caller, home));
    Ok(line.caller.clone().unwrap_or_else(|| at_home(Caller::anonymous(), home)))
}

/// A caller that names no tenant is of the server's own. No token can name `local/local`.
fn at_home(caller: Caller, home: &Tenant) -> Caller {
    if caller.tenant().is_local() { caller.of_tenant(home.clone()) } else { caller }
}

/// The caller of a request to a path that needs no token, if it has a valid one. An invalid one
/// is ignored, so that a probe with an old token is still answered.
pub(super) async fn recognise(
    authentication: &Authentication,
    head: &request::Parts,
    line: &mut Line,
) {
    if line.caller.is_none() && head.headers.contains_key(header::AUTHORIZATION) {
        line.caller = authentication.verify(head, line.client).await.ok().flatten();
    }
}

/// Checks that a caller may see what concerns the whole server. `None` is somebody who needed no
/// token, because authentication is off or leaves out the path.
///
/// # Errors
///
/// `Forbidden` when the caller may not.
pub(super) fn permit_operation(caller: Option<&Caller>) -> Result<()> {
    caller.map_or(Ok(()), |caller| caller.require(Scope::Operator))
}

/// Checks that `caller` may send a request with `method` to `target`.
///
/// # Errors
///
/// `Forbidden` when a scope is missing.
pub(super) fn permit(caller: &Caller, method: &Method, target: &Target) -> Result<()> {
    caller.require(Scope::of_method(method))?;
    if target.at.is_some() { caller.require(Scope::History) } else { Ok(()) }
}
