//! Updates an object's memory with the records that other instances have written since, without a
//! restore.

use crate::activation::rebuild::replay;
use crate::activation::resident::{Resident, Stage, TurnState};
use crate::activation::state::Activation;
use crate::alarms::{ALARM, MARKER, SCHEDULE};
use crate::clock::Instant;
use crate::error::{Error, ErrorKind, Result};
use crate::executor::offload;
use crate::lease::Claim;
use crate::limits::CATCH_UP_RECORDS_MAX;
use crate::log::{Found, Next, Proof, fetch, list_newest, next};
use crate::planted::{Bug, Place, pass, planted};
use crate::snapshot::SinceSnapshot;

/// Number of records that are fetched one by one before the log is listed.
const ONE_BY_ONE: usize = 3;

/// The result of catching up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caught {
    /// Nothing was written: the memory was the newest state at a moment during this call.
    Current,
    /// Records were applied: the memory is the newest state now.
    Moved,
    /// The records between are deleted, or too many, or one of them starts the state anew: the
    /// memory was dropped.
    Gone,
}

impl Activation {
    /// Applies the records that follow the state in memory. The caller holds the turn, and this
    /// process has no record in flight.
    ///
    /// # Errors
    ///
    /// `Unavailable` when the store does not respond. The memory is dropped then.
    pub(crate) async fn catch_up(&self, held: &mut TurnState) -> Result<Caught> {
        let result = match self.follow(held).await {
            // A record may have been deleted after it was listed, while this process was frozen. A
            // restore finds out whether it is that or damage.
            Err(error) if error.kind() == ErrorKind::Corrupt => Ok(Caught::Gone),
            result => result,
        };
        if !matches!(result, Ok(Caught::Current | Caught::Moved)) {
            self.drop_memory(held);
        }
        result
    }

    async fn follow(&self, held: &mut TurnState) -> Result<Caught> {
        let start = self.pipeline().head.sequence;
        let (mut proof, mut room) = (self.pipeline().proof(), self.log.room());
        for _ in 0..ONE_BY_ONE {
            let head = self.pipeline().head;
            match next(&self.log, head, &mut proof, &mut room).await? {
                Next::Nothing => {
                    self.pipeline().prove(proof);
                    return Ok(if head.sequence == start {
                        Caught::Current
                    } else {
                        Caught::Moved
                    });
                }
                Next::Gone => return Ok(Caught::Gone),
                Next::Record(found) if starts_anew(&found) => return Ok(Caught::Gone),
                Next::Record(found) => self.apply_records(held, &[*found])?,
            }
        }
        self.follow_listing(held).await
    }

    /// Lists the newest keys and fetches the rest concurrently, when there are many records.
    async fn follow_listing(&self, held: &mut TurnState) -> Result<Caught> {
        let head = self.pipeline().head;
        let proof = Proof::now(&self.log);
        let listing = list_newest(&self.log, head.sequence + 1).await?;
        if listing.head > head.sequence {
            if listing.unbroken_from > head.sequence + 1
                || listing.head - head.sequence > CATCH_UP_RECORDS_MAX
            {
                return Ok(Caught::Gone);
            }
            let (missed, mut room) = (head.sequence + 1..=listing.head, self.log.room());
            let found = fetch(&self.log, missed, Some(head.hash), &mut room).await?;
            if found.iter().any(starts_anew) {
                return Ok(Caught::Gone);
            }
            self.apply_records(held, &found)?;
        }
        self.pipeline().prove(proof);
        Ok(Caught::Moved)
    }

    /// Applies records of other instances, and makes the object's value anew: what it kept in its
    /// fields may be outdated.
    fn apply_records(&self, held: &mut TurnState, found: &[Found]) -> Result<()> {
        let Some(newest) = found.last() else { return Ok(()) };
        let observed = Instant::now(self.runtime.clock.as_ref());
        let TurnState { resident: Some(resident), .. } = held else {
            return Err(Error::internal("cannot catch up an object that is not in memory"));
        };
        let resident: &mut Resident = resident;
        resident.stage = Stage::Ahead;
        let restraint = self.runtime.restraint(&self.log.room(), 0);
        resident.context.database.restrain(restraint);
        let applied = offload(self.runtime.executor.as_ref(), || {
            let found = if planted(Bug::CatchUpSkips) { &found[1..] } else { found };
            found.iter().try_for_each(|found| {
                replay(
                    &self.log,
                    &mut resident.context.database,
                    &mut resident.tracker,
                    &found.record,
                )
            })
        });
        resident.context.database.unrestrain();
        applied?;
        pass(Place::Following);
        if found.iter().any(touches_alarm) {
            self.time_alarm(&mut resident.context.database);
        }
        resident.value = self.runtime.app.make(self.log.object.class())?;
        let mut pipeline = self.pipeline();
        for found in found {
            let written = SinceSnapshot::record(
                &found.record.transactions,
                found.record.time_ms,
                found.bytes,
            );
            pipeline.follow(found.head(), written, found.record.snapshot, observed);
        }
        resident.stage = Stage::Consistent;
        held.claim = Some(Claim::of(&newest.record, newest.modified_ms, observed));
        metrics::counter!("dotdo_records_followed_total").increment(found.len() as u64);
        Ok(())
    }
}

/// Whether the record changes the object's alarm.
fn touches_alarm(found: &Found) -> bool {
    let tables = found.record.transactions.iter().flat_map(|changes| &changes.tables);
    tables.into_iter().any(|changes| [ALARM, MARKER, SCHEDULE].contains(&changes.table.as_str()))
}

/// Whether the state after the record does not follow from the state before it, so that it can't be
/// applied.
fn starts_anew(found: &Found) -> bool {
    let is_overlooked = planted(Bug::EndUnfollowed) && found.record.deleted;
    found.record.start.is_some() && !planted(Bug::ReplayedAcross) && !is_overlooked
}
