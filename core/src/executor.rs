//! Runs long computations without blocking threads that other work needs.

use crate::limits::COMPUTE_BYTES_INLINE_MAX;

/// Runs work that may compute for long without yielding.
///
/// The core calls it around every poll of a handler, and around restores. An implementation for a
/// thread pool ensures that some threads always remain for other work (rule R8).
pub trait Executor: Send + Sync + 'static {
    /// Runs `work` to its end before it returns.
    fn run(&self, work: &mut dyn FnMut());
}

/// Runs work on the calling thread, for single-threaded programs and simulations.
#[derive(Debug, Clone, Copy, Default)]
pub struct Inline;

impl Executor for Inline {
    fn run(&self, work: &mut dyn FnMut()) {
        work();
    }
}

/// Runs `work` on the executor and returns its result.
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

/// Runs work on this many bytes, on the executor if there are enough of them.
pub(crate) fn offload_bytes<T>(
    executor: &dyn Executor,
    bytes: usize,
    work: impl FnOnce() -> T,
) -> T {
    if bytes > COMPUTE_BYTES_INLINE_MAX { offload(executor, work) } else { work() }
}
