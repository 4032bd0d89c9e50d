//! The machine: its port and its memory.

use dotdo::ErrorKind;
use dotdo::commands::Premises;
use serde_json::json;

use super::finding::Finding;

/// Whether the address can be listened on.
pub(super) async fn port(premises: &Premises) -> Finding {
    let (host, port) = premises.address();
    match premises.listen().await {
        Ok(address) => Finding::ok("port", format!("{address} is free")).with(json!({ "address": address.to_string() })),
        Err(error) if error.kind() == ErrorKind::Unavailable => Finding::failed("port", error.message())
            .with_next(format!("if the server runs already, all is well (`dotdo health`); otherwise free port {port} of {host}, or choose another (--port)")),
        Err(error) => Finding::failed("port", error.message()),
    }
}

/// Whether the memory budget fits.
pub(super) fn memory(premises: &Premises) -> Finding {
    let budget = premises.memory_budget_bytes();
    let Some(limit) = premises.memory_limit() else {
        return Finding::skipped(
            "memory",
            format!("the budget is {} MiB; what this machine has is not known", budget >> 20),
        );
    };
    let what = if limit.is_of_container { "container" } else { "machine" };
    let seen =
        format!("the budget is {} MiB, and the {what} has {} MiB", budget >> 20, limit.bytes >> 20);
    let details = json!({ "budgetBytes": budget, "limitBytes": limit.bytes, "isContainer": limit.is_of_container });
    // Code, connections and the allocator need as much again.
    if budget > limit.bytes / 2 {
        let fits = (limit.bytes / 5 * 2) >> 20 << 20;
        return Finding::warning(
            "memory",
            seen,
            format!("set limits.memory_bytes_max to about two fifths of it ({fits})"),
        )
        .with(details);
    }
    Finding::ok("memory", seen).with(details)
}
