//! The most dangerous step, in one place: filling a slot of the log and knowing whether it worked.
//!
//! A slot is filled by create-if-absent. Its answer is believed in one case only: success, while the proof that the slot before is the
//! head is fresh. Every other answer is ambiguous (a retry, a lost response, a conflict without a winner), so the slot is read and its
//! bytes are compared with ours; an empty slot proves nothing either (unless the store refused in so many words), so the same bytes are put again, until the answer is certain
//! or the deadline passes. Rules R1, R3 and R4 of the design; the argument is in docs/design/0001.

use std::time::Duration;

use crate::clock::Instant;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::PROOF_AGE_MAX;
use crate::log::Log;
use crate::log::read::list_newest;
use crate::log::record::Encoded;
use crate::store::StoreError;

/// The first pause between two attempts; it doubles up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// What became of a slot.
#[derive(Debug, Clone)]
pub(crate) enum Appended {
    /// Our record is in the slot.
    Won {
        /// A moment before the request that filled it was sent: leases count from there.
        sent: Instant,
    },
    /// Another record is in the slot, or the slot is history: ours is not in the log and never will be.
    Lost,
    /// The store refuses for good, nothing was written, and after that the record before ours was still the newest.
    Refused(StoreError),
}

/// Puts `record` into the slot `sequence`. `proved` is a moment at which `sequence - 1` was certainly the head.
///
/// # Errors
///
/// `Unknown` when the store gave no certain answer before `deadline` had passed: the record may or may not be in the log, now or in a
/// few minutes. The caller must forget its state.
pub(crate) async fn append(log: &Log, sequence: u64, record: &Encoded, proved: Instant, deadline: Duration) -> Result<Appended> {
    let started = Instant::now(log.clock.as_ref());
    let mut slot = Slot { log, sequence, record, proved, sent: None, in_doubt: false, last_error: None };
    let mut pause = PAUSE_MIN;
    loop {
        if let Some(appended) = slot.attempt().await {
            return Ok(appended);
        }
        if slot.is_refused() || started.elapsed(log.clock.as_ref()) + pause > deadline {
            return Err(slot.unknown());
        }
        log.clock.sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// One slot while it is being filled.
struct Slot<'a> {
    log: &'a Log,
    sequence: u64,
    record: &'a Encoded,
    proved: Instant,
    /// Before the *first* request: any of them may be the one that filled the slot.
    sent: Option<Instant>,
    /// A request may have filled the slot, or may still do it.
    in_doubt: bool,
    last_error: Option<StoreError>,
}

impl Slot<'_> {
    /// Puts the bytes once and finds out what that did; `None` while it is not certain.
    async fn attempt(&mut self) -> Option<Appended> {
        if !self.proof_is_fresh() {
            self.prove_before().await?;
            if !self.proof_is_fresh() {
                return Some(Appended::Lost);
            }
        }
        let sent = *self.sent.get_or_insert_with(|| Instant::now(self.log.clock.as_ref()));
        match self.log.bucket.create(&self.log.key(self.sequence), self.record.bytes.clone()).await {
            Ok(()) if self.proof_is_fresh() => return Some(Appended::Won { sent }),
            Ok(()) => self.in_doubt = true,
            Err(error) => {
                self.in_doubt |= !matches!(error, StoreError::Refused { .. });
                self.last_error = Some(error);
            }
        }
        self.look(sent).await
    }

    /// Reads the slot: whose record is in it?
    async fn look(&mut self, sent: Instant) -> Option<Appended> {
        let found = match self.log.bucket.get(&self.log.key(self.sequence)).await {
            Ok(Some(found)) => found,
            Ok(None) => return self.refusal(),
            Err(error) => {
                self.last_error = Some(error);
                return None;
            }
        };
        if found.bytes != self.record.bytes {
            return Some(Appended::Lost);
        }
        if self.proof_is_fresh() {
            return Some(Appended::Won { sent });
        }
        // Our bytes are in the slot, but so much time has passed that the slot may have been filled, folded into a snapshot and deleted
        // before we filled it again. The head is never deleted, so the newest key tells.
        match list_newest(self.log, self.sequence).await {
            Ok(listing) if listing.head == self.sequence => Some(Appended::Won { sent }),
            Ok(_) => Some(Appended::Lost),
            Err(_) => None,
        }
    }

    /// What an empty slot says: nothing, unless every request was refused.
    fn refusal(&self) -> Option<Appended> {
        let certain = !self.in_doubt && self.proof_is_fresh();
        self.last_error.clone().filter(|_| certain && self.is_refused()).map(Appended::Refused)
    }

    /// Proves again that the slot before ours is the head; leaves the proof stale when it is not. `None` when the store can't be asked.
    async fn prove_before(&mut self) -> Option<()> {
        let before = Instant::now(self.log.clock.as_ref());
        let listing = list_newest(self.log, self.sequence).await.ok()?;
        if listing.head + 1 == self.sequence {
            self.proved = before;
            return Some(());
        }
        // Our own earlier attempt may be the head: the slot says so.
        let found = self.log.bucket.get(&self.log.key(self.sequence)).await.ok()?;
        if listing.head == self.sequence && found.is_some_and(|found| found.bytes == self.record.bytes) {
            self.proved = before;
        }
        Some(())
    }

    fn proof_is_fresh(&self) -> bool {
        self.proved.elapsed(self.log.clock.as_ref()) <= PROOF_AGE_MAX
    }

    /// Whether the store refused for good, so that asking again is useless.
    fn is_refused(&self) -> bool {
        matches!(self.last_error, Some(StoreError::Refused { .. }))
    }

    fn unknown(&self) -> Error {
        let reason = self.last_error.as_ref().map_or_else(|| "it gave no certain answer".to_owned(), ToString::to_string);
        Error::new(ErrorKind::Unknown, format!("it is unknown whether record {} was written: {reason}", self.sequence))
            .with_retry_after(Duration::from_secs(1))
    }
}
