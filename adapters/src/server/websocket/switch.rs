//! A connection that changes from HTTP to a WebSocket.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dotdo_core::sync::Mutex;
use dotdo_core::{Response, SocketConnection};

use super::handshake::Upgrading;
use crate::edge::ClientAddress;

/// A connection that has become a WebSocket.
pub(crate) struct Upgraded {
    pub(crate) upgrading: Upgrading,
    pub(crate) connection: SocketConnection,
    pub(crate) client: Option<ClientAddress>,
}

/// Whether a connection becomes a WebSocket, and which.
#[derive(Default)]
pub(crate) struct Switch {
    /// Set when no more HTTP comes.
    pub(crate) is_upgraded: Arc<AtomicBool>,
    accepted: Mutex<Option<Upgraded>>,
}

impl Switch {
    /// Ends a handshake if the object has accepted it. `false`: the response is one like any other.
    pub(crate) fn accept(
        &self,
        upgrading: Option<Upgrading>,
        response: &mut Response,
        client: Option<ClientAddress>,
    ) -> bool {
        let Some(upgrading) = upgrading else { return false };
        let Some(connection) = response.extensions_mut().remove::<SocketConnection>() else {
            return false;
        };
        upgrading.complete(response);
        let client = response.extensions_mut().remove().or(client);
        *self.accepted.lock() = Some(Upgraded { upgrading, connection, client });
        self.is_upgraded.store(true, Ordering::Release);
        true
    }

    /// What the connection has become after its last request.
    pub(crate) fn after(
        &self,
        ended: Result<(), Box<dyn std::error::Error + Send + Sync>>,
    ) -> Option<Upgraded> {
        if let Err(cause) = ended {
            tracing::debug!(cause, "a connection ended early");
            return None;
        }
        self.accepted.lock().take()
    }
}
