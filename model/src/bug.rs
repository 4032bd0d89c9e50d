//! The mistakes that the model must catch, each of which has been made somewhere.

/// One rule of the protocol, broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bug {
    /// A slot that holds a record of the same writer is taken for won, whichever record it is.
    NoNonceCheck,
    /// "Already exists" is taken for lost, without reading the slot.
    TrustAlreadyExists,
    /// A slot that is empty after an error is taken for proof that nothing was written.
    EmptyMeansNothingHappened,
    /// The client is answered when the handler has run.
    AcknowledgeBeforeRecord,
    /// The next record is sent while the one before is under way.
    TwoAppendsInFlight,
    /// A read of changes that are under way does not wait for their record.
    ReadSkipsGate,
    /// A server answers from memory although its lease is over.
    AnswerAfterLease,
    /// The lease is counted from the answer, not from before the request.
    LeaseFromAnswer,
    /// A read that joined a record under way is answered with it although the lease is over by
    /// then.
    LateReadTrusted,
    /// A server answers from memory after its record that gives the lease back.
    ServeAfterRelease,
    /// A newcomer answers from memory as soon as the old lease is over, without a record of its
    /// own.
    TakeOverWithoutRecord,
    /// The owner measures its lease by a clock that stands still while the machine does.
    OwnClockStandsStill,
    /// The newcomer measures the old owner's lease by its wall clock, which may jump.
    TakeOverByWallClock,
    /// The newcomer watches a record from before it asked for it.
    WatchFromQuestion,
    /// A function appends under a server's lease.
    AppendUnderLease,
    /// A function answers a read from memory without asking for the next slot.
    ReadWithoutProof,
    /// Catching up goes to the newest record without applying those between.
    CatchUpSkips,
    /// The idempotency entry is written after the record, not inside it.
    IdempotencyOutside,
    /// What a snapshot covers is deleted at once.
    NoRetention,
    /// What a snapshot covers is deleted when it is nearly as old as a proof can be.
    RetentionShorterThanProof,
    /// A success counts however old the proof of the head is.
    NoProofAge,
    /// An empty slot proves that the state is current, however old the last proof is.
    EmptyTrustedOnOldProof,
    /// A record that others have already built on is reported as lost when its writer was slow.
    HistoryMeansLost,
    /// A snapshot shares files with a base that may have been swept.
    SnapshotOnSweptBase,
    /// A snapshot that took very long to upload is published.
    SnapshotPublishedLate,
    /// A newcomer waits for a release that a dead owner never writes.
    NeverTakeOver,
    /// A function that has lost a slot runs again on its old state.
    NoCatchUp,
    /// The old owner's claim, which was over, is found live again: the memory is replaced by what
    /// the log has while a record is under way.
    ClaimComesBack,
    /// A record that starts the state anew is applied to the state before it, like any other.
    ReplayedAcross,
    /// A record is sent before the file that it names.
    NamedBeforeUploaded,
    /// A sweeper that has not read the newest record removes a file that this names.
    SweptBehind,
    /// Whoever passed on a request without a key sends it again when no answer came.
    UnknownRepeated,
}

impl Bug {
    /// Every mistake.
    pub const ALL: &[Self] = &[
        Self::NoNonceCheck,
        Self::TrustAlreadyExists,
        Self::EmptyMeansNothingHappened,
        Self::AcknowledgeBeforeRecord,
        Self::TwoAppendsInFlight,
        Self::ReadSkipsGate,
        Self::AnswerAfterLease,
        Self::LeaseFromAnswer,
        Self::LateReadTrusted,
        Self::ServeAfterRelease,
        Self::TakeOverWithoutRecord,
        Self::OwnClockStandsStill,
        Self::TakeOverByWallClock,
        Self::WatchFromQuestion,
        Self::AppendUnderLease,
        Self::ReadWithoutProof,
        Self::CatchUpSkips,
        Self::IdempotencyOutside,
        Self::NoRetention,
        Self::RetentionShorterThanProof,
        Self::NoProofAge,
        Self::EmptyTrustedOnOldProof,
        Self::HistoryMeansLost,
        Self::SnapshotOnSweptBase,
        Self::SnapshotPublishedLate,
        Self::NeverTakeOver,
        Self::NoCatchUp,
        Self::ClaimComesBack,
        Self::ReplayedAcross,
        Self::NamedBeforeUploaded,
        Self::SweptBehind,
        Self::UnknownRepeated,
    ];
}
