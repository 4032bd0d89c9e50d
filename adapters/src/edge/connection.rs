//! The client's connection, as far as tenants share them.

use std::sync::Arc;

use dotdo_core::{Caller, Result, Tenant};
use http::Extensions;

/// Counts a connection for the tenants of its requests.
pub(crate) trait CountsTenants: Send + Sync {
    /// Counts it for `tenant` from now on.
    ///
    /// # Errors
    ///
    /// `Busy` when the tenant has more than its share of connections, and few are left.
    fn count_for(&self, tenant: &Tenant) -> Result<()>;
}

/// In a request's extensions: its connection, if that is one client's alone. Only the server puts
/// it there.
#[derive(Clone)]
pub(crate) struct ClientConnection(Arc<dyn CountsTenants>);

impl ClientConnection {
    pub(crate) fn new(connection: impl CountsTenants + 'static) -> Self {
        Self(Arc::new(connection))
    }
}

/// Counts the connection of a request for its verified caller's tenant. The server's own tenant
/// has no others to share with: without tokens all callers are of it.
///
/// # Errors
///
/// Those of [`CountsTenants::count_for`].
pub(super) fn count(extensions: &Extensions, caller: &Caller, home: &Tenant) -> Result<()> {
    match extensions.get::<ClientConnection>() {
        Some(connection) if caller.tenant() != home => connection.0.count_for(caller.tenant()),
        _ => Ok(()),
    }
}
