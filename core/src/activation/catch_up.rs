//! Bringing an object's memory up to what others have written since, without a restore.

use crate::activation::resident::{Resident, Stage, TurnState};
use crate::activation::restore::replay;
use crate::activation::state::Activation;
use crate::clock::Instant;
use crate::error::{Error, ErrorKind, Result};
use crate::executor::offload;
use crate::lease::Claim;
use crate::limits::CATCH_UP_RECORDS_MAX;
use crate::log::{Found, Head, Next, Proof, fetch, list_newest, next};
use crate::planted::{Bug, Place, pass, planted};
use crate::snapshot::SinceSnapshot;

/// So many records are fetched one after the other before the log is listed.
const ONE_BY_ONE: usize = 3;

/// What catching up found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caught {
    /// Nothing was written since: the memory was the newest state, at a moment within this call.
    Current,
    /// The memory is the newest state now.
    Moved,
    /// The records between are gone, or too many: the memory was dropped.
    Gone,
}

impl Activation {
    /// Applies the records after the memory's own to it. The caller holds the turn, and nothing of
    /// this process is on its way.
    ///
    /// # Errors
    ///
    /// `Unavailable` when the store can't be asked. Then the memory is dropped.
    pub(crate) async fn catch_up(&self, held: &mut TurnState) -> Result<Caught> {
        let result = match self.follow(held).await {
            // A record may have been deleted after it was listed, while this process was frozen. A
            // restore tells that from damage.
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
        let mut proof = self.pipeline().proof();
        for _ in 0..ONE_BY_ONE {
            let head = self.pipeline().head;
            match next(&self.log, head.sequence, head.hash, &mut proof).await? {
                Next::Nothing => {
                    self.pipeline().prove(proof);
                    return Ok(if head.sequence == start {
                        Caught::Current
                    } else {
                        Caught::Moved
                    });
                }
                Next::Gone => return Ok(Caught::Gone),
                Next::Record(found) => self.apply_records(held, &[*found])?,
            }
        }
        self.follow_listing(held).await
    }

    /// Goes on by the newest keys, when there is much to fetch.
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
            let records =
                fetch(&self.log, head.sequence + 1, listing.head, Some(head.hash)).await?;
            let found: Vec<Found> = records
                .into_iter()
                .map(|(record, hash)| Found { record, hash, modified_ms: listing.head_modified_ms })
                .collect();
            self.apply_records(held, &found)?;
        }
        self.pipeline().prove(proof);
        Ok(Caught::Moved)
    }

    /// Applies records of others. What the object's value had kept in its fields is no longer true.
    fn apply_records(&self, held: &mut TurnState, found: &[Found]) -> Result<()> {
        let Some(newest) = found.last() else { return Ok(()) };
        let observed = Instant::now(self.runtime.clock.as_ref());
        let TurnState { resident: Some(resident), .. } = held else {
            return Err(Error::internal("cannot catch up an object that is not in memory"));
        };
        let resident: &mut Resident = resident;
        resident.stage = Stage::Ahead;
        offload(self.runtime.executor.as_ref(), || {
            let found = if planted(Bug::CatchUpSkips) { &found[1..] } else { found };
            found.iter().try_for_each(|found| {
                replay(
                    &self.log,
                    &mut resident.context.database,
                    &mut resident.tracker,
                    &found.record,
                )
            })
        })?;
        pass(Place::Following);
        resident.value = self.runtime.app.make(self.log.object.class())?;
        let mut pipeline = self.pipeline();
        for Found { record, hash, .. } in found {
            let written = SinceSnapshot::record(&record.transactions);
            pipeline.follow(Head::of(record, *hash), written, record.snapshot, observed);
        }
        resident.stage = Stage::Consistent;
        held.claim = Some(Claim::of(&newest.record, newest.modified_ms, observed));
        metrics::counter!("dotdo_records_followed_total").increment(found.len() as u64);
        Ok(())
    }
}
