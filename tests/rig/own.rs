//! Stores and names as a server of its own would have them.

use std::sync::Arc;

use dotdo::engine::{OsRandom, SystemClock};
use dotdo_core::{Bucket, Random, StoreConfig};
use uuid::Uuid;

/// An identifier that nothing else has.
pub fn unique() -> Uuid {
    Uuid::from_bytes(OsRandom.bytes16())
}

/// Opens a store.
///
/// # Errors
///
/// What [`dotdo_core::open`] says.
pub fn open(config: &StoreConfig) -> dotdo_core::Result<Arc<dyn Bucket>> {
    dotdo_core::open(config, unique(), Arc::new(SystemClock::new()), Arc::new(OsRandom))
}
