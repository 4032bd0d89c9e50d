//! How objects are owned, stored, and kept.

use dotdo_core::{App, CheckpointMode, Ownership, RETENTION_MIN};

use super::{DAY_MS, HOUR_MS, MINUTE_MS};
use crate::config::setting::{Kind, Setting, list, number};

/// Whether it is a class and the name of a table, with a dot between.
fn is_table_of_class(text: &str) -> bool {
    text.split_once('.')
        .is_some_and(|(class, table)| App::new().with_analytics(class, table).is_ok())
}

/// Snapshots, ownership, commits, history, idempotency and messages.
pub(super) static OBJECTS: &[Setting] = &[
    Setting::new(
        "checkpoint.mode",
        Kind::OneOf {
            words: &["auto", "every-request"],
            get: |config| config.settings.checkpoint.mode as usize,
            set: |config, at| {
                config.settings.checkpoint.mode =
                    [CheckpointMode::Auto, CheckpointMode::EveryRequest][at];
            },
        },
        "When snapshots are written. `auto` writes them in the background; with ownership \
         `per-request` it writes them within the request that makes one due, because nothing may run \
         after the response there. `every-request` holds back every response that changed something \
         until there is a snapshot of it, so that Iceberg readers see it at once; this costs several \
         more writes to the store per request.",
    ),
    Setting::new(
        "checkpoint.interval_ms",
        Kind::Millis(0..=DAY_MS, |config| &mut config.settings.checkpoint.interval),
        "Minimum time between two snapshots of an object. A shorter time means fresher Iceberg tables \
         and more writes to the store.",
    ),
    Setting::new(
        "checkpoint.min_changes",
        number!("", 1..=1_000_000_000, settings.checkpoint.min_changes),
        "Minimum number of changed rows for a snapshot.",
    ),
    Setting::new(
        "checkpoint.log_bytes",
        number!(" of bytes", 4096..=1 << 30, settings.checkpoint.log_bytes),
        "Size of the records since the last snapshot that makes a snapshot due, whatever the interval.",
    ),
    Setting::new(
        "checkpoint.log_records",
        number!("", 1..=100_000, settings.checkpoint.log_records),
        "Number of records since the last snapshot that makes a snapshot due, whatever the interval. \
         A cold start reads each of these records.",
    ),
    Setting::new(
        "analytics",
        list!("tables of classes, such as DO.things,Shop.orders", is_table_of_class, analytics),
        "Tables that are rolled up, separated by commas: of each, one table for all objects of the \
         class and a tenant, beside those of the program's own (`App::analytics`). Engines read it as \
         `CLASS.TABLE` ([ANALYTICS.md](ANALYTICS.md#one-table-for-all-objects)). For the built-in class: \
         `DO.things,DO.relationships,DO.actions,DO.events`. It costs writes to the store, about one for \
         each object that changes and minute.",
    ),
    Setting::new(
        "ownership",
        Kind::OneOf {
            words: &["leased", "per-request"],
            get: |config| config.settings.ownership as usize,
            set: |config, at| {
                config.settings.ownership = [Ownership::Leased, Ownership::PerRequest][at];
            },
        },
        "How the process owns objects. `leased` answers reads from memory and keeps other processes \
         away while a lease holds; it is for servers. `per-request` checks every response against \
         the log; it is for functions, which are frozen between requests. Both kinds can share a \
         bucket. The default is `per-request` on AWS Lambda, Azure Functions, Cloud Run and Vercel.",
    ),
    Setting::new(
        "lease.duration_ms",
        Kind::Millis(200..=10 * MINUTE_MS, |config| &mut config.settings.lease_duration),
        "Time for which a server may answer from memory after its last write to an object's log. A \
         longer time means fewer writes to renew leases, and a longer wait for other servers after a \
         crash.",
    ),
    Setting::new(
        "commit.deadline_ms",
        Kind::Millis(100..=5 * MINUTE_MS, |config| &mut config.settings.commit_deadline),
        "Time in which a write must get a definite result from the store. After it, the client is \
         told that the outcome is unknown.",
    ),
    Setting::new(
        "handler.time_max_ms",
        Kind::Millis(1..=HOUR_MS, |config| &mut config.settings.handler_time_max),
        "Maximum time that a handler may run. After it, the request is rolled back and answered with \
         504.",
    ),
    Setting::new(
        "turn.wait_max_ms",
        Kind::Millis(1..=HOUR_MS, |config| &mut config.settings.turn_wait_max),
        "Maximum time that a request waits for its turn on the object. After it, the request is \
         answered with 503.",
    ),
    Setting::new(
        "retention.ms",
        Kind::Millis(RETENTION_MIN.as_millis() as u64..=3650 * DAY_MS, |config| {
            &mut config.settings.retention
        }),
        "Time for which old snapshots and the records they cover are kept. With a longer time, \
         `X-DO-At` reaches further back, and storage costs more.",
    ),
    Setting::new(
        "idempotency.keep_ms",
        Kind::Millis(1000..=3650 * DAY_MS, |config| &mut config.settings.idempotency_keep),
        "Time for which the response to a request with an `Idempotency-Key` is kept. With a longer \
         time, clients can retry for longer, and objects take more space.",
    ),
    Setting::new(
        "outbox.scan_ms",
        Kind::Millis(100..=DAY_MS, |config| &mut config.settings.outbox_scan),
        "Interval at which the store is searched for objects with undelivered messages that another \
         server left behind. Each search is a listing of the store. An object that sends messages \
         writes a marker once in twice this interval.",
    ),
    Setting::new(
        "alarms.scan_ms",
        Kind::Millis(0..=DAY_MS, |config| &mut config.settings.alarm_scan),
        "Interval at which the store is searched for objects with alarms that another server left \
         behind. Each search is a listing of the store. 0: the store is not searched; only for programs \
         whose classes set no alarms, because an alarm whose server crashes then waits until its object \
         is used.",
    ),
];
