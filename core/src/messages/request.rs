//! The relay's requests to an object's database. They take their turn like other requests, and
//! their replies pass the gate like responses, so what they have read is durable.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::id::{ObjectId, Tenant};
use crate::messages::outbox::{
    DeliveryResults, Message, ReceiverPage, next_messages, next_receivers, note_outcomes,
};
use crate::object::{Body, Request, Response};
use crate::sqlite::Database;

/// A request that writes outcomes of messages and reads the next ones. It is in a request's
/// extensions and never leaves this process.
#[derive(Debug, Clone, Default)]
pub(crate) struct OutboxRequest(Arc<OutboxTask>);

/// The task of an [`OutboxRequest`].
#[derive(Debug, Default)]
pub(crate) struct OutboxTask {
    pub(crate) results: DeliveryResults,
    /// The receivers whose messages are wanted, in order.
    pub(crate) ready: Vec<ObjectId>,
    /// The number of receivers whose messages are wanted.
    pub(crate) receivers_max: usize,
    /// Number of the last message whose receiver is known, when more receivers are wanted.
    pub(crate) look_after: Option<i64>,
    /// Receivers that the caller knows already.
    pub(crate) known: Arc<BTreeSet<ObjectId>>,
}

/// The reply to an [`OutboxRequest`]; in its response's extensions.
#[derive(Debug, Clone, Default)]
pub(crate) struct OutboxReply {
    /// Each receiver that was served, with its next messages, which may be none.
    pub(crate) messages: Vec<(ObjectId, Vec<Message>)>,
    /// New receivers, in the order of their messages.
    pub(crate) receivers: ReceiverPage,
}

impl OutboxTask {
    /// The task that only finds out whether there are messages.
    pub(crate) fn look() -> Self {
        Self { look_after: Some(0), ..Self::default() }
    }
}

impl OutboxRequest {
    /// The request that does `task`.
    pub(crate) fn request(task: OutboxTask) -> Request {
        let mut request = Request::new(Body::empty());
        request.extensions_mut().insert(Self(Arc::new(task)));
        request
    }

    /// Runs the task for an object of `tenant`, inside the open transaction.
    pub(crate) fn run(&self, database: &mut Database, tenant: &Tenant) -> Result<Response> {
        let mut response = Response::new(Body::empty());
        response.extensions_mut().insert(Arc::new(self.0.run(database, tenant)?));
        Ok(response)
    }
}

impl OutboxTask {
    pub(super) fn run(&self, database: &mut Database, tenant: &Tenant) -> Result<OutboxReply> {
        note_outcomes(database, &self.results)?;
        let mut reply = OutboxReply::default();
        if let Some(after) = self.look_after {
            reply.receivers = next_receivers(database, tenant, after)?;
            if reply.receivers.seen_to == after && after > 0 && self.known.is_empty() {
                // There are messages below `seen_to`: the object was recreated, or its table was
                // changed.
                reply.receivers = next_receivers(database, tenant, 0)?;
            }
            reply.receivers.found.retain(|receiver| !self.known.contains(receiver));
        }
        let mut served = 0;
        for receiver in self.ready.iter().chain(&reply.receivers.found) {
            if served == self.receivers_max {
                break;
            }
            let messages = next_messages(database, receiver)?;
            served += usize::from(!messages.is_empty());
            reply.messages.push((receiver.clone(), messages));
        }
        Ok(reply)
    }
}

impl OutboxReply {
    /// Takes the reply out of a response.
    pub(crate) fn of(mut response: Response) -> Result<Self> {
        let reply: Option<Arc<Self>> = response.extensions_mut().remove();
        let reply = reply
            .ok_or_else(|| Error::internal("a request to the outbox came back without a reply"))?;
        Ok(Arc::try_unwrap(reply).unwrap_or_else(|shared| Self::clone(&shared)))
    }

    /// Whether no new message was found.
    pub(crate) fn is_empty(&self) -> bool {
        self.messages.iter().all(|(_, messages)| messages.is_empty())
            && self.receivers.found.is_empty()
            && self.receivers.is_over
    }
}
