//! Who may use the routes of administration.

use dotdo_core::{Administered, Caller, Result, Scope};

use crate::edge::settings::Access;

/// Checks that `caller` may use the routes that `to` names.
///
/// # Errors
///
/// `Forbidden` unless the caller administers the tenant that is its own, or operates the server.
pub(super) fn permit(access: Access, caller: &Caller, to: &Administered) -> Result<()> {
    if access == Access::Machine || caller.has(Scope::Operator) {
        return Ok(());
    }
    caller.require(if to.is_named { Scope::Operator } else { Scope::Admin })
}
