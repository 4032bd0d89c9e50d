//! Two objects with a history of several snapshots and records, and servers that meet them later.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dotdo_core::testing::{CountingRandom, ManualClock};
use dotdo_core::{
    App, At, Bucket, Checkpoint, CheckpointMode, Clock, Components, Engine, Inline, Key, ObjectId,
    Settings, SharedBucket, StoreConfig, Tenant,
};
use dotdo_tests::sql_object::{SqlObject, ask, dump_of};
use dotdo_tests::{open, unique};
use serde_json::json;

/// A bucket as its two objects have left it.
pub(crate) struct Site {
    pub(crate) bucket: Arc<dyn Bucket>,
    pub(crate) config: StoreConfig,
    /// What the first object holds.
    pub(crate) truth: Vec<String>,
    /// What it held at the record [`EARLIER`].
    pub(crate) earlier: Vec<String>,
    /// What the second object holds.
    pub(crate) other: Vec<String>,
    /// Every object of the bucket.
    pub(crate) content: BTreeMap<String, Bytes>,
}

/// A record with a snapshot of its own, neither the first nor the last.
pub(crate) const EARLIER: u64 = 2;

pub(crate) fn object(id: &str) -> ObjectId {
    Tenant::local().object("Sql", id).expect("these are names")
}

/// A server that was just started; it never does anything by itself, because its clock stands
/// still.
pub(crate) async fn engine(
    config: &StoreConfig,
    checkpoint: Checkpoint,
) -> dotdo_core::Result<Engine> {
    let instance = unique();
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new());
    let random = Arc::new(CountingRandom::starting_at(u128::from(instance.as_fields().0)));
    let bucket = dotdo_core::open(config, instance, clock.clone(), random.clone())?;
    let settings = Settings { checkpoint, ..Settings::default() };
    let components = Components {
        buckets: Arc::new(SharedBucket(bucket)),
        clock,
        random,
        executor: Arc::new(Inline),
        peers: None,
        directory: None,
        transport: None,
        instance,
    };
    Engine::start(App::new().class("Sql", || SqlObject), settings, components).await
}

/// One that writes no snapshot but an object's first.
pub(crate) async fn idle_engine(config: &StoreConfig) -> dotdo_core::Result<Engine> {
    engine(config, Checkpoint { min_changes: u64::MAX, ..Checkpoint::default() }).await
}

pub(crate) async fn write(engine: &Engine, id: &str, sql: &[&str]) {
    let statements: Vec<_> = sql.iter().map(|sql| json!([sql])).collect();
    ask(engine, &object(id), "/", &statements.into()).await.expect("the statements are good");
}

impl Site {
    /// Makes both objects: two requests with a snapshot each, then three without, and an end in
    /// order, which takes a snapshot.
    pub(crate) async fn make(config: StoreConfig) -> Self {
        let every = Checkpoint { mode: CheckpointMode::EveryRequest, ..Checkpoint::default() };
        let first = engine(&config, every).await.expect("the store is good");
        for id in ["one", "two"] {
            write(&first, id, &schema(id).iter().map(String::as_str).collect::<Vec<_>>()).await;
            write(
                &first,
                id,
                &["UPDATE large SET v = 'new' WHERE k % 700 = 3", "DELETE FROM w WHERE k = 'b'"],
            )
            .await;
        }
        first.shutdown(Duration::from_secs(60)).await;
        let second = idle_engine(&config).await.expect("the store is good");
        for id in ["one", "two"] {
            write(
                &second,
                id,
                &["INSERT INTO large VALUES (9000, 'late')", "PRAGMA user_version = 7"],
            )
            .await;
            write(&second, id, &["ALTER TABLE w ADD COLUMN more TEXT", "UPDATE w SET more = 'm'"])
                .await;
            write(
                &second,
                id,
                &["DELETE FROM large WHERE k < 5", "INSERT INTO ft VALUES ('the last words')"],
            )
            .await;
        }
        second.shutdown(Duration::from_secs(60)).await;
        let reader = idle_engine(&config).await.expect("the store is good");
        let bucket = open(&config).expect("the store is good");
        let mut site = Self {
            bucket,
            config,
            truth: Vec::new(),
            earlier: Vec::new(),
            other: Vec::new(),
            content: BTreeMap::new(),
        };
        site.truth = dump_of(&reader, &object("one"), None).await.expect("an object");
        site.earlier = dump_of(&reader, &object("one"), Some(At::Sequence(EARLIER)))
            .await
            .expect("its former state");
        site.other = dump_of(&reader, &object("two"), None).await.expect("an object");
        assert!(site.truth != site.other && site.truth != site.earlier && site.truth.len() > 2000);
        site.content = site.read().await;
        site
    }

    /// Every object that the bucket has now.
    async fn read(&self) -> BTreeMap<String, Bytes> {
        let entries = self.bucket.list(&Key::new(""), None, 1000).await.expect("a listing");
        assert!(entries.len() < 1000);
        let mut content = BTreeMap::new();
        for entry in entries {
            let stored =
                self.bucket.get(&entry.key).await.expect("an answer").expect("a listed key");
            content.insert(entry.key.to_string(), stored.bytes);
        }
        content
    }

    /// The keys of an object, in order.
    pub(crate) fn keys(&self, id: &str) -> Vec<String> {
        let prefix = format!("local/local/do/sql/{id}/");
        self.content.keys().filter(|key| key.starts_with(&prefix)).cloned().collect()
    }

    pub(crate) async fn put(&self, key: &str, bytes: impl Into<Bytes>) {
        self.bucket.put(&Key::new(key), bytes.into()).await.expect("a write");
    }

    pub(crate) async fn delete(&self, key: &str) {
        self.bucket.delete(&[Key::new(key)]).await.expect("a delete");
    }

    /// Makes the bucket again what it was.
    pub(crate) async fn mend(&self) {
        let now = self.read().await;
        for key in now.keys().filter(|key| !self.content.contains_key(*key)) {
            self.delete(key).await;
        }
        for (key, bytes) in self.content.iter().filter(|(key, bytes)| now.get(*key) != Some(bytes))
        {
            self.put(key, bytes.clone()).await;
        }
    }
}

/// Every kind of table and every class of value, a little different in each object.
fn schema(id: &str) -> Vec<String> {
    [
        "CREATE TABLE t(k INTEGER PRIMARY KEY AUTOINCREMENT, i INTEGER, r REAL, x TEXT, b BLOB, n NUMERIC, untyped)",
        "INSERT INTO t(i, r, x, b, n, untyped) VALUES (9223372036854775807, -0.0, 'ü', X'00ff', 9007199254740993, NULL)",
        "INSERT INTO t(i, r, x, b, n, untyped) VALUES ('text', 9e999, CAST(X'ff80' AS TEXT), 5, X'61', 1.5)",
        "CREATE TABLE w(k TEXT PRIMARY KEY, v ANY) STRICT, WITHOUT ROWID",
        "INSERT INTO w VALUES ('a', 1), ('b', X'01'), ('c', 'c')",
        "CREATE TABLE large(k INTEGER PRIMARY KEY, v)",
        "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 2200) INSERT INTO large SELECT i, i * i FROM n",
        "CREATE INDEX by_v ON large(v)",
        "CREATE VIRTUAL TABLE ft USING fts5(body)",
        "INSERT INTO ft VALUES ('some words')",
    ]
    .into_iter()
    .map(str::to_owned)
    .chain([format!("INSERT INTO t(x) VALUES ('{id}')")])
    .collect()
}
