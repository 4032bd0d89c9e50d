//! What happens on a socket, as a request to its object, and what servers tell each other about
//! sockets.

use bytes::Bytes;
use http::{Extensions, Method, StatusCode};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::cluster::Owner;
use crate::object::{Body, Caller, Request, Response};
use crate::sockets::line::SocketFrame;
use crate::sockets::message::{SocketClose, SocketMessage};

/// The connection of a socket: its id, and the server that has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) socket: Uuid,
    /// The server's process.
    pub(crate) instance: Uuid,
    /// The address that it announces, if other servers reach it; or what the transport calls the
    /// connection.
    pub(crate) address: Option<String>,
    /// When the object has accepted it, in milliseconds since 1970 by the clock of the object's
    /// server; 0 before.
    #[serde(default)]
    pub(crate) accepted_ms: i64,
}

impl Place {
    /// A connection that something else holds, which the transport calls `address`. Its id follows
    /// from that, so that whoever has a message of the connection knows it.
    pub(crate) fn held(address: &str) -> Self {
        let hash = blake3::hash(address.as_bytes());
        let [head @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = *hash.as_bytes();
        let socket = uuid::Builder::from_random_bytes(head).into_uuid();
        Self { socket, instance: Uuid::nil(), address: Some(address.to_owned()), accepted_ms: 0 }
    }

    /// What the transport calls the connection, if something else holds it than a server.
    pub(crate) fn held_at(&self) -> Option<&str> {
        self.address.as_deref().filter(|_| self.instance.is_nil())
    }

    /// The server, as others reach it.
    pub(crate) fn server(&self) -> Option<Owner> {
        let address = self.address.clone().filter(|_| !self.instance.is_nil())?;
        Some(Owner { instance: self.instance, address })
    }
}

/// A frame for some of an object's connections.
#[derive(Debug, Clone)]
pub(crate) struct Addressed {
    pub(crate) to: Vec<Place>,
    /// `None`: it is only asked whether they are there.
    pub(crate) frame: Option<SocketFrame>,
}

/// An event of a socket, in the extensions of a request to its object. A message is the body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SocketEvent {
    pub(crate) socket: Uuid,
    pub(crate) event: Event,
}

/// What has happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Event {
    Text,
    Binary,
    Ended(Ended),
}

/// How a socket has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ended {
    pub(crate) code: u16,
    pub(crate) reason: String,
    /// What went wrong, if the client has not closed it.
    pub(crate) error: Option<String>,
    /// Whether the object's handlers have failed before, so that it is only forgotten.
    pub(crate) quietly: bool,
}

impl SocketEvent {
    /// Whether it is a message, to which the object may answer with frames.
    pub(crate) fn is_message(&self) -> bool {
        matches!(self.event, Event::Text | Event::Binary)
    }

    /// A message has come.
    pub(crate) fn message(socket: Uuid, message: SocketMessage) -> (Self, Bytes) {
        let (event, body) = match message {
            SocketMessage::Text(text) => (Event::Text, text.into_bytes().into()),
            SocketMessage::Binary(bytes) => (Event::Binary, bytes),
        };
        (Self { socket, event }, body)
    }

    /// The socket has ended.
    pub(crate) fn ended(socket: Uuid, close: &SocketClose, error: Option<String>) -> Self {
        let SocketClose { code, reason } = close.clone();
        Self { socket, event: Event::Ended(Ended { code, reason, error, quietly: false }) }
    }

    /// The connection is gone, and nobody has seen how.
    pub(crate) fn lost(socket: Uuid) -> Self {
        let error = "whatever had the connection has ended, or can't be reached";
        Self::ended(socket, &SocketClose::new(1006, ""), Some(error.to_owned()))
    }

    /// The event for a class whose handlers have failed on it.
    pub(crate) fn quietly(mut self) -> Self {
        if let Event::Ended(ended) = &mut self.event {
            ended.quietly = true;
        }
        self
    }

    /// The request of `caller` that brings it to the object.
    pub(crate) fn request(&self, body: Bytes, caller: Caller) -> Request {
        let mut request = Request::new(body.into());
        *request.method_mut() = Method::POST;
        request.extensions_mut().insert(self.clone());
        request.extensions_mut().insert(caller);
        request
    }

    /// The answer of an object that has handled it.
    pub(crate) fn handled() -> Response {
        Response::new(Body::empty())
    }

    /// The answer of an object that has no such socket.
    pub(crate) fn unknown() -> Response {
        let mut response = Self::handled();
        *response.status_mut() = StatusCode::GONE;
        response
    }
}

/// What a request between servers says about a socket.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::engine::{RequestContext, SocketPart};
///
/// /// The value of a header between servers.
/// fn written(context: &RequestContext) -> Option<String> {
///     context.socket.as_ref().map(SocketPart::sealed)
/// }
///
/// /// What the other server makes of it.
/// fn read(header: Option<&str>) -> Option<SocketPart> {
///     SocketPart::opened(header?)
/// }
///
/// assert_eq!(written(&RequestContext::default()), None);
/// assert_eq!(read(Some("{}")), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketPart(pub(crate) Part);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Part {
    /// The request opens a socket.
    Open(Place),
    /// It is an event of a socket.
    Event(SocketEvent),
    /// It brings frames for sockets of the server that it is sent to.
    Frames { instance: Uuid, address: Option<String> },
    /// It says that a stream of frames is complete, after so many batches.
    Done { stream: Uuid, sent: u64 },
    /// It brings the connections that the object has given up, to be closed.
    GivenUp,
    /// It asks how many batches of frames the server has sent in a stream to the process `to`.
    Sent { stream: Uuid, to: Uuid },
}

impl SocketPart {
    /// What `request` says about a socket, in its extensions.
    pub(crate) fn of(request: &Request) -> Option<Self> {
        let extensions = request.extensions();
        let event = extensions.get::<SocketEvent>().cloned().map(Part::Event);
        event.or_else(|| extensions.get::<Place>().cloned().map(Part::Open)).map(Self)
    }

    /// The inverse of [`SocketPart::of`].
    pub(crate) fn restore(&self, extensions: &mut Extensions) {
        match self.0.clone() {
            Part::Open(place) => _ = extensions.insert(place),
            Part::Event(event) => _ = extensions.insert(event),
            Part::Frames { .. } | Part::Done { .. } | Part::GivenUp | Part::Sent { .. } => {}
        }
    }

    /// As text for a header between servers.
    pub fn sealed(&self) -> String {
        serde_json::to_string(&self.0).expect("it has nothing that JSON can't say")
    }

    /// The inverse of [`SocketPart::sealed`]; `None` for any other text.
    pub fn opened(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().map(Self)
    }

    /// Whether the request is for the server that it is sent to, whoever owns the object.
    pub fn is_for_the_server(&self) -> bool {
        !matches!(self.0, Part::Open(_) | Part::Event(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_servers_say_about_sockets_comes_back() {
        let id = Uuid::from_u128(7);
        let place = Place {
            socket: id,
            instance: id,
            address: Some("http://a:1#x".to_owned()),
            accepted_ms: 5,
        };
        let ended = SocketEvent::ended(id, &SocketClose::new(1001, "\"é"), None).quietly();
        for part in [
            Part::Open(place),
            Part::Event(ended),
            Part::Event(SocketEvent { socket: id, event: Event::Text }),
            Part::Frames { instance: id, address: None },
            Part::Done { stream: id, sent: 7 },
            Part::GivenUp,
            Part::Sent { stream: id, to: id },
        ] {
            let part = SocketPart(part);
            assert_eq!(SocketPart::opened(&part.sealed()), Some(part));
        }
        assert_eq!(SocketPart::opened("{}"), None);
    }
}
