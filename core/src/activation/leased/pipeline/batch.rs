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
    /// It has changes, or had them until its record was made.
    pub(super) writes: bool,
    /// Nothing may be added: a snapshot was taken of exactly this state, or the record is on its
    /// way.
    pub(super) sealed: bool,
    pub(super) releases: bool,
    pub(super) waiters: Vec<Waiter>,
    /// Reads that joined when the record may have been in the log already: it proves nothing about
    /// what became of the log since.
    pub(super) late: Vec<Waiter>,
    pub(super) causes: Vec<Span>,
}

/// What leaves the object when a record is in the bucket.
pub(crate) enum Waiter {
    /// A response.
    Response(oneshot::Sender<Result<Head>>),
    /// What a handler has left to be done.
    Work(AfterCommit),
}

/// What waited for a record that is in the log now.
pub(crate) struct Done {
    pub(crate) waiters: Vec<Waiter>,
}

impl Batch {
    pub(super) fn wait(&mut self) -> Ticket {
        let (sender, ticket) = oneshot::channel();
        self.waiters.push(Waiter::Response(sender));
        ticket
    }

    /// Waits on behalf of a request that changed nothing.
    pub(super) fn wait_reading(&mut self) -> Ticket {
        let (sender, ticket) = oneshot::channel();
        self.reading().push(Waiter::Response(sender));
        ticket
    }

    /// Where those wait that changed nothing.
    pub(super) fn reading(&mut self) -> &mut Vec<Waiter> {
        if self.sealed { &mut self.late } else { &mut self.waiters }
    }
}
