//! A mutex that a panic does not poison.

use std::sync::{MutexGuard, PoisonError};

/// A mutex that stays usable after its holder panicked. Every value that it guards in this crate is
/// consistent between any two statements, or is discarded after a panic.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(std::sync::Mutex<T>);

impl<T> Mutex<T> {
    /// A mutex that guards `value`.
    pub(crate) const fn new(value: T) -> Self {
        Self(std::sync::Mutex::new(value))
    }

    /// Waits for the lock.
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
