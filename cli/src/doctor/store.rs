//! The store: whether it keeps its promises, how fast it is, and its clock.

use dotdo::ErrorKind;
use dotdo::commands::{DatabaseCheck, Premises, StoreCheck, StoreLatencies};
use serde_json::json;

use super::finding::Finding;

/// Difference of the clocks, in milliseconds, from which requests are refused by S3 (15 minutes) is
/// far away, but something is wrong with a clock.
const CLOCK_MS_MAX: u64 = 5 * 60 * 1000;
/// Time of a durable write, in milliseconds, above which the store is probably far away.
const CREATE_MS_MAX: f64 = 500.0;

/// Checks the store.
pub(super) async fn check(premises: &Premises) -> Vec<Finding> {
    let found = match premises.check_store().await {
        Ok(found) => found,
        Err(error) => {
            let next = match error.kind() {
                ErrorKind::Unavailable => "check the network and the endpoint, then try again",
                ErrorKind::StoreRefused => {
                    "check the bucket's name and the permissions of the keys, or choose a store that creates only what is absent"
                }
                _ => "correct the settings; `dotdo config list` shows where each comes from",
            };
            return vec![Finding::failed("store", error.message()).with_next(next)];
        }
    };
    let mut findings = vec![promises(&found)];
    if !found.is_volatile {
        findings.push(latencies("latency", &found.latencies));
        let clock = |ahead_ms| clock("clock", "store", ahead_ms, found.clock_error_ms);
        findings.extend(found.clock_ahead_ms.map(clock));
    }
    if let Some(database) = &found.database {
        findings.extend(of_database(database));
    }
    findings
}

/// Findings about the database that holds the log.
fn of_database(found: &DatabaseCheck) -> Vec<Finding> {
    let location = &found.location;
    let held =
        Finding::ok("database", format!("{location} holds the log: creates only what is absent"))
            .with(json!({ "location": location }));
    let mut findings = vec![held, latencies("database", &found.latencies)];
    let clock = |ahead_ms| clock("database", "database", ahead_ms, found.clock_error_ms);
    findings.extend(found.clock_ahead_ms.map(clock));
    findings
}

fn promises(found: &StoreCheck) -> Finding {
    let location = &found.location;
    let details = json!({ "location": location });
    if found.is_volatile {
        return Finding::warning(
            "store",
            "the state is in memory",
            "it is lost with the process: set storage for anything but trials",
        )
        .with(details);
    }
    let new = if found.is_new { " (a server creates it)" } else { "" };
    let promise = match found.database {
        Some(_) => "keeps the files of snapshots, and reads what was written",
        None => "creates only what is absent, and reads what was written",
    };
    Finding::ok("store", format!("{location}{new}: {promise}")).with(details)
}

fn latencies(name: &'static str, times: &StoreLatencies) -> Finding {
    let create = times.create_ms.map_or_else(String::new, |ms| format!("create {ms:.1} ms, "));
    let seen = format!(
        "{create}put {:.1} ms, get {:.1} ms, list {:.1} ms (medians)",
        times.put_ms, times.get_ms, times.list_ms
    );
    let mut details =
        json!({ "putMs": times.put_ms, "getMs": times.get_ms, "listMs": times.list_ms });
    if let Some(create_ms) = times.create_ms {
        details["createMs"] = json!(create_ms);
    }
    if times.create_ms > Some(CREATE_MS_MAX) {
        return Finding::warning(
            name,
            seen,
            "a durable write takes as long as a create: run the server in the same region",
        )
        .with(details);
    }
    Finding::ok(name, seen).with(details)
}

/// How far the clock of `whose` is from this machine's, with the error of that, in milliseconds.
fn clock(name: &'static str, whose: &str, ahead_ms: i64, error_ms: u64) -> Finding {
    let details = json!({ "storeAheadMs": ahead_ms, "errorMs": error_ms });
    let finding = if ahead_ms.unsigned_abs() > CLOCK_MS_MAX {
        let seconds = ahead_ms / 1000;
        Finding::failed(name, format!("the {whose}'s clock is {seconds} s ahead of this machine's"))
            .with_next("set this machine's clock (NTP): stores refuse requests with a wrong time, and tokens seem expired")
    } else {
        Finding::ok(
            name,
            format!(
                "within {} s of the {whose}'s",
                ahead_ms.unsigned_abs().max(error_ms).div_ceil(1000)
            ),
        )
    };
    finding.with(details)
}
