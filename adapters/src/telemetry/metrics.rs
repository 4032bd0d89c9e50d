//! The table of metrics. The descriptions at `/metrics` and docs/METRICS.md are generated from it.
//!
//! Labels have few values, which the program chooses: never an id, a path, or a client.

/// The type of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A value that only grows while the process runs.
    Counter,
    /// A value that goes up and down.
    Gauge,
    /// The number of values below each bound, and their sum.
    Histogram,
}

/// One metric.
pub(super) struct Metric {
    /// The name: what is counted, its base unit, and `_total` for a counter.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// The labels, each with a description of its values.
    pub(super) labels: &'static [(&'static str, &'static str)],
    /// Description for users.
    pub(super) about: &'static str,
}

/// A label: its name, and a description of its values.
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

const CLASS: Label = ("class", "class of the object; empty if the request reached none");
const CODE: Label = ("code", "code of the error");
const USE: Label =
    ("use", "`objects`, `requests`, `time_travel` (requests with `X-DO-At`), `snapshots` or `sql`");
const OPERATION: Label = ("operation", "`create` (a record), `put`, `get`, `list` or `delete`");

/// All metrics, in the order of the documentation.
pub(super) static TABLE: &[Metric] = &[
    gauge(
        "dotdo_build_info",
        &[("version", "version of the program")],
        "Version of the program, as a label. The value is always 1.",
    ),
    counter(
        "dotdo_spans_total",
        &[(
            "outcome",
            "`exported`, `dropped` (the queue was full) or `failed` (the collector did not accept them)",
        )],
        "Spans of traces, by outcome.",
    ),
    // Requests.
    counter(
        "dotdo_http_requests_total",
        &[("status", "HTTP status"), CLASS],
        "Number of answered requests.",
    ),
    histogram(
        "dotdo_http_request_seconds",
        &[CLASS],
        "Time from the head of a request to the head of its response, in seconds.",
    ),
    gauge(
        "dotdo_http_requests_in_flight",
        &[],
        "Number of requests whose response has not started.",
    ),
    gauge(
        "dotdo_requests_waiting",
        &[],
        "Number of requests that wait for their turn on an object.",
    ),
    histogram(
        "dotdo_turn_wait_seconds",
        &[],
        "Time that a request waited for its turn on an object, in seconds; 0 if the object was free.",
    ),
    histogram(
        "dotdo_handler_seconds",
        &[],
        "Duration of a handler, in seconds, without the waits for its turn and for the store.",
    ),
    counter(
        "dotdo_auth_tokens_total",
        &[(
            "result",
            "`verified`, `remembered` (verified within the last minute), `invalid` (401), `forbidden` (403) or `unavailable` (503: the issuer's keys \
             can't be fetched)",
        )],
        "Number of tokens of `auth.issuer` that were checked.",
    ),
    counter(
        "dotdo_auth_key_fetches_total",
        &[("result", "`fetched` or `failed`")],
        "Number of fetches of an issuer's keys. While they fail, known keys are used for up to a day.",
    ),
    counter(
        "dotdo_requests_replayed_total",
        &[],
        "Number of requests with an `Idempotency-Key` that were answered with a stored response.",
    ),
    // Commits.
    counter(
        "dotdo_commits_total",
        &[],
        "Number of records written to the logs of objects. A record has the changes of all requests that waited together.",
    ),
    counter(
        "dotdo_commit_bytes_total",
        &[],
        "Size of the records written to the logs of objects, in bytes.",
    ),
    counter(
        "dotdo_commit_transactions_total",
        &[],
        "Number of requests with changes in the records written to the logs of objects.",
    ),
    histogram(
        "dotdo_commit_seconds",
        &[],
        "Duration of writing a record, in seconds, until the outcome was certain.",
    ),
    counter(
        "dotdo_commits_failed_total",
        &[CODE],
        "Number of records that were not written or whose outcome is unknown. The object was dropped from memory.",
    ),
    counter(
        "dotdo_fenced_total",
        &[],
        "Number of records that lost their slot to another process: this process was fenced, or two functions wrote at the same time.",
    ),
    // Ownership.
    gauge("dotdo_leases_held", &[], "Number of objects that this process may answer from memory."),
    counter(
        "dotdo_lease_changes_total",
        &[(
            "change",
            "`claimed` (a free object), `taken_over` (the previous owner had not released it), `renewed` (by a record without changes), \
             `released` or `lapsed` (expired)",
        )],
        "Number of changes of leases, by kind.",
    ),
    counter(
        "dotdo_records_followed_total",
        &[],
        "Number of records of other processes that were applied to objects in memory, instead of a restore.",
    ),
    // Objects.
    gauge("dotdo_objects_in_memory", &[], "Number of objects in memory."),
    gauge(
        "dotdo_objects_bytes",
        &[],
        "Memory used by objects, in bytes: their databases, the data kept beside these, and the entries of objects that are not in memory.",
    ),
    counter("dotdo_evictions_total", &[], "Number of objects evicted from memory to make room."),
    gauge(
        "dotdo_memory_bytes",
        &[USE],
        "Memory charged to the budget (`limits.memory_bytes_max`), in bytes.",
    ),
    gauge(
        "dotdo_memory_waiting",
        &[],
        "Number of operations that wait for memory. If it stays above 0, the budget is too small for the load.",
    ),
    counter(
        "dotdo_memory_refused_total",
        &[USE],
        "Number of operations refused because the memory they needed was not available in time, or exceeds the budget.",
    ),
    counter(
        "dotdo_requests_refused_total",
        &[],
        "Number of requests refused because `limits.requests_max` others were answered at the time.",
    ),
    counter(
        "dotdo_connections_refused_total",
        &[],
        "Number of requests refused because their tenant has more than its share of `limits.connections_max`.",
    ),
    counter(
        "dotdo_restores_total",
        &[],
        "Number of restores, which read an object from the bucket into memory (cold starts).",
    ),
    histogram("dotdo_restore_seconds", &[], "Duration of a restore, in seconds."),
    counter("dotdo_restored_bytes_total", &[], "Size of the restored databases, in bytes."),
    counter(
        "dotdo_restored_records_total",
        &[],
        "Number of records read by restores, after a snapshot or without one. Many records per restore mean that snapshots are too rare.",
    ),
    counter("dotdo_restores_failed_total", &[CODE], "Number of failed restores."),
    // Snapshots.
    counter("dotdo_snapshots_total", &[], "Number of Iceberg snapshots written."),
    histogram(
        "dotdo_snapshot_seconds",
        &[],
        "Duration of writing a snapshot in the background, in seconds.",
    ),
    counter(
        "dotdo_snapshot_bytes_total",
        &[],
        "Size of the files written for snapshots, in bytes.",
    ),
    counter(
        "dotdo_snapshots_failed_total",
        &[CODE],
        "Number of snapshots that could not be written. The log still has all data; cold starts get slower.",
    ),
    counter(
        "dotdo_snapshot_checks_total",
        &[(
            "outcome",
            "`same`, `different` or `unchecked` (nothing to compare with, or too many records)",
        )],
        "Number of comparisons of a snapshot with a replay of the records that it covers, made before these are deleted.",
    ),
    counter(
        "dotdo_snapshots_differ_total",
        &[],
        "Number of sweeps that deleted nothing because a snapshot differs from the records that it covers. If it is not 0, see docs/OPERATIONS.md at once.",
    ),
    counter(
        "dotdo_swept_total",
        &[("what", "`records` or `snapshot_files`")],
        "Number of records and files deleted after the retention time.",
    ),
    counter(
        "dotdo_states_replaced_total",
        &[],
        "Number of times that an object's whole state was replaced: by an import, a restore or a clone.",
    ),
    counter("dotdo_objects_deleted_total", &[], "Number of deleted objects."),
    // The store.
    counter(
        "dotdo_store_requests_total",
        &[
            OPERATION,
            (
                "outcome",
                "`ok`, `exists` (another process was first), `unavailable`, `refused` or `too_large` (nothing of it was read)",
            ),
        ],
        "Number of requests to the store. Retries count separately; a `list` or `delete` of several pages counts once.",
    ),
    histogram(
        "dotdo_store_request_seconds",
        &[OPERATION],
        "Duration of a request to the store, in seconds.",
    ),
    counter(
        "dotdo_store_bytes_total",
        &[OPERATION],
        "Data written to the store (`create`, `put`) and read from it (`get`), in bytes.",
    ),
    counter(
        "dotdo_tenant_refusals_total",
        &[OPERATION],
        "Number of operations that were refused because their key does not belong to the tenant that they were for. Any is a bug, or a hostile file in the bucket.",
    ),
    counter(
        "dotdo_storage_keys_renewals_total",
        &[(
            "outcome",
            "`ok`, `unavailable` (no answer, or an unusable one) or `refused` (the token, or the role, is not accepted)",
        )],
        "Number of exchanges of a token for keys of the store. Failures are harmless as long as the old keys are valid.",
    ),
    // Other servers.
    counter(
        "dotdo_forwarded_total",
        &[(
            "result",
            "`answered`, `redirected`, `declined` (not the owner any more), `silent`, `unreachable`, `broken`, `stranger` (it did not prove \
             that it is a server of this bucket), `refused`, `not_replayable` (the request was not executed) or `unknown` (it may have \
             been executed)",
        )],
        "Number of requests forwarded to the server that owns their object.",
    ),
    histogram(
        "dotdo_forward_seconds",
        &[],
        "Duration of a forwarded request, in seconds, until the head of the response.",
    ),
    counter(
        "dotdo_peer_requests_total",
        &[("result", "`answered`, `failed` or `not_owner`")],
        "Number of requests that other servers forwarded here. `dotdo_http_requests_total` counts them as well.",
    ),
    gauge(
        "dotdo_directory_up",
        &[],
        "1 while the Redis for the announcements of owners responds, otherwise 0.",
    ),
    counter(
        "dotdo_directory_lookups_total",
        &[(
            "result",
            "`hit`, `miss`, `refused` (the entry is too old, or was not written with the `peer_secret`) or `failed` (no response in time)",
        )],
        "Number of lookups of an object's owner in Redis. Each one but `hit` is followed by a read from the bucket.",
    ),
    counter(
        "dotdo_directory_announced_total",
        &[(
            "result",
            "`sent`, `failed` or `dropped` (the queue was full, or Redis was unavailable for too long)",
        )],
        "Number of announcements of this server's objects to Redis.",
    ),
    counter(
        "dotdo_directory_received_total",
        &[("result", "`accepted` or `refused` (too old, or not written with the `peer_secret`)")],
        "Number of announcements of other servers received from Redis.",
    ),
    // Messages.
    counter("dotdo_messages_delivered_total", &[], "Number of messages delivered between objects."),
    counter(
        "dotdo_messages_failed_total",
        &[CODE],
        "Number of failed deliveries of messages. They are retried.",
    ),
    // Alarms.
    counter(
        "dotdo_alarms_total",
        &[("outcome", "`done` or `failed` (it runs again after a pause)")],
        "Number of times that the handler of an alarm has run.",
    ),
    histogram(
        "dotdo_alarm_lateness_seconds",
        &[],
        "How long after its time the handler of an alarm began, in seconds.",
    ),
    counter(
        "dotdo_alarm_markers_total",
        &[],
        "Number of markers written for alarms: one for each that is set, unless an earlier one stands for it.",
    ),
    // Sockets.
    gauge("dotdo_sockets_open", &[], "Number of open sockets: WebSockets and event streams."),
    counter(
        "dotdo_socket_messages_total",
        &[("outcome", "`handled` or `failed` (it closed its socket)")],
        "Number of messages from clients of WebSockets.",
    ),
    counter(
        "dotdo_socket_frames_total",
        &[("way", "`here`, `elsewhere` (at another server) or `held` (by the platform)")],
        "Number of messages from objects to their sockets; a broadcast counts once for each.",
    ),
    counter("dotdo_sockets_slow_total", &[], "Number of sockets whose clients read too slowly."),
    counter("dotdo_sockets_lost_total", &[], "Number of sockets whose connection nobody has."),
    counter(
        "dotdo_sockets_interrupted_total",
        &[],
        "Number of times that all sockets of an object were closed here because messages from another server may be missing.",
    ),
    // The broker.
    counter(
        "dotdo_broker_keys_total",
        &[("result", "`made`, `cached` or `failed`")],
        "Number of requests to the broker for keys, by callers that may have them.",
    ),
    histogram(
        "dotdo_broker_exchange_seconds",
        &[],
        "Duration of a request of the broker to what makes the keys, in seconds.",
    ),
];

/// The headings of the documentation, each with its first metric.
pub(super) const SECTIONS: [(&str, &str); 12] = [
    ("The program", "dotdo_build_info"),
    ("Requests", "dotdo_http_requests_total"),
    ("Commits", "dotdo_commits_total"),
    ("Ownership", "dotdo_leases_held"),
    ("Objects in memory", "dotdo_objects_in_memory"),
    ("Snapshots and retention", "dotdo_snapshots_total"),
    ("The store", "dotdo_store_requests_total"),
    ("Other servers", "dotdo_forwarded_total"),
    ("Messages", "dotdo_messages_delivered_total"),
    ("Alarms", "dotdo_alarms_total"),
    ("Sockets", "dotdo_sockets_open"),
    ("The broker", "dotdo_broker_keys_total"),
];
