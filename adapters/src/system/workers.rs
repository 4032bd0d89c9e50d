//! The threads that everything runs on, so that handlers that compute or query for long never take
//! the last ones.

use std::io;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;

use dotdo_core::Executor;
use tokio::runtime::{Builder, Runtime};

use crate::system::memory::bound_the_allocator;

/// How many handlers may compute at the same moment where they are, which costs nothing. More of
/// them move everything else on their thread to another one first, which costs some microseconds.
///
/// There are this many threads more than processors: slow handlers may sit on so many threads and
/// every processor still has one for the others.
pub(crate) const INLINE_MAX: usize = 16;

/// A runtime with enough threads for [`Workers`].
///
/// # Errors
///
/// When the system gives no threads.
pub(crate) fn runtime() -> io::Result<Runtime> {
    bound_the_allocator();
    let processors = available_parallelism().map_or(1, NonZero::get);
    Builder::new_multi_thread()
        .worker_threads(processors + INLINE_MAX)
        .thread_name("dotdo")
        .enable_all()
        .build()
}

/// Runs handlers on the threads of a [`runtime`].
#[derive(Debug, Default)]
pub(crate) struct Workers {
    inline: AtomicUsize,
}

impl Executor for Workers {
    fn run(&self, work: &mut dyn FnMut()) {
        let place = Place::take(&self.inline);
        if place.number < INLINE_MAX {
            work();
        } else {
            drop(place);
            tokio::task::block_in_place(work);
        }
    }
}

/// One handler that computes where it is; a panic gives its place back too.
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
    fn any_number_of_handlers_may_sit_on_threads_and_others_still_run() {
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
        // The last one at the gate is an ordinary task: it must get a thread while all the handlers
        // sit on theirs.
        let opener = runtime.spawn_blocking(move || gate.wait());
        let other = runtime.spawn(async { 1 });
        assert_eq!(runtime.block_on(other).expect("a free thread"), 1);
        runtime.block_on(opener).expect("all handlers came to the gate");
    }
}
