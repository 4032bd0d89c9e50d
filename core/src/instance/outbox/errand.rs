//! What the courier has to do in an object's database. It takes its turn like a request, and its answer passes the gate like a response: so
//! what it has read is durable.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::id::ObjectId;
use crate::object::{self, Body, Letter, Request, Response, Settled};
use crate::sqlite::Database;

/// Notes what became of messages and takes the next ones. It travels in a request's extensions, and never leaves this process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Errand(Arc<Task>);

/// What an [`Errand`] is about.
#[derive(Debug, Default)]
pub(crate) struct Task {
    pub(crate) settled: Settled,
    /// Receivers whose messages are not wanted.
    pub(crate) except: BTreeSet<ObjectId>,
    /// The messages of how many receivers are wanted.
    pub(crate) receivers_max: usize,
}

/// What an [`Errand`] has brought; in its response's extensions.
#[derive(Debug, Clone)]
pub(crate) struct Mail(Arc<Vec<Letter>>);

impl Errand {
    /// The request that does `task`.
    pub(crate) fn request(task: Task) -> Request {
        let mut request = Request::new(Body::empty());
        request.extensions_mut().insert(Self(Arc::new(task)));
        request
    }

    /// Does it, inside the open transaction.
    pub(crate) fn run(&self, database: &mut Database) -> Result<Response> {
        object::settle(database, &self.0.settled)?;
        let letters = object::collect(database, &self.0.except, self.0.receivers_max)?;
        let mut response = Response::new(Body::empty());
        response.extensions_mut().insert(Mail(Arc::new(letters)));
        Ok(response)
    }
}

impl Mail {
    /// The letters that the answer to an errand has brought.
    pub(crate) fn of(mut response: Response) -> Result<Vec<Letter>> {
        let mail: Option<Self> = response.extensions_mut().remove();
        let letters = mail.ok_or_else(|| Error::internal("an errand came back without mail"))?.0;
        Ok(Arc::try_unwrap(letters).unwrap_or_else(|shared| shared.to_vec()))
    }
}
