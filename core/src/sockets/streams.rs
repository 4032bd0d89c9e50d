//! What this process sends to connections of other servers: a stream of batches for each object and
//! server.

use std::collections::{BTreeMap, VecDeque};

use uuid::Uuid;

use crate::cluster::Owner;
use crate::id::ObjectId;
use crate::sockets::line::SocketFrame;
use crate::sockets::wire::{Batch, ToSockets};
use crate::sync::Mutex;

/// The size from which frames for another server go into the next request to it, in bytes.
const BATCH_BYTES_MAX: usize = 1 << 20;

/// Number of streams of frames to other servers that a process remembers, some hundred bytes each.
const STREAMS_MAX: usize = 16 << 10;

/// An object, and the process that has the connections.
type Key = (ObjectId, Uuid);

/// The streams of this process.
#[derive(Default)]
pub(crate) struct Streams(Mutex<BTreeMap<Key, Leaving>>);

/// A stream of frames to another server.
struct Leaving {
    id: Uuid,
    server: Owner,
    /// The number of the batch that is sent next.
    next: u64,
    waiting: VecDeque<ToSockets>,
    /// Whether a task sends what waits.
    is_sent: bool,
}

impl Streams {
    /// Adds a frame. Returns `true` if the caller must start the task that sends it.
    pub(crate) fn push(
        &self,
        (object, server): (&ObjectId, &Owner),
        frame: ToSockets,
        id: impl FnOnce() -> Uuid,
    ) -> bool {
        let key = (object.clone(), server.instance);
        let mut streams = self.0.lock();
        if streams.len() >= STREAMS_MAX && !streams.contains_key(&key) {
            streams.retain(|_, leaving| leaving.is_sent);
        }
        let leaving = streams.entry(key).or_insert_with(|| Leaving {
            id: id(),
            server: server.clone(),
            next: 0,
            waiting: VecDeque::new(),
            is_sent: false,
        });
        leaving.waiting.push_back(frame);
        !std::mem::replace(&mut leaving.is_sent, true)
    }

    /// Takes the next batch out of a stream. `None`: nothing waits, and the task ends.
    pub(crate) fn next_batch(&self, key: &Key) -> Option<Batch> {
        let mut streams = self.0.lock();
        let leaving = streams.get_mut(key)?;
        let (mut frames, mut bytes) = (Vec::new(), 0);
        while bytes < BATCH_BYTES_MAX {
            let Some(frame) = leaving.waiting.pop_front() else { break };
            bytes += frame.frame.as_ref().map_or(0, SocketFrame::len) + 16 * frame.sockets.len();
            frames.push(frame);
        }
        if frames.is_empty() {
            leaving.is_sent = false;
            return None;
        }
        let number = leaving.next;
        leaving.next += 1;
        Some(Batch { stream: leaving.id, number, frames })
    }

    /// Ends a stream whose server was not reached: the next one has another id, so that the server
    /// sees that something is missing. Returns the connections that lost frames were for, besides
    /// `sockets`.
    pub(crate) fn give_up(&self, key: &Key, mut sockets: Vec<Uuid>) -> Vec<Uuid> {
        if let Some(left) = self.0.lock().remove(key) {
            sockets.extend(left.waiting.into_iter().flat_map(|frame| frame.sockets));
        }
        sockets.sort_unstable();
        sockets.dedup();
        sockets
    }

    /// Takes out every stream: its object, its server, its id, and how many batches it had. Those
    /// in which something waits are not complete.
    pub(crate) fn take_complete(&self) -> Vec<(ObjectId, Owner, Uuid, u64)> {
        let streams = std::mem::take(&mut *self.0.lock()).into_iter();
        let complete =
            streams.filter(|(_, leaving)| leaving.waiting.is_empty() && !leaving.is_sent);
        complete
            .map(|((object, _), leaving)| (object, leaving.server, leaving.id, leaving.next))
            .collect()
    }

    /// How many batches the stream has sent, if nothing waits in it; `None` for one that is not
    /// known.
    pub(crate) fn sent(&self, key: &Key, stream: Uuid) -> Option<u64> {
        let streams = self.0.lock();
        let leaving = streams.get(key).filter(|leaving| leaving.id == stream)?;
        (leaving.waiting.is_empty() && !leaving.is_sent).then_some(leaving.next)
    }
}
