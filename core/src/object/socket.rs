//! Sockets, as handlers see them.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::error::{Error, ErrorKind, Result};
use crate::limits::{
    SOCKET_ATTACHMENT_BYTES_MAX, SOCKET_AUTO_RESPONSE_BYTES_MAX, SOCKET_QUEUE_BYTES_MAX,
    SOCKET_TAG_CHARS_MAX, SOCKET_TAGS_MAX, SOCKETS_PER_OBJECT_MAX,
};
use crate::object::body::{Body, Request, Response};
use crate::object::context::Context;
use crate::object::rest::Continuation;
use crate::sockets::{
    EVENT_STREAM, Place, Row, SocketClose, SocketFrame, SocketMessage, auto_response_of, events,
    find, insert, list, set_attachment, set_auto_response, set_closing,
};

/// The header by which an object's server tells another one that the object has accepted a socket.
pub(crate) const ACCEPTED: HeaderName = HeaderName::from_static("dotdo-socket");

/// A WebSocket, or an event stream, of an object.
///
/// It is a handle: the connection is at the server that the client has reached, and its tags and its
/// attachment are rows of the object's database, which survive evictions, crashes and hand-overs.
///
/// ```
/// # mod dotdo { pub use dotdo_core::*; pub mod sockets { pub use dotdo_core::*; } }
/// use dotdo::sockets::{SocketMessage, WebSocket};
/// use dotdo::{Context, DurableObject, Request, RequestExt, Response, Result};
///
/// struct Room;
///
/// impl DurableObject for Room {
///     async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
///         let mut socket = request.websocket()?;
///         ctx.accept(&mut socket, &["guests"])?;
///         socket.set_attachment(ctx, &"ada")?;
///         socket.send(ctx, "welcome")?;
///         Ok(socket.upgraded())
///     }
///
///     async fn websocket_message(
///         &mut self,
///         socket: WebSocket,
///         message: SocketMessage,
///         ctx: &mut Context,
///     ) -> Result<()> {
///         let name: Option<String> = socket.attachment()?;
///         let said = format!("{}: {}", name.unwrap_or_default(), message.text().unwrap_or("…"));
///         ctx.broadcast(Some("guests"), said)
///     }
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebSocket {
    row: Row,
}

impl WebSocket {
    pub(super) fn of(row: Row) -> Self {
        Self { row }
    }

    /// The socket that `request` asks for.
    ///
    /// # Errors
    ///
    /// `Invalid` (code `NOT_A_WEBSOCKET`) when it asks for none.
    pub(super) fn asked_by(request: &Request) -> Result<Self> {
        let Some(place) = request.extensions().get::<Place>() else {
            let text = "expected the handshake of a WebSocket (Upgrade: websocket), got another request, or a platform that holds no connections";
            return Err(Error::invalid(text).with_code("NOT_A_WEBSOCKET"));
        };
        Ok(Self::pending(place.clone()))
    }

    fn pending(place: Place) -> Self {
        Self { row: Row { place, tags: Vec::new(), attachment: None, closing: false } }
    }

    /// A random id, which no other socket has.
    pub fn id(&self) -> String {
        self.row.place.socket.to_string()
    }

    /// The tags, as they were given to [`Context::accept`].
    pub fn tags(&self) -> &[String] {
        &self.row.tags
    }

    /// What was attached to it, as it was when the handler got this handle; `None` if nothing was.
    ///
    /// # Errors
    ///
    /// `Handler` when it is of another type.
    pub fn attachment<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        let json = self.row.attachment.as_deref();
        let read = json.map(serde_json::from_str).transpose();
        read.map_err(|cause| {
            Error::handler(format!("the attachment of a socket is of another type: {cause}"))
        })
    }

    /// Attaches `value` as JSON, in the place of what was attached. It is changed by the request's
    /// record.
    ///
    /// # Errors
    ///
    /// `TooLarge` for more than 16 KiB of JSON; `Invalid` for a value that is none; errors of the
    /// database.
    pub fn set_attachment<T: Serialize + ?Sized>(
        &mut self,
        ctx: &mut Context,
        value: &T,
    ) -> Result<()> {
        let json = serde_json::to_string(value).map_err(|cause| {
            Error::invalid(format!("the attachment can't be written as JSON: {cause}"))
        })?;
        if json.len() > SOCKET_ATTACHMENT_BYTES_MAX {
            let text = format!(
                "expected an attachment of at most {SOCKET_ATTACHMENT_BYTES_MAX} bytes, got {}; keep it in the database",
                json.len()
            );
            return Err(Error::new(ErrorKind::TooLarge, text).with_code("ATTACHMENT_TOO_LARGE"));
        }
        set_attachment(&mut ctx.database, self.row.place.socket, &json)?;
        self.row.attachment = Some(json);
        Ok(())
    }

    /// Sends a message once everything that the request depends on is in the bucket, and not at all
    /// if it fails. What is sent to a socket that has ended is lost.
    ///
    /// # Errors
    ///
    /// `TooLarge` for a message of more than 4 MiB; `Invalid` on a former state.
    pub fn send(&self, ctx: &mut Context, message: impl Into<SocketMessage>) -> Result<()> {
        ctx.send_frame(vec![self.row.place.clone()], frame(message.into())?)
    }

    /// Closes the socket, after what was sent before. It is not in [`Context::sockets`] any more;
    /// [`DurableObject::websocket_close`](crate::DurableObject::websocket_close) runs when the
    /// connection has ended.
    ///
    /// # Errors
    ///
    /// `Invalid` (code `BAD_CLOSE_CODE`) for a code that nobody may send, or a reason of more than
    /// 123 bytes; errors of the database.
    pub fn close(&self, ctx: &mut Context, code: u16, reason: &str) -> Result<()> {
        let close = SocketClose::of_object(code, reason)?;
        set_closing(&mut ctx.database, self.row.place.socket)?;
        ctx.send_frame(vec![self.row.place.clone()], SocketFrame::Close(close))
    }

    /// The response that accepts the handshake: the status 101. The handler may add headers, such as
    /// `Sec-WebSocket-Protocol`.
    pub fn upgraded(&self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let id = HeaderValue::try_from(self.id()).expect("an id has letters and digits only");
        response.headers_mut().insert(ACCEPTED, id);
        response
    }
}

impl Context {
    /// Accepts a WebSocket, with tags by which [`Context::sockets`] and [`Context::broadcast`] find
    /// it. The handler then returns [`WebSocket::upgraded`]. If it returns something else, it fails.
    ///
    /// The socket is a row that this request's record adds; its end is another record.
    ///
    /// # Errors
    ///
    /// `Invalid` (code `BAD_TAGS`) for more than 10 tags, or one that is longer than 256 characters;
    /// `Busy` (code `TOO_MANY_SOCKETS`) when the object has 32,768 sockets; errors of the database.
    pub fn accept(&mut self, socket: &mut WebSocket, tags: &[&str]) -> Result<()> {
        if tags.len() > SOCKET_TAGS_MAX
            || tags.iter().any(|tag| tag.chars().count() > SOCKET_TAG_CHARS_MAX)
        {
            let text = format!(
                "expected at most {SOCKET_TAGS_MAX} tags of at most {SOCKET_TAG_CHARS_MAX} characters each"
            );
            return Err(Error::invalid(text).with_code("BAD_TAGS"));
        }
        socket.row.tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        socket.row.place.accepted_ms = self.request.now_ms;
        let count = insert(&mut self.database, &socket.row)?;
        if count > SOCKETS_PER_OBJECT_MAX {
            let text = format!("expected at most {SOCKETS_PER_OBJECT_MAX} sockets of an object");
            return Err(Error::new(ErrorKind::Busy, text).with_code("TOO_MANY_SOCKETS"));
        }
        self.request.accepted = Some(socket.row.place.socket);
        if let Some(pair) = auto_response_of(&mut self.database)? {
            let frame = SocketFrame::AutoResponse(Some(pair));
            self.send_frame(vec![socket.row.place.clone()], frame)?;
        }
        Ok(())
    }

    /// Accepts a client of an event stream (`text/event-stream`, for a browser's `EventSource`).
    /// Returns the response, and a handle: it is among [`Context::sockets`], and each message that is
    /// sent to it is an event. It lives at the server that has the object; a hand-over ends it, and
    /// the client connects again.
    ///
    /// ```
    /// # use dotdo_core as dotdo;
    /// fn subscribe(ctx: &mut dotdo::Context) -> dotdo::Result<dotdo::Response> {
    ///     let (socket, response) = ctx.accept_events(&["news"])?;
    ///     socket.send(ctx, "you are the first to know")?;
    ///     Ok(response)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Context::accept`]; `Busy` (code `TOO_MANY_SOCKETS`) when the server has too many.
    pub fn accept_events(&mut self, tags: &[&str]) -> Result<(WebSocket, Response)> {
        let (connection, place, clock) = self.host()?.open_stream(&self.object, self.caller())?;
        let mut socket = WebSocket::pending(place);
        self.accept(&mut socket, tags)?;
        self.request.accepted = None;
        connection.accepted();
        let mut response = Response::new(events(connection, clock));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(EVENT_STREAM));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok((socket, response))
    }

    /// The open sockets with `tag`, or all, the newest first.
    ///
    /// ```
    /// # mod dotdo { pub use dotdo_core::*; pub mod sockets { pub use dotdo_core::*; } }
    /// use dotdo::sockets::WebSocket;
    ///
    /// fn who_is_there(ctx: &mut dotdo::Context) -> dotdo::Result<Vec<String>> {
    ///     let sockets = ctx.sockets(Some("guests"))?;
    ///     let names: Vec<Option<String>> =
    ///         sockets.iter().map(WebSocket::attachment).collect::<dotdo::Result<_>>()?;
    ///     Ok(names.into_iter().flatten().collect())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Errors of the database.
    pub fn sockets(&mut self, tag: Option<&str>) -> Result<Vec<WebSocket>> {
        let rows = list(&mut self.database, tag)?;
        Ok(rows.into_iter().filter(|row| !row.closing).map(WebSocket::of).collect())
    }

    /// The socket with this [id](WebSocket::id), also while it is closing; `None` when it has ended.
    ///
    /// ```
    /// # use dotdo_core as dotdo;
    /// fn whisper(ctx: &mut dotdo::Context, to: &str, text: &str) -> dotdo::Result<bool> {
    ///     let Some(socket) = ctx.find_socket(to)? else { return Ok(false) };
    ///     socket.send(ctx, text)?;
    ///     Ok(true)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Errors of the database.
    pub fn find_socket(&mut self, id: &str) -> Result<Option<WebSocket>> {
        let Ok(id) = id.parse() else { return Ok(None) };
        Ok(find(&mut self.database, id)?.map(WebSocket::of))
    }

    /// Sends a message to all open sockets with `tag`, or to all, as [`WebSocket::send`] does.
    ///
    /// # Errors
    ///
    /// Those of [`WebSocket::send`] and [`Context::sockets`].
    pub fn broadcast(
        &mut self,
        tag: Option<&str>,
        message: impl Into<SocketMessage>,
    ) -> Result<()> {
        let to: Vec<Place> =
            self.sockets(tag)?.into_iter().map(|socket| socket.row.place).collect();
        self.send_frame(to, frame(message.into())?)
    }

    /// Answers each text message that is exactly `request` with `response`, on all sockets of the
    /// object, without the object: it is not woken up, and nothing is recorded. `None` ends that.
    /// Pings of the protocol are answered anyway.
    ///
    /// # Errors
    ///
    /// `TooLarge` for texts of more than 2048 bytes; errors of the database.
    pub fn set_auto_response(&mut self, pair: Option<(&str, &str)>) -> Result<()> {
        let is_long = |text: &str| text.len() > SOCKET_AUTO_RESPONSE_BYTES_MAX;
        if pair.is_some_and(|(request, response)| is_long(request) || is_long(response)) {
            let text = format!("expected texts of at most {SOCKET_AUTO_RESPONSE_BYTES_MAX} bytes");
            return Err(Error::new(ErrorKind::TooLarge, text).with_code("AUTO_RESPONSE_TOO_LARGE"));
        }
        set_auto_response(&mut self.database, pair)?;
        let to = self.sockets(None)?.into_iter().map(|socket| socket.row.place).collect();
        let pair = pair.map(|(request, response)| (request.to_owned(), response.to_owned()));
        self.send_frame(to, SocketFrame::AutoResponse(pair))
    }

    /// The text that is answered automatically, and its answer.
    ///
    /// # Errors
    ///
    /// Errors of the database.
    pub fn auto_response(&mut self) -> Result<Option<(String, String)>> {
        auto_response_of(&mut self.database)
    }
}

fn frame(message: SocketMessage) -> Result<SocketFrame> {
    if message.len() > SOCKET_QUEUE_BYTES_MAX {
        let text = format!(
            "expected a message of at most {SOCKET_QUEUE_BYTES_MAX} bytes to a socket, got {}",
            message.len()
        );
        return Err(Error::new(ErrorKind::TooLarge, text).with_code("MESSAGE_TOO_LARGE"));
    }
    Ok(match message {
        SocketMessage::Text(text) => SocketFrame::Text(Bytes::from(text)),
        SocketMessage::Binary(bytes) => SocketFrame::Binary(bytes),
    })
}

/// Whether a response says that the object has accepted the socket `id`.
pub(crate) fn accepts(response: &Response, id: Uuid) -> bool {
    let accepted = response.headers().get(&ACCEPTED).and_then(|value| value.to_str().ok());
    accepted.and_then(|text| text.parse().ok()) == Some(id)
}

/// Checks that a handler has returned what fits to what it has accepted.
///
/// # Errors
///
/// `Handler` (code `SOCKET_NOT_RETURNED`) when not.
pub(super) fn check_accepted(ctx: &Context, response: &Response) -> Result<()> {
    if Continuation::is_in(response.extensions()) {
        // What it returns at last is not known yet. If it is something else, the connection breaks off.
        return Ok(());
    }
    let is_upgrade = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    let fits = match ctx.request.accepted {
        Some(id) => is_upgrade && accepts(response, id),
        None => !is_upgrade && !response.headers().contains_key(&ACCEPTED),
    };
    if fits {
        return Ok(());
    }
    let text = "expected the response of `upgraded()` from a handler that has accepted a socket, and only from such a one; the request was rolled back";
    Err(Error::handler(text).with_code("SOCKET_NOT_RETURNED"))
}
