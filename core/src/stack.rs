//! Room on the stack. A handler that calls an object of this process polls that object's handler,
//! which may call another one: a chain of calls is as deep on the stack as it is long.

use std::future::{Future, poll_fn};

/// What one call needs at most. Without optimisation, 16 of them have used up 2 MiB.
const CALL_BYTES: usize = 512 << 10;

/// The size of a further stack.
const STACK_BYTES: usize = 2 << 20;

/// Runs `work` where there is room on the stack, however deep it is already.
pub(crate) async fn with_room<T>(work: impl Future<Output = T>) -> T {
    let mut work = Box::pin(work);
    poll_fn(|cx| stacker::maybe_grow(CALL_BYTES, STACK_BYTES, || work.as_mut().poll(cx))).await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Polls itself, with a page of the stack for each.
    async fn deep(level: usize) -> usize {
        let page = std::hint::black_box([1_u8; 4096]);
        let below = if level == 0 { 0 } else { with_room(Box::pin(deep(level - 1))).await };
        below + usize::from(page[level % page.len()])
    }

    #[test]
    fn futures_that_poll_each_other_do_not_use_up_a_small_stack() {
        let thread = std::thread::Builder::new().stack_size(256 << 10);
        let run = || futures_util::FutureExt::now_or_never(deep(10_000));
        let done = thread.spawn(run).expect("a thread").join().expect("no panic");
        assert_eq!(done, Some(10_001));
    }
}
