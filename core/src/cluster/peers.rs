//! Other servers on the same bucket, as the engine sees them: where a request goes whose object
//! belongs to one of them.
//!
//! Must not know: how a request gets there.

use async_trait::async_trait;
use uuid::Uuid;

use crate::error::Result;
use crate::id::ObjectId;
use crate::messages::Delivery;
use crate::object::{Caller, Request, Response};

/// A process that owns an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The process.
    pub instance: Uuid,
    /// Where it says that others reach it.
    pub address: String,
}

/// What goes with a request from server to server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestContext {
    /// The servers that have had the request and passed it on, the first first.
    pub visited: Vec<String>,
    /// The objects whose handlers wait for this request, outermost first.
    pub chain: Vec<ObjectId>,
    /// The message that this request delivers, if it delivers one.
    pub delivery: Option<Delivery>,
    /// The caller, as the first server has verified it; `None` for messages, which have a sender,
    /// and where nothing is verified.
    pub caller: Option<Caller>,
    /// A random number by which the object knows this request again, where its sender has not named
    /// it and it may be sent twice.
    pub attempt: Option<Uuid>,
}

/// A request that is to go to the owner of its object.
#[derive(Debug)]
pub struct Forward {
    /// The object.
    pub object: ObjectId,
    /// The request, as the object's handler shall see it.
    pub request: Request,
    /// Where it has been, and for whom.
    pub request_context: RequestContext,
}

/// The result of sending a request to the owner.
#[derive(Debug)]
pub enum Forwarded {
    /// The owner answered, with a response or an error.
    Answered(Result<Response>),
    /// This response makes the platform send the request to the owner.
    Redirected(Response),
}

/// Why the owner gave no answer.
#[derive(Debug)]
pub enum PeerError {
    /// Certainly nothing of the request was done: the owner was not reached, or declined.
    NotTaken {
        /// The request, if nothing of its body has been sent.
        request: Option<Box<Request>>,
        /// Why.
        cause: NotTaken,
        /// What happened, for the log.
        reason: String,
    },
    /// The owner had the request and may have done it.
    Unknown {
        /// What happened, for the log.
        reason: String,
    },
}

/// Why an owner did not take a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotTaken {
    /// It does not own the object any more.
    Declined,
    /// It took the request for none of another server.
    Refused,
    /// It did not answer in time.
    Silent,
    /// Nobody answers at its address.
    Unreachable,
    /// Whoever answers there did not prove that it is a server of the bucket.
    Unproven,
    /// The connection broke off.
    Broken,
    /// The platform's proxy can't bring this request to it.
    NotReplayable,
}

impl NotTaken {
    /// The label in metrics.
    pub fn label(self) -> &'static str {
        match self {
            Self::Declined => "declined",
            Self::Refused => "refused",
            Self::Silent => "silent",
            Self::Unreachable => "unreachable",
            Self::Unproven => "stranger",
            Self::Broken => "broken",
            Self::NotReplayable => "not_replayable",
        }
    }
}

impl PeerError {
    /// The label in metrics.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::NotTaken { cause, .. } => cause.label(),
            Self::Unknown { .. } => "unknown",
        }
    }

    /// Whether the owner itself said that it does not own the object.
    pub(crate) fn is_declined(&self) -> bool {
        matches!(self, Self::NotTaken { cause: NotTaken::Declined, .. })
    }
}

/// The way to other servers.
#[async_trait]
pub trait Peers: Send + Sync + 'static {
    /// Sends a request to the owner of its object and waits for the head of the answer.
    ///
    /// # Errors
    ///
    /// Whether the request may have been done; never the owner's own errors, which are its answer.
    async fn send(&self, owner: &Owner, forward: Forward) -> Result<Forwarded, PeerError>;
}

/// What became of a request that another server sent here.
#[derive(Debug)]
pub enum Received {
    /// This process answered for the object.
    Answered(Result<Response>),
    /// It does not own the object; nothing of the request was done.
    NotOwner,
}
