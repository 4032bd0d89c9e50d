//! A lock that outlives a panic.

use std::sync::{MutexGuard, PoisonError};

/// A mutex that goes on after a panic of whoever held it: what it guards here is consistent between
/// any two statements, and what is not is caught elsewhere.
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
