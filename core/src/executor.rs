//! Runs long computations without blocking threads that other work needs.

use crate::limits::COMPUTE_BYTES_INLINE_MAX;

/// Runs work that may compute for long without yielding.
///
/// The core calls it around every poll of a handler, and around restores. An implementation for a
/// thread pool ensures that some threads always remain for other work.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::engine::Executor;
///
/// /// Tells tokio that the work blocks its thread.
/// struct Blocking;
///
/// impl Executor for Blocking {
///     fn run(&self, work: &mut dyn FnMut()) {
///         tokio::task::block_in_place(work);
///     }
/// }
///
/// let mut sum = 0_u64;
/// tokio::runtime::Runtime::new()?.block_on(async {
///     Blocking.run(&mut || sum = (0..1_000_000).sum());
/// });
/// assert_eq!(sum, 499_999_500_000);
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait Executor: Send + Sync + 'static {
    /// Runs `work` to its end before it returns.
    fn run(&self, work: &mut dyn FnMut());
}

/// Runs work on the calling thread, for single-threaded programs and simulations.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::engine::{Executor, Inline};
///
/// let mut sum = 0;
/// Inline.run(&mut || sum += 1);
/// assert_eq!(sum, 1);
/// ```
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
