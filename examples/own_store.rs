//! A program with its own parts: a store that dotdo does not know, and an engine on it, without a
//! server.
//!
//! ```sh
//! cargo run -p dotdo-examples --example own-store        # 1, then 2
//! ```

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use dotdo::bytes::Bytes;
use dotdo::engine::{
    Bucket, Clock, Components, Engine, Entry, Inline, Key, OsRandom, Part, Random, Settings,
    SharedBucket, StoreError, Stored, SystemClock, Tenant, Uuid, async_trait,
};
use dotdo::{App, Body, Context, DurableObject, Request, Response, Result, http};

struct Counter;

impl DurableObject for Counter {
    async fn fetch(&mut self, _: Request, ctx: &mut Context) -> Result<Response> {
        let count = ctx.storage().get::<u64>("count")?.unwrap_or(0) + 1;
        ctx.storage().put("count", &count)?;
        Ok(Response::new(count.to_string().into()))
    }
}

/// A store: a map under a lock. Any store is suitable that can create an object if its key is free,
/// and whose reads and listings show every write that was acknowledged before.
pub(crate) struct Shelf {
    clock: Arc<dyn Clock>,
    objects: Mutex<BTreeMap<Key, Stored>>,
}

impl Shelf {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, objects: Mutex::default() }
    }

    fn objects(&self) -> MutexGuard<'_, BTreeMap<Key, Stored>> {
        self.objects.lock().expect("nothing panics while it holds the map")
    }

    fn stored(&self, bytes: Bytes) -> Stored {
        Stored { bytes, modified_ms: self.clock.wall_ms() }
    }
}

#[async_trait]
impl Bucket for Shelf {
    async fn create(&self, key: &Key, bytes: Bytes) -> Result<(), StoreError> {
        let mut objects = self.objects();
        if objects.contains_key(key) {
            return Err(StoreError::Exists { key: key.clone() });
        }
        objects.insert(key.clone(), self.stored(bytes));
        Ok(())
    }

    async fn put(&self, key: &Key, bytes: Bytes) -> Result<(), StoreError> {
        self.objects().insert(key.clone(), self.stored(bytes));
        Ok(())
    }

    async fn get_within(&self, key: &Key, bytes_max: u64) -> Result<Option<Stored>, StoreError> {
        let found = self.objects().get(key).cloned();
        found.map(|stored| stored.within(key, bytes_max)).transpose()
    }

    async fn list(
        &self,
        prefix: &Key,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let below = format!("{prefix}/");
        let is_asked = |key: &Key| {
            (prefix.as_str().is_empty() || key.as_str().starts_with(&below))
                && after.is_none_or(|after| key > after)
        };
        let objects = self.objects();
        let entries = objects.iter().filter(|(key, _)| is_asked(key)).map(|(key, stored)| Entry {
            key: key.clone(),
            bytes: stored.bytes.len() as u64,
            modified_ms: stored.modified_ms,
        });
        Ok(entries.take(limit).collect())
    }

    async fn delete(&self, keys: &[Key]) -> Result<(), StoreError> {
        let mut objects = self.objects();
        keys.iter().for_each(|key| drop(objects.remove(key)));
        Ok(())
    }

    fn store_time_ms(&self, _of: Part) -> Option<i64> {
        Some(self.clock.wall_ms())
    }

    fn store_time_error(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn is_gone(&self, _: Uuid) -> bool {
        false
    }

    fn location(&self) -> &str {
        "shelf://"
    }
}

/// An engine on `bucket`.
pub(crate) async fn engine(bucket: Arc<dyn Bucket>, clock: Arc<dyn Clock>) -> Result<Engine> {
    let components = Components {
        buckets: Arc::new(SharedBucket(bucket)),
        clock,
        random: Arc::new(OsRandom),
        executor: Arc::new(Inline),
        peers: None,
        directory: None,
        transport: None,
        instance: Uuid::from_bytes(OsRandom.bytes16()),
    };
    let app = App::new().class("Counter", || Counter);
    Engine::start(app, Settings::default(), components).await
}

/// What the object `visits` answers.
pub(crate) async fn visit(engine: &Engine) -> Result<String> {
    let request = http::Request::post("/").body(Body::empty())?;
    let response = engine
        .fetch(&Tenant::new("acme", "shop")?.object("Counter", "visits")?, None, request)
        .await?;
    response.into_body().text().await
}

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "it is what the program is for")]
async fn main() -> Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let shelf: Arc<dyn Bucket> = Arc::new(Shelf::new(clock.clone()));
    // The second engine knows only what the first one has stored.
    for _ in 0..2 {
        let engine = engine(shelf.clone(), clock.clone()).await?;
        println!("{}", visit(&engine).await?);
        engine.shutdown(Duration::from_secs(5)).await;
    }
    Ok(())
}
