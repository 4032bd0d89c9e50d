//! The whole way of a request, from an object's name to a durable response.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::future::OptionFuture;
use uuid::Uuid;

use crate::budget::{Account, Budget, Use};
use crate::clock::{Clock, Random};
use crate::directory::{Directory, Ear, Holding, News};
use crate::error::{Error, ErrorKind, Result};
use crate::executor::Executor;
use crate::id::{ObjectId, Tenant};
use crate::instance::{
    Answer, Deps, Slot, Slots, Turn, Undone, Way, answer_per_request, cover, deliver, hear, marked,
    prepare, shutdown, start_janitor, start_scanning,
};
use crate::lease::OWNED_ELSEWHERE;
use crate::object::{App, Request, Response};
use crate::past;
use crate::peers::{Journey, Peers, Received};
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
    /// The way to other servers on the same bucket. `None`: requests for objects that they own are
    /// refused, or wait for their leases.
    pub peers: Option<Arc<dyn Peers>>,
    /// Where owners tell each other what they own. `None`, or one that knows nothing: they are
    /// found in the bucket.
    pub directory: Option<Arc<dyn Directory>>,
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
    /// `StoreRefused` when the store does not keep the promises that correctness rests on;
    /// `Unavailable` when it can't be reached; `Invalid` for settings that contradict each other.
    pub async fn start(
        app: App,
        tenant: Tenant,
        settings: Settings,
        components: Components,
    ) -> Result<Self> {
        settings.check()?;
        let Components { bucket, clock, random, executor, peers, directory, instance } = components;
        probe(bucket.as_ref(), clock.as_ref(), random.as_ref()).await?;
        let janitor_clock = clock.clone();
        let inner = Arc::new_cyclic(|weak| {
            let engine = WeakEngine(weak.clone());
            let components =
                Components { bucket, clock, random, executor, peers, directory, instance };
            let deps = Arc::new(Deps::new(app, tenant, settings, components, engine));
            Inner { deps, slots: Slots::new(), stopping: AtomicBool::new(false) }
        });
        let engine = Self { inner };
        start_janitor(engine.downgrade(), janitor_clock.clone());
        start_scanning(engine.downgrade(), janitor_clock);
        if let Some(directory) = &engine.deps().directory {
            directory.listen(Ear::new(engine.downgrade()));
        }
        Ok(engine)
    }

    /// Answers a request to `object`: waits for its turn, runs the handler in a transaction, and
    /// lets the response out when everything it changed or could have seen is in the bucket. `at`
    /// runs it on a former state, which can't be changed.
    ///
    /// # Errors
    ///
    /// What the handler failed with, and the kinds of [`ErrorKind`] that concern the store, the
    /// owner and the limits. Except for `Unknown`, an error means that nothing of the request
    /// remains.
    pub async fn fetch(
        &self,
        object: &ObjectId,
        at: Option<At>,
        request: Request,
    ) -> Result<Response> {
        if self.is_stopping() {
            return Err(Error::new(ErrorKind::Busy, "the server is stopping")
                .with_retry_after(Duration::from_secs(1)));
        }
        // What the request takes is charged until its response is there.
        let _account = request.extensions().get::<Account>().cloned();
        let request = prepare(self.deps(), object, request).await?;
        if let Some(at) = at {
            return past::fetch(self.deps(), object, at, request).await;
        }
        let mut way = Way::of(request);
        let slot = self.inner.slots.get(self.deps(), object)?;
        self.answer(&slot, &mut way).await.map_err(|error| way.honest(object, error))
    }

    /// Answers a request that another server has sent here because it believes that this one owns
    /// `object`.
    pub async fn receive(&self, object: &ObjectId, journey: Journey, request: Request) -> Received {
        if self.is_stopping() {
            return Received::NotOwner;
        }
        let _account = request.extensions().get::<Account>().cloned();
        let mut way = match Way::received(self.deps(), object, journey, request).await {
            Ok(way) => way,
            Err(error) => return Received::Answered(Err(error)),
        };
        let answer = match self.inner.slots.get(self.deps(), object) {
            Ok(slot) => self.answer(&slot, &mut way).await,
            Err(error) => Err(error),
        };
        if way.is_declined() { Received::NotOwner } else { Received::Answered(answer) }
    }

    /// Whether a request for `object` that another server offers should be sent: this process owns
    /// the object, or takes it over now.
    pub async fn admits(&self, object: &ObjectId) -> bool {
        let Ok(slot) = self.inner.slots.get(self.deps(), object) else { return true };
        !self.is_stopping() && Turn::may_take(self.deps(), &slot).await
    }

    /// Hears what another process tells of an object. What has no place in memory here gets none.
    pub(crate) fn hear(&self, object: &ObjectId, holding: &Holding, news: News) {
        if let Some(slot) = self.inner.slots.existing(object) {
            hear(self.deps(), &slot, holding, news);
        }
    }

    /// An account for a request to `object`, with nothing charged yet. It is put into the request's
    /// extensions.
    pub fn account(&self, object: &ObjectId) -> Account {
        Account::new(self.deps().budget.count(Use::Requests, object, 0))
    }

    /// The memory that all work of this process shares.
    pub fn budget(&self) -> &Budget {
        &self.deps().budget
    }

    /// Waits until everything is in the bucket that earlier requests to `object` have changed in
    /// this process.
    ///
    /// # Errors
    ///
    /// What the record failed with.
    pub(crate) async fn durable(&self, object: &ObjectId) -> Result<()> {
        let Some(slot) = self.inner.slots.existing(object) else { return Ok(()) };
        let gate = slot.pipeline().under_way();
        slot.pass(gate).await.map(drop)
    }

    /// Runs a request on an object in this process, and nowhere else.
    pub(crate) async fn run(&self, slot: &Arc<Slot>, request: Request) -> Result<Response> {
        self.answer(slot, &mut Way::that_stays(request)).await
    }

    /// Runs a request on an object in this process, unless another one owns it: that is told at
    /// once.
    pub(crate) async fn visit(&self, slot: &Arc<Slot>, request: Request) -> Result<Response> {
        self.answer(slot, &mut Way::that_visits(request)).await
    }

    /// Answers a request here or by the object's owner, whichever that is when it comes to it.
    async fn answer(&self, slot: &Arc<Slot>, way: &mut Way) -> Result<Response> {
        let deps = self.deps();
        loop {
            if let Some(answer) = way.elsewhere(deps, slot).await {
                return answer;
            }
            let here = match deps.settings.ownership {
                Ownership::Leased => leased(deps, slot, way).await,
                Ownership::PerRequest => per_request(deps, slot, way).await,
            };
            match here {
                Ok(answer) => {
                    let mut answer = answer?;
                    // It was written beside the record.
                    marked(&mut answer.response).await;
                    answer.background.into_iter().for_each(|work| deps.background.spawn(work));
                    return Ok(answer.response);
                }
                Err(Undone(error)) => way.again(deps, slot, error).await?,
            }
        }
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

    /// Completes when nothing is under way that answered requests have left behind: snapshots, work
    /// given to [`Context::wait_until`](crate::Context::wait_until), and deliveries of messages.
    /// Deliveries that failed and wait for their next try are not waited for. Platforms that freeze
    /// a process between requests wait for this first; nothing is lost when they do not: the log
    /// has every message, and other processes look for those that were left.
    pub async fn settle(&self) {
        let (background, deliveries) = (&self.inner.deps.background, &self.inner.deps.deliveries);
        while !(background.is_idle() && deliveries.is_idle()) {
            background.idle().await;
            deliveries.idle().await;
        }
    }

    /// Ends gracefully, within `deadline`: refuses new requests, finishes what runs, writes what is
    /// due, and releases every object.
    pub async fn shutdown(&self, deadline: Duration) {
        self.inner.stopping.store(true, Ordering::Release);
        shutdown(&self.inner.deps, &self.inner.slots, deadline).await;
    }

    fn is_stopping(&self) -> bool {
        self.inner.stopping.load(Ordering::Acquire)
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

/// Answers a request under a lease: the handler commits in memory, and the response waits at the
/// gate.
async fn leased(
    deps: &Arc<Deps>,
    slot: &Arc<Slot>,
    way: &mut Way,
) -> Result<Result<Answer>, Undone> {
    let mut turn = Turn::take(deps, slot, way.caller()).await?;
    let run = turn.run(way.begin(deps)).await?;
    drop(turn);
    let _changes = run.charge;
    let snapshot = match run.written {
        Some(sequence) if deps.settings.checkpoint.mode == CheckpointMode::EveryRequest => {
            Some(cover(deps, slot, sequence))
        }
        _ => None,
    };
    let snapshot = async { Ok(OptionFuture::from(snapshot).await.unwrap_or(Ok(()))) };
    let pass = async { slot.pass(run.gate).await.map_err(Undone) };
    let (_, covered) = futures_util::try_join!(pass, snapshot)?;
    Ok(covered.and(run.answer))
}

/// Answers a request without a lease: it is read whole, so that it can be run again, also by
/// another server.
async fn per_request(
    deps: &Arc<Deps>,
    slot: &Arc<Slot>,
    way: &mut Way,
) -> Result<Result<Answer>, Undone> {
    way.make_whole().await?;
    match answer_per_request(deps, slot, way.begin(deps)).await {
        Err(error) if error.code() == OWNED_ELSEWHERE => Err(Undone(error)),
        answer => Ok(answer),
    }
}

impl WeakEngine {
    /// The engine, while it lives.
    pub(crate) fn upgrade(&self) -> Option<Engine> {
        self.0.upgrade().map(|inner| Engine { inner })
    }
}
