//! The way of all writes of this process to the database.
//!
//! A database has one write lock. Writers that meet there wait for each other, and one that waits
//! for too long is told `SQLITE_BUSY`. So writes that come while others are on their way wait here,
//! and leave together in one request, in which each is a statement by itself.
//!
//! Promises: a write is in one request, and in another one only after an answer that proves that
//! nothing was written; one that fails does not change what becomes of the others; a write whose
//! caller has gone before it was sent is not sent.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use dotdo_core::StoreTime;
use dotdo_core::sync::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::answer::{Failure, Rows, lacking};
use super::link::Link;
use super::sql::NOW;
use super::statement::{Pipeline, Statement};

/// Maximum number of requests with writes that are on their way.
const REQUESTS_MAX: usize = 4;

/// A request leaves when the one before it is answered, or after this time. Near a database answers
/// are faster, so there is one request at a time; far from one, most of the time is spent on the way,
/// where nobody waits for a lock.
const PACE: Duration = Duration::from_millis(10);

/// Maximum number of writes in one request.
const GROUP_MAX: usize = 64;

/// Size of the writes in one request, in bytes, after which no more are added.
const GROUP_BYTES: usize = 1 << 20;

/// Maximum number of requests for a write that others kept out.
const TRIES_MAX: u32 = 5;

/// The pause after the first such request, beside the 100 ms that a database has waited itself; it
/// doubles each time.
const BUSY_PAUSE: Duration = Duration::from_millis(20);

/// Sends writes.
pub(super) struct Writer(Arc<Inner>);

struct Inner {
    link: Arc<Link>,
    time: Arc<StoreTime>,
    queue: Mutex<Queue>,
    requests: Arc<Semaphore>,
}

/// What waits to be sent.
#[derive(Default)]
struct Queue {
    waiting: VecDeque<Write>,
    /// Whether a task sends it.
    is_served: bool,
}

struct Write {
    statement: Statement,
    reply: oneshot::Sender<Result<Rows, Failure>>,
}

impl Writer {
    pub(super) fn new(link: Arc<Link>, time: Arc<StoreTime>) -> Self {
        let requests = Arc::new(Semaphore::new(REQUESTS_MAX));
        Self(Arc::new(Inner { link, time, queue: Mutex::default(), requests }))
    }

    /// Executes a statement by itself.
    pub(super) async fn write(&self, statement: &Statement) -> Result<Rows, Failure> {
        self.retried(|| self.enqueue(statement.clone())).await
    }

    /// Executes statements in one transaction, and in a request of their own.
    pub(super) async fn transact(&self, statements: &[Statement]) -> Result<(), Failure> {
        self.retried(|| self.transact_once(statements.to_vec())).await
    }

    /// The outcome of an attempt; of another one if the database says that others kept it out, which
    /// it says before it begins to write, or when it has rolled back.
    async fn retried<T, F: Future<Output = Result<T, Failure>> + Send>(
        &self,
        attempt: impl Fn() -> F + Send,
    ) -> Result<T, Failure> {
        for retry in 0..TRIES_MAX - 1 {
            match attempt().await {
                Err(Failure::Busy(_)) => {
                    self.0.link.clock().sleep(BUSY_PAUSE * 2_u32.pow(retry)).await;
                }
                outcome => return outcome,
            }
        }
        attempt().await
    }

    async fn transact_once(&self, statements: Vec<Statement>) -> Result<(), Failure> {
        let pipeline = Pipeline::transaction(statements, Statement::new(NOW, []));
        let _permit = permit(&self.0.requests).await;
        let now = self.0.link.send(&pipeline).await?.committed()?;
        self.0.note_time(now.as_ref());
        Ok(())
    }

    async fn enqueue(&self, statement: Statement) -> Result<Rows, Failure> {
        let (reply, answer) = oneshot::channel();
        let is_served = {
            let mut queue = self.0.queue.lock();
            queue.waiting.push_back(Write { statement, reply });
            std::mem::replace(&mut queue.is_served, true)
        };
        if !is_served {
            tokio::spawn(serve(Arc::clone(&self.0)));
        }
        let gone = || Err(Failure::Unclear("the process is ending".to_owned()));
        answer.await.unwrap_or_else(|_| gone())
    }
}

/// Sends what waits, until nothing does.
async fn serve(inner: Arc<Inner>) {
    let mut ending = Ending { inner: &inner, is_done: false };
    loop {
        let permit = permit(&inner.requests).await;
        let group = inner.next_group();
        if group.is_empty() {
            ending.is_done = true;
            return;
        }
        let sent = tokio::spawn(Arc::clone(&inner).send(group, permit));
        tokio::select! {
            _ = sent => {}
            () = async { inner.link.clock().sleep(PACE).await } => {}
        }
    }
}

/// When the task ends in the middle, because its runtime does, nobody waits for it.
struct Ending<'a> {
    inner: &'a Inner,
    is_done: bool,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        if !self.is_done {
            *self.inner.queue.lock() = Queue::default();
        }
    }
}

async fn permit(requests: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    Arc::clone(requests).acquire_owned().await.expect("nobody closes it")
}

impl Inner {
    /// The writes of the next request. If there are none, nobody serves the queue any more.
    fn next_group(&self) -> Vec<Write> {
        let mut queue = self.queue.lock();
        let (mut group, mut bytes) = (Vec::new(), 0);
        while group.len() < GROUP_MAX && bytes < GROUP_BYTES {
            let Some(write) = queue.waiting.pop_front() else { break };
            if write.reply.is_closed() {
                continue;
            }
            bytes += write.statement.bytes();
            group.push(write);
        }
        queue.is_served = !group.is_empty();
        group
    }

    async fn send(self: Arc<Self>, group: Vec<Write>, _permit: OwnedSemaphorePermit) {
        let (statements, replies): (Vec<Statement>, Vec<_>) =
            group.into_iter().map(|write| (write.statement, write.reply)).unzip();
        let pipeline = Pipeline::group(statements, Statement::new(NOW, []));
        let mut results = match self.link.send(&pipeline).await {
            Ok(answer) => answer.each().into_iter(),
            Err(failure) => {
                replies.into_iter().for_each(|reply| drop(reply.send(Err(failure.clone()))));
                return;
            }
        };
        let outcomes: Vec<_> =
            replies.iter().map(|_| results.next().unwrap_or_else(|| Err(lacking()))).collect();
        self.note_time(results.next().and_then(Result::ok).as_ref());
        for (reply, outcome) in replies.into_iter().zip(outcomes) {
            // Whoever asked may have gone.
            drop(reply.send(outcome));
        }
    }

    /// Notes the time, which is the first value of the first row.
    fn note_time(&self, rows: Option<&Rows>) {
        if let Some(now_ms) = rows.and_then(Rows::first_number) {
            self.time.saw(now_ms);
        }
    }
}
