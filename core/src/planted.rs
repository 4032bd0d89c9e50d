//! Bugs to order: the simulation must find each of them, or it would not find one that nobody has planted.
//!
//! Outside of this crate's own unit tests [`planted`] is a constant, and no build that anybody else makes has any of them.

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
    /// A client that goes away takes the plan of a snapshot with it.
    PlanLostWithClient,
}

/// Every bug that can be planted.
#[cfg(test)]
pub(crate) const BUGS: [Bug; 16] = [
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
];

/// Whether this bug is there.
#[cfg(not(test))]
pub(crate) const fn planted(_bug: Bug) -> bool {
    false
}

#[cfg(test)]
pub(crate) use switch::{plant, planted};

#[cfg(test)]
mod switch {
    use std::cell::Cell;

    use super::Bug;

    thread_local! {
        static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
    }

    /// Whether this bug is there, on this thread.
    pub(crate) fn planted(bug: Bug) -> bool {
        PLANTED.get() == Some(bug)
    }

    /// Plants a bug on this thread, or removes the one that is there.
    pub(crate) fn plant(bug: Option<Bug>) {
        PLANTED.set(bug);
    }
}
