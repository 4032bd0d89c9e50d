//! The worker threads, of which long-running handlers can never occupy all.

use std::io;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;

use dotdo_core::Executor;
use tokio::runtime::{Builder, Runtime};

use crate::system::memory::bound_the_allocator;

/// Maximum number of handlers that compute on their current thread, which costs nothing. Further
/// ones first move the other tasks of their thread to another thread, which costs some
/// microseconds.
///
/// There are this many more threads than processors, so that slow handlers can occupy them and
/// every processor still has one for other tasks.
pub(crate) const INLINE_MAX: usize = 16;

/// A runtime with enough threads for [`Workers`].
///
/// # Errors
///
/// When the system can't start threads.
pub(crate) fn runtime() -> io::Result<Runtime> {
    bound_the_allocator();
    let processors = available_parallelism().map_or(1, NonZero::get);
    Builder::new_multi_thread()
        .worker_threads(processors + INLINE_MAX)
        .thread_name("dotdo")
        .enable_all()
        .build()
}

/// Runs handlers on the threads of a [`runtime`], or of another one of several threads.
#[derive(Debug)]
pub(crate) struct Workers {
    inline: AtomicUsize,
    inline_max: usize,
}

impl Default for Workers {
    fn default() -> Self {
        Self { inline: AtomicUsize::new(0), inline_max: INLINE_MAX }
    }
}

impl Workers {
    /// For a runtime with this many threads: as many handlers may stay on their threads as leave a
    /// thread for every processor.
    pub(crate) fn on_threads(threads: usize) -> Self {
        let processors = available_parallelism().map_or(1, NonZero::get);
        let inline_max = threads.saturating_sub(processors).min(INLINE_MAX);
        Self { inline_max, ..Self::default() }
    }
}

impl Executor for Workers {
    fn run(&self, work: &mut dyn FnMut()) {
        let place = Place::take(&self.inline);
        if place.number < self.inline_max {
            work();
        } else {
            drop(place);
            tokio::task::block_in_place(work);
        }
    }
}

/// A handler that computes on its current thread; a panic releases it, too.
struct Place<'a> {
    taken: &'a AtomicUsize,
    number: usize,
}

impl<'a> Place<'a> {
    fn take(taken: &'a AtomicUsize) -> Self {
        Self { taken, number: taken.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Barrier};

    use super::*;

    #[test]
    fn slow_handlers_never_occupy_all_threads() {
        const HANDLERS: usize = 3 * INLINE_MAX;
        let workers = Arc::new(Workers::default());
        let gate = Arc::new(Barrier::new(HANDLERS + 1));
        let runtime = runtime().expect("threads");
        for _ in 0..HANDLERS {
            let (workers, gate) = (Arc::clone(&workers), Arc::clone(&gate));
            runtime.spawn(async move {
                workers.run(&mut || {
                    gate.wait();
                });
            });
        }
        // The last one at the gate is an ordinary task, which must get a thread while all handlers
        // occupy theirs.
        let opener = runtime.spawn_blocking(move || gate.wait());
        let other = runtime.spawn(async { 1 });
        assert_eq!(runtime.block_on(other).expect("a free thread"), 1);
        runtime.block_on(opener).expect("all handlers came to the gate");
    }
}
