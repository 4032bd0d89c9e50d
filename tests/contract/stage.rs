//! Where the suite's tests play: a platform, one program that they share, and programs of their
//! own.

use std::sync::Arc;

use dotdo_tests::{Deadline, Seaweed, Setup, runtime, say, scratch, unique};
use http::Request;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::host::{Abilities, Body, Host, Hosted};
use crate::message::{Answer, get, post, with};
use crate::setup;

/// How long anything may take that must happen, but not by when.
pub(crate) const PATIENCE_SECONDS: u64 = 120;

/// A time that has not come yet: a read at it sees all that is in the bucket.
const LATER: &[u8] = b"2199-01-01T00:00:00Z";

/// A platform, and the programs that its tests share.
pub(crate) struct Stage {
    host: Box<dyn Host>,
    world: World,
    program: OnceCell<Box<dyn Hosted>>,
    /// Another program on the same store, which only looks.
    witness: OnceCell<Box<dyn Hosted>>,
}

/// A store with nothing in it, and how to start programs on it. Clones are the same store.
#[derive(Clone)]
pub(crate) struct World {
    setup: Setup,
    _folder: Option<Arc<TempDir>>,
}

impl Stage {
    /// The platform of `host`.
    pub(crate) fn new(host: impl Host + 'static) -> Self {
        Self {
            host: Box::new(host),
            world: World::new(),
            program: OnceCell::new(),
            witness: OnceCell::new(),
        }
    }

    /// Runs a test to its end, and after it writes something that must be in the bucket when it is
    /// answered.
    pub(crate) fn test(&self, test: impl Future<Output = ()>) {
        run(async {
            test.await;
            self.write().await;
        });
    }

    /// Writes something, and looks with the eyes of another process.
    async fn write(&self) {
        let id = fresh("after");
        assert_eq!(add(self.program().await, &id).await, 1);
        let witness = if self.abilities().is_ours {
            self.witness.get_or_init(|| self.start(&self.world)).await.as_ref()
        } else {
            self.program().await
        };
        let seen =
            ask(witness, with(get(&format!("/do/Counter/{id}/count")), "x-do-at", LATER)).await;
        assert_eq!(counted(&seen), 1, "what was answered is in the bucket");
    }

    /// What the platform can and can't do.
    pub(crate) fn abilities(&self) -> Abilities {
        self.host.abilities()
    }

    /// Whether the test may start programs of its own; says so when it may not.
    pub(crate) fn is_ours(&self) -> bool {
        let is_ours = self.abilities().is_ours;
        if !is_ours {
            say("NOT TESTED: it needs programs of its own, and this one runs already");
        }
        is_ours
    }

    /// The program that all tests share. They keep apart by the ids of their objects, which are
    /// [`fresh`].
    pub(crate) async fn program(&self) -> &dyn Hosted {
        self.program.get_or_init(|| self.start(&self.world)).await.as_ref()
    }

    /// A program of the test's own.
    pub(crate) async fn start(&self, world: &World) -> Box<dyn Hosted> {
        world.start(self.host.as_ref()).await
    }

    /// Sends a request to the shared program.
    pub(crate) async fn ask(&self, request: Request<Body>) -> Answer {
        ask(self.program().await, request).await
    }
}

impl World {
    /// A folder.
    pub(crate) fn new() -> Self {
        let folder = scratch();
        Self {
            setup: setup(&format!("file://{}", folder.path().display())),
            _folder: Some(Arc::new(folder)),
        }
    }

    /// A part of a bucket of SeaweedFS.
    pub(crate) fn seaweed() -> Self {
        let seaweed = Seaweed::shared();
        let setup = setup(&format!("s3://{}/contract-{}", seaweed.bucket(), unique().simple()));
        let setup = seaweed
            .environment()
            .into_iter()
            .fold(setup, |setup, (name, value)| setup.env(name, value));
        Self { setup, _folder: None }
    }

    /// A program on the platform of `host`.
    pub(crate) async fn start(&self, host: &dyn Host) -> Box<dyn Hosted> {
        host.start(&self.setup).await
    }

    /// One more environment variable for its programs.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.setup = self.setup.env(name, value);
        self
    }
}

/// Runs a test to its end, on the runtime that outlives it, because tests share programs.
pub(crate) fn run(test: impl Future<Output = ()>) {
    runtime().block_on(test);
}

/// An id that no other test has, nor another run of this one.
pub(crate) fn fresh(name: &str) -> String {
    format!("{name}-{}", unique().simple())
}

/// Waits for what must happen, but not by when.
pub(crate) async fn soon<T>(what: &str, work: impl Future<Output = T>) -> T {
    let time = std::time::Duration::from_secs(PATIENCE_SECONDS);
    tokio::time::timeout(time, work)
        .await
        .unwrap_or_else(|_| panic!("in {PATIENCE_SECONDS} s there is no end of: {what}"))
}

/// Waits until something is so.
pub(crate) async fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let seen = Deadline::in_seconds(PATIENCE_SECONDS)
        .until(|| std::future::ready(is_so().then_some(())))
        .await;
    assert!(seen.is_some(), "in {PATIENCE_SECONDS} s it is never so: {what}");
}

/// Sends a request and waits for the whole answer.
pub(crate) async fn ask(program: &dyn Hosted, request: Request<Body>) -> Answer {
    let what = format!("{} {}", request.method(), request.uri());
    match soon(&what, program.send(request)).await {
        Ok(answer) => soon(&what, Answer::of(answer)).await,
        Err(error) => panic!("{what} has no answer: {error:?}\n{}", program.stderr()),
    }
}

/// Sends a request until another server has given the object up: the answer that is not 503 or 504.
pub(crate) async fn insist(program: &dyn Hosted, make: impl Fn() -> Request<Body>) -> Answer {
    let once = || async {
        Some(ask(program, make()).await).filter(|answer| ![503, 504].contains(&answer.status))
    };
    let answer = Deadline::in_seconds(PATIENCE_SECONDS).until(once).await;
    answer
        .unwrap_or_else(|| panic!("nothing but 503 in {PATIENCE_SECONDS} s:\n{}", program.stderr()))
}

/// Adds one to a counter; what it has then.
pub(crate) async fn add(program: &dyn Hosted, id: &str) -> u64 {
    counted(&insist(program, || post(&format!("/do/Counter/{id}/add"), "")).await)
}

/// What a counter has.
pub(crate) async fn count(program: &dyn Hosted, id: &str) -> u64 {
    counted(&insist(program, || get(&format!("/do/Counter/{id}/count"))).await)
}

/// What a counter has answered.
pub(crate) fn counted(answer: &Answer) -> u64 {
    let value: Value = answer.json();
    assert_eq!(answer.status, 200, "{value}");
    value["count"].as_u64().unwrap_or_else(|| panic!("this is no count: {value}"))
}
