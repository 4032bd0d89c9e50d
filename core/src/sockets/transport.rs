//! The port to connections that something else holds, for a program that can't hold any itself.

use std::time::Duration;

use async_trait::async_trait;

use crate::sockets::line::SocketFrame;
use crate::sockets::message::SocketClose;

/// Marks a handshake, in the extensions of a request that also has a
/// [`Handshake`](crate::Handshake), whose connection is held by what the engine's
/// [`SocketTransport`] reaches. [`SocketTransport`] has an example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldConnection {
    /// What the transport calls the connection. No two connections ever have the same address.
    pub address: String,
}

/// Why a frame has not reached a connection. [`SocketTransport`] has an example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransportError {
    /// There is no such connection any more, or not yet.
    Gone,
    /// The connection can't carry such a frame, and is closed for this reason.
    Refused(SocketClose),
    /// Nobody knows. It may be tried again; the text is for the log.
    Failed(String),
}

/// Reaches connections that something else holds for the program: a platform, whose programs are
/// frozen between requests.
///
/// A socket of such a connection is like any other to its object. Its handshake, its messages and
/// its end come to the engine as requests do, each to whichever process the platform chooses; what
/// the object sends leaves through the transport of the process that has run the handler.
///
/// ```
/// # use dotdo_core::testing::examples::{app, components, dotdo, run};
/// # run(async || {
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use dotdo::Body;
/// use dotdo::engine::{
///     Components, Engine, Handshake, HeldConnection, Settings, SocketConnection, SocketFrame,
///     SocketTransport, Tenant, TransportError, async_trait,
/// };
/// use dotdo::http::Request;
///
/// /// Writes frames to a terminal.
/// struct Terminal;
///
/// #[async_trait]
/// impl SocketTransport for Terminal {
///     async fn send(&self, address: &str, frame: SocketFrame) -> Result<(), TransportError> {
///         match frame {
///             SocketFrame::Text(text) => eprintln!("{address}: {}", String::from_utf8_lossy(&text)),
///             _ => return Err(TransportError::Gone),
///         }
///         Ok(())
///     }
///
///     fn time_max(&self) -> Duration {
///         Duration::from_secs(3600)
///     }
/// }
///
/// let components = Components { transport: Some(Arc::new(Terminal)), ..components() };
/// let engine = Engine::start(app(), Settings::default(), components).await?;
/// let object = Tenant::local().object("Shop", "north")?;
/// let mut request = Request::get("/live").body(Body::empty())?;
/// request.extensions_mut().insert(Handshake);
/// request.extensions_mut().insert(HeldConnection { address: "tty1".to_owned() });
/// let mut response = engine.fetch(&object, None, request).await?;
/// let connection = response.extensions_mut().remove::<SocketConnection>();
/// engine.opened(&connection.expect("the object has accepted the handshake"));
/// let later = engine.held_connection("tty1").await?;
/// assert!(later.is_some_and(|connection| *connection.object() == object));
/// # Ok(())
/// # });
/// ```
#[async_trait]
pub trait SocketTransport: Send + Sync + 'static {
    /// Sends a frame to the connection at `address`. [`SocketFrame::Close`] and
    /// [`SocketFrame::Break`] end it. Frames of one connection come one after the other.
    ///
    /// # Errors
    ///
    /// When it has not been sent, or nobody knows.
    async fn send(&self, address: &str, frame: SocketFrame) -> Result<(), TransportError>;

    /// The longest time that a connection lasts. What is left of an older one is forgotten.
    fn time_max(&self) -> Duration;
}
