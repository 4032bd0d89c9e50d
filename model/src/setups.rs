//! The configurations that are explored in every test run. Their bounds and sizes are listed in
//! docs/design/0006.

use crate::setup::Kind::{Leased, PerRequest};
use crate::setup::Mishap::{
    AnswerLost, ClockJump, Conflict, Crash, Delay, Duplicate, Freeze, GiveUp, PutLost, Slowness,
};
use crate::setup::Request::{KeyedWrite, Read, Replace, Write};
use crate::setup::Setup;

/// Three functions, and every answer that a store can give to a create.
#[must_use]
pub fn appends() -> Setup {
    Setup {
        instances: vec![PerRequest, PerRequest, PerRequest],
        requests: vec![Write, Write, Read],
        mishaps: vec![AnswerLost, PutLost, Delay, Duplicate, Conflict, GiveUp],
        mishaps_max: 4,
        ..Setup::quiet("appends")
    }
}

/// Two servers: requests on top of a record under way, take-over, hand-over.
#[must_use]
pub fn leases() -> Setup {
    Setup {
        instances: vec![Leased, Leased],
        requests: vec![Write, Write, Read, Read],
        mishaps: vec![AnswerLost, Crash],
        mishaps_max: 1,
        lease: 1,
        releases: 1,
        ..Setup::quiet("leases")
    }
}

/// Two servers whose clocks stand still and jump, on a store that does not tell how old a record
/// is.
#[must_use]
pub fn clocks() -> Setup {
    Setup {
        instances: vec![Leased, Leased],
        requests: vec![Write, Write, Read],
        mishaps: vec![Freeze, ClockJump],
        mishaps_max: 2,
        lease: 2,
        store_has_dates: false,
        reads_take_time: true,
        ..Setup::quiet("clocks")
    }
}

/// A server and two functions on one object.
#[must_use]
pub fn both_kinds() -> Setup {
    Setup {
        instances: vec![Leased, PerRequest, PerRequest],
        requests: vec![Write, Write, Read],
        mishaps: vec![AnswerLost, Delay, GiveUp, Crash],
        mishaps_max: 1,
        lease: 1,
        releases: 1,
        ..Setup::quiet("both kinds")
    }
}

/// Three functions that take each other's slots, with short leases after a loss.
#[must_use]
pub fn contention() -> Setup {
    Setup {
        instances: vec![PerRequest, PerRequest, PerRequest],
        requests: vec![Write, Write, Write],
        losses_max: 1,
        ..Setup::quiet("contention")
    }
}

/// Clients that send a request again until they know its outcome.
#[must_use]
pub fn keyed() -> Setup {
    Setup {
        instances: vec![Leased, Leased, PerRequest],
        requests: vec![KeyedWrite, KeyedWrite],
        mishaps: vec![AnswerLost, Delay, GiveUp, Crash],
        mishaps_max: 1,
        lease: 1,
        ..Setup::quiet("keyed")
    }
}

/// Two functions, deletion of what a snapshot covers, and writers that slept through it.
#[must_use]
pub fn deletion() -> Setup {
    Setup {
        instances: vec![PerRequest, PerRequest],
        requests: vec![Write, Write, Write],
        mishaps: vec![Delay],
        mishaps_max: 1,
        proof: Some(1),
        flight: Some(1),
        retention: Some(1),
        snapshots: 1,
        ..Setup::quiet("deletion")
    }
}

/// The same with a server and its lease.
#[must_use]
pub fn deletion_beside_server() -> Setup {
    Setup {
        name: "deletion beside server",
        instances: vec![Leased, PerRequest],
        mishaps: Vec::new(),
        mishaps_max: 0,
        lease: 1,
        ..deletion()
    }
}

/// Snapshots that share files with older ones, and their deletion.
#[must_use]
pub fn snapshots() -> Setup {
    Setup {
        instances: vec![PerRequest, PerRequest],
        requests: vec![Write, Write],
        proof: Some(1),
        flight: Some(1),
        retention: Some(2),
        snapshots: 3,
        plan: 1,
        ..Setup::quiet("snapshots")
    }
}

/// Two functions, one of which replaces the whole state, with its crash, stragglers and sweeps.
#[must_use]
pub fn replacements() -> Setup {
    Setup {
        instances: vec![PerRequest, PerRequest],
        requests: vec![Write, Replace],
        mishaps: vec![Crash, Delay],
        mishaps_max: 1,
        proof: Some(1),
        flight: Some(1),
        retention: Some(2),
        snapshots: 2,
        plan: 1,
        ..Setup::quiet("replacements")
    }
}

/// A server and a function until all work has ended.
#[must_use]
pub fn progress() -> Setup {
    Setup {
        instances: vec![Leased, PerRequest],
        requests: vec![KeyedWrite, KeyedWrite, Read],
        mishaps: vec![AnswerLost, PutLost, Delay, Conflict, GiveUp, Crash, Slowness],
        mishaps_max: 1,
        lease: 2,
        losses_max: 1,
        slots: 8,
        steps: Some(60),
        ..Setup::quiet("progress")
    }
}

/// A server and two functions until all work has ended.
#[must_use]
pub fn progress_of_three() -> Setup {
    Setup {
        name: "progress of three",
        instances: vec![Leased, PerRequest, PerRequest],
        requests: vec![KeyedWrite, KeyedWrite],
        ..progress()
    }
}
