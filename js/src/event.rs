//! Events that run in a realm, and what comes of them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use dotdo::sockets::{SocketClose, SocketMessage};
use dotdo::{Error, ErrorKind};

/// An event: what the dispatcher in `runtime/main.js` takes.
#[derive(Debug, Serialize)]
pub(crate) struct Event {
    #[serde(flatten)]
    pub(crate) what: What,
    /// Its number, under which its outcome comes.
    pub(crate) event: u64,
    /// The objects that have left memory since the last event, and requests to the worker.
    pub(crate) gone: Vec<u64>,
}

/// What happens.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum What {
    /// An object comes into memory.
    Make { class: String, instance: u64, object: String, named: Option<String> },
    /// A request to an object.
    Fetch { class: String, instance: u64, request: Head },
    /// A member of an object is called or read.
    Rpc { instance: u64, member: Member, values: String },
    /// The alarm of an object.
    Alarm { instance: u64, info: AlarmAbout },
    /// A message on a WebSocket of an object; bytes are the event's body.
    Message { instance: u64, socket: SocketAbout, text: Option<String> },
    /// A WebSocket of an object has ended.
    Closed { instance: u64, socket: SocketAbout, code: u16, reason: String },
    /// A request to the worker in front.
    Front { request: Head },
    /// The answer of a call that this instance has begun, or the worker.
    Answer {
        #[serde(skip_serializing_if = "Option::is_none")]
        instance: Option<u64>,
        #[serde(flatten)]
        answer: Answer,
    },
    /// The time of a timer has come that this instance has set, or the worker.
    Timer {
        #[serde(skip_serializing_if = "Option::is_none")]
        instance: Option<u64>,
        /// The operation that waited for it.
        operation: u64,
    },
}

/// The head of a request.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) url: String,
    pub(crate) method: String,
    pub(crate) headers: Vec<(String, String)>,
}

/// A WebSocket, as its row says.
#[derive(Debug, Serialize)]
pub(crate) struct SocketAbout {
    pub(crate) id: String,
    /// JSON of the runtime's.
    pub(crate) attachment: Option<String>,
    pub(crate) tags: Vec<String>,
}

/// What a handler of an alarm is told.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AlarmAbout {
    pub(crate) retry_count: u64,
    pub(crate) is_retry: bool,
    pub(crate) scheduled_time: i64,
}

/// The answer of a call to an object, or of another server.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Answer {
    pub(crate) call: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<Failed>,
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    /// Where the response of another server is from, at last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<String>,
    pub(crate) redirected: bool,
    /// The result of a method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<String>,
    /// Whether its body is a stream, to be read under the number of the call.
    pub(crate) streams: bool,
    /// Whether it is a piece of a body, or none at the end of one; or the end of a wait.
    pub(crate) piece: bool,
    /// The number of the WebSocket with which it was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) socket: Option<u64>,
    /// What has come on a WebSocket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) frame: Option<FrameAbout>,
}

/// What has come on a WebSocket of which code has one end.
#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FrameAbout {
    Text(String),
    /// The answer's bytes.
    Binary,
    End {
        code: u16,
        reason: String,
    },
}

/// An exception, as it crosses between objects and to the log.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Failed {
    pub(crate) name: String,
    pub(crate) message: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) stack: String,
    /// Whether it may work later.
    pub(crate) retryable: bool,
    /// The code of an error that was not made in JavaScript.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<String>,
    /// The number under which the worker's request knows that error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) known: Option<u64>,
}

impl Failed {
    /// An error of ours as code sees it.
    pub(crate) fn of(error: &Error) -> Self {
        let retryable =
            matches!(error.kind(), ErrorKind::Busy | ErrorKind::Unavailable | ErrorKind::Fenced);
        Self {
            name: "Error".to_owned(),
            message: error.message().to_owned(),
            code: Some(error.code().to_owned()),
            retryable,
            ..Self::default()
        }
    }
}

/// What comes of an event, besides changes.
#[derive(Debug)]
pub(crate) enum Effect {
    /// An event has ended: its outcome, and the body of its response.
    Settled { event: u64, outcome: Outcome, body: Option<Vec<u8>> },
    /// Something was begun that ends outside of the realm.
    Begun(Operation),
    /// Nobody waits for the end of an operation any more.
    Cancelled(u64),
    /// The value of an object has ended, with this exception.
    Reset { instance: u64, failed: Failed },
    /// Something was done to a body.
    Body(BodyChange),
    /// Something was done to the WebSocket with this number.
    Line(u64, LineChange),
}

/// What code does to a body.
#[derive(Debug)]
pub(crate) enum BodyChange {
    /// The next piece of a response that streams.
    Sent { stream: u64, piece: Vec<u8> },
    /// A response that streams has ended, or was broken off for this reason.
    Finished { stream: u64, failed: Option<String> },
    /// Nobody reads a body from outside any more.
    Dropped(u64),
}

/// What goes over a WebSocket of which code has one end.
#[derive(Debug)]
pub(crate) enum LineFrame {
    Message(SocketMessage),
    /// The last one.
    End(SocketClose),
}

/// What code does to such a WebSocket.
#[derive(Debug)]
pub(crate) enum LineChange {
    /// It has the one end of a new one, of which the other is a client's.
    Made,
    /// It listens from now on.
    Opened,
    Sent(LineFrame),
    /// It lets go of it.
    Dropped,
}

/// What code has begun and goes on without it; its end is an event.
#[derive(Debug)]
pub(crate) struct Operation {
    /// A number that its realm gives once at a time.
    pub(crate) id: u64,
    pub(crate) work: Work,
}

/// What an operation does.
#[derive(Debug)]
pub(crate) enum Work {
    /// Calls an object.
    Call(Call),
    /// Sends a request to another server.
    Fetch(Fetch),
    /// Reads an asset.
    Asset(Head),
    /// Waits.
    Timer(Duration),
    /// Waits for what happens to a body.
    Body(OfBody),
    /// Waits for what comes on the WebSocket with this number.
    Line(u64),
}

/// What code waits for at a body.
#[derive(Debug, Clone, Copy)]
pub(crate) enum OfBody {
    /// The next piece of one from outside.
    Piece(u64),
    /// Its client has read most of what was sent.
    Room(u64),
    /// Its client is gone.
    Gone(u64),
}

/// A request to another server.
#[derive(Debug, Deserialize)]
pub(crate) struct Fetch {
    #[serde(flatten)]
    pub(crate) head: Head,
    /// Whether redirects are followed.
    pub(crate) follows: bool,
    /// Whether it asks for a WebSocket.
    #[serde(default)]
    pub(crate) upgrades: bool,
    /// The body, which does not come as JSON.
    #[serde(skip)]
    pub(crate) body: Option<Vec<u8>>,
}

/// How an event has ended.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Outcome {
    pub(crate) error: Option<Failed>,
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) text: String,
    /// The WebSocket of the response: its number, or 0 in an object, which has accepted it.
    pub(crate) socket: Option<u64>,
    /// Whether the worker has the other end of that itself.
    pub(crate) is_own: bool,
    /// The number of the response's stream, which goes on after what its body is now.
    pub(crate) stream: Option<u64>,
    /// The number of the body from outside that is the response's.
    pub(crate) passes: Option<u64>,
}

/// A call to an object.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) about: CallAbout,
    pub(crate) body: Option<Vec<u8>>,
}

/// A member of an object, or of what it has given out by reference.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Member {
    /// Its name; empty for a function itself.
    pub(crate) name: String,
    /// The token of what the object has given out; `None` for the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) of: Option<String>,
    /// Whether it is read and not called.
    #[serde(default)]
    pub(crate) is_field: bool,
    /// Whether its response is a stream of what it calls back, and at last of its result.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) calls_back: bool,
    /// Whether it is none, and the call has the answer to what was called back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) answers: bool,
}

/// Which object is called, and how.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct CallAbout {
    pub(crate) class: String,
    pub(crate) object: String,
    pub(crate) name: Option<String>,
    pub(crate) url: String,
    pub(crate) method: String,
    pub(crate) headers: Vec<(String, String)>,
    /// The member that is called or read; `None` for a request.
    pub(crate) rpc: Option<Member>,
    pub(crate) values: String,
}

/// Why a realm has ended, with all values in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// An event has computed for too long.
    Time,
    /// The memory was used up.
    Memory,
    /// Something else that leaves the realm in an unknown state.
    Broken(String),
}
