//! What one exploration is about: who is there, what is asked, what may go wrong and how often.

use crate::bug::Bug;

/// The two ways to own an object (docs/design/0004).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A server: answers from memory while its lease holds, and lets requests run on top of a
    /// record that is under way.
    Leased,
    /// A function: proves with every answer that its state is the log's.
    PerRequest,
}

/// What a client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// Show the list.
    Read,
    /// Append to the list; never sent again when the outcome is unknown.
    Write,
    /// Append to the list under an idempotency key; sent again, to any instance, until there is an
    /// answer.
    KeyedWrite,
    /// Append to the list by replacing the whole list, at a function; never sent again when the
    /// outcome is unknown.
    Replace,
}

/// What may go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mishap {
    /// A put took effect and its answer is lost.
    AnswerLost,
    /// A put is lost.
    PutLost,
    /// The writer waits no longer for the answer; the put lands later.
    Delay,
    /// A put takes effect, and something on the way sends it again: the answer will be that of the
    /// second.
    Duplicate,
    /// The store answers 409 and does nothing.
    Conflict,
    /// The writer's deadline passes: the outcome is unknown to it.
    GiveUp,
    /// The process ends and another takes its place.
    Crash,
    /// The machine stands still, its monotonic clock with it; its wall clock runs on.
    Freeze,
    /// The wall clock of a machine jumps ahead.
    ClockJump,
    /// A tick passes although somebody could do something at once. (Only where `steps` bounds the
    /// work; otherwise time passes freely.)
    Slowness,
}

/// One configuration of the model with its bounds.
///
/// Time is a number of ticks since something happened, up to where it makes no more difference: how
/// long a history may be is not bounded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// What the reports call it.
    pub name: &'static str,
    /// The instances.
    pub instances: Vec<Kind>,
    /// Each of them is sent to an instance at any time.
    pub requests: Vec<Request>,
    /// How many records an object's log has at most.
    pub slots: u8,
    /// What may go wrong.
    pub mishaps: Vec<Mishap>,
    /// How often something goes wrong, all in all.
    pub mishaps_max: u8,
    /// Ticks for which a server's record lets it answer from memory; 0: no leases and no servers.
    pub lease: u8,
    /// Whether the store tells how old a record is. Otherwise a newcomer watches the newest record
    /// for as long as the lease.
    pub store_has_dates: bool,
    /// Whether time may pass between the question for the newest state and its answer.
    pub reads_take_time: bool,
    /// How often a server gives its lease back, all in all.
    pub releases: u8,
    /// After so many lost slots in a row a function takes a lease of one tick; 0: never.
    pub losses_max: u8,
    /// Ticks for which a proof of the head counts; `None`: for ever, because nothing is deleted.
    pub proof: Option<u8>,
    /// Ticks for which a put can be under way; `None`: for ever.
    pub flight: Option<u8>,
    /// Ticks after which what a snapshot has replaced is deleted; `None`: never.
    pub retention: Option<u8>,
    /// How many snapshots are written.
    pub snapshots: u8,
    /// Ticks that may pass between planning and publishing a snapshot.
    pub plan: u8,
    /// Steps after which all work must have ended; `None`: not checked. Counting makes every path a
    /// state of its own.
    pub steps: Option<u8>,
    /// The mistake that is made.
    pub bug: Option<Bug>,
}

impl Setup {
    /// Nobody asks for anything and nothing goes wrong: what configurations begin with.
    pub const fn quiet(name: &'static str) -> Self {
        Self {
            name,
            instances: Vec::new(),
            requests: Vec::new(),
            slots: 6,
            mishaps: Vec::new(),
            mishaps_max: 0,
            lease: 0,
            store_has_dates: true,
            reads_take_time: false,
            releases: 0,
            losses_max: 0,
            proof: None,
            flight: None,
            retention: None,
            snapshots: 0,
            plan: 0,
            steps: None,
            bug: None,
        }
    }

    /// The same with a mistake in it.
    #[must_use]
    pub fn with(&self, bug: Bug) -> Self {
        Self { bug: Some(bug), ..self.clone() }
    }

    pub(crate) fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    pub(crate) fn kind(&self, instance: u8) -> Kind {
        self.instances[usize::from(instance)]
    }

    pub(crate) fn request(&self, request: u8) -> Request {
        self.requests[usize::from(request)]
    }

    pub(crate) fn is_read(&self, request: u8) -> bool {
        self.request(request) == Request::Read
    }

    pub(crate) fn is_keyed(&self, request: u8) -> bool {
        self.request(request) == Request::KeyedWrite
    }

    pub(crate) fn replaces(&self, request: u8) -> bool {
        self.request(request) == Request::Replace
    }

    /// Whether a proof of this age counts.
    pub(crate) fn is_fresh(&self, proof_age: u8) -> bool {
        self.proof.is_none_or(|most| proof_age <= most)
    }

    /// Whether what is so old may be deleted.
    pub(crate) fn is_released(&self, age: u8) -> bool {
        self.retention.is_some_and(|retention| match self.bug {
            Some(Bug::NoRetention) => true,
            Some(Bug::RetentionShorterThanProof) => age >= self.proof.unwrap_or(retention),
            _ => age > retention,
        })
    }

    /// Whether anything depends on time.
    pub(crate) fn has_time(&self) -> bool {
        self.lease > 0 || self.losses_max > 0 || self.retention.is_some()
    }

    /// Whether a lease of this age lets its holder answer from memory.
    pub(crate) fn keeps_lease(&self, age: u8) -> bool {
        age < self.lease || self.has(Bug::AnswerAfterLease)
    }

    /// The longest lease that a record grants.
    pub(crate) fn lease_max(&self) -> u8 {
        self.lease.max(u8::from(self.losses_max > 0))
    }

    /// From these ages on, more makes no difference.
    pub(crate) fn record_age_max(&self) -> u8 {
        let by_lease = if self.store_has_dates { self.lease_max() } else { 0 };
        by_lease.max(self.snapshot_age_max())
    }

    pub(crate) fn snapshot_age_max(&self) -> u8 {
        self.retention.map_or(0, |retention| retention + 1)
    }

    pub(crate) fn proof_age_max(&self) -> u8 {
        self.proof.map_or(0, |proof| proof + 1)
    }

    pub(crate) fn watched_max(&self) -> u8 {
        if self.store_has_dates { 0 } else { self.lease_max() }
    }

    pub(crate) fn sent_age_max(&self, kind: Kind) -> u8 {
        self.proof_age_max().max(if kind == Kind::Leased { self.lease } else { 0 })
    }

    /// Whether a snapshot that was planned so long ago may still be published.
    pub(crate) fn may_publish(&self, age: u8) -> bool {
        age <= self.plan || self.has(Bug::SnapshotPublishedLate)
    }
}
