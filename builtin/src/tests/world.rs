//! An engine that serves the built-in class from memory, with a clock that can be moved.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dotdo::engine::{
    Bucket, Clock, Components, Engine, Inline, Key, Memory, OsRandom, Random, Settings,
    SharedBucket, Tenant,
};
use dotdo::testing::ManualClock;
use dotdo::{App, Body, Class, Error, ObjectId, Request, Response};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::Graph;

/// One server and its bucket.
pub(super) struct World {
    engine: Engine,
    object: ObjectId,
    pub(super) bucket: Arc<dyn Bucket>,
    pub(super) clock: Arc<ManualClock>,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
}

impl World {
    pub(super) async fn new() -> Self {
        let clock = Arc::new(ManualClock::starting_at(1_800_000_000_000));
        let bucket: Arc<dyn Bucket> = Arc::new(Memory::new(clock.clone()));
        Self::on(bucket, clock, "graph").await
    }

    /// A bucket as an earlier program has left it: `tests/fixtures/v1-built-in`.
    pub(super) async fn frozen() -> Self {
        let clock = Arc::new(ManualClock::starting_at(1_800_000_000_000));
        let bucket: Arc<dyn Bucket> = Arc::new(Memory::new(clock.clone()));
        for (key, bytes) in files(&fixture().join("state")) {
            bucket.put(&Key::new(&key), bytes.into()).await.expect("memory takes it");
        }
        Self::on(bucket, clock, "before").await
    }

    async fn on(bucket: Arc<dyn Bucket>, clock: Arc<ManualClock>, id: &str) -> Self {
        let object = Tenant::local().object(Graph::NAME, id).expect("a good name");
        let engine = start(App::new().register::<Graph>(), &bucket, &clock).await;
        Self { engine, object, bucket, clock }
    }

    /// Moves the time of day on.
    pub(super) fn later(&self, ms: u64) {
        self.clock.advance(Duration::from_millis(ms));
    }

    /// The time of day in milliseconds.
    pub(super) fn now_ms(&self) -> i64 {
        self.clock.wall_ms()
    }

    /// Ends the server in order and starts another one on the same bucket.
    pub(super) async fn restart(&mut self) {
        self.restart_as(App::new().register::<Graph>()).await;
    }

    /// The same, with another program.
    pub(super) async fn restart_as(&mut self, app: App) {
        self.engine.shutdown(Duration::from_secs(10)).await;
        self.engine = start(app, &self.bucket, &self.clock).await;
    }

    /// Sends a request to the object; a body of null is none.
    pub(super) async fn send(&self, method: &str, path: &str, body: Value) -> Result<Reply, Error> {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        self.send_text(method, path, text).await
    }

    pub(super) async fn send_text(
        &self,
        method: &str,
        path: &str,
        body: String,
    ) -> Result<Reply, Error> {
        self.send_with(method, path, &[], body).await
    }

    /// Sends a request with headers.
    pub(super) async fn send_with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Result<Reply, Error> {
        let (head, body) = self.answer(method, path, headers, body).await?.into_parts();
        let bytes = body.bytes().await.expect("the body is whole");
        let body = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes).expect("the body is JSON")
        };
        Ok(Reply { status: head.status, headers: head.headers, body })
    }

    /// The response, whose body may be a stream.
    pub(super) async fn answer(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Result<Response, Error> {
        let request =
            http::Request::builder().method(method).uri(path).header("x-request-id", "r-1");
        let request =
            headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let request: Request = request.body(Body::from(body)).expect("a good request");
        self.engine.fetch(&self.object, None, request).await
    }

    /// The body of a request that succeeds.
    pub(super) async fn ok(&self, method: &str, path: &str, body: Value) -> Value {
        let reply = self
            .send(method, path, body)
            .await
            .unwrap_or_else(|error| panic!("{method} {path}: {error:?}"));
        assert!(reply.status.is_success(), "{method} {path}: {reply:?}");
        reply.body
    }

    pub(super) async fn get(&self, path: &str) -> Value {
        self.ok("GET", path, Value::Null).await
    }

    /// The code of a request that fails.
    pub(super) async fn code(&self, method: &str, path: &str, body: Value) -> &'static str {
        self.send(method, path, body)
            .await
            .map(|reply| panic!("{method} {path}: {reply:?}"))
            .unwrap_or_else(|error: Error| error.code())
    }

    /// The ids of a list's items.
    pub(super) async fn ids(&self, path: &str) -> Vec<String> {
        let list = self.get(path).await;
        let items = list["items"].as_array().expect("a list has items");
        assert_eq!(list["count"], json!(items.len()));
        items.iter().map(|item| item["id"].as_str().expect("an id is a text").to_owned()).collect()
    }
}

/// The folder of an object that an earlier program wrote.
pub(super) fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/v1-built-in")
}

/// The files below a folder, by their paths from there.
fn files(root: &Path) -> Vec<(String, Vec<u8>)> {
    let (mut files, mut folders) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the fixtures are there") {
            let path = entry.expect("a name").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let key = path.strip_prefix(root).expect("a path below");
            let key = key.to_str().expect("keys are ASCII").to_owned();
            files.push((key, std::fs::read(path).expect("a file")));
        }
    }
    files
}

async fn start(app: App, bucket: &Arc<dyn Bucket>, clock: &Arc<ManualClock>) -> Engine {
    let components = Components {
        buckets: Arc::new(SharedBucket(bucket.clone())),
        clock: clock.clone(),
        random: Arc::new(OsRandom),
        executor: Arc::new(Inline),
        peers: None,
        directory: None,
        transport: None,
        instance: Uuid::from_bytes(OsRandom.bytes16()),
    };
    Engine::start(app, Settings::default(), components).await.expect("a store in memory serves")
}
