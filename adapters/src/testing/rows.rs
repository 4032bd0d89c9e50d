//! Reads rows of an object from the store, by a restore.

use std::sync::Arc;

use dotdo_core::sync::Mutex;
use dotdo_core::testing::CountingRandom;
use dotdo_core::{
    App, At, Body, Bucket, Clock, Components, Context, DurableObject, Engine, Error, Inline, Key,
    Memory, ObjectId, Request, Response, Result, Settings, SharedBucket, Tenant,
};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::process::Shared;

/// Maximum number of keys of one object.
const LISTED_MAX: usize = 100_000;

/// The rows of `sql` in an object, given by class and id.
///
/// The object is copied first and read by a separate engine, which does not affect the servers of
/// the test.
pub(super) async fn read<T>(shared: &Shared, class: &str, id: &str, sql: &str) -> Result<Vec<T>>
where
    T: DeserializeOwned + Send + 'static,
{
    let object = Tenant::local().object(class, id)?;
    let (copy, newest) = copy(shared, &object).await?;
    let found = Arc::new(Mutex::new(Vec::new()));
    let (rows, sql) = (found.clone(), sql.to_owned());
    let app = App::new().class(class, move || Reader { sql: sql.clone(), rows: rows.clone() });
    let components = Components {
        buckets: Arc::new(SharedBucket(copy)),
        clock: shared.clock.clone(),
        random: Arc::new(CountingRandom::starting_at(0)),
        executor: Arc::new(Inline),
        peers: None,
        directory: None,
        transport: None,
        instance: Uuid::nil(),
    };
    let engine = Engine::start(app, Settings::default(), components).await?;
    let request = Request::new(Body::empty());
    engine.fetch(&object, Some(At::Sequence(newest)), request).await?;
    let rows = std::mem::take(&mut *found.lock());
    Ok(rows)
}

/// A bucket with only the object, and the number of its newest record.
async fn copy(shared: &Shared, object: &ObjectId) -> Result<(Arc<Memory>, u64)> {
    let memory = &shared.store.memory;
    let prefix = object.prefix();
    let clock: Arc<dyn Clock> = shared.clock.clone();
    let copy = Arc::new(Memory::new(clock));
    let mut newest = None;
    for entry in memory.list(&prefix, None, LISTED_MAX).await? {
        newest = newest.max(sequence(&entry.key));
        if let Some(stored) = memory.get(&entry.key).await? {
            copy.put(&entry.key, stored.bytes).await?;
        }
    }
    let newest = newest.ok_or_else(|| {
        Error::not_found("the store has nothing of the object: nothing was written by it yet")
    })?;
    Ok((copy, newest))
}

/// The number of a record, with which its key ends (docs/FORMAT.md).
fn sequence(key: &Key) -> Option<u64> {
    let (_, name) = key.as_str().rsplit_once("/log/")?;
    name.rsplit_once('-')?.1.parse().ok()
}

/// Replaces the object's class, and reads the rows.
struct Reader<T> {
    sql: String,
    rows: Arc<Mutex<Vec<T>>>,
}

impl<T: DeserializeOwned + Send + 'static> DurableObject for Reader<T> {
    async fn fetch(&mut self, _: Request, ctx: &mut Context) -> Result<Response> {
        let rows = ctx.sql().exec(&self.sql, ())?.rows()?;
        *self.rows.lock() = rows;
        Ok(Response::new(Body::empty()))
    }
}
