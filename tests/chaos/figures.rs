//! How much happened.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, MutexGuard};

use dotdo_core::sync::Mutex;

/// Counters with names. Clones made with [`Figures::share`] are the same ones.
#[derive(Debug, Default)]
pub(crate) struct Figures(Arc<Mutex<BTreeMap<&'static str, u64>>>);

impl Figures {
    /// The same counters, for another task.
    pub(crate) fn share(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    /// One more of these.
    pub(crate) fn count(&self, what: &'static str) {
        *self.lock().entry(what).or_default() += 1;
    }

    /// How many of these there were.
    pub(crate) fn of(&self, what: &'static str) -> u64 {
        self.lock().get(what).copied().unwrap_or(0)
    }

    /// What was counted since `before` was copied.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let since =
            self.lock().iter().map(|(what, count)| (*what, count - before.of(what))).collect();
        Self(Arc::new(Mutex::new(since)))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, u64>> {
        self.0.lock()
    }
}

impl Clone for Figures {
    /// A copy, which stays as it is.
    fn clone(&self) -> Self {
        Self(Arc::new(Mutex::new(self.lock().clone())))
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let figures: Vec<String> =
            self.lock().iter().map(|(what, count)| format!("{count} {what}")).collect();
        f.write_str(&figures.join(", "))
    }
}
