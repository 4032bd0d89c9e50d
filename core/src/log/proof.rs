//! Evidence that a record is the head, and its validity.
//!
//! An empty slot, or a slot filled by a create, proves something only if nobody can have filled and
//! deleted it before (rule R4). Therefore it counts only together with a recent moment at which the
//! previous record was the head. The argument is in docs/design/0005.

use crate::budget::Charge;
use crate::clock::Instant;
use crate::error::{Error, Result};
use crate::limits::PROOF_AGE_MAX;
use crate::log::read::{Found, fetch_one, list_newest};
use crate::log::record::Hash;
use crate::log::{Head, Log};
use crate::planted::{Bug, planted};
use crate::store::{Moment, Part};

/// A moment at which a record was certainly the head: no slot after it had ever been filled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Proof(Moment);

impl Proof {
    /// A proof that begins now, for a request that is sent after this call.
    pub(crate) fn now(log: &Log) -> Self {
        Self(Moment::now(Part::Log, log.bucket.as_ref(), log.clock.as_ref()))
    }

    /// A proof from the moment `at`, when the store's clock was unknown. It is not fresh any more
    /// once the store has reported its time.
    pub(crate) fn by_own_clocks(at: Instant) -> Self {
        Self(Moment::by_own_clocks(Part::Log, at))
    }

    /// The moment of the proof, by this process's own clocks.
    pub(crate) fn at(&self) -> Instant {
        self.0.at()
    }

    /// Whether the proof is fresh; to be checked *after* the response that relies on it.
    pub(crate) fn is_fresh(&self, log: &Log) -> bool {
        if planted(Bug::OldProofTrusted) {
            return true;
        }
        self.0.elapsed_at_most(log.bucket.as_ref(), log.clock.as_ref()) <= PROOF_AGE_MAX
    }
}

/// What follows a record.
#[derive(Debug)]
pub(crate) enum Next {
    /// Nothing: it was the head at a moment within the call.
    Nothing,
    /// Another record.
    Record(Box<Found>),
    /// There are newer records, but the next one was deleted.
    Gone,
}

/// Checks what follows `head`, which `proof` says was the head; the memory of a record that is found
/// is charged to `room`. One request while the proof is fresh. The proof is renewed when there is
/// nothing; otherwise it now holds for the record that was found.
///
/// # Errors
///
/// `Unavailable` when the store does not respond; `Corrupt` when the next record is damaged or not
/// on top of this one, or this one is gone.
pub(crate) async fn next(
    log: &Log,
    head: Head,
    proof: &mut Proof,
    room: &mut Charge,
) -> Result<Next> {
    let Head { sequence, hash, .. } = head;
    let asked = Proof::now(log);
    if proof.is_fresh(log) || planted(Bug::OldEmptinessTrusted) {
        let found = found(log, sequence + 1, hash, room).await?;
        if proof.is_fresh(log) || planted(Bug::OldEmptinessTrusted) {
            if found.is_none() {
                *proof = asked;
            }
            return Ok(found.unwrap_or(Next::Nothing));
        }
    }
    let asked = Proof::now(log);
    let listing = list_newest(log, sequence + 1).await?;
    if listing.head < sequence {
        return Err(Error::corrupt(
            log.key(sequence),
            "expected a log record, found nothing: it was the newest record",
        ));
    }
    if listing.head == sequence {
        *proof = asked;
        return Ok(Next::Nothing);
    }
    if listing.unbroken_from > sequence + 1 {
        return Ok(Next::Gone);
    }
    Ok(found(log, sequence + 1, hash, room).await?.unwrap_or(Next::Gone))
}

/// The record in the slot `sequence`, which must be on top of the one with the hash `before`;
/// `None` when the slot is empty.
async fn found(log: &Log, sequence: u64, before: Hash, room: &mut Charge) -> Result<Option<Next>> {
    let Some(found) = fetch_one(log, sequence, room).await? else { return Ok(None) };
    if found.record.previous != before {
        let what = "expected a record that continues the previous one";
        return Err(Error::corrupt(log.key(sequence), what));
    }
    Ok(Some(Next::Record(Box::new(found))))
}
