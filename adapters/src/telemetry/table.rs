//! The one table of metrics: descriptions at `/metrics` and documentation are made from it.
//!
//! Labels have few values, which the program chooses: never an id, a path, a client.

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It only grows, until the process ends.
    Counter,
    /// It goes up and down.
    Gauge,
    /// How many values lay below each bound, and their sum.
    Histogram,
}

/// One metric.
pub(super) struct Metric {
    /// Its name: what is counted, its base unit, and `_total` for a counter.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// Its labels, and what their values are.
    pub(super) labels: &'static [(&'static str, &'static str)],
    /// What it tells, for a user.
    pub(super) about: &'static str,
}

/// A label: its name, and what its values are.
type Label = (&'static str, &'static str);

const fn counter(name: &'static str, labels: &'static [Label], about: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, labels, about }
}

const fn gauge(name: &'static str, labels: &'static [Label], about: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, labels, about }
}

const fn histogram(name: &'static str, labels: &'static [Label], about: &'static str) -> Metric {
    Metric { name, kind: Kind::Histogram, labels, about }
}

const CLASS: Label = ("class", "the class of the object; empty when the request reached none");
const CODE: Label = ("code", "the error's code");
const USE: Label =
    ("use", "`objects`, `requests`, `pasts` (requests to former states) or `snapshots`");
const OPERATION: Label = ("operation", "`create` (a record), `put`, `get`, `list` or `delete`");

/// Every metric, in the order of the documentation. A heading stands before the first of its
/// metrics.
pub(super) static TABLE: &[Metric] = &[
    gauge(
        "dotdo_build_info",
        &[("version", "the program's version")],
        "Always 1; tells which version runs.",
    ),
    counter(
        "dotdo_spans_total",
        &[(
            "outcome",
            "`exported`, `dropped` (too many waited to be sent) or `failed` (the collector did not take them)",
        )],
        "What became of the spans of traces.",
    ),
    // Requests.
    counter(
        "dotdo_http_requests_total",
        &[("status", "the HTTP status"), CLASS],
        "Requests that were answered.",
    ),
    histogram(
        "dotdo_http_request_seconds",
        &[CLASS],
        "Time from a request's head to its response's head.",
    ),
    gauge("dotdo_http_requests_in_flight", &[], "Requests whose response has not begun."),
    gauge("dotdo_requests_waiting", &[], "Requests that wait for their object's turn."),
    histogram(
        "dotdo_turn_wait_seconds",
        &[],
        "How long requests waited for their object's turn; 0 when the object was free.",
    ),
    histogram(
        "dotdo_handler_seconds",
        &[],
        "How long handlers ran, without the wait for their turn and for the store.",
    ),
    counter(
        "dotdo_requests_replayed_total",
        &[],
        "Requests with an `Idempotency-Key` that were answered with the stored response.",
    ),
    // Commits.
    counter(
        "dotdo_commits_total",
        &[],
        "Records that were written to logs. One record holds the changes of all requests that waited together.",
    ),
    counter("dotdo_commit_bytes_total", &[], "Bytes of these records."),
    counter("dotdo_commit_transactions_total", &[], "Requests whose changes are in these records."),
    histogram("dotdo_commit_seconds", &[], "How long writing a record took, until it was certain."),
    counter(
        "dotdo_commits_failed_total",
        &[CODE],
        "Records that were not written, or whose outcome is unknown; the object's memory was dropped.",
    ),
    counter(
        "dotdo_fenced_total",
        &[],
        "Records that lost their slot to another process: this process was fenced, or two functions wrote at the same time.",
    ),
    // Ownership.
    gauge("dotdo_leases_held", &[], "Objects that this process may answer from memory now."),
    counter(
        "dotdo_lease_changes_total",
        &[(
            "change",
            "`claimed` (a free object), `taken_over` (its owner had not released it), `renewed` (by a record of its own), `released`, \
             `lapsed` (the time was over)",
        )],
        "What became of the right to answer from memory.",
    ),
    counter(
        "dotdo_records_followed_total",
        &[],
        "Records of other processes that objects in memory were brought up to, without a restore.",
    ),
    // Objects.
    gauge("dotdo_objects_in_memory", &[], "Objects in memory."),
    gauge(
        "dotdo_objects_bytes",
        &[],
        "What they take of the memory: databases, what is kept beside them, and places of objects that are not in memory.",
    ),
    counter("dotdo_evictions_total", &[], "Objects that were dropped from memory to make room."),
    gauge(
        "dotdo_memory_bytes",
        &[USE],
        "Memory that is charged to the budget (`limits.memory_bytes_max`).",
    ),
    gauge(
        "dotdo_memory_waiting",
        &[],
        "Work that waits for memory. More than 0 for long: the budget is too small for what is asked.",
    ),
    counter(
        "dotdo_memory_refused_total",
        &[USE],
        "Work that was refused because there was no memory for it, in time or at all.",
    ),
    counter(
        "dotdo_restores_total",
        &[],
        "Objects that were read from the bucket into memory: cold starts.",
    ),
    histogram("dotdo_restore_seconds", &[], "How long that took."),
    counter("dotdo_restored_bytes_total", &[], "What the restored databases weigh."),
    counter(
        "dotdo_restored_records_total",
        &[],
        "Records that were read after a snapshot, or without one. Many a restore: snapshots are too rare.",
    ),
    counter("dotdo_restores_failed_total", &[CODE], "Restores that failed."),
    // Snapshots.
    counter("dotdo_snapshots_total", &[], "Iceberg snapshots that were written."),
    histogram("dotdo_snapshot_seconds", &[], "How long that took, behind the responses."),
    counter("dotdo_snapshot_bytes_total", &[], "Bytes of their files."),
    counter(
        "dotdo_snapshots_failed_total",
        &[CODE],
        "Snapshots that were not written. The log has everything; cold starts get slower.",
    ),
    counter(
        "dotdo_snapshot_checks_total",
        &[("outcome", "`same`, `different` or `unchecked` (nothing to compare with, or too much)")],
        "Comparisons of a snapshot with a replay of the records that it covers, before these are deleted.",
    ),
    counter(
        "dotdo_snapshots_differ_total",
        &[],
        "Sweeps that deleted nothing because a snapshot differs from the records that it covers. More than none: see docs/OPERATIONS.md, at once.",
    ),
    counter(
        "dotdo_swept_total",
        &[("what", "`records` or `snapshot_files`")],
        "What was deleted after the retention.",
    ),
    // The store.
    counter(
        "dotdo_store_requests_total",
        &[
            OPERATION,
            ("outcome", "`ok`, `exists` (somebody else was first), `unavailable` or `refused`"),
        ],
        "Requests to the store, each retry by itself. A `list` or `delete` of more than a page counts once.",
    ),
    histogram("dotdo_store_request_seconds", &[OPERATION], "How long they took."),
    counter(
        "dotdo_store_bytes_total",
        &[OPERATION],
        "Bytes that were written (`create`, `put`) and read (`get`).",
    ),
    // Other servers.
    counter(
        "dotdo_forwarded_total",
        &[(
            "result",
            "`answered`, `redirected`, `declined` (not the owner any more), `silent`, `unreachable`, `broken`, `stranger` (no proof that it is a server of this bucket), `refused`, `not_replayable` (nothing of the \
             request was done), `unknown` (it may have been)",
        )],
        "Requests that were sent to the server that owns their object.",
    ),
    histogram("dotdo_forward_seconds", &[], "How long that took, until the response's head."),
    counter(
        "dotdo_peer_requests_total",
        &[("result", "`answered`, `failed` or `not_owner`")],
        "Requests that other servers have sent here. They count as requests, too.",
    ),
    gauge(
        "dotdo_directory_up",
        &[],
        "1 while the Redis where servers tell each other what they own answers, else 0.",
    ),
    counter(
        "dotdo_directory_lookups_total",
        &[(
            "result",
            "`hit`, `miss`, `refused` (nobody with the `peer_secret` wrote that, or it is too old) or `failed` (no answer in time, or none at all)",
        )],
        "Questions to it for the owner of an object. All but `hit` are followed by a look into the bucket.",
    ),
    counter(
        "dotdo_directory_told_total",
        &[(
            "result",
            "`sent`, `failed` or `dropped` (too many waited, or it was away for too long)",
        )],
        "What it was told of this server's objects.",
    ),
    counter(
        "dotdo_directory_heard_total",
        &[("result", "`heard` or `refused`")],
        "Changes that other servers have told in it.",
    ),
    // Messages.
    counter("dotdo_messages_delivered_total", &[], "Messages between objects that were delivered."),
    counter(
        "dotdo_messages_failed_total",
        &[CODE],
        "Deliveries that were not taken; they are tried again.",
    ),
];

/// The headings of the documentation, and the first metric below each.
pub(super) const SECTIONS: [(&str, &str); 9] = [
    ("The program", "dotdo_build_info"),
    ("Requests", "dotdo_http_requests_total"),
    ("Commits", "dotdo_commits_total"),
    ("Ownership", "dotdo_leases_held"),
    ("Objects in memory", "dotdo_objects_in_memory"),
    ("Snapshots and retention", "dotdo_snapshots_total"),
    ("The store", "dotdo_store_requests_total"),
    ("Other servers", "dotdo_forwarded_total"),
    ("Messages", "dotdo_messages_delivered_total"),
];
