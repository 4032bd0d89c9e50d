//! Where work is done that computes for long, so that it does not hold up the threads that
//! everybody waits for.

use crate::limits::COMPUTE_BYTES_INLINE_MAX;

/// Runs work that may compute for long without giving way.
///
/// The core calls it around every poll of a handler, and around restores. An implementation for a
/// pool of threads makes sure that some threads always remain for everybody else (rule R8).
pub trait Executor: Send + Sync + 'static {
    /// Runs `work` to its end before it returns.
    fn run(&self, work: &mut dyn FnMut());
}

/// Runs work where it is called. Right for one thread, and for simulations.
#[derive(Debug, Clone, Copy, Default)]
pub struct Inline;

impl Executor for Inline {
    fn run(&self, work: &mut dyn FnMut()) {
        work();
    }
}

/// Runs `work` on the executor and returns what it returned.
pub(crate) fn offload<T>(executor: &dyn Executor, work: impl FnOnce() -> T) -> T {
    let mut work = Some(work);
    let mut output = None;
    executor.run(&mut || {
        if let Some(work) = work.take() {
            output = Some(work());
        }
    });
    output.expect("an executor runs the work before it returns")
}

/// The same for work on so many bytes, where that is worth it.
pub(crate) fn offload_bytes<T>(
    executor: &dyn Executor,
    bytes: usize,
    work: impl FnOnce() -> T,
) -> T {
    if bytes > COMPUTE_BYTES_INLINE_MAX { offload(executor, work) } else { work() }
}
