//! Connections that something else holds than a server, from the side of a process: the frames that
//! wait for them.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{Semaphore, SemaphorePermit};
use uuid::Uuid;

use crate::budget::{Budget, Use};
use crate::clock::Instant;
use crate::error::{Error, Result};
use crate::id::ObjectId;
use crate::limits::SOCKET_BYTES;
use crate::sockets::line::{Line, SocketFrame};
use crate::sockets::transport::SocketTransport;
use crate::sync::Mutex;

/// How many frames are on their way to the transport at the same time.
const SENDS_AT_ONCE: usize = 64;

/// The connections that something else holds, from the side of this process.
pub(crate) struct Held {
    transport: Option<Arc<dyn SocketTransport>>,
    budget: Budget,
    queues: Mutex<BTreeMap<Uuid, Queue>>,
    sends: Semaphore,
    /// When this process has last looked for connections that are too old.
    pub(super) swept: Mutex<Option<Instant>>,
}

/// The frames that wait for a connection.
struct Queue {
    line: Line,
    /// Whether its handshake is being answered, so that nothing can be sent yet. Otherwise a task
    /// sends what waits.
    is_opening: bool,
}

impl Held {
    pub(crate) fn new(transport: Option<Arc<dyn SocketTransport>>, budget: Budget) -> Self {
        let (queues, swept) = (Mutex::default(), Mutex::default());
        Self { transport, budget, queues, sends: Semaphore::new(SENDS_AT_ONCE), swept }
    }

    /// What reaches them.
    ///
    /// # Errors
    ///
    /// `Invalid` (code `NO_CONNECTIONS`) when this process reaches none.
    pub(crate) fn transport(&self) -> Result<&Arc<dyn SocketTransport>> {
        self.transport.as_ref().ok_or_else(|| {
            Error::invalid("this program reaches no connections but those of servers")
                .with_code("NO_CONNECTIONS")
        })
    }

    /// The handshake of a connection is being answered: what is sent to it waits.
    ///
    /// # Errors
    ///
    /// Those of the memory budget.
    pub(crate) fn opening(&self, object: &ObjectId, socket: Uuid) -> Result<()> {
        let line = self.line(object, socket)?;
        self.queues.lock().insert(socket, Queue { line, is_opening: true });
        Ok(())
    }

    /// The handshake was answered. `true`: the caller must start the task that sends what waits.
    pub(super) fn opened(&self, socket: Uuid) -> bool {
        let mut queues = self.queues.lock();
        queues.get_mut(&socket).is_some_and(|queue| std::mem::take(&mut queue.is_opening))
    }

    /// The handshake was not answered.
    pub(super) fn abandon(&self, socket: Uuid) {
        let mut queues = self.queues.lock();
        if queues.get(&socket).is_some_and(|queue| queue.is_opening) {
            queues.remove(&socket);
        }
    }

    fn line(&self, object: &ObjectId, socket: Uuid) -> Result<Line> {
        let charge = self.budget.admit_at_once(Use::Requests, object, SOCKET_BYTES)?;
        Ok(Line::new(socket, object.clone(), charge))
    }

    /// Adds a frame. `true`: the caller must start the task that sends it.
    ///
    /// # Errors
    ///
    /// Those of the memory budget, and of [`Held::transport`].
    pub(super) fn push(
        &self,
        object: &ObjectId,
        socket: Uuid,
        frame: &SocketFrame,
    ) -> Result<bool> {
        self.transport()?;
        let mut queues = self.queues.lock();
        if let Some(queue) = queues.get(&socket) {
            queue.line.push(frame.clone());
            return Ok(false);
        }
        let line = self.line(object, socket)?;
        line.push(frame.clone());
        queues.insert(socket, Queue { line, is_opening: false });
        Ok(true)
    }

    /// The next frame for a connection. `None`: nothing waits, and its task ends.
    pub(super) fn next(&self, socket: Uuid) -> Option<SocketFrame> {
        let mut queues = self.queues.lock();
        let frame = queues.get(&socket).filter(|queue| !queue.is_opening)?.line.try_next();
        if frame.is_none() {
            queues.remove(&socket);
        }
        frame
    }

    /// Drops what waits for a connection.
    pub(super) fn drop_queue(&self, socket: Uuid) {
        self.queues.lock().remove(&socket);
    }

    /// A place for a frame on its way.
    pub(super) async fn place(&self) -> Option<SemaphorePermit<'_>> {
        self.sends.acquire().await.ok()
    }
}
