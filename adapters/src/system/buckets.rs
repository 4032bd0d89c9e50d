//! The bucket of a configuration: a store, and the database that holds its log, if one does.

use std::sync::Arc;

use dotdo_core::{Bucket, Clock, Result, StoreConfig};
#[cfg(feature = "turso")]
use dotdo_core::{open_files, with_log};
use uuid::Uuid;

use crate::libsql::LibsqlAccess;
#[cfg(feature = "turso")]
use crate::libsql::open_libsql;
use crate::system::components::OsRandom;

/// Opens the store for the process that calls itself `instance`, with its log in the database, if
/// one is configured. Whoever reads or writes objects without a server opens it here, too: in the
/// store alone there may be no log.
///
/// # Errors
///
/// Those of [`dotdo_core::open`]; `Invalid` for a database that the program has no client for.
#[cfg_attr(
    not(feature = "turso"),
    expect(unused_variables, reason = "features.rs refuses a database without its client")
)]
pub(crate) fn open(
    store: &StoreConfig,
    database: &LibsqlAccess,
    instance: Uuid,
    clock: Arc<dyn Clock>,
) -> Result<Arc<dyn Bucket>> {
    let random = Arc::new(OsRandom);
    #[cfg(feature = "turso")]
    if database.url.is_some() {
        let files = open_files(store, instance, Arc::clone(&clock), random.clone())?;
        let log = open_libsql(database, files.location(), clock, random)?;
        return Ok(with_log(files, log));
    }
    dotdo_core::open(store, instance, clock, random)
}
