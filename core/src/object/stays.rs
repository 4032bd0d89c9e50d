//! What keeps an object in memory that others would let go.

use std::sync::Arc;

/// What keeps an object in memory.
#[derive(Debug, Default)]
pub(crate) struct Stays {
    /// Counts the [`Stay`](super::Stay)s.
    pub(super) pin: Arc<()>,
    pub(super) lingers: bool,
}

impl Stays {
    /// Whether the object must not be let go.
    pub(crate) fn are_any(&self) -> bool {
        Arc::strong_count(&self.pin) > 1
    }

    /// Whether the object stays in memory though it does not exist.
    pub(crate) fn keep_what_does_not_exist(&self) -> bool {
        self.lingers || self.are_any()
    }
}
