//! The frames that wait for one client, at the server that has its connection.

use std::collections::VecDeque;

use bytes::Bytes;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::budget::Charge;
use crate::id::ObjectId;
use crate::limits::{SOCKET_BYTES, SOCKET_QUEUE_BYTES_MAX};
use crate::sockets::message::SocketClose;
use crate::sync::Mutex;

/// What a connection sends to its client.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::engine::SocketFrame;
///
/// /// What a server writes for a frame; `None` if it writes nothing.
/// fn written(frame: SocketFrame) -> Option<String> {
///     match frame {
///         SocketFrame::Text(text) => Some(format!("text, {} bytes", text.len())),
///         SocketFrame::Binary(bytes) => Some(format!("binary, {} bytes", bytes.len())),
///         SocketFrame::Close(close) | SocketFrame::Break(close) => {
///             Some(format!("close, {}", close.code))
///         }
///         SocketFrame::AutoResponse(_) => None,
///     }
/// }
///
/// assert_eq!(written(SocketFrame::Text("hello".into())).as_deref(), Some("text, 5 bytes"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SocketFrame {
    /// A text message, which is UTF-8.
    Text(Bytes),
    /// A binary message.
    Binary(Bytes),
    /// The end of the connection, after which nothing is sent.
    Close(SocketClose),
    /// The same, for a reason that is not the object's.
    Break(SocketClose),
    /// From now on, this text is answered with that one, and the object is not told. It is not sent.
    AutoResponse(Option<(String, String)>),
}

impl SocketFrame {
    /// The size of its content, in bytes.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Text(bytes) | Self::Binary(bytes) => bytes.len(),
            Self::Close(close) | Self::Break(close) => close.reason.len(),
            Self::AutoResponse(pair) => {
                pair.as_ref().map_or(0, |(request, response)| request.len() + response.len())
            }
        }
    }
}

/// The frames that wait for one client.
pub(crate) struct Line {
    pub(crate) id: Uuid,
    pub(crate) object: ObjectId,
    waiting: Mutex<Waiting>,
    ready: Notify,
}

struct Waiting {
    frames: VecDeque<SocketFrame>,
    bytes: usize,
    /// Whether the last frame ends the connection.
    is_over: bool,
    auto_response: Option<(String, String)>,
    charge: Charge,
}

impl Line {
    pub(crate) fn new(id: Uuid, object: ObjectId, charge: Charge) -> Self {
        let waiting = Waiting {
            frames: VecDeque::new(),
            bytes: 0,
            is_over: false,
            auto_response: None,
            charge,
        };
        Self { id, object, waiting: Mutex::new(waiting), ready: Notify::new() }
    }

    /// Adds a frame. If the client reads too slowly for it, the connection ends instead.
    pub(crate) fn push(&self, frame: SocketFrame) {
        let mut waiting = self.waiting.lock();
        if waiting.is_over {
            return;
        }
        if let SocketFrame::AutoResponse(pair) = frame {
            waiting.auto_response = pair;
            return;
        }
        let frame = if waiting.bytes + frame.len() > SOCKET_QUEUE_BYTES_MAX {
            metrics::counter!("dotdo_sockets_slow_total").increment(1);
            waiting.clear();
            SocketFrame::Break(SocketClose::new(1008, "the client reads too slowly"))
        } else {
            frame
        };
        waiting.is_over = matches!(frame, SocketFrame::Close(_) | SocketFrame::Break(_));
        waiting.bytes += frame.len();
        waiting.frames.push_back(frame);
        waiting.weigh();
        drop(waiting);
        self.ready.notify_one();
    }

    /// Ends the connection after what waits, for a reason that is not the object's.
    pub(crate) fn end(&self, close: SocketClose) {
        self.push(SocketFrame::Break(close));
    }

    /// The next frame, once there is one.
    pub(crate) async fn next(&self) -> SocketFrame {
        loop {
            if let Some(frame) = self.try_next() {
                return frame;
            }
            self.ready.notified().await;
        }
    }

    /// The next frame, if there is one.
    pub(crate) fn try_next(&self) -> Option<SocketFrame> {
        let mut waiting = self.waiting.lock();
        let frame = waiting.frames.pop_front()?;
        waiting.bytes -= frame.len();
        if waiting.frames.is_empty() {
            waiting.frames = VecDeque::new();
        }
        waiting.weigh();
        Some(frame)
    }

    /// The answer to `text`, if that is answered automatically.
    pub(crate) fn auto_response(&self, text: &str) -> Option<String> {
        let waiting = self.waiting.lock();
        let (request, response) = waiting.auto_response.as_ref()?;
        (request == text).then(|| response.clone())
    }
}

impl Waiting {
    fn clear(&mut self) {
        self.frames.clear();
        self.bytes = 0;
    }

    /// The frames exist already, so the charge can't be refused.
    fn weigh(&mut self) {
        self.charge.set(SOCKET_BYTES + self.bytes as u64);
    }
}
