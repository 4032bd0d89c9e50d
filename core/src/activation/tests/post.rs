//! Objects that write to each other, on servers that lose their connection to the store for good at
//! a chosen moment, which is how a crash looks from the store.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;

use crate::activation::runtime::Components;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::id::{ObjectId, Tenant};
use crate::object::{App, Body, Context, DurableObject, Request, Response};
use crate::settings::{Ownership, Settings};
use crate::store::{Bucket, Key};
use crate::testing::{CutBucket, ManualClock, Operation, TestStore};

const SCHEMA: &str =
    "CREATE TABLE IF NOT EXISTS sent (n INTEGER PRIMARY KEY, receiver TEXT, text TEXT);
    CREATE TABLE IF NOT EXISTS taken (n INTEGER PRIMARY KEY, sender TEXT, text TEXT);
    CREATE TABLE IF NOT EXISTS cured (yes INTEGER)";

/// Remembers what it has sent and what it has taken.
pub(super) struct Friend;

impl DurableObject for Friend {
    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        let (head, body) = request.into_parts();
        let text = body.text().await?;
        if head.method == http::Method::GET {
            return Ok(Response::new(look(ctx, head.uri.path())?.into()));
        }
        ctx.sql().exec(SCHEMA, ())?;
        match head.uri.path() {
            "/send" | "/send-and-fail" => {
                for line in text.lines() {
                    let (receiver, text) = line
                        .split_once(':')
                        .ok_or_else(|| Error::invalid("a line is receiver:text"))?;
                    ctx.sql().exec(
                        "INSERT INTO sent (receiver, text) VALUES (?, ?)",
                        (receiver, text),
                    )?;
                    ctx.send(
                        "Friend",
                        receiver,
                        http::Request::post("/take").body(text.to_owned().into())?,
                    )?;
                }
                if head.uri.path() == "/send" {
                    Ok(Response::new(Body::empty()))
                } else {
                    Err(Error::handler("on purpose"))
                }
            }
            "/send-nowhere" => ctx
                .send("Nobody", "b", Request::new(Body::empty()))
                .map(|()| Response::new(Body::empty())),
            "/send-stream" => {
                let body = Body::new(http_body_util::Full::new(Bytes::from_static(b"streamed")));
                ctx.send("Friend", "b", Request::new(body)).map(|()| Response::new(Body::empty()))
            }
            "/take" => {
                let sender = ctx.sender().map(|sender| sender.id().to_owned());
                let is_cured: i64 = ctx.sql().exec("SELECT count(*) FROM cured", ())?.one()?;
                ctx.sql()
                    .exec("INSERT INTO taken (sender, text) VALUES (?, ?)", (sender, &text))?;
                if text.starts_with("poison") && is_cured == 0 {
                    Err(Error::conflict("it is poison"))
                } else {
                    Ok(Response::new(Body::empty()))
                }
            }
            "/cure" => {
                ctx.sql().exec("INSERT INTO cured VALUES (1)", ())?;
                Ok(Response::new(Body::empty()))
            }
            path => Err(Error::not_found(path)),
        }
    }
}

/// What a table has, as lines.
fn look(ctx: &mut Context, path: &str) -> Result<String> {
    let known: i64 = ctx
        .sql()
        .exec("SELECT count(*) FROM sqlite_schema WHERE name IN (?)", (&path[1..],))?
        .one()?;
    if known == 0 {
        return Ok(String::new());
    }
    let query = match path {
        "/sent" => "SELECT receiver || ':' || text FROM sent ORDER BY n",
        "/taken" => "SELECT coalesce(sender, '-') || ':' || text FROM taken ORDER BY n",
        _ => {
            "SELECT to_id || ' ' || attempts || ' ' || coalesce(error, '-') FROM _dotdo_outbox ORDER BY number"
        }
    };
    let lines: Vec<String> = ctx.sql().exec(query, ())?.rows()?;
    Ok(lines.join("\n"))
}

/// One bucket and clock, and any number of servers.
pub(super) struct Post {
    app: App,
    pub(super) clock: Arc<ManualClock>,
    pub(super) bucket: Arc<TestStore>,
    servers: std::sync::atomic::AtomicU64,
}

/// A server that can crash.
pub(super) struct Server {
    pub(super) engine: Engine,
    access: Arc<CutBucket>,
}

impl Post {
    pub(super) fn new() -> Self {
        Self::of(App::new().class("Friend", || Friend), Arc::default())
    }

    /// One for another program.
    pub(super) fn of(app: App, clock: Arc<ManualClock>) -> Self {
        Self {
            app,
            bucket: Arc::new(TestStore::new(clock.clone())),
            clock,
            servers: std::sync::atomic::AtomicU64::new(0),
        }
    }

    /// A new server, with another identity than all before.
    pub(super) async fn server(&self) -> Server {
        self.server_with(Ownership::Leased).await
    }

    /// One that owns objects like this.
    pub(super) async fn server_with(&self, ownership: Ownership) -> Server {
        self.start(self.app.clone(), ownership).await
    }

    /// A new server of another program.
    pub(super) async fn server_of(&self, app: App) -> Server {
        self.start(app, Ownership::Leased).await
    }

    async fn start(&self, app: App, ownership: Ownership) -> Server {
        let access = Arc::new(CutBucket::around(self.bucket.clone()));
        let number = u128::from(self.servers.fetch_add(1, Ordering::SeqCst) + 1);
        let components = Components::of_test(access.clone(), self.clock.clone(), number);
        let settings = Settings { ownership, ..Settings::default() };
        let engine =
            Engine::start(app, settings, components).await.expect("memory passes the probe");
        Server { engine, access }
    }

    /// Lets time go on, with all that it brings, until `work` is done.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let work = tokio::spawn(work);
        for _ in 0..20_000 {
            if work.is_finished() {
                return work.await.expect("it does not panic");
            }
            self.pass(Duration::from_millis(50)).await;
        }
        panic!("it is not done after a quarter of an hour");
    }

    /// Lets so much time pass, with all that it brings.
    pub(super) async fn pass(&self, time: Duration) {
        for _ in 0..30 {
            tokio::task::yield_now().await;
        }
        self.clock.advance(time);
        for _ in 0..30 {
            tokio::task::yield_now().await;
        }
    }

    /// Asks until the answer is `wanted`.
    pub(super) async fn see(
        &self,
        server: &Server,
        (id, path): (&str, &'static str),
        wanted: &str,
    ) {
        let mut seen = String::new();
        for _ in 0..300 {
            seen = self.get(server, id, path).await;
            if seen == wanted {
                return;
            }
            self.pass(Duration::from_millis(250)).await;
        }
        panic!("{id}{path} is never {wanted:?} but {seen:?}");
    }

    pub(super) async fn get(&self, server: &Server, id: &str, path: &'static str) -> String {
        self.try_get(server, id, path).await.expect("it answers")
    }

    pub(super) async fn try_get(
        &self,
        server: &Server,
        id: &str,
        path: &'static str,
    ) -> Result<String> {
        let request = http::Request::get(path).body(Body::empty()).expect("a request");
        self.ask(server, id, request).await
    }

    pub(super) async fn post(
        &self,
        server: &Server,
        id: &str,
        path: &'static str,
        body: &str,
    ) -> Result<String> {
        let request = http::Request::post(path).body(body.to_owned().into()).expect("a request");
        self.ask(server, id, request).await
    }

    async fn ask(&self, server: &Server, id: &str, request: Request) -> Result<String> {
        self.fetch(server, friend(id), request).await
    }

    /// The text of the answer of any object.
    pub(super) async fn fetch(
        &self,
        server: &Server,
        object: ObjectId,
        request: Request,
    ) -> Result<String> {
        let engine = server.engine.clone();
        self.run(
            async move { engine.fetch(&object, None, request).await?.into_body().text().await },
        )
        .await
    }

    /// The markers of messages that there are.
    pub(super) async fn markers(&self) -> usize {
        self.keys("local/local/outbox").await.len()
    }

    /// The keys below `folder`.
    pub(super) async fn keys(&self, folder: &str) -> Vec<Key> {
        let entries = self.bucket.list(&Key::new(folder), None, 1000).await.expect("memory lists");
        entries.into_iter().map(|entry| entry.key).collect()
    }
}

pub(super) fn friend(id: &str) -> ObjectId {
    Tenant::local().object("Friend", id).expect("a good id")
}

impl Server {
    /// The server crashes when it has sent so many more requests to the store.
    pub(super) fn crash_after(&self, requests: u64) {
        self.access.cut_after(requests);
    }

    /// The server crashes when it is about to do something with a key that contains `part`.
    pub(super) fn crash_at(&self, part: &'static str) {
        self.access.cut_at(move |_, key| key.as_str().contains(part));
    }

    /// Creates of keys that contain `part` do not get through any more.
    pub(super) fn stall_at(&self, part: &'static str) {
        let is_create = |operation| operation == Operation::Create;
        self.access
            .stall(move |operation, key| is_create(operation) && key.as_str().contains(part));
    }

    /// The server crashes now, if it has not yet.
    pub(super) fn crash(self) {
        self.access.cut();
    }
}
