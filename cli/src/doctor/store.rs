//! The store: whether it keeps its promises, how fast it is, and its clock.

use dotdo::ErrorKind;
use dotdo::commands::{Premises, StoreCheck};
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
        findings.push(latencies(&found));
        findings.extend(clock(&found));
    }
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
    Finding::ok(
        "store",
        format!("{location}{new}: creates only what is absent, and reads what was written"),
    )
    .with(details)
}

fn latencies(found: &StoreCheck) -> Finding {
    let times = &found.latencies;
    let seen = format!(
        "create {:.1} ms, put {:.1} ms, get {:.1} ms, list {:.1} ms (medians)",
        times.create_ms, times.put_ms, times.get_ms, times.list_ms
    );
    let details = json!({
        "createMs": times.create_ms, "putMs": times.put_ms, "getMs": times.get_ms, "listMs": times.list_ms,
    });
    if times.create_ms > CREATE_MS_MAX {
        return Finding::warning(
            "latency",
            seen,
            "a durable write takes as long as a create: run the server in the bucket's region",
        )
        .with(details);
    }
    Finding::ok("latency", seen).with(details)
}

fn clock(found: &StoreCheck) -> Option<Finding> {
    let ahead_ms = found.clock_ahead_ms?;
    let error_ms = found.clock_error_ms;
    let details = json!({ "storeAheadMs": ahead_ms, "errorMs": error_ms });
    let finding = if ahead_ms.unsigned_abs() > CLOCK_MS_MAX {
        let seconds = ahead_ms / 1000;
        Finding::failed("clock", format!("the store's clock is {seconds} s ahead of this machine's"))
            .with_next("set this machine's clock (NTP): stores refuse requests with a wrong time, and tokens seem expired")
    } else {
        Finding::ok(
            "clock",
            format!(
                "within {} s of the store's",
                ahead_ms.unsigned_abs().max(error_ms).div_ceil(1000)
            ),
        )
    };
    Some(finding.with(details))
}
