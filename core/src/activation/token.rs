//! The fencing token that programs use to hold an object beyond one request.

use std::sync::Arc;
use std::time::Duration;

use crate::activation::commit::{Written, fenced, write};
use crate::activation::leased::Gate;
use crate::activation::runtime::Runtime;
use crate::activation::state::Activation;
use crate::error::{Error, ErrorKind, Result};
use crate::lease::{Claim, FencingToken, Lease};
use crate::log::Log;
use crate::millis;
use crate::settings::Ownership;

impl Activation {
    /// Makes sure that this process holds the object for the settings' lease. The caller runs on
    /// the object; `foreign` is the live claim of another instance.
    ///
    /// # Errors
    ///
    /// `Busy` with the holder and the time until which it holds; `Fenced` when another process was
    /// faster; what the store fails with.
    pub(crate) async fn acquire_token(
        self: &Arc<Self>,
        foreign: Option<&Claim>,
    ) -> Result<FencingToken> {
        self.hold(foreign, self.runtime.settings.lease_duration).await
    }

    /// Makes sure that this process holds the object while a handler runs on it, whatever time that
    /// may take. Under leases, others that look for work leave the object alone for as long.
    ///
    /// # Errors
    ///
    /// Those of [`Activation::acquire_token`].
    pub(crate) async fn hold_for_handler(
        self: &Arc<Self>,
        foreign: Option<&Claim>,
    ) -> Result<FencingToken> {
        let settings = &self.runtime.settings;
        self.hold(foreign, settings.lease_duration + settings.handler_time_max).await
    }

    /// Makes sure that no other process writes between two requests here. A lease does so already.
    ///
    /// # Errors
    ///
    /// Those of [`Activation::acquire_token`].
    pub(crate) async fn keep_others_away(
        self: &Arc<Self>,
        foreign: Option<&Claim>,
    ) -> Result<Option<FencingToken>> {
        match self.runtime.settings.ownership {
            Ownership::Leased => Ok(None),
            Ownership::PerRequest => self.acquire_token(foreign).await.map(Some),
        }
    }

    /// As [`Activation::acquire_token`]; in a process that writes per request, for this lease.
    async fn hold(
        self: &Arc<Self>,
        foreign: Option<&Claim>,
        lease: Duration,
    ) -> Result<FencingToken> {
        if let Some(claim) = foreign {
            return Err(held(&self.runtime, &self.log, claim));
        }
        match self.runtime.settings.ownership {
            Ownership::Leased => {
                let (ticket, start) = self.pipeline().claim(self.runtime.clock.as_ref());
                self.commit_if(start);
                let gate = ticket.map_or(Gate::Open, Gate::Record);
                let head = self.pass(gate).await?;
                Ok(head.unwrap_or_else(|| self.pipeline().head).into())
            }
            Ownership::PerRequest => self.keep_token(lease).await,
        }
    }

    /// Appends a record that grants this lease, unless one that was kept holds.
    async fn keep_token(self: &Arc<Self>, lease: Duration) -> Result<FencingToken> {
        let (head, kept) = {
            let pipeline = self.pipeline();
            (pipeline.head, pipeline.kept(self.runtime.clock.as_ref()))
        };
        if kept.is_some() {
            return Ok(head.into());
        }
        let job = self.pipeline().job(Vec::new());
        match write(&self.runtime, &self.log, job, lease).await? {
            Written::Won(won) => {
                self.pipeline()
                    .follow_own(&won, Some(Lease { granted: won.sent, duration: lease }));
                self.after_record(won.head(), lease);
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
    pub(crate) fn check_token(&self, token: FencingToken) -> Result<()> {
        let head = self.pipeline().head;
        if head.writer == self.runtime.instance && head.epoch == token.epoch {
            return Ok(());
        }
        let text = format!(
            "the fencing token of epoch {} has expired: the object is in epoch {}",
            token.epoch, head.epoch
        );
        Err(Error::new(ErrorKind::Fenced, text).with_code("TOKEN_EXPIRED"))
    }
}

/// The error when another process holds the object, with the holder and the latest end of its
/// lease.
fn held(runtime: &Runtime, log: &Log, claim: &Claim) -> Error {
    let remaining =
        claim.clone().remaining(runtime.instance, log.bucket.as_ref(), runtime.clock.as_ref());
    let until_ms = runtime.clock.wall_ms().saturating_add(millis::signed(remaining));
    let until = millis::text(until_ms);
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
