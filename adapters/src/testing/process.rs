//! A server's simulated process: an engine behind the routes, and its access to the store, which a
//! crash cuts.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dotdo_core::testing::{CountingRandom, CutBucket, TestStore};
use dotdo_core::{App, Components, Engine, Inline, Request, Response, Settings, SharedBucket};
use uuid::Uuid;

use super::clock::RunningClock;
use crate::edge::{Edge, EdgeSettings, Reach};

/// Maximum time for a shutdown.
const SHUTDOWN_MAX: Duration = Duration::from_secs(25);

/// Maximum time of any operation, by the simulated clock: longer than every limit of the engine.
const PATIENCE: Duration = Duration::from_secs(3600);

/// State shared by the servers of one store.
pub(super) struct Shared {
    pub(super) clock: Arc<RunningClock>,
    pub(super) store: Arc<TestStore>,
    started: AtomicU64,
}

/// The part of a server that is lost in a crash.
pub(super) struct Process {
    pub(super) edge: Edge<Engine>,
    pub(super) access: Arc<CutBucket>,
}

impl Shared {
    pub(super) fn new() -> Self {
        let clock = Arc::new(RunningClock::new());
        let store = Arc::new(TestStore::new(clock.clone()));
        Self { clock, store, started: AtomicU64::new(0) }
    }

    pub(super) async fn process(&self, app: &App, settings: &Settings) -> Arc<Process> {
        let number = u128::from(self.started.fetch_add(1, Ordering::SeqCst) + 1);
        let access = Arc::new(CutBucket::around(self.store.clone()));
        let instance = Uuid::from_u128(number);
        let components = Components {
            buckets: Arc::new(SharedBucket(access.clone())),
            clock: self.clock.clone(),
            random: Arc::new(CountingRandom::starting_at(number << 64)),
            executor: Arc::new(Inline),
            peers: None,
            directory: None,
            transport: None,
            instance,
        };
        let router = app.router();
        let starting = Engine::start(app.clone(), settings.clone(), components);
        let engine = within("a start", starting).await;
        let engine = engine.unwrap_or_else(|error| panic!("the server does not start: {error:?}"));
        let edge_settings = EdgeSettings { reach: Reach::Machine, ..EdgeSettings::default() };
        let edge = Edge::new(engine, router, edge_settings, None, instance.as_u64_pair().1);
        Arc::new(Process { edge, access })
    }
}

/// The outcome of `work`, which must complete within a limit of simulated time.
///
/// # Panics
///
/// When it does not complete. With paused time, a test would otherwise wait forever.
pub(super) async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::select! {
        biased;
        outcome = work => outcome,
        () = tokio::time::sleep(PATIENCE) => {
            panic!("expected {what} to end within {} s of the test clock", PATIENCE.as_secs())
        }
    }
}

impl Process {
    /// The response to a request; `None` when the server crashes before it is complete.
    pub(super) async fn answer(&self, request: Request) -> Option<Response> {
        let asked = format!("{} {}", request.method(), request.uri());
        tokio::select! {
            biased;
            () = self.access.until_cut() => None,
            response = within(&asked, self.edge.answer(request)) => Some(response),
        }
    }

    pub(super) async fn stop(&self) {
        within("a stop", self.edge.objects().shutdown(SHUTDOWN_MAX)).await;
        self.access.cut();
    }
}
