//! The engine's interface to other servers on the same bucket, which get the requests for their
//! objects.
//!
//! Must not know: how a request is sent.

use async_trait::async_trait;
use uuid::Uuid;

use crate::error::Result;
use crate::id::ObjectId;
use crate::messages::Delivery;
use crate::object::{Caller, Request, Response};
use crate::sockets::SocketPart;

/// A process that owns an object. [`Peers`] has an example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The process's id.
    pub instance: Uuid,
    /// The address that it announces.
    pub address: String,
}

/// What servers send each other along with a request.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::engine::{HOPS_MAX, RequestContext};
///
/// /// What the server at `address` sends along when it forwards a request itself.
/// fn forwarded(mut context: RequestContext, address: &str) -> Option<RequestContext> {
///     context.visited.push(address.to_owned());
///     (context.visited.len() <= HOPS_MAX).then_some(context)
/// }
///
/// let context = forwarded(RequestContext::default(), "http://10.0.0.7:8787");
/// assert_eq!(context.map(|context| context.visited.len()), Some(1));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestContext {
    /// The servers that have forwarded the request, in order.
    pub visited: Vec<String>,
    /// The objects whose handlers wait for this request, outermost first.
    pub chain: Vec<ObjectId>,
    /// The number of calls between these whose handlers keep no turn.
    pub hops: usize,
    /// The message that this request delivers, if it delivers one.
    pub delivery: Option<Delivery>,
    /// The caller, as verified by the first server; `None` for messages, which have a sender, and
    /// where nothing is verified.
    pub caller: Option<Caller>,
    /// A random number by which the object recognises a repetition of this request, if it has no
    /// key of its own and may be sent twice.
    pub attempt: Option<Uuid>,
    /// What it says about a socket, if it is about one.
    pub socket: Option<SocketPart>,
}

/// A request that is forwarded to the owner of its object. [`Peers`] has an example.
#[derive(Debug)]
pub struct Forward {
    /// The object.
    pub object: ObjectId,
    /// The request, as the object's handler will see it.
    pub request: Request,
    /// What goes along with it.
    pub request_context: RequestContext,
}

/// The result of forwarding a request to the owner of its object.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::engine::Forwarded;
///
/// /// What a server's log says of a forwarded request.
/// fn said(forwarded: &Forwarded) -> String {
///     match forwarded {
///         Forwarded::Answered(Ok(response)) => response.status().to_string(),
///         Forwarded::Answered(Err(error)) => error.to_string(),
///         Forwarded::Redirected(_) => "left to the platform's proxy".to_owned(),
///     }
/// }
/// # assert_eq!(said(&Forwarded::Answered(Err(dotdo::Error::not_found("no such path")))), "no such path");
/// ```
#[derive(Debug)]
pub enum Forwarded {
    /// The owner answered, with a response or an error.
    Answered(Result<Response>),
    /// This response makes the platform's proxy send the request to the owner.
    Redirected(Response),
}

/// Why the owner of an object gave no answer to a forwarded request.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::engine::{NotTaken, PeerError};
///
/// /// Whether another server may get the request: this one has certainly not executed it.
/// fn may_go_elsewhere(error: &PeerError) -> bool {
///     matches!(error, PeerError::NotTaken { .. })
/// }
///
/// let reason = "the connection was closed before the response".to_owned();
/// assert!(!may_go_elsewhere(&PeerError::Unknown { reason }));
/// ```
#[derive(Debug)]
pub enum PeerError {
    /// The request was certainly not executed: the owner was not reached, or declined.
    NotTaken {
        /// The request, if no part of its body was sent.
        request: Option<Box<Request>>,
        /// The reason.
        cause: NotTaken,
        /// What happened, for the log.
        reason: String,
    },
    /// The owner received the request and may have executed it.
    Unknown {
        /// What happened, for the log.
        reason: String,
    },
}

/// Why an owner did not take a request.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::engine::NotTaken;
///
/// /// Whether a dotdo server has answered at the owner's address.
/// fn has_answered(cause: NotTaken) -> bool {
///     matches!(cause, NotTaken::Declined | NotTaken::Refused)
/// }
///
/// assert!(has_answered(NotTaken::Declined) && !has_answered(NotTaken::Silent));
/// assert_eq!(NotTaken::Silent.label(), "silent");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotTaken {
    /// It does not own the object any more.
    Declined,
    /// It did not accept the request as one of another server.
    Refused,
    /// It did not answer in time.
    Silent,
    /// Its address can't be reached.
    Unreachable,
    /// The server at its address did not prove that it is a server of this bucket.
    Unproven,
    /// The connection broke off.
    Broken,
    /// The platform's proxy can't forward this request.
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

/// Forwards requests to other servers.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, with_object};
/// # with_object(async |engine, object| {
/// use std::collections::BTreeMap;
///
/// use dotdo::engine::{
///     Engine, Forward, Forwarded, NotTaken, Owner, PeerError, Peers, Received,
///     RequestContext, Uuid, async_trait,
/// };
/// use dotdo::{Body, Request};
///
/// /// Servers in one process, by their addresses.
/// struct Neighbours(BTreeMap<&'static str, Engine>);
///
/// #[async_trait]
/// impl Peers for Neighbours {
///     async fn send(
///         &self,
///         owner: &Owner,
///         forward: Forward,
///     ) -> Result<Forwarded, PeerError> {
///         let not_taken = |cause| PeerError::NotTaken {
///             request: None,
///             cause,
///             reason: owner.address.clone(),
///         };
///         let engine = self
///             .0
///             .get(&*owner.address)
///             .ok_or_else(|| not_taken(NotTaken::Unreachable))?;
///         let Forward { object, request, request_context } = forward;
///         match engine.receive(&object, request_context, request).await {
///             Received::Answered(answer) => Ok(Forwarded::Answered(answer)),
///             Received::NotOwner => Err(not_taken(NotTaken::Declined)),
///         }
///     }
/// }
///
/// let peers = Neighbours(BTreeMap::from([("first", engine)]));
/// let owner = Owner { instance: Uuid::from_u128(1), address: "first".to_owned() };
/// let request = Request::new(Body::empty());
/// let forward = Forward { object, request, request_context: RequestContext::default() };
/// assert!(matches!(peers.send(&owner, forward).await, Ok(Forwarded::Answered(Ok(_)))));
/// # Ok(())
/// # });
/// ```
#[async_trait]
pub trait Peers: Send + Sync + 'static {
    /// Sends a request to the owner of its object and waits for the head of the response.
    ///
    /// # Errors
    ///
    /// Says whether the request may have been executed. The owner's own errors are answers, not
    /// errors.
    async fn send(&self, owner: &Owner, forward: Forward) -> Result<Forwarded, PeerError>;
}

/// The outcome of a request that another server has forwarded to this one
/// ([`Engine::receive`](crate::Engine::receive)). [`Peers`] has an example.
#[derive(Debug)]
pub enum Received {
    /// This process answered for the object.
    Answered(Result<Response>),
    /// It does not own the object; the request was not executed.
    NotOwner,
}
