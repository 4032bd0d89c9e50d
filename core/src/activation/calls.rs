//! Finds calls that would deadlock. An object whose handler calls another object keeps its turn
//! until the response arrives. If the called object waits, directly or through others, for a turn
//! of the first, none of them can go on. The call that would close such a cycle is refused at once.
//!
//! It knows the calls that are made in this process and those that other servers have sent here. A
//! cycle of which no single server knows every call ends when its requests have waited for
//! `turn_wait_max`.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, MutexGuard, Weak};
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::id::ObjectId;
use crate::sync::Mutex;

/// The calls that wait for their responses.
#[derive(Default)]
pub(crate) struct Calls(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    next: u64,
    /// The calls, by the object that waits.
    waiting: BTreeMap<ObjectId, BTreeMap<u64, Call>>,
}

struct Call {
    to: ObjectId,
    /// The handler that waits; a call that has outlived its handler holds no turn. `None` when the
    /// handler runs on another server.
    handler: Option<Weak<dyn Any + Send + Sync>>,
}

/// Marks a call as waiting until it is dropped.
pub(crate) struct Calling {
    calls: Arc<Calls>,
    known: Vec<(ObjectId, u64)>,
}

impl Calls {
    /// Registers a call to `to` by `handler`, which has the turn of `from`.
    ///
    /// # Errors
    ///
    /// `Busy` (code `CALL_DEADLOCK`) when `to` waits for `from`.
    pub(crate) fn begin(
        self: &Arc<Self>,
        from: &ObjectId,
        to: &ObjectId,
        handler: Weak<dyn Any + Send + Sync>,
    ) -> Result<Calling> {
        self.begin_all(&[from, to], Some(&handler))
    }

    /// Registers a call to `to` that another server has sent, and for which the objects of `chain`
    /// wait, outermost first.
    ///
    /// # Errors
    ///
    /// Those of [`Calls::begin`].
    pub(crate) fn received(self: &Arc<Self>, chain: &[ObjectId], to: &ObjectId) -> Result<Calling> {
        self.begin_all(&chain.iter().chain([to]).collect::<Vec<_>>(), None)
    }

    fn begin_all(
        self: &Arc<Self>,
        objects: &[&ObjectId],
        handler: Option<&Weak<dyn Any + Send + Sync>>,
    ) -> Result<Calling> {
        let mut inner = self.inner();
        if let Some((to, waiting)) = objects.split_last()
            && let Some(first) = inner.first_awaited(to, waiting)
        {
            return Err(deadlock(to, first));
        }
        let mut calling = Calling { calls: self.clone(), known: Vec::new() };
        for pair in objects.windows(2) {
            let number = inner.next;
            inner.next += 1;
            let call = Call { to: pair[1].clone(), handler: handler.cloned() };
            inner.waiting.entry(pair[0].clone()).or_default().insert(number, call);
            calling.known.push((pair[0].clone(), number));
        }
        Ok(calling)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock()
    }
}

impl Inner {
    /// One of `objects` that `start` waits for, directly or through others.
    fn first_awaited<'a>(
        &self,
        start: &ObjectId,
        objects: &[&'a ObjectId],
    ) -> Option<&'a ObjectId> {
        let (mut seen, mut next) = (BTreeSet::from([start]), vec![start]);
        while let Some(object) = next.pop() {
            for call in self
                .waiting
                .get(object)
                .into_iter()
                .flat_map(BTreeMap::values)
                .filter(|call| call.is_waited_for())
            {
                if let Some(found) = objects.iter().find(|other| ***other == call.to) {
                    return Some(found);
                }
                if seen.insert(&call.to) {
                    next.push(&call.to);
                }
            }
        }
        None
    }
}

impl Call {
    fn is_waited_for(&self) -> bool {
        self.handler.as_ref().is_none_or(|handler| handler.strong_count() > 0)
    }
}

impl Drop for Calling {
    fn drop(&mut self) {
        let mut inner = self.calls.inner();
        for (from, number) in &self.known {
            if let Some(calls) = inner.waiting.get_mut(from) {
                calls.remove(number);
                if calls.is_empty() {
                    inner.waiting.remove(from);
                }
            }
        }
    }
}

fn deadlock(to: &ObjectId, from: &ObjectId) -> Error {
    let text = format!(
        "the call from {from} to {to} would deadlock, because {to} waits for a call to {from}; use ctx.send in one direction"
    );
    Error::new(ErrorKind::Busy, text)
        .with_code("CALL_DEADLOCK")
        .with_retry_after(Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Tenant;

    fn object(id: &str) -> ObjectId {
        Tenant::local().object("X", id).expect("a good id")
    }

    /// The waiting calls, whose handlers live as long as the first value.
    fn call(calls: &Arc<Calls>, handler: &Arc<()>, from: &str, to: &str) -> Result<Calling> {
        calls.begin(&object(from), &object(to), Arc::<()>::downgrade(handler))
    }

    #[test]
    fn the_call_that_closes_a_ring_is_refused_and_any_other_is_not() {
        let (calls, handler) = (Arc::new(Calls::default()), Arc::new(()));
        let ab = call(&calls, &handler, "a", "b").expect("nobody waits for a");
        let _bc = call(&calls, &handler, "b", "c").expect("nobody waits for b but a");
        let _again = call(&calls, &handler, "a", "c").expect("one handler may make several calls");
        for (from, to) in [("c", "a"), ("c", "b"), ("b", "a")] {
            let error = call(&calls, &handler, from, to).map(drop).expect_err("it closes a ring");
            assert_eq!(
                (error.kind(), error.code()),
                (ErrorKind::Busy, "CALL_DEADLOCK"),
                "{from} to {to}"
            );
        }
        drop(ab);
        call(&calls, &handler, "b", "a").expect("a waits for c only");
    }

    #[test]
    fn what_has_outlived_its_handler_holds_nobody_up() {
        let (calls, handler, other) = (Arc::new(Calls::default()), Arc::new(()), Arc::new(()));
        let _ab = call(&calls, &handler, "a", "b").expect("nobody waits for a");
        call(&calls, &other, "b", "a").map(drop).expect_err("a waits");
        drop(handler);
        call(&calls, &other, "b", "a").expect("its handler has ended");
        assert_eq!(calls.inner().waiting.len(), 1);
    }

    #[test]
    fn a_call_from_another_server_brings_everybody_who_waits_for_it() {
        let (calls, handler) = (Arc::new(Calls::default()), Arc::new(()));
        let received =
            calls.received(&[object("a"), object("b")], &object("c")).expect("nobody waits");
        for to in ["a", "b"] {
            call(&calls, &handler, "c", to).map(drop).expect_err("it waits for c");
        }
        drop(received);
        let _ca = call(&calls, &handler, "c", "a").expect("nobody waits any more");
        calls
            .received(&[object("a"), object("b")], &object("c"))
            .map(drop)
            .expect_err("c waits for a");
        calls.received(&[object("b")], &object("c")).expect("not for b");
        assert_eq!(calls.inner().waiting.len(), 1, "what is over is forgotten");
    }
}
