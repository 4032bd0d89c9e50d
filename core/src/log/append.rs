//! The most dangerous step, in one place: filling a slot of the log and finding out whether that
//! succeeded.
//!
//! A slot is filled by create-if-absent. Its result is trusted in one case only: success, while the
//! proof that the previous slot is the head is fresh. Every other result is ambiguous (a retry, a
//! lost response, a conflict without a winner), so the slot is read and its bytes are compared with
//! ours; an empty slot proves nothing either (unless the store refused explicitly), so the same
//! bytes are put again, until the outcome is certain or the deadline passes. Rules R1, R3 and R4 of
//! the design; the argument is in docs/design/0001.

use std::time::Duration;

use crate::clock::Instant;
use crate::error::{Error, ErrorKind, Result};
use crate::log::Log;
use crate::log::proof::Proof;
use crate::log::read::{fetch_one, list_newest};
use crate::log::record::Encoded;
use crate::planted::{Bug, planted};
use crate::store::{Bucket as _, StoreError};

/// The initial pause between two attempts; it doubles up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// The outcome of filling a slot.
#[derive(Debug, Clone)]
pub(crate) enum Appended {
    /// Our record is in the slot.
    Won {
        /// A moment before the request that filled it was sent: leases count from there.
        sent: Instant,
        /// Proof that it is the head.
        proof: Proof,
    },
    /// Another record is in the slot, or the slot's record was deleted: ours is not in the log and
    /// never will be.
    Lost,
    /// The store refuses permanently, nothing was written, and after that the record before ours
    /// was still the newest.
    Refused(StoreError),
}

/// Puts `record` into the slot `sequence`. `proof` says when `sequence - 1` was certainly the head.
///
/// # Errors
///
/// `Unknown` when the outcome was not certain before `deadline`: the record may be in the log, or
/// may get there within minutes. The caller must drop its state.
pub(crate) async fn append(
    log: &Log,
    sequence: u64,
    record: &Encoded,
    proof: Proof,
    deadline: Duration,
) -> Result<Appended> {
    let started = Instant::now(log.clock.as_ref());
    let mut slot =
        Slot { log, sequence, record, proof, sent: None, in_doubt: false, last_error: None };
    let mut pause = PAUSE_MIN;
    loop {
        if let Some(appended) = slot.attempt().await {
            return Ok(appended);
        }
        if slot.is_refused() || started.elapsed_at_least(log.clock.as_ref()) + pause > deadline {
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
    /// Proof that the previous slot is the head.
    proof: Proof,
    /// Before the *first* request: any of them may be the one that filled the slot.
    sent: Option<Proof>,
    /// Whether a request may have filled the slot, or may still fill it.
    in_doubt: bool,
    last_error: Option<StoreError>,
}

impl Slot<'_> {
    /// Puts the bytes once and determines the outcome; `None` while it is uncertain.
    async fn attempt(&mut self) -> Option<Appended> {
        if !self.proof.is_fresh(self.log) {
            let decided = self.prove_again().await;
            if decided.is_some() || !self.proof.is_fresh(self.log) {
                return decided;
            }
        }
        let sent = *self.sent.get_or_insert_with(|| Proof::now(self.log));
        match self.log.bucket.create(&self.log.key(self.sequence), self.record.bytes.clone()).await
        {
            Ok(()) if self.proof.is_fresh(self.log) => return Some(won(sent, sent)),
            Ok(()) => self.in_doubt = true,
            Err(StoreError::Exists { .. }) if planted(Bug::ExistsMeansLost) => {
                return Some(Appended::Lost);
            }
            Err(error) => {
                self.in_doubt |= !matches!(error, StoreError::Refused { .. });
                self.last_error = Some(error);
            }
        }
        self.look(sent).await
    }

    /// Reads the slot and compares its record with ours.
    async fn look(&mut self, sent: Proof) -> Option<Appended> {
        match self.is_ours().await {
            Ok(Some(is_ours)) if !is_ours && !planted(Bug::NoNonceCheck) => {
                return Some(Appended::Lost);
            }
            Ok(Some(_)) => {}
            Ok(None) => return self.refusal(),
            Err(error) => {
                self.last_error = Some(error);
                return None;
            }
        }
        if self.proof.is_fresh(self.log) {
            return Some(won(sent, sent));
        }
        let now = Proof::now(self.log);
        let listing = list_newest(self.log, self.sequence).await.ok()?;
        if listing.head == self.sequence {
            Some(won(sent, now))
        } else {
            self.look_after(sent).await
        }
    }

    /// Whether the record in the slot is ours; `None` when the slot is empty.
    async fn is_ours(&self) -> Result<Option<bool>, StoreError> {
        let ours = &self.record.bytes;
        let key = self.log.key(self.sequence);
        match self.log.bucket.get_within(&key, ours.len() as u64).await {
            Ok(found) => Ok(found.map(|found| found.bytes == *ours)),
            Err(StoreError::TooLarge { .. }) => Ok(Some(false)),
            Err(error) => Err(error),
        }
    }

    /// Handles the case that our bytes are in the slot and another record follows: checks whether
    /// that record was built on ours. So much time has passed that another instance may have filled
    /// the slot, folded it into a snapshot and deleted it before we filled it again.
    async fn look_after(&self, sent: Proof) -> Option<Appended> {
        let next = fetch_one(self.log, self.sequence + 1, &mut self.log.room()).await;
        let next = next.ok()??.record;
        Some(if next.previous == self.record.hash { won(sent, sent) } else { Appended::Lost })
    }

    /// The outcome of an empty slot: unknown, unless every request was refused.
    fn refusal(&self) -> Option<Appended> {
        let certain = !self.in_doubt && self.proof.is_fresh(self.log);
        self.last_error.clone().filter(|_| certain && self.is_refused()).map(Appended::Refused)
    }

    /// Asks for the head again. If it is still the slot before ours, the proof is renewed.
    /// Otherwise the slot may be filled.
    async fn prove_again(&mut self) -> Option<Appended> {
        let now = Proof::now(self.log);
        let listing = list_newest(self.log, self.sequence).await.ok()?;
        if listing.head + 1 == self.sequence {
            self.proof = now;
            return None;
        }
        // Our own earlier attempt may have filled the slot.
        let Some(sent) = self.sent else { return Some(Appended::Lost) };
        let Some(is_ours) = self.is_ours().await.ok()? else {
            return (listing.head > self.sequence && !self.in_doubt).then_some(Appended::Lost);
        };
        match is_ours {
            false => Some(Appended::Lost),
            true if listing.head == self.sequence => Some(won(sent, now)),
            true => self.look_after(sent).await,
        }
    }

    /// Whether the store refused permanently, so that a retry is useless.
    fn is_refused(&self) -> bool {
        matches!(self.last_error, Some(StoreError::Refused { .. }))
    }

    fn unknown(&self) -> Error {
        let reason = self
            .last_error
            .as_ref()
            .map_or_else(|| "the store gave no definite answer".to_owned(), ToString::to_string);
        Error::new(
            ErrorKind::Unknown,
            format!("it is unknown whether record {} was written: {reason}", self.sequence),
        )
        .with_retry_after(Duration::from_secs(1))
        .telling_of_store()
    }
}

/// Our record is the head: it was first sent after `sent`, and certainly the newest at `proof`.
fn won(sent: Proof, proof: Proof) -> Appended {
    Appended::Won { sent: sent.at(), proof }
}
