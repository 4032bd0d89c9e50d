//! The whole way of a request, from an object's name to a durable response.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::future::OptionFuture;
use uuid::Uuid;

use crate::clock::{Clock, Random};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{ObjectId, Tenant};
use crate::instance::{
    Answer, Deps, Executor, Slot, Slots, Turn, answer_per_request, cover, deliver, marked, prepare, shutdown, start_janitor, start_scanning,
};
use crate::object::{App, Request, Response};
use crate::past;
use crate::router::At;
use crate::settings::{CheckpointMode, Ownership, Settings};
use crate::store::{Bucket, probe};

/// What an engine needs of the world.
pub struct Components {
    /// Where all state is.
    pub bucket: Arc<dyn Bucket>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// Runs what may compute for long.
    pub executor: Arc<dyn Executor>,
    /// This process, as others see it; the same that the bucket was opened with.
    pub instance: Uuid,
}

/// Serves the objects of one tenant from one bucket. Clones are the same engine.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

/// An engine that may have ended.
#[derive(Clone)]
pub(crate) struct WeakEngine(Weak<Inner>);

struct Inner {
    deps: Arc<Deps>,
    slots: Slots,
    stopping: AtomicBool,
}

impl Engine {
    /// Starts an engine, after a probe of the store. Must be called inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// `StoreRefused` when the store does not keep the promises that correctness rests on; `Unavailable` when it can't be reached;
    /// `Invalid` for settings that contradict each other.
    pub async fn start(app: App, tenant: Tenant, settings: Settings, components: Components) -> Result<Self> {
        settings.check()?;
        let Components { bucket, clock, random, executor, instance } = components;
        probe(bucket.as_ref(), clock.as_ref(), random.as_ref()).await?;
        let janitor_clock = clock.clone();
        let inner = Arc::new_cyclic(|weak| {
            let engine = WeakEngine(weak.clone());
            let deps = Arc::new(Deps::new(app, tenant, settings, Components { bucket, clock, random, executor, instance }, engine));
            Inner { deps, slots: Slots::new(), stopping: AtomicBool::new(false) }
        });
        let engine = Self { inner };
        start_janitor(engine.downgrade(), janitor_clock.clone());
        start_scanning(engine.downgrade(), janitor_clock);
        Ok(engine)
    }

    /// Answers a request to `object`: waits for its turn, runs the handler in a transaction, and lets the response out when everything it
    /// changed or could have seen is in the bucket. `at` runs it on a former state, which can't be changed.
    ///
    /// # Errors
    ///
    /// What the handler failed with, and the kinds of [`ErrorKind`] that concern the store, the owner and the limits. Except for
    /// `Unknown`, an error means that nothing of the request remains.
    pub async fn fetch(&self, object: &ObjectId, at: Option<At>, request: Request) -> Result<Response> {
        if self.inner.stopping.load(Ordering::Acquire) {
            return Err(Error::new(ErrorKind::Busy, "the server is stopping").with_retry_after(Duration::from_secs(1)));
        }
        if let Some(at) = at {
            return past::fetch(self.deps(), object, at, request).await;
        }
        let request = prepare(request).await?;
        self.run(&self.inner.slots.get(self.deps(), object)?, request).await
    }

    /// Runs a request on an object in this process.
    pub(crate) async fn run(&self, slot: &Arc<Slot>, request: Request) -> Result<Response> {
        let deps = self.deps();
        let mut answer = match deps.settings.ownership {
            Ownership::Leased => leased(deps, slot, request).await?,
            Ownership::PerRequest => answer_per_request(deps, slot, request).await?,
        };
        // It was written beside the record.
        marked(&mut answer.response).await;
        answer.background.into_iter().for_each(|work| deps.background.spawn(work));
        Ok(answer.response)
    }

    /// Whether the store answers.
    ///
    /// # Errors
    ///
    /// `Unavailable` when it does not.
    pub async fn ready(&self) -> Result<()> {
        self.inner.deps.bucket.list(self.inner.deps.tenant.prefix(), None, 1).await?;
        Ok(())
    }

    /// Ends gracefully, within `deadline`: refuses new requests, finishes what runs, writes what is due, and releases every object.
    pub async fn shutdown(&self, deadline: Duration) {
        self.inner.stopping.store(true, Ordering::Release);
        shutdown(&self.inner.deps, &self.inner.slots, deadline).await;
    }

    /// Whether `object` is one that this engine can serve.
    ///
    /// # Errors
    ///
    /// `NotFound` when its class is unknown, `Invalid` when its keys would be too long.
    pub(crate) fn check(&self, object: &ObjectId) -> Result<()> {
        self.inner.deps.app.check_class(object.class())?;
        self.inner.deps.log(object).map(drop)
    }

    /// Delivers the messages of `object`, behind whatever goes on.
    pub(crate) fn deliver(&self, object: &ObjectId) {
        deliver(self.deps(), object, self.slots());
    }

    /// The classes that this engine serves.
    pub fn app(&self) -> &App {
        &self.inner.deps.app
    }

    pub(crate) fn deps(&self) -> &Arc<Deps> {
        &self.inner.deps
    }

    pub(crate) fn slots(&self) -> &Slots {
        &self.inner.slots
    }

    fn downgrade(&self) -> WeakEngine {
        WeakEngine(Arc::downgrade(&self.inner))
    }
}

/// Answers a request under a lease: the handler commits in memory, and the response waits at the gate.
async fn leased(deps: &Arc<Deps>, slot: &Arc<Slot>, request: Request) -> Result<Answer> {
    let mut turn = Turn::take(deps, slot).await?;
    let run = turn.run(request).await?;
    drop(turn);
    let snapshot = match run.written {
        Some(sequence) if deps.settings.checkpoint.mode == CheckpointMode::EveryRequest => Some(cover(deps, slot, sequence)),
        _ => None,
    };
    let snapshot = async { OptionFuture::from(snapshot).await.unwrap_or(Ok(())) };
    futures_util::try_join!(slot.pass(run.gate), snapshot)?;
    run.answer
}

impl WeakEngine {
    /// The engine, while it lives.
    pub(crate) fn upgrade(&self) -> Option<Engine> {
        self.0.upgrade().map(|inner| Engine { inner })
    }
}
