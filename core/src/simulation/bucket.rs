//! The bucket of a simulated process: every operation is a message to the store, with a timeout for
//! the answer.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::FutureExt;
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::clock::{Clock, Random};
use crate::limits::STORE_ANSWER_MAX;
use crate::simulation::clock::SimClock;
use crate::simulation::store::{Answer, Dated, Operation};
use crate::simulation::timeline::{Delivery, Event, Process, Timeline};
use crate::store::{Bucket, Entry, Files, Key, Part, Retrying, StoreError, StoreTime, Stored};
use crate::tenants::with_log;

/// The bucket of a process: one store, or two.
pub(super) fn bucket(
    timeline: &Timeline,
    process: Process,
    clock: &Arc<SimClock>,
    random: &Arc<dyn Random>,
) -> Arc<dyn Bucket> {
    let once = |part| SimBucket::new(part, timeline.clone(), process, clock.clone());
    let retried = |part| Arc::new(Retrying::new(once(part), clock.clone(), random.clone()));
    if timeline.lock().files.is_none() {
        return retried(Part::Log);
    }
    let files = Files { bucket: retried(Part::Files), once: Arc::new(once(Part::Files)) };
    with_log(files, retried(Part::Log))
}

/// One process's way to a store.
struct SimBucket {
    part: Part,
    timeline: Timeline,
    process: Process,
    clock: Arc<SimClock>,
    time: StoreTime,
}

impl SimBucket {
    fn new(part: Part, timeline: Timeline, process: Process, clock: Arc<SimClock>) -> Self {
        Self { part, timeline, process, time: StoreTime::new(clock.clone()), clock }
    }

    /// Asks the store, and waits as long as the client of a store on the network does.
    async fn ask(
        &self,
        operation: &'static str,
        key: &Key,
        request: Operation,
    ) -> Result<Answer, StoreError> {
        self.before_send().await;
        let unavailable =
            |reason: String| StoreError::Unavailable { operation, key: key.clone(), reason };
        let (reply, answer) = oneshot::channel();
        self.timeline.lock().send((self.process, self.part), request, reply);
        let answer = answered(answer);
        let timer = self.clock.sleep(STORE_ANSWER_MAX);
        futures_util::pin_mut!(answer);
        let dated = futures_util::select_biased! {
            dated = answer.fuse() => dated,
            () = timer.fuse() => return Err(unavailable("no answer came in time".to_owned())),
        };
        self.time.saw(dated.date_ms);
        match dated.answer {
            Answer::Exists => Err(StoreError::Exists { key: key.clone() }),
            Answer::Busy(status) => Err(unavailable(format!("status {status}"))),
            Answer::Refused => Err(StoreError::Refused {
                operation,
                key: key.clone(),
                reason: "no permission".to_owned(),
            }),
            answer => Ok(answer),
        }
    }

    /// Now and then the machine freezes right here: everything was checked, nothing has been sent.
    async fn before_send(&self) {
        let thawed = {
            let mut state = self.timeline.lock();
            let often = state.faults.frozen_before;
            if !state.chance.in_thousand(often) {
                return;
            }
            let (sender, thawed) = oneshot::channel();
            let most_us = state.freeze_us;
            let length_us = state.chance.spread(10_000..=most_us);
            state.freeze(self.process.machine, length_us);
            state.schedule(1, Event::Deliver(self.process, Delivery::Timer(sender, 0)));
            thawed
        };
        if thawed.await.is_err() {
            pending::<()>().await;
        }
    }
}

/// The answer, if it ever comes.
async fn answered(answer: oneshot::Receiver<Dated>) -> Dated {
    match answer.await {
        Ok(dated) => dated,
        Err(_) => pending().await,
    }
}

#[async_trait]
impl Bucket for SimBucket {
    async fn create(&self, key: &Key, bytes: Bytes) -> Result<(), StoreError> {
        self.ask("create", key, Operation::Create(key.clone(), bytes)).await.map(drop)
    }

    async fn put(&self, key: &Key, bytes: Bytes) -> Result<(), StoreError> {
        self.ask("put", key, Operation::Put(key.clone(), bytes)).await.map(drop)
    }

    async fn get_within(&self, key: &Key, bytes_max: u64) -> Result<Option<Stored>, StoreError> {
        match self.ask("get", key, Operation::Get(key.clone())).await? {
            Answer::Found(found) => found.map(|stored| stored.within(key, bytes_max)).transpose(),
            _ => panic!("the store answers a get with an object or nothing"),
        }
    }

    async fn list(
        &self,
        prefix: &Key,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        match self
            .ask("list", prefix, Operation::List(prefix.clone(), after.cloned(), limit))
            .await?
        {
            Answer::Listed(entries) => Ok(entries),
            _ => panic!("the store answers a listing with keys"),
        }
    }

    async fn delete(&self, keys: &[Key]) -> Result<(), StoreError> {
        let Some(first) = keys.first() else { return Ok(()) };
        self.ask("delete", first, Operation::Delete(keys.to_vec())).await.map(drop)
    }

    fn store_time_ms(&self, _of: Part) -> Option<i64> {
        self.time.now_ms()
    }

    fn store_time_error(&self) -> Duration {
        Duration::from_secs(2)
    }

    fn is_gone(&self, instance: Uuid) -> bool {
        let state = self.timeline.lock();
        state.store.knows_the_dead()
            && Process::of(instance).is_some_and(|process| !state.is_alive(process))
    }

    fn location(&self) -> &str {
        "memory://"
    }
}

impl Process {
    /// What the process calls itself in the log.
    pub(super) fn uuid(self) -> Uuid {
        Uuid::from_u128(
            (0xd07d_0000_u128 << 96) | ((self.machine as u128) << 32) | u128::from(self.life),
        )
    }

    /// The process that calls itself `instance`.
    fn of(instance: Uuid) -> Option<Self> {
        let number = instance.as_u128();
        let life = u32::try_from(number & 0xffff_ffff).ok()?;
        let machine = usize::try_from((number >> 32) & 0xffff).ok()?;
        let process = Self { machine, life };
        (process.uuid() == instance).then_some(process)
    }
}
