//! The class of roll-ups, and which object is the roll-up of a class.

use crate::error::Result;
use crate::id::{ObjectId, Tenant};

/// The class of roll-ups. Programs can't have a class of this name, and requests don't reach it.
pub(crate) const ROLLUP_CLASS: &str = "_dotdo_rollup";

/// The roll-up of the objects of `class`, which is a stored name: the object of that id.
///
/// # Errors
///
/// `Invalid` when no class can have the name.
pub(crate) fn rollup_of(tenant: &Tenant, class: &str) -> Result<ObjectId> {
    tenant.object(ROLLUP_CLASS, class)
}

/// Whether `class` is that of roll-ups.
pub(crate) fn is_rollup(class: &str) -> bool {
    class == ROLLUP_CLASS
}
