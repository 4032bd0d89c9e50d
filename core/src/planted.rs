//! Bugs to order: the simulation must find each of them, or it would not find one that nobody has
//! planted.
//!
//! Outside of this crate's own unit tests [`planted`] is a constant, and no build that anybody else
//! makes has any of them.

/// A way in which the protocol could be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bug {
    /// Whatever record is in the slot is taken for one's own.
    NoNonceCheck,
    /// "Already exists" is believed: one's own record that landed is undone.
    ExistsMeansLost,
    /// A proof of the head never gets old: a create that fills a deleted slot is believed.
    OldProofTrusted,
    /// An empty slot is believed on a proof of any age.
    OldEmptinessTrusted,
    /// Records go as soon as any snapshot covers them.
    NoRetention,
    /// An owner answers from memory when its lease is over.
    AnswersAfterLease,
    /// Responses do not wait for their records.
    GateOpen,
    /// Who takes an object over answers from memory without a record that fences the owner before.
    NoFencingRecord,
    /// Another's live lease is no reason to wait.
    LeaseIgnored,
    /// Another's lease is watched by a wall clock, which can jump.
    WallClockTakeOver,
    /// What others wrote is followed, but not all of it.
    CatchUpSkips,
    /// A read without a lease is answered although others may have written.
    ReadsUnproven,
    /// The next record is sent before the one before it is certain.
    #[cfg(test)]
    TwoInFlight,
    /// The answer to a keyed request is not committed with what it changed.
    KeyForgotten,
    /// The answer to a keyed request is anybody's who has the key.
    KeyOfAnybody,
    /// A request that a server sends again is done again, although it has left something.
    AttemptForgotten,
    /// A message is taken as often as it is delivered.
    MessageTakenTwice,
    /// Whatever ends the task of a snapshot takes the snapshot's plan with it.
    PlanLostWithClient,
    /// What a handler leaves to be done when it has changed nothing waits for no record.
    WorkBeforeGate,
    /// A claim that was over is over no more when the store's date falls back, and memory is
    /// replaced while a record is on its way. It takes a date that comes while the first record of
    /// a new owner is under way: the model finds it, and a test of claims plays it.
    ClaimComesBack,
    /// Memory that a panic has left ahead of the log is used on.
    MemoryAheadUsed,
    /// The committer of an object ends, and those who wait for it are not told.
    CommitterLost,
    /// What an explained ROLLBACK would do is taken for done.
    ExplanationBelieved,
    /// Changes of the schema are not looked for.
    SchemaUnfollowed,
    /// A forwarded request whose method promises that it changes nothing is not known again when it
    /// comes again.
    SafeMethodBelieved,
    /// What the next snapshot shares with its base is known by the names of tables.
    TablesByName,
}

/// Every bug that can be planted.
#[cfg(test)]
pub(crate) const BUGS: [Bug; 23] = [
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
];

/// A place where the simulation lets our own code panic, as a bug would.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A transaction is over in memory, and its changes are not yet on their way.
    Committed,
    /// A record is about to be sent.
    Appending,
    /// A record is in the log, and nobody was told.
    Appended,
    /// Records of others are in memory, and the head is the old one.
    Following,
    /// A snapshot is planned, with the object's turn held.
    Planning,
    /// A snapshot's files are on their way.
    Uploading,
    /// Old records are about to be deleted.
    Sweeping,
}

/// Every place.
#[cfg(test)]
pub(crate) const PLACES: [Place; 7] = [
    Place::Committed,
    Place::Appending,
    Place::Appended,
    Place::Following,
    Place::Planning,
    Place::Uploading,
    Place::Sweeping,
];

/// Passes a place where a panic may be wanted.
#[cfg(not(test))]
pub(crate) const fn pass(_place: Place) {}

/// Whether this bug is there.
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

    /// Whether this bug is there, on this thread.
    pub(crate) fn planted(bug: Bug) -> bool {
        PLANTED.get() == Some(bug)
    }

    /// Lets this thread panic when it passes a place for the n-th time; once.
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

    /// Plants a bug on this thread, or removes the one that is there.
    pub(crate) fn plant(bug: Option<Bug>) {
        PLANTED.set(bug);
    }
}
