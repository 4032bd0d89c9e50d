//! A simulated machine and the process on it: the real engine in a runtime of its own, without
//! timers and sockets.
//!
//! Dropping the runtime kills every task at the await where it is: a crash. Not stepping it freezes
//! the process.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, Waker};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::runtime::{Builder, Runtime};
use tokio::task::AbortHandle;

use crate::activation::Components;
use crate::clock::Random;
use crate::cluster::{Directory, Holding, OwnershipChange, Peers};
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::executor::Inline;
use crate::id::{ObjectId, Tenant};
use crate::simulation::asking::answer;
use crate::simulation::bucket::bucket;
use crate::simulation::chance::SimRandom;
use crate::simulation::clock::SimClock;
use crate::simulation::directory::{ListenerSlot, SimDirectory};
use crate::simulation::history::Request;
use crate::simulation::network::{Letter, SimPeers};
use crate::simulation::objects::{Watcher, app};
use crate::simulation::plan::{MachinePlan, NetworkPlan, TWINS};
use crate::simulation::timeline::{Delivery, Process, Timeline};
use crate::sync::Mutex;
use crate::tenants::SharedBucket;

/// How long a graceful end may take.
const SHUTDOWN: Duration = Duration::from_secs(10);

/// What a process tells the world.
pub(super) enum Report {
    /// The engine runs, or why it does not.
    Started(Result<Engine>),
    /// The answer to a request.
    Answered(usize, Result<String>),
    /// What was seen of an object by other ways than an answer.
    Left(usize, String),
    /// The graceful end is over.
    Stopped,
}

/// A machine, and the process on it if there is one.
pub(super) struct Machine {
    plan: MachinePlan,
    network: NetworkPlan,
    timeline: Timeline,
    pub(super) process: Process,
    running: Option<Running>,
    /// What reached the machine while it was frozen.
    held: Vec<Delivery>,
}

struct Running {
    runtime: Runtime,
    idle: Arc<Idle>,
    engine: Option<Engine>,
    reports: Arc<Mutex<Vec<Report>>>,
    requests: BTreeMap<usize, AbortHandle>,
    listener_slot: ListenerSlot,
    stopping: bool,
}

/// Tells when a runtime has nothing left to do.
#[derive(Default)]
struct Idle {
    is_idle: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Machine {
    pub(super) fn new(
        timeline: Timeline,
        machine: usize,
        plan: MachinePlan,
        network: NetworkPlan,
    ) -> Self {
        Self {
            plan,
            network,
            timeline,
            process: Process { machine, life: 0 },
            running: None,
            held: Vec::new(),
        }
    }

    /// Starts a new process.
    pub(super) fn start(&mut self) {
        let process = {
            let mut state = self.timeline.lock();
            let outside = &mut state.machines[self.process.machine];
            outside.life += 1;
            Process { life: outside.life, ..self.process }
        };
        self.process = process;
        let idle = Arc::new(Idle::default());
        let parked = idle.clone();
        let runtime = Builder::new_current_thread()
            .on_thread_park(move || parked.note())
            .build()
            .expect("a runtime without drivers");
        let reports = Arc::new(Mutex::new(Vec::new()));
        let listener_slot = ListenerSlot::default();
        let start = Start {
            timeline: self.timeline.clone(),
            process,
            plan: self.plan.clone(),
            network: self.network,
            listener_slot: listener_slot.clone(),
        };
        let (said, seen) = (reports.clone(), reports.clone());
        let watcher: Watcher =
            Arc::new(move |number, text| push(&seen, Report::Left(number, text)));
        runtime.spawn(async move {
            let started = start.engine(watcher).await;
            push(&said, Report::Started(started));
        });
        self.running = Some(Running {
            runtime,
            idle,
            engine: None,
            reports,
            requests: BTreeMap::new(),
            listener_slot,
            stopping: false,
        });
    }

    /// Ends the process at once. Returns the requests that will never be answered.
    pub(super) fn crash(&mut self) -> Vec<usize> {
        {
            let mut state = self.timeline.lock();
            let now_us = state.now_us;
            let outside = &mut state.machines[self.process.machine];
            outside.life += 1;
            if outside.frozen {
                outside.frozen = false;
                outside.clock.thaw(now_us);
            }
        }
        let mut lost: Vec<usize> =
            self.held.drain(..).filter_map(|delivery| delivery.request()).collect();
        if let Some(running) = self.running.take() {
            lost.extend(running.requests.keys());
            drop(running.engine);
            drop(running.runtime);
        }
        lost
    }

    /// Begins a graceful end.
    pub(super) fn stop(&mut self) {
        let Some(running) = self.running.as_mut().filter(|running| !running.stopping) else {
            return;
        };
        let Some(engine) = running.engine.clone() else { return };
        running.stopping = true;
        let reports = running.reports.clone();
        running.runtime.spawn(async move {
            engine.shutdown(SHUTDOWN).await;
            drop(engine);
            push(&reports, Report::Stopped);
        });
    }

    /// Whether it accepts requests, and has answered all that it got.
    pub(super) fn is_idle(&self) -> bool {
        self.is_up()
            && self.held.is_empty()
            && self.running.as_ref().is_some_and(|running| running.requests.is_empty())
    }

    /// Whether a request would wait for long, because no process runs or it is frozen.
    pub(super) fn is_silent(&self) -> bool {
        self.running.is_none() || self.timeline.lock().machines[self.process.machine].frozen
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Whether requests are accepted.
    pub(super) fn is_up(&self) -> bool {
        self.running.as_ref().is_some_and(|running| running.engine.is_some() && !running.stopping)
    }

    /// Keeps what reaches a frozen machine.
    pub(super) fn hold(&mut self, delivery: Delivery) {
        self.held.push(delivery);
    }

    /// What reached the machine while it was frozen, in the order in which it gets to it.
    pub(super) fn held(&mut self) -> Vec<Delivery> {
        std::mem::take(&mut self.held)
    }

    /// Begins to answer a request.
    pub(super) fn accept(&mut self, request: Request) {
        let Some(running) = self.running.as_mut() else { return };
        let engine = running.engine.clone();
        let reports = running.reports.clone();
        let task = running.runtime.spawn(async move {
            let answer = match engine {
                // A connection whose task panics ends, and its client can't know.
                Some(engine) => AssertUnwindSafe(answer(&engine, request))
                    .catch_unwind()
                    .await
                    .unwrap_or_else(|_| Err(broken_off())),
                None => Err(Error::new(ErrorKind::Busy, "the process has not started yet")),
            };
            push(&reports, Report::Answered(request.number, answer));
        });
        running.requests.insert(request.number, task.abort_handle());
    }

    /// Reads what another server sends.
    pub(super) fn open(&mut self, letter: Letter) {
        let Some(running) = self.running.as_mut() else { return };
        running.runtime.spawn(letter.read(
            self.timeline.clone(),
            self.process,
            running.engine.clone(),
        ));
    }

    /// Receives an announcement of another server.
    pub(super) fn receive_announcement(
        &self,
        object: &ObjectId,
        holding: &Holding,
        change: OwnershipChange,
    ) {
        let Some(running) = &self.running else { return };
        if let Some(listener) = running.listener_slot.lock().as_ref() {
            listener.receive(object, holding, change);
        }
    }

    /// The client of a request has closed its connection. `true` when there was one.
    pub(super) fn go_away(&mut self, request: usize) -> bool {
        let before = self.held.len();
        self.held.retain(
            |delivery| !matches!(delivery, Delivery::Request(held) if held.number == request),
        );
        let task = self.running.as_mut().and_then(|running| running.requests.remove(&request));
        if let Some(task) = &task {
            task.abort();
        }
        task.is_some() || before > self.held.len()
    }

    /// Runs the process until it waits for the world, and returns what it says.
    pub(super) fn step(&mut self) -> Vec<Report> {
        let Some(running) = self.running.as_mut() else { return Vec::new() };
        running.runtime.block_on(running.idle.reached());
        let reports = std::mem::take(&mut *running.reports.lock());
        for report in &reports {
            match report {
                Report::Started(Ok(engine)) => running.engine = Some(engine.clone()),
                Report::Answered(number, _) => _ = running.requests.remove(number),
                Report::Started(Err(_)) | Report::Left(..) | Report::Stopped => {}
            }
        }
        reports
    }
}

impl Delivery {
    /// The number of the request that this is.
    fn request(self) -> Option<usize> {
        match self {
            Self::Request(request) => Some(request.number),
            _ => None,
        }
    }
}

impl Idle {
    fn note(&self) {
        self.is_idle.store(true, Ordering::Relaxed);
        if let Some(waker) = self.waker.lock().take() {
            waker.wake();
        }
    }

    /// Completes when every task waits.
    async fn reached(&self) {
        self.is_idle.store(false, Ordering::Relaxed);
        poll_fn(|cx| {
            if self.is_idle.load(Ordering::Relaxed) {
                return Poll::Ready(());
            }
            *self.waker.lock() = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

fn push(reports: &Mutex<Vec<Report>>, report: Report) {
    reports.lock().push(report);
}

/// What a process begins with.
struct Start {
    timeline: Timeline,
    process: Process,
    plan: MachinePlan,
    network: NetworkPlan,
    listener_slot: ListenerSlot,
}

impl Start {
    async fn engine(self, watcher: Watcher) -> Result<Engine> {
        let Self { timeline, process, plan, network, listener_slot } = self;
        let clock = Arc::new(SimClock { timeline: timeline.clone(), process });
        let seed = timeline.lock().chance.next();
        let random: Arc<dyn Random> = Arc::new(SimRandom::new(seed));
        let bucket = bucket(&timeline, process, &clock, &random);
        let peers: Option<Arc<dyn Peers>> = match network.forwards {
            true => Some(Arc::new(SimPeers {
                timeline: timeline.clone(),
                process,
                clock: clock.clone(),
            })),
            false => None,
        };
        let directory: Option<Arc<dyn Directory>> = match network.tells {
            true => Some(Arc::new(SimDirectory {
                timeline,
                process,
                clock: clock.clone(),
                listener_slot,
            })),
            false => None,
        };
        let components = Components {
            buckets: Arc::new(SharedBucket(bucket)),
            clock,
            random,
            executor: Arc::new(Inline),
            peers,
            directory,
            transport: None,
            instance: process.uuid(),
        };
        Engine::start(app(watcher), plan.settings, components).await
    }
}

fn broken_off() -> Error {
    Error::new(ErrorKind::Unknown, "the connection broke off")
}

/// The object of this number. Those of the second tenant have the classes and the ids of others.
pub(super) fn object(number: usize) -> ObjectId {
    let (tenant, number) = match number {
        0..TWINS => (Tenant::new("acme", "shop").expect("a good tenant"), number + TWINS),
        _ => (Tenant::local(), number),
    };
    tenant.object("List", &format!("o{number}")).expect("a good id")
}
