//! What a running handler shares with what it has handed out.

use std::sync::atomic::AtomicBool;

/// State that a running handler shares with values that it has handed out.
#[derive(Debug, Default)]
pub(crate) struct Handling {
    /// Whether its transaction has changes of other requests that are not in a record yet.
    pub(crate) shared: bool,
    /// Whether it called others and must therefore run in its own transaction.
    pub(crate) alone: AtomicBool,
}
