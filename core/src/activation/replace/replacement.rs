//! Replaces an object's state by a database that was built elsewhere.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::oneshot;

use crate::activation::commit::Job;
use crate::activation::exclusive::Exclusive;
use crate::activation::replace::history::{History, is_history};
use crate::activation::replace::precondition::Precondition;
use crate::activation::state::Activation;
use crate::alarms::mark_state;
use crate::budget::{Charge, Use};
use crate::error::{Error, ErrorKind, Result};
use crate::executor::offload;
use crate::log::Start;
use crate::planted::{Bug, Place as Spot, pass, planted};
use crate::settings::Ownership;
use crate::snapshot::{Plan, PlanContext, Tracker, check_age, publish_named, upload};
use crate::sqlite::Database;
use crate::store::{Bucket as _, Moment, Part};
use crate::tenants::Place;
use crate::trace::{span, traced};

/// How often a replacement begins again after another process wrote first.
const TRIES: u32 = 3;

/// The new state of an object, as [`Administration::import`](crate::Administration::import) and
/// [`Administration::restore_state`](crate::Administration::restore_state) report it.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, with_object};
/// # with_object(async |engine, object| {
/// use dotdo::engine::{Precondition, Replaced};
///
/// // A copy of the object, as it is now.
/// let admin = engine.administration();
/// let copy = admin.object(object.tenant(), ("Shop", "west"))?;
/// let Replaced { rows, is_new, .. } =
///     admin.restore_state(&copy, (&object, None), Precondition::Absent).await?;
/// assert!(rows >= 2 && is_new);
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replaced {
    /// The record that replaced it.
    pub sequence: u64,
    /// Number of tables of the new state.
    pub tables: u64,
    /// Number of rows in them.
    pub rows: u64,
    /// Whether the object did not exist before.
    pub is_new: bool,
}

/// A state that an object is to have, with what it has taken of the process.
pub(crate) struct NewState {
    pub(crate) database: Database,
    /// The memory of the database.
    _room: Charge,
    /// One of the places of former states, which bound how many such databases there are.
    _place: Place,
}

impl NewState {
    /// The state in `database`, whose memory `room` pays for; `place` is one for a former state.
    pub(crate) fn new(database: Database, room: Charge, place: Place) -> Self {
        Self { database, _room: room, _place: place }
    }
}

impl Activation {
    /// Replaces the object's state. Its history stays: messages and keyed requests.
    ///
    /// It goes on when the caller is cancelled.
    ///
    /// # Errors
    ///
    /// `PreconditionFailed` when the precondition does not hold; `Busy` when another
    /// process owns the object, others write it all the time, or memory is short; `Unknown` when it
    /// is not certain whether it was replaced. Otherwise nothing was changed.
    pub(crate) async fn replace_state(
        self: &Arc<Self>,
        state: NewState,
        precondition: Precondition,
    ) -> Result<Replaced> {
        let activation = self.clone();
        let span = span!("replace", dotdo.class = self.log.object.class());
        self.to_its_end(async move { traced(span, activation.replace(state, precondition)).await })
            .await
    }

    /// Does `work` in a task of its own, so that a client that disconnects does not cancel it.
    pub(super) async fn to_its_end<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let (sender, done) = oneshot::channel();
        self.runtime.background.spawn(async move {
            // The receiver may be gone.
            let _ = sender.send(work.await);
        });
        let ended =
            || Error::new(ErrorKind::Unknown, "the task ended early; its record may be in the log");
        done.await.unwrap_or_else(|_| Err(ended()))
    }

    async fn replace(
        self: &Arc<Self>,
        state: NewState,
        precondition: Precondition,
    ) -> Result<Replaced> {
        // No snapshot of the old state is written meanwhile.
        let _one_at_a_time = self.checkpoint.lock().await;
        let budget = &self.runtime.budget;
        let most = state.database.bytes().min(budget.one_max(Use::Snapshots));
        // Before the turn: no task waits for memory while it holds the turn.
        let files = budget.admit(Use::Snapshots, &self.log.object, most).await?;
        let turn = Exclusive::take(self).await?;
        let mut replacing = Replacing { turn, state, files, claimed: false };
        let replaced = replacing.run(precondition).await;
        if replaced.is_err() {
            replacing.give_back().await;
        }
        drop(replacing);
        let (replaced, left) = replaced?;
        if left.has_messages {
            self.wake_relay();
        }
        if let Some(wake_ms) = left.wake_ms {
            self.runtime.timers.arm(&self.log.object, wake_ms);
        }
        Ok(replaced)
    }
}

/// A state that is being replaced.
struct Replacing<'a> {
    turn: Exclusive<'a>,
    state: NewState,
    /// The memory of the new state's files.
    files: Charge,
    /// Whether a record was written for its lease only.
    claimed: bool,
}

/// What a state that was replaced leaves to be done.
struct Left {
    /// Whether messages wait.
    has_messages: bool,
    /// When somebody must look at its alarm.
    wake_ms: Option<i64>,
}

impl Replacing<'_> {
    /// Replaces the state. Also returns what is to be done after it.
    async fn run(&mut self, precondition: Precondition) -> Result<(Replaced, Left)> {
        for tries in 0..TRIES {
            let head = self.turn.own().await?;
            precondition.check(&self.turn.activation.log, head).await?;
            let runtime = &self.turn.activation.runtime;
            let contended = tries > 0 && runtime.settings.ownership == Ownership::PerRequest;
            if contended && !self.claim().await? {
                continue;
            }
            let has_messages = self.keep_history()?;
            // Before the record, and of the new state: its former marker may be gone.
            let wake_ms = mark_state(self.turn.activation, &mut self.state.database).await?;
            if let Some(replaced) = self.attempt().await? {
                let replaced = Replaced { is_new: !head.exists(), ..replaced };
                metrics::counter!("dotdo_states_replaced_total").increment(1);
                return Ok((replaced, Left { has_messages, wake_ms }));
            }
        }
        let text = "other processes have written this object all the time; nothing was changed, retry later";
        Err(Error::new(ErrorKind::Busy, text)
            .with_code("CONTENDED")
            .with_retry_after(Duration::from_secs(1)))
    }

    /// Puts the object's history into the new state. Returns whether messages wait.
    fn keep_history(&mut self) -> Result<bool> {
        let activation = self.turn.activation;
        let old = &self.turn.resident().context.database;
        let (executor, new) = (activation.runtime.executor.as_ref(), &mut self.state.database);
        let (changes, has_messages) = offload(executor, || {
            let history = History::of(old)?;
            let has_messages = history.has_messages();
            Ok::<_, Error>((history.changes(new.header()), has_messages))
        })?;
        let _paid = activation.charge_changes(&changes);
        offload(executor, || new.apply(&changes))?;
        Ok(has_messages)
    }

    /// Uploads the new state and writes its record. `None`: another process has written a record.
    async fn attempt(&mut self) -> Result<Option<Replaced>> {
        let activation = self.turn.activation;
        let target = activation.target();
        let begun = Moment::now(Part::Files, target.bucket, target.clock);
        let mut plan = self.plan(Tracker::new())?;
        let (tables, rows) = plan.counts(|table| !is_history(table));
        if !planted(Bug::NamedBeforeUploaded) && !self.upload(&plan).await? {
            return Ok(None);
        }
        if plan.reference().sequence != self.next() {
            plan = self.plan(Tracker::moved(plan))?;
            upload(target.bucket, &plan).await?;
        }
        check_age(&target, begun, activation.runtime.settings.commit_deadline)?;
        let description = offload(target.executor, || plan.description())?;
        pass(Spot::Replacing);
        let job = Job { start: Some(Start::Snapshot(description)), ..self.turn.job() };
        let Some(won) = self.turn.append(job).await? else { return Ok(None) };
        pass(Spot::Replaced);
        if planted(Bug::NamedBeforeUploaded) {
            upload(target.bucket, &plan).await?;
        }
        let document = plan.named_by(won.head().hash.0, won.record.time_ms);
        if let Err(error) = publish_named(&target, &activation.log.prefix, &document, begun).await {
            tracing::warn!(object = %activation.log.object, %error, "cannot publish the snapshot of a new state; the record has it, and whoever restores the object publishes it");
        }
        Ok(Some(Replaced { sequence: won.record.sequence, tables, rows, is_new: false }))
    }

    /// The number of the next record.
    fn next(&self) -> u64 {
        self.turn.activation.pipeline().head.sequence + 1
    }

    /// Encodes the new state as a snapshot of the next record.
    fn plan(&mut self, mut tracker: Tracker) -> Result<Plan> {
        let activation = self.turn.activation;
        let runtime = &activation.runtime;
        let context = PlanContext {
            object: &activation.log.object,
            prefix: &activation.log.prefix,
            location: activation.log.bucket.location(),
            sequence: self.next(),
            now_ms: runtime.clock.wall_ms(),
            changed_ms: runtime.clock.wall_ms(),
            uuid: runtime.uuid(),
            retention: runtime.settings.retention,
        };
        let database = &self.state.database;
        let plan = offload(runtime.executor.as_ref(), || tracker.plan(database, &context))?;
        self.files.set(plan.bytes());
        Ok(plan)
    }

    /// Uploads the files, and keeps the lease meanwhile. `false`: another process has written a
    /// record.
    async fn upload(&mut self, plan: &Plan) -> Result<bool> {
        let runtime = self.turn.activation.runtime.clone();
        let bucket = self.turn.activation.log.bucket.clone();
        let uploading = upload(bucket.as_ref(), plan).fuse();
        futures_util::pin_mut!(uploading);
        loop {
            let timer = runtime.clock.sleep(runtime.settings.lease_duration / 2).fuse();
            futures_util::pin_mut!(timer);
            futures_util::select_biased! {
                done = uploading => return done.map(|()| true),
                () = timer => {}
            }
            if !self.claim().await? {
                return Ok(false);
            }
        }
    }

    /// Writes a record that grants a lease. `false`: another process was faster.
    async fn claim(&mut self) -> Result<bool> {
        let lease = self.turn.activation.runtime.settings.lease_duration;
        self.claimed = self.turn.claim(lease).await?;
        Ok(self.claimed)
    }

    /// Gives back a lease that was taken for nothing.
    async fn give_back(&mut self) {
        if std::mem::take(&mut self.claimed) {
            // Otherwise it ends by itself.
            let _ = self.turn.claim(Duration::ZERO).await;
        }
    }
}
