//! WebSockets and event streams of objects: their rows, their events, and the frames to their
//! clients.
//!
//! Promises: which sockets an object has, with their tags and attachments, is part of its
//! transactions; an event of a socket is a request to its object; a frame leaves when the record is
//! in the bucket that its transaction depends on, in the order of the records; a socket that stays
//! open has missed no frame (docs/design/0031-websockets.md). Must not know: HTTP servers, the
//! protocol on a connection.

mod connection;
mod event;
mod gate;
mod gateway;
mod held;
mod line;
mod message;
mod note;
mod owner;
mod registry;
mod row;
mod sending;
mod stream;
mod streams;
mod sweep;
mod transport;
mod wire;

pub(crate) use connection::{End, Far};
pub use connection::{Handshake, SocketConnection, SocketEnd};
pub use event::SocketPart;
pub(crate) use event::{Addressed, Ended, Event, Place, SocketEvent};
pub(crate) use gate::{receive_part, settle_former};
pub use gateway::GatewaySocket;
pub(crate) use held::Held;
pub use line::SocketFrame;
pub use message::{SocketClose, SocketMessage};
pub(crate) use note::Note;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use note::fuzz_note;
pub(crate) use owner::{check, close_all, say_goodbye, send};
pub(crate) use registry::{Most, Sockets};
pub(crate) use row::{
    Row, SOCKET_ANSWER, SOCKETS, auto_response_of, find, insert, list, places, remove,
    set_attachment, set_auto_response, set_closing,
};
pub(crate) use sending::{forget, opened, tell_end};
pub(crate) use stream::{EVENT_STREAM, events};
pub(crate) use sweep::sweep;
pub use transport::{HeldConnection, SocketTransport, TransportError};
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use wire::fuzz as fuzz_batch;
