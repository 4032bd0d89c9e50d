//! Allocations that fail because a test wants them to.

use std::cell::Cell;

/// How long memory stays short once it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shortage {
    /// For one allocation.
    Once,
    /// Until [`stop`].
    Lasting,
}

thread_local! {
    /// How many allocations of this thread succeed before the one that fails; `None`: all do.
    static LEFT: Cell<Option<(u64, Shortage)>> = const { Cell::new(None) };
    static HAPPENED: Cell<bool> = const { Cell::new(false) };
}

/// From now on `succeeding` allocations of this thread succeed, and the next fails.
pub(crate) fn fail_after(succeeding: u64, shortage: Shortage) {
    HAPPENED.set(false);
    LEFT.set(Some((succeeding, shortage)));
}

/// Ends it. Whether an allocation has failed since [`fail_after`].
pub(crate) fn stop() -> bool {
    LEFT.set(None);
    HAPPENED.get()
}

/// Whether the allocation that is asked for now has to fail.
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
