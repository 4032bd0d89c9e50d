//! Makes allocations fail, for tests.

use std::cell::Cell;

/// How long allocations fail after the first failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shortage {
    /// One allocation fails.
    Once,
    /// All allocations fail until [`stop`].
    Lasting,
}

thread_local! {
    /// Number of allocations of this thread that succeed before one fails; `None`: all succeed.
    static LEFT: Cell<Option<(u64, Shortage)>> = const { Cell::new(None) };
    static HAPPENED: Cell<bool> = const { Cell::new(false) };
}

/// Lets `succeeding` allocations of this thread succeed, and makes the next one fail.
pub(crate) fn fail_after(succeeding: u64, shortage: Shortage) {
    HAPPENED.set(false);
    LEFT.set(Some((succeeding, shortage)));
}

/// Ends the failures. Returns whether an allocation has failed since [`fail_after`].
pub(crate) fn stop() -> bool {
    LEFT.set(None);
    HAPPENED.get()
}

/// Whether the current allocation must fail.
pub(super) fn injected_failure() -> bool {
    match LEFT.get() {
        None => false,
        Some((0, shortage)) => {
            HAPPENED.set(true);
            if shortage == Shortage::Once {
                LEFT.set(None);
            }
            true
        }
        Some((left, shortage)) => {
            LEFT.set(Some((left - 1, shortage)));
            false
        }
    }
}
