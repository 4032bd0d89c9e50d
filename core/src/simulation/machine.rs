//! A simulated machine and the process on it: the real engine in a runtime of its own, without timers and sockets.
//!
//! Dropping the runtime kills every task at the await where it is: a crash. Not stepping it freezes the process.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::task::AbortHandle;

use crate::clock::Random;
use crate::engine::{Components, Engine};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{ObjectId, Tenant};
use crate::instance::Inline;
use crate::object::Body;
use crate::simulation::bucket::SimBucket;
use crate::simulation::chance::SimRandom;
use crate::simulation::clock::SimClock;
use crate::simulation::history::{Ask, Request};
use crate::simulation::objects::app;
use crate::simulation::plan::MachinePlan;
use crate::simulation::timeline::{Delivery, Process, Timeline};
use crate::store::Retrying;

/// How long a graceful end may take.
const SHUTDOWN: Duration = Duration::from_secs(10);

/// What a process tells the world.
pub(super) enum Report {
    /// The engine runs, or why it does not.
    Started(Result<Engine>),
    /// The answer to a request.
    Answered(usize, Result<String>),
    /// The graceful end is over.
    Stopped,
}

/// A machine, and the process on it if there is one.
pub(super) struct Machine {
    plan: MachinePlan,
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
    stopping: bool,
}

/// Tells when a runtime has nothing left to do.
#[derive(Default)]
struct Idle {
    is_idle: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Machine {
    pub(super) fn new(timeline: Timeline, machine: usize, plan: MachinePlan) -> Self {
        Self { plan, timeline, process: Process { machine, life: 0 }, running: None, held: Vec::new() }
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
        let runtime = Builder::new_current_thread().on_thread_park(move || parked.note()).build().expect("a runtime without drivers");
        let reports = Arc::new(Mutex::new(Vec::new()));
        let (timeline, settings, said) = (self.timeline.clone(), self.plan.settings.clone(), reports.clone());
        runtime.spawn(async move {
            let started = start_engine(timeline, process, settings).await;
            push(&said, Report::Started(started));
        });
        self.running = Some(Running { runtime, idle, engine: None, reports, requests: BTreeMap::new(), stopping: false });
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
        let mut lost: Vec<usize> = self.held.drain(..).filter_map(|delivery| delivery.request()).collect();
        if let Some(running) = self.running.take() {
            lost.extend(running.requests.keys());
            drop(running.engine);
            drop(running.runtime);
        }
        lost
    }

    /// Begins a graceful end.
    pub(super) fn stop(&mut self) {
        let Some(running) = self.running.as_mut().filter(|running| !running.stopping) else { return };
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
    pub(super) fn is_settled(&self) -> bool {
        self.is_up() && self.held.is_empty() && self.running.as_ref().is_some_and(|running| running.requests.is_empty())
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
                Some(engine) => answer(&engine, request).await,
                None => Err(Error::new(ErrorKind::Busy, "the process has not started yet")),
            };
            push(&reports, Report::Answered(request.number, answer));
        });
        running.requests.insert(request.number, task.abort_handle());
    }

    /// The client of a request has closed its connection. `true` when there was one.
    pub(super) fn go_away(&mut self, request: usize) -> bool {
        let before = self.held.len();
        self.held.retain(|delivery| !matches!(delivery, Delivery::Request(held) if held.number == request));
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
        let reports = std::mem::take(&mut *running.reports.lock().unwrap_or_else(PoisonError::into_inner));
        for report in &reports {
            match report {
                Report::Started(Ok(engine)) => running.engine = Some(engine.clone()),
                Report::Answered(number, _) => _ = running.requests.remove(number),
                Report::Started(Err(_)) | Report::Stopped => {}
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
        if let Some(waker) = self.waker.lock().unwrap_or_else(PoisonError::into_inner).take() {
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
            *self.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

fn push(reports: &Mutex<Vec<Report>>, report: Report) {
    reports.lock().unwrap_or_else(PoisonError::into_inner).push(report);
}

async fn start_engine(timeline: Timeline, process: Process, settings: crate::settings::Settings) -> Result<Engine> {
    let clock = Arc::new(SimClock { timeline: timeline.clone(), process });
    let seed = timeline.lock().chance.next();
    let random: Arc<dyn Random> = Arc::new(SimRandom::new(seed));
    let bucket = SimBucket::new(timeline, process, clock.clone());
    let bucket = Arc::new(Retrying::new(bucket, clock.clone(), random.clone()));
    let components =
        Components { bucket, clock, random, executor: Arc::new(Inline), peers: None, directory: None, instance: process.uuid() };
    Engine::start(app(), Tenant::new("local", "local")?, settings, components).await
}

/// The object of this number.
pub(super) fn object(number: usize) -> ObjectId {
    ObjectId::new("List", &format!("o{number}")).expect("a good id")
}

async fn answer(engine: &Engine, request: Request) -> Result<String> {
    let uri = match request.ask {
        Ask::Read => "/read".to_owned(),
        Ask::Append(value) => format!("/append?{value}"),
        Ask::Give(value, to) => format!("/give?{value}&{}", object(to).id()),
        Ask::Send(value, to) => format!("/send?{value}&{}", object(to).id()),
    };
    let mut asked = http::Request::post(uri);
    if let Some(value) = request.ask.value().filter(|_| request.keyed) {
        asked = asked.header("idempotency-key", format!("\"v{value}\""));
    }
    let asked = asked.body(Body::empty())?;
    engine.fetch(&object(request.object), None, asked).await?.into_body().text().await
}
