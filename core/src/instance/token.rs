//! The fencing token as programs see it: holding an object beyond one request, and giving it up.

use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::instance::commit::{Written, fenced, write};
use crate::instance::pipeline::Gate;
use crate::instance::slot::Slot;
use crate::instance::{Deps, hearsay, hint};
use crate::lease::{Claim, FencingToken, Lease};
use crate::settings::Ownership;

/// Makes sure that this process holds the object for the settings' lease. The caller runs on the
/// object; `elsewhere` is the live claim of another.
///
/// # Errors
///
/// `Busy` with the holder and the time until which it holds; `Fenced` when another process was
/// faster; what the store fails with.
pub(crate) async fn acquire(
    deps: &Arc<Deps>,
    slot: &Arc<Slot>,
    elsewhere: Option<&Claim>,
) -> Result<FencingToken> {
    if let Some(claim) = elsewhere {
        return Err(held(deps, claim));
    }
    match deps.settings.ownership {
        Ownership::Leased => {
            let (ticket, start) = slot.pipeline().claim(deps.clock.as_ref());
            slot.commit_if(start, deps);
            let gate = ticket.map_or(Gate::Open, Gate::Record);
            let head = slot.pass(gate).await?;
            Ok(head.unwrap_or_else(|| slot.pipeline().head).into())
        }
        Ownership::PerRequest => keep(deps, slot).await,
    }
}

/// Appends a record that grants a lease, unless one that was kept holds.
async fn keep(deps: &Arc<Deps>, slot: &Arc<Slot>) -> Result<FencingToken> {
    let (head, kept) = {
        let pipeline = slot.pipeline();
        (pipeline.head, pipeline.kept(deps.clock.as_ref()))
    };
    if kept.is_some() {
        return Ok(head.into());
    }
    let job = slot.pipeline().job(Vec::new());
    match write(deps, slot, job, deps.settings.lease_duration).await? {
        Written::Won(won) => {
            slot.pipeline().follow_own(
                &won,
                Some(Lease { granted: won.sent, duration: deps.settings.lease_duration }),
            );
            hint::write_behind(deps, slot, won.head());
            hearsay::tell(deps, slot, won.head(), deps.settings.lease_duration);
            Ok(won.head().into())
        }
        Written::Lost(record) => Err(fenced(&record)),
        Written::Refused(_, cause) => Err(cause.into()),
    }
}

/// Whether this process still holds what `token` granted.
///
/// # Errors
///
/// `Fenced` when it does not.
pub(crate) fn check(deps: &Deps, slot: &Slot, token: FencingToken) -> Result<()> {
    let head = slot.pipeline().head;
    if head.writer == deps.instance && head.epoch == token.epoch {
        return Ok(());
    }
    let text = format!(
        "the fencing token of epoch {} is over: the object is in epoch {} now",
        token.epoch, head.epoch
    );
    Err(Error::new(ErrorKind::Fenced, text).with_code("TOKEN_OVER"))
}

/// Another process holds the object: who, and until when at the latest.
fn held(deps: &Deps, claim: &Claim) -> Error {
    let remaining =
        claim.clone().remaining(deps.instance, deps.bucket.as_ref(), deps.clock.as_ref());
    let until_ms = deps
        .clock
        .wall_ms()
        .saturating_add(i64::try_from(remaining.as_millis()).unwrap_or(i64::MAX));
    let until =
        jiff::Timestamp::from_millisecond(until_ms).map(|at| at.to_string()).unwrap_or_default();
    let text =
        format!("the instance {} holds this object until {until} at the latest", claim.holder);
    let details = serde_json::json!({
        "holder": claim.holder,
        "address": claim.address,
        "epoch": claim.epoch,
        "sequence": claim.sequence,
        "until": until,
    });
    claim.busy(remaining.max(Duration::from_millis(1))).with_message(text).with_details(details)
}
