//! Changes that share a record, and what waits for it.

use tokio::sync::oneshot;
use tracing::Span;

use super::Ticket;
use crate::change::Changes;
use crate::error::Result;
use crate::log::Head;
use crate::object::AfterCommit;

/// Changes that will be one record.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) changes: Vec<Changes>,
    pub(super) bytes: usize,
    /// Whether it has changes, or had them until its record was built.
    pub(super) writes: bool,
    /// Nothing may be added: a snapshot was taken of exactly this state, or the record is in
    /// flight.
    pub(super) sealed: bool,
    pub(super) releases: bool,
    pub(super) waiters: Vec<Waiter>,
    /// Reads that joined when the record may have been in the log already, so that it does not
    /// prove the state that they saw.
    pub(super) late: Vec<Waiter>,
    pub(super) causes: Vec<Span>,
}

/// Something that is released when a record is in the bucket.
pub(crate) enum Waiter {
    /// A response.
    Response(oneshot::Sender<Result<Head>>),
    /// Work that a handler left for after the commit.
    Work(AfterCommit),
}

/// Everything that waited for a record that is in the log now.
pub(crate) struct Done {
    pub(crate) waiters: Vec<Waiter>,
}

impl Batch {
    pub(super) fn wait(&mut self) -> Ticket {
        let (sender, ticket) = oneshot::channel();
        self.waiters.push(Waiter::Response(sender));
        ticket
    }

    /// A ticket for a request that changed nothing.
    pub(super) fn wait_reading(&mut self) -> Ticket {
        let (sender, ticket) = oneshot::channel();
        self.reading().push(Waiter::Response(sender));
        ticket
    }

    /// The waiters that changed nothing.
    pub(super) fn reading(&mut self) -> &mut Vec<Waiter> {
        if self.sealed { &mut self.late } else { &mut self.waiters }
    }
}
