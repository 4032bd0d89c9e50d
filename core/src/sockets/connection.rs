//! A connection from the side of the server that has it: what comes from its client goes to its
//! object, and what the object sends waits here.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use uuid::Uuid;

use crate::clock::{Clock, Instant};
use crate::error::{Error, ErrorKind, Result};
use crate::id::ObjectId;
use crate::idempotency::IDEMPOTENCY_REPLAYED_HEADER;
use crate::lease::OWNED_BY_OTHER_INSTANCE;
use crate::object::{Caller, Host};
use crate::sockets::event::{Place, SocketEvent};
use crate::sockets::gateway::Inbox;
use crate::sockets::held::Held;
use crate::sockets::line::{Line, SocketFrame};
use crate::sockets::message::{SocketClose, SocketMessage, interrupted};
use crate::sockets::registry::Sockets;

/// How long the event of a socket is tried again that was rolled back. Longer than a lease, so that
/// a socket outlives the owner of its object.
const RETRY_MAX: Duration = Duration::from_secs(20);

/// The pause before the first time; it doubles.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// The maximum of that pause.
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(2);

/// Marks a request, in its extensions, as the handshake of a WebSocket whose connection the server
/// can keep. If the object accepts it, the response has the status 101 and a [`SocketConnection`] in its
/// extensions.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, with_object};
/// # with_object(async |engine, object| {
/// use dotdo::Body;
/// use dotdo::engine::Handshake;
/// use dotdo::http::Request;
///
/// let mut request = Request::get("/live").body(Body::empty())?;
/// request.extensions_mut().insert(Handshake);
/// let response = engine.fetch(&object, None, request).await?;
/// assert_eq!(response.status(), 101);
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Handshake;

/// How a connection has ended. [`SocketConnection`] has an example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketEnd {
    /// What the client or the server has closed it with.
    pub close: SocketClose,
    /// What went wrong; `None` if the client has closed it.
    pub error: Option<String>,
}

/// An accepted WebSocket, for the server that has its connection. Clones are the same one. When the
/// last is dropped without [`SocketConnection::end`], the object is told that it broke off.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, with_object};
/// # with_object(async |engine, object| {
/// use dotdo::engine::{SocketConnection, SocketEnd, SocketFrame};
/// use dotdo::sockets::SocketClose;
///
/// # let mut request = dotdo::http::Request::get("/live").body(dotdo::Body::empty())?;
/// # request.extensions_mut().insert(dotdo::engine::Handshake);
/// # let mut response = engine.fetch(&object, None, request).await?;
/// let connection = response.extensions_mut().remove::<SocketConnection>();
/// let connection = connection.expect("the object has accepted the handshake");
/// if let Err(close) = connection.message("hello".into()).await {
///     panic!("expected that the message is handled, got {close:?}");
/// }
/// assert_eq!(connection.next().await, SocketFrame::Text("hello".into()));
/// connection.end(SocketEnd { close: SocketClose::new(1000, "bye"), error: None }).await;
/// # Ok(())
/// # });
/// ```
#[derive(Clone)]
pub struct SocketConnection(Arc<Inner>);

struct Inner {
    end: End,
    object: ObjectId,
    sockets: Arc<Sockets>,
    caller: Caller,
    far: Far,
    clock: Arc<dyn Clock>,
    /// When its time is over, on the monotonic clock.
    deadline: Duration,
    /// Whether the object knows of it, and must be told of its end.
    is_accepted: AtomicBool,
}

/// Who is told of what comes from the client.
pub(crate) enum Far {
    /// The object, at this host.
    Object(Weak<dyn Host>),
    /// The gateway that has accepted it itself.
    Gateway(Inbox),
}

/// Who has the connection.
pub(crate) enum End {
    /// This process: the frames that wait for its client.
    Here(Arc<Line>),
    /// Something else, which the transport reaches.
    Held {
        place: Place,
        held: Arc<Held>,
        /// Whether its handshake is not answered yet, so that it ends with this process.
        is_opening: AtomicBool,
    },
}

impl SocketConnection {
    pub(crate) fn new(
        (end, object): (End, ObjectId),
        sockets: Arc<Sockets>,
        caller: Caller,
        (far, clock): (Far, Arc<dyn Clock>),
        time_max: Duration,
    ) -> Self {
        let (is_accepted, deadline) = (AtomicBool::new(false), clock.monotonic() + time_max);
        Self(Arc::new(Inner { end, object, sockets, caller, far, clock, deadline, is_accepted }))
    }

    /// The answer to its handshake was sent by what holds it, where that is not this process. Where
    /// the connection is.
    pub(crate) fn let_go(&self) -> Option<&Place> {
        let End::Held { place, is_opening, .. } = &self.0.end else { return None };
        is_opening.store(false, Ordering::Relaxed);
        Some(place)
    }

    /// The object has accepted it.
    pub(crate) fn accepted(&self) {
        self.0.is_accepted.store(true, Ordering::Relaxed);
    }

    /// The object; or what stands for the gateway, if that has accepted it itself.
    pub fn object(&self) -> &ObjectId {
        &self.0.object
    }

    /// The caller, as verified at the handshake.
    pub fn caller(&self) -> &Caller {
        &self.0.caller
    }

    /// How long it may go on; zero: its client must connect again, so that its caller is verified
    /// again ([`Settings::socket_time_max`](crate::Settings::socket_time_max)).
    pub fn time_left(&self) -> Duration {
        self.0.deadline.saturating_sub(self.0.clock.monotonic())
    }

    /// The next frame for the client, once its record is in the bucket. A connection that something
    /// else holds gets its frames from the [`SocketTransport`](crate::SocketTransport), and none
    /// here.
    pub async fn next(&self) -> SocketFrame {
        match &self.0.end {
            End::Here(line) => line.next().await,
            End::Held { .. } => std::future::pending().await,
        }
    }

    /// The next frame for the client, if one waits here.
    pub fn try_next(&self) -> Option<SocketFrame> {
        match &self.0.end {
            End::Here(line) => line.try_next(),
            End::Held { .. } => None,
        }
    }

    /// The answer to a message, if it is answered automatically; the object is not told of it.
    pub fn auto_response(&self, message: &SocketMessage) -> Option<SocketMessage> {
        match &self.0.end {
            End::Here(line) => line.auto_response(message.text()?).map(SocketMessage::Text),
            // The object answers it, without its handler.
            End::Held { .. } => None,
        }
    }

    /// Gives a message to the object. Completes when it is handled, and all that it has changed is
    /// in the bucket.
    ///
    /// # Errors
    ///
    /// What to close the connection with: the message was not handled, or nobody knows.
    pub async fn message(&self, message: SocketMessage) -> Result<(), SocketClose> {
        let outcome = match &self.0.far {
            Far::Gateway(inbox) => inbox.message(message).await,
            Far::Object(host) => {
                let (event, body) = SocketEvent::message(self.0.socket(), message);
                self.0.run(host, &event, body).await.and_then(Outcome::handled)
            }
        };
        let label = if outcome.is_ok() { "handled" } else { "failed" };
        metrics::counter!("dotdo_socket_messages_total", "outcome" => label).increment(1);
        outcome
    }

    /// Tells the object that the connection has ended.
    pub async fn end(self, end: SocketEnd) {
        if let End::Here(line) = &self.0.end {
            self.0.sockets.close(line);
        }
        let host = match &self.0.far {
            Far::Gateway(inbox) => return inbox.end(end).await,
            Far::Object(host) => host,
        };
        if self.0.is_accepted.swap(false, Ordering::Relaxed) && self.0.tell_end(host, &end).await {
            self.0.forget(host).await;
        }
    }
}

/// What an object has made of an event.
enum Outcome {
    Handled,
    /// It has no such socket.
    Unknown,
}

impl Outcome {
    fn handled(self) -> Result<(), SocketClose> {
        match self {
            Self::Handled => Ok(()),
            Self::Unknown => {
                Err(SocketClose::new(1012, "the object does not know this connection"))
            }
        }
    }
}

impl Inner {
    fn socket(&self) -> Uuid {
        match &self.end {
            End::Here(line) => line.id,
            End::Held { place, .. } => place.socket,
        }
    }

    /// Runs an event until its outcome is certain, for a bounded time.
    async fn run(
        &self,
        host: &Weak<dyn Host>,
        event: &SocketEvent,
        body: Bytes,
    ) -> Result<Outcome, SocketClose> {
        let clock = self.clock.as_ref();
        let (begun, mut pause) = (Instant::now(clock), RETRY_PAUSE);
        loop {
            let Some(host) = host.upgrade() else { return Err(restarting()) };
            let request = event.request(body.clone(), self.caller.clone());
            let error = match host.event(&self.object, request).await {
                Ok(response) if response.headers().contains_key(&IDEMPOTENCY_REPLAYED_HEADER) => {
                    // It was handled by a server that has not said so, and may not have sent what
                    // followed.
                    self.sockets.end_all_of(&self.object, &interrupted());
                    return Err(interrupted());
                }
                Ok(response) if response.status() == StatusCode::OK => return Ok(Outcome::Handled),
                Ok(response) if response.status() == StatusCode::GONE => {
                    return Ok(Outcome::Unknown);
                }
                Ok(_) => return Err(SocketClose::new(1012, "the object has moved")),
                Err(error) => error,
            };
            if !is_transient(&error) || begun.elapsed_at_least(clock) >= RETRY_MAX {
                return Err(closing(&error));
            }
            drop(host);
            clock.sleep(pause).await;
            pause = (pause * 2).min(RETRY_PAUSE_MAX);
        }
    }

    /// Whether the object knows it now.
    async fn tell_end(&self, host: &Weak<dyn Host>, end: &SocketEnd) -> bool {
        let event = SocketEvent::ended(self.socket(), &end.close, end.error.clone());
        // If the class's handler fails on it, or nobody is reached, the next owner finds out.
        self.run(host, &event, Bytes::new()).await.is_ok()
            || self.run(host, &event.quietly(), Bytes::new()).await.is_ok()
    }

    /// Forgets what is noted about a connection that something else has held.
    async fn forget(&self, host: &Weak<dyn Host>) {
        if let (End::Held { place, .. }, Some(host)) = (&self.end, host.upgrade()) {
            host.forget_connection(place.socket).await;
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let breaks_off = match &mut self.end {
            End::Here(line) => {
                self.sockets.close(line);
                true
            }
            End::Held { place, held, is_opening } => {
                let is_opening = *is_opening.get_mut();
                if is_opening {
                    held.abandon(place.socket);
                }
                is_opening
            }
        };
        if breaks_off
            && *self.is_accepted.get_mut()
            && let Far::Object(host) = &self.far
            && let Some(host) = host.upgrade()
        {
            host.forget_sockets(&self.object, vec![self.socket()]);
        }
    }
}

impl std::fmt::Debug for SocketConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SocketConnection").field("object", self.object()).finish_non_exhaustive()
    }
}

/// Whether an event was certainly rolled back, for a reason that passes.
fn is_transient(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Busy | ErrorKind::Fenced | ErrorKind::Unavailable)
        && error.code() != OWNED_BY_OTHER_INSTANCE
}

fn restarting() -> SocketClose {
    SocketClose::new(1012, "the server is stopping; connect again")
}

/// What a connection is closed with when its message was not handled because of `error`.
fn closing(error: &Error) -> SocketClose {
    if error.code() == OWNED_BY_OTHER_INSTANCE {
        return SocketClose::new(1012, "the object has moved to another server; connect again");
    }
    let code = match error.kind() {
        ErrorKind::Busy | ErrorKind::Fenced | ErrorKind::Unavailable => 1013,
        ErrorKind::Gone | ErrorKind::Forbidden | ErrorKind::NotFound => 1008,
        ErrorKind::TooLarge => 1009,
        _ => 1011,
    };
    SocketClose::new(code, error.code())
}
