//! Planted bugs: the simulation must find each of them, otherwise it would not find real ones
//! either.
//!
//! Outside of this crate's own unit tests [`planted`] is a constant, so no other build has any of
//! them.

/// A way in which the protocol could be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bug {
    /// Any record in the slot counts as one's own.
    NoNonceCheck,
    /// "Already exists" is trusted, so one's own record that was written is undone.
    ExistsMeansLost,
    /// A proof of the head never expires, so a create that fills a deleted slot is trusted.
    OldProofTrusted,
    /// An empty slot is trusted with a proof of any age.
    OldEmptinessTrusted,
    /// Records are deleted as soon as any snapshot covers them.
    NoRetention,
    /// An owner answers from memory when its lease is over.
    AnswersAfterLease,
    /// Responses do not wait for their records.
    GateOpen,
    /// A new owner answers from memory without a record that fences the former one.
    NoFencingRecord,
    /// Another instance's live lease is ignored.
    LeaseIgnored,
    /// Another instance's lease is timed by a wall clock, which can jump.
    WallClockTakeOver,
    /// A record of others is skipped when catching up.
    CatchUpSkips,
    /// A read without a lease is answered although others may have written.
    ReadsUnproven,
    /// The next record is sent before the one before it is certain.
    #[cfg(test)]
    TwoInFlight,
    /// The answer to a keyed request is not committed with what it changed.
    KeyForgotten,
    /// The stored response to a keyed request is returned to any caller with the key.
    KeyOfAnybody,
    /// A request that a server repeats is executed again, although it has changed something.
    AttemptForgotten,
    /// A message is executed as often as it is delivered.
    MessageTakenTwice,
    /// When the task of a snapshot ends early, the snapshot's plan is lost.
    PlanLostWithClient,
    /// Work for after the commit of a handler that changed nothing waits for no record.
    WorkBeforeGate,
    /// A claim that was over is live again when the store's date falls back, and memory is replaced
    /// while a record is in flight. It takes a date that arrives while the first record of a new
    /// owner is in flight: the model finds it, and a test of claims reproduces it.
    ClaimComesBack,
    /// Memory that a panic has left ahead of the log stays in use.
    MemoryAheadUsed,
    /// The committer of an object ends, and the requests that wait for it are not notified.
    CommitterLost,
    /// `EXPLAIN ROLLBACK` counts as `ROLLBACK`.
    ExplanationBelieved,
    /// Changes of the schema are not looked for.
    SchemaUnfollowed,
    /// A repetition of a forwarded request with a safe method is not recognised.
    SafeMethodBelieved,
    /// Tables that the next snapshot shares with its base are identified by name.
    TablesByName,
    /// The steps of a schema run whenever an object comes into memory.
    StepsRunAgain,
    /// A record that starts the state anew is applied to the state before it, like any other.
    ReplayedAcross,
    /// A record that starts from a snapshot is sent before the snapshot's files.
    NamedBeforeUploaded,
    /// Objects of two tenants with the same class and id are one in memory.
    TenantForgotten,
    /// An alarm is set without a marker in the bucket.
    AlarmUnmarked,
    /// The marker of an alarm is deleted before the record that does not need it any more.
    AlarmMarkerGoneEarly,
    /// An alarm stays set when its handler has run.
    AlarmTakenTwice,
    /// What a handler has left its turn for does not wait for the record of what it did before.
    ContinuedBeforeRecord,
    /// What a handler has left its turn for runs with every run of the handler.
    ContinuedTwice,
    /// A frame leaves for a client before the record that it depends on is in the bucket.
    FrameBeforeRecord,
    /// Whoever follows others' records goes on with the state from before a record that deletes the
    /// object.
    EndUnfollowed,
}

/// Every bug that can be planted.
#[cfg(test)]
pub(crate) const BUGS: [Bug; 32] = [
    Bug::NoNonceCheck,
    Bug::ExistsMeansLost,
    Bug::OldProofTrusted,
    Bug::OldEmptinessTrusted,
    Bug::NoRetention,
    Bug::AnswersAfterLease,
    Bug::GateOpen,
    Bug::NoFencingRecord,
    Bug::LeaseIgnored,
    Bug::WallClockTakeOver,
    Bug::CatchUpSkips,
    Bug::ReadsUnproven,
    Bug::TwoInFlight,
    Bug::KeyForgotten,
    Bug::MessageTakenTwice,
    Bug::PlanLostWithClient,
    Bug::WorkBeforeGate,
    Bug::MemoryAheadUsed,
    Bug::CommitterLost,
    Bug::ExplanationBelieved,
    Bug::SchemaUnfollowed,
    Bug::SafeMethodBelieved,
    Bug::TablesByName,
    Bug::StepsRunAgain,
    Bug::ReplayedAcross,
    Bug::NamedBeforeUploaded,
    Bug::TenantForgotten,
    Bug::AlarmTakenTwice,
    Bug::ContinuedBeforeRecord,
    Bug::ContinuedTwice,
    Bug::FrameBeforeRecord,
    Bug::EndUnfollowed,
];

/// A place where the simulation makes our own code panic, as a bug would.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A transaction is committed in memory, and its changes are not submitted yet.
    Committed,
    /// A record is about to be sent.
    Appending,
    /// A record is in the log, and nobody was notified.
    Appended,
    /// Records of others are in memory, and the head is the old one.
    Following,
    /// A snapshot is planned, with the object's turn held.
    Planning,
    /// A snapshot's files are being uploaded.
    Uploading,
    /// Old records are about to be deleted.
    Sweeping,
    /// The files of a new state are in the bucket, and its record is about to be sent.
    Replacing,
    /// The record of a new state is in the log, and its snapshot is not published.
    Replaced,
}

/// Every place.
#[cfg(test)]
pub(crate) const PLACES: [Place; 9] = [
    Place::Committed,
    Place::Appending,
    Place::Appended,
    Place::Following,
    Place::Planning,
    Place::Uploading,
    Place::Sweeping,
    Place::Replacing,
    Place::Replaced,
];

/// Passes a place where a panic may be wanted.
#[cfg(not(test))]
pub(crate) const fn pass(_place: Place) {}

/// Whether this bug is planted.
#[cfg(not(test))]
pub(crate) const fn planted(_bug: Bug) -> bool {
    false
}

#[cfg(test)]
pub(crate) use switch::{arm, pass, plant, planted};

#[cfg(test)]
mod switch {
    use std::cell::Cell;

    use super::{Bug, Place};

    thread_local! {
        static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
        static ARMED: Cell<Option<(Place, u64)>> = const { Cell::new(None) };
    }

    /// Whether this bug is planted on this thread.
    pub(crate) fn planted(bug: Bug) -> bool {
        PLANTED.get() == Some(bug)
    }

    /// Makes this thread panic once, when it passes a place for the n-th time.
    pub(crate) fn arm(place: Option<(Place, u64)>) {
        ARMED.set(place);
    }

    /// Passes a place where a panic may be wanted.
    pub(crate) fn pass(place: Place) {
        match ARMED.get() {
            Some((armed, times)) if armed == place && times > 1 => {
                ARMED.set(Some((place, times - 1)))
            }
            Some((armed, _)) if armed == place => {
                ARMED.set(None);
                panic!("planned: a bug of our own, at {place:?}");
            }
            _ => {}
        }
    }

    /// Plants a bug on this thread, or removes the planted one.
    pub(crate) fn plant(bug: Option<Bug>) {
        PLANTED.set(bug);
    }
}
