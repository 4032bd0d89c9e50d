//! The connections that this process has: for whom, how many, and what arrives for them from other
//! servers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use uuid::Uuid;

use crate::budget::{Budget, Use};
use crate::cluster::Owner;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{ObjectId, Tenant};
use crate::limits::{SOCKET_BYTES, SOCKETS_MEMORY_SHARE};
use crate::sockets::line::{Line, SocketFrame};
use crate::sockets::message::SocketClose;
use crate::sockets::streams::Streams;
use crate::sync::Mutex;

/// How many connections a process has at most.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Most {
    pub(crate) process: usize,
    pub(crate) tenant: usize,
}

/// The connections of this process, and its frames to those of other servers.
pub(crate) struct Sockets {
    most: Most,
    budget: Budget,
    state: Mutex<State>,
    /// What this process sends to other servers.
    pub(crate) streams: Streams,
}

#[derive(Default)]
struct State {
    lines: BTreeMap<Uuid, Arc<Line>>,
    objects: BTreeMap<ObjectId, OfObject>,
    tenants: BTreeMap<Tenant, usize>,
}

/// The connections of an object here.
#[derive(Default)]
struct OfObject {
    sockets: BTreeSet<Uuid>,
    /// The stream of frames from another server that was last seen.
    arriving: Option<Arriving>,
}

/// A stream of batches of frames, from the server that has the object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Arriving {
    pub(crate) from: Owner,
    pub(crate) stream: Uuid,
    /// The number of the batch that comes next.
    pub(crate) next: u64,
}

impl Sockets {
    pub(crate) fn new(most: Most, budget: Budget) -> Self {
        Self { most, budget, state: Mutex::default(), streams: Streams::default() }
    }

    /// A line for the connection `id` to `object`.
    ///
    /// # Errors
    ///
    /// `Busy` (code `TOO_MANY_SOCKETS`) when there are too many; those of the memory budget.
    pub(crate) fn open(&self, id: Uuid, object: &ObjectId) -> Result<Arc<Line>> {
        let charge = self.budget.admit_at_once(Use::Requests, object, SOCKET_BYTES)?;
        let mut state = self.state.lock();
        let of_tenant = state.tenants.get(object.tenant()).copied().unwrap_or(0);
        let by_memory = self.budget.one_max(Use::Requests) / SOCKETS_MEMORY_SHARE / SOCKET_BYTES;
        let by_memory = usize::try_from(by_memory).unwrap_or(usize::MAX);
        for (open, most, whose) in [
            (state.lines.len(), self.most.process, "limits.sockets_max"),
            (of_tenant, self.most.tenant, "limits.sockets_per_tenant_max"),
            (state.lines.len(), by_memory, "limits.memory_bytes_max"),
        ] {
            if open >= most {
                return Err(too_many(most, whose));
            }
        }
        let line = Arc::new(Line::new(id, object.clone(), charge));
        *state.tenants.entry(object.tenant().clone()).or_default() += 1;
        state.objects.entry(object.clone()).or_default().sockets.insert(id);
        state.lines.insert(id, line.clone());
        metrics::gauge!("dotdo_sockets_open").set(state.lines.len() as f64);
        Ok(line)
    }

    /// Forgets a connection.
    pub(crate) fn close(&self, line: &Line) {
        let mut state = self.state.lock();
        if state.lines.remove(&line.id).is_none() {
            return;
        }
        if let Some(of_object) = state.objects.get_mut(&line.object) {
            of_object.sockets.remove(&line.id);
            if of_object.sockets.is_empty() {
                state.objects.remove(&line.object);
            }
        }
        if let Some(count) = state.tenants.get_mut(line.object.tenant()) {
            *count -= 1;
            if *count == 0 {
                state.tenants.remove(line.object.tenant());
            }
        }
        metrics::gauge!("dotdo_sockets_open").set(state.lines.len() as f64);
    }

    /// Gives a frame to a connection of `object`. `false`: there is no such connection.
    pub(crate) fn push(&self, object: &ObjectId, id: Uuid, frame: &SocketFrame) -> bool {
        let line = self.state.lock().lines.get(&id).filter(|line| line.object == *object).cloned();
        line.inspect(|line| line.push(frame.clone())).is_some()
    }

    /// Whether this process has the connection.
    pub(crate) fn has(&self, object: &ObjectId, id: Uuid) -> bool {
        self.state.lock().lines.get(&id).is_some_and(|line| line.object == *object)
    }

    /// Ends all connections of an object.
    pub(crate) fn end_all_of(&self, object: &ObjectId, close: &SocketClose) {
        let ids = {
            let state = self.state.lock();
            let of_object = state.objects.get(object);
            of_object.map(|of_object| of_object.sockets.clone()).unwrap_or_default()
        };
        let frame = SocketFrame::Break(close.clone());
        for id in ids {
            self.push(object, id, &frame);
        }
    }

    /// Ends all connections of a tenant's objects.
    pub(crate) fn end_all_of_tenant(&self, tenant: &Tenant, close: &SocketClose) {
        let lines: Vec<Arc<Line>> = {
            let state = self.state.lock();
            state.lines.values().filter(|line| line.object.tenant() == tenant).cloned().collect()
        };
        lines.iter().for_each(|line| line.end(close.clone()));
    }

    /// The stream of frames that was last seen for an object with connections here.
    pub(crate) fn arriving(&self, object: &ObjectId) -> Option<Arriving> {
        self.state.lock().objects.get(object)?.arriving.clone()
    }

    /// Takes out the stream of frames that was last seen, because no more of it comes.
    pub(crate) fn take_arriving(&self, object: &ObjectId) -> Option<Arriving> {
        self.state.lock().objects.get_mut(object)?.arriving.take()
    }

    /// Notes the stream of frames of an object with connections here.
    pub(crate) fn note_arriving(&self, object: &ObjectId, arriving: Arriving) {
        if let Some(of_object) = self.state.lock().objects.get_mut(object) {
            of_object.arriving = Some(arriving);
        }
    }
}

fn too_many(most: usize, setting: &str) -> Error {
    let text = format!("expected at most {most} open sockets ({setting}); connect again later");
    Error::new(ErrorKind::Busy, text).with_code("TOO_MANY_SOCKETS")
}
