//! Requests for objects that another process owns: passing them on, and what follows when the owner
//! does not take them.
//!
//! Promises: a request that may have been done is not said to be undone, and is repeated only where
//! that does no harm.

#[cfg(test)]
pub(crate) mod tests;

use std::time::Duration;

use tracing::Instrument;

use crate::activation::{Activation, Calling, Runtime, Undone};
use crate::clock::Instant;
use crate::cluster::owner_cache::Known;
use crate::cluster::peers::{Forward, Forwarded, Owner, PeerError, RequestContext};
use crate::error::{Error, ErrorKind, Result};
use crate::id::ObjectId;
use crate::idempotency::{Keyed, prepare};
use crate::lease::OWNED_ELSEWHERE;
use crate::limits::{FORWARD_PAUSE, FORWARD_PAUSE_MAX, FORWARD_WITHIN, FORWARDS_AT_ONCE};
use crate::messages::Delivery;
use crate::object::{CallChain, Caller, Request, Response, duplicate};
use crate::planted::{Bug, planted};
use crate::trace::{failed, span};

/// Where a request comes from, and so whether it may wait for an owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A client or an object here: its request is passed on, or waits for the owner's lease to end.
    Here,
    /// This process on business of its own, which nobody else can do: it waits for the owner's
    /// lease to end.
    Own,
    /// Another server, or this process for what others can do as well: it is told at once who owns
    /// the object, and decides.
    Peer,
}

/// One request on its way to whoever owns its object.
pub(crate) struct Routing {
    /// `None` while it is under way and can't be given to another.
    request: Option<Request>,
    request_context: RequestContext,
    origin: Origin,
    /// How often it came to nothing here because another process owns the object, or has won it,
    /// and when that was so first.
    rejections: u32,
    since: Option<Instant>,
    /// The directory was asked for the owner.
    asked_directory: bool,
    /// The request goes back to the server that sent it.
    declined: bool,
    /// A server that had the request did not answer, and what it asked for may be done at any time.
    maybe_executed: bool,
    /// The calls of objects elsewhere that wait for it.
    _calling: Option<Calling>,
}

impl Routing {
    /// The way of a request that came from a client or an object.
    pub(crate) fn of(mut request: Request) -> Self {
        let mut request_context =
            request.extensions_mut().remove::<RequestContext>().unwrap_or_default();
        if let Some(chain) = request.extensions().get::<CallChain>() {
            request_context.chain = chain.objects.to_vec();
        }
        request_context.delivery = request.extensions().get().cloned();
        request_context.caller = request.extensions().get().cloned();
        Self { request_context, origin: Origin::Here, ..Self::local(request) }
    }

    /// The way of a request that another server has sent here.
    ///
    /// # Errors
    ///
    /// Those of a request that comes from a client; `Busy` when the object waits for one that waits
    /// for this request.
    pub(crate) async fn received(
        runtime: &Runtime,
        object: &ObjectId,
        request_context: RequestContext,
        mut request: Request,
    ) -> Result<Self> {
        let calling = runtime.calls.received(&request_context.chain, object)?;
        let extensions = request.extensions_mut();
        extensions.insert(CallChain {
            objects: request_context.chain.as_slice().into(),
            holder: request_context.chain.last().cloned(),
        });
        if let Some(delivery) = &request_context.delivery {
            extensions.insert(delivery.clone());
        }
        match &request_context.caller {
            Some(caller) => _ = extensions.insert(caller.clone()),
            None => _ = extensions.remove::<Caller>(),
        }
        if let Some(attempt) = request_context.attempt.filter(|_| !planted(Bug::SafeMethodBelieved))
        {
            extensions.insert(Keyed::attempt(attempt));
        }
        // A key that the client has given wins.
        Ok(Self {
            request_context,
            origin: Origin::Peer,
            _calling: Some(calling),
            ..Self::local(prepare(runtime, object, request).await?)
        })
    }

    /// The way of a request that must be answered here or not at all.
    pub(crate) fn local(request: Request) -> Self {
        let (request, request_context) = (Some(request), RequestContext::default());
        let (rejections, since, _calling) = (0, None, None);
        Self {
            request,
            request_context,
            origin: Origin::Own,
            rejections,
            since,
            asked_directory: false,
            declined: false,
            maybe_executed: false,
            _calling,
        }
    }

    /// The way of a request that waits for no owner.
    pub(crate) fn visiting(request: Request) -> Self {
        Self { origin: Origin::Peer, ..Self::local(request) }
    }

    /// Where the request comes from.
    pub(crate) fn origin(&self) -> Origin {
        self.origin
    }

    /// Whether the request goes back to the server that sent it.
    pub(crate) fn is_declined(&self) -> bool {
        self.declined
    }

    /// The request, which is to be run here. It is kept as well if it may have to be run elsewhere.
    pub(crate) fn begin(&mut self, runtime: &Runtime) -> Request {
        let request = self.request.take().expect("there is a request as long as it is on its way");
        self.request = if runtime.peers.is_some() && self.origin == Origin::Here {
            duplicate(&request)
        } else {
            None
        };
        request
    }

    /// Reads the request's body to its end.
    ///
    /// # Errors
    ///
    /// Those of [`Body::bytes`](crate::Body::bytes).
    pub(crate) async fn buffer_body(&mut self) -> Result<()> {
        if let Some(request) = self.request.take() {
            let (head, body) = request.into_parts();
            self.request = Some(Request::from_parts(head, body.bytes().await?.into()));
        }
        Ok(())
    }

    /// Gives the request a number, unless it has a name already, so that the object knows it again.
    /// Only requests whose methods say that they change nothing: they rarely do, and what leaves
    /// nothing costs nothing. Of any other the client is told that nobody knows whether it was
    /// done.
    fn name(&mut self, runtime: &Runtime) {
        let Some(request) = &mut self.request else { return };
        let named = request.extensions().get::<Keyed>().is_some()
            || request.extensions().get::<Delivery>().is_some();
        if !named && request.method().is_safe() && request.body().peek().is_some() {
            let number = runtime.uuid();
            self.request_context.attempt = Some(number);
            request.extensions_mut().insert(Keyed::attempt(number));
        }
    }

    /// Passes the request on if another process is known to own the object. `None`: it is still to
    /// be answered.
    pub(crate) async fn forward(&mut self, activation: &Activation) -> Option<Result<Response>> {
        let peers = activation.runtime.peers.as_ref().filter(|_| self.origin == Origin::Here)?;
        let known = self.owner(activation).await?;
        self.name(&activation.runtime);
        let request = self.begin(&activation.runtime);
        let spare = self.request.take();
        let forward = Forward {
            object: activation.log.object.clone(),
            request,
            request_context: self.request_context.clone(),
        };
        let begun = activation.runtime.clock.monotonic();
        let span = span!("forward", otel.kind = "client");
        let sent = peers.send(&known.owner, forward).instrument(span.clone()).await;
        metrics::histogram!("dotdo_forward_seconds")
            .record(activation.runtime.clock.monotonic().saturating_sub(begun).as_secs_f64());
        match sent {
            Ok(Forwarded::Answered(answer)) => {
                count("answered");
                activation.owner_cache.confirm(&known, activation.runtime.clock.as_ref());
                Some(answer)
            }
            Ok(Forwarded::Redirected(response)) => {
                count("redirected");
                Some(Ok(response))
            }
            Err(error) => {
                failed(&span, error.label());
                self.on_no_answer(activation, &known, error, spare)
            }
        }
    }

    /// The process that owns the object, as far as is known here or, once for each request, in the
    /// directory.
    async fn owner(&mut self, activation: &Activation) -> Option<Known> {
        let known = || {
            let known = activation.owner_cache.known(activation.runtime.clock.as_ref())?;
            let is_read = known.sequence.is_some();
            (is_read || activation.is_credible(known.owner.instance, known.epoch)).then_some(known)
        };
        if let Some(known) = known() {
            return Some(known);
        }
        if !std::mem::replace(&mut self.asked_directory, true) {
            activation.ask_directory().await;
        }
        known()
    }

    /// What follows when the owner gave no answer: the request goes on, or its client hears why it
    /// does not.
    fn on_no_answer(
        &mut self,
        activation: &Activation,
        known: &Known,
        error: PeerError,
        spare: Option<Request>,
    ) -> Option<Result<Response>> {
        activation.owner_cache.avoid(known);
        let (object, Owner { instance, address }) = (&activation.log.object, &known.owner);
        if !error.is_declined() {
            activation.owner_cache.lose_reach();
        }
        let (left, failure) = match error {
            PeerError::NotTaken { request, cause, reason } => {
                count(cause.label());
                tracing::info!(%object, %instance, address, reason, "the owner of the object did not accept a forwarded request");
                (request.map(|request| *request).or(spare), interrupted(object))
            }
            PeerError::Unknown { reason } => {
                count("unknown");
                tracing::warn!(%object, %instance, address, reason, "the owner of the object does not respond, and may have executed a forwarded request");
                let left = spare.filter(is_repeatable);
                self.maybe_executed = left.is_some();
                (left, unknown(object))
            }
        };
        self.request = left;
        self.request.is_none().then_some(Err(failure))
    }

    /// What the client hears of `error`: that a request was done nowhere is not known of one that
    /// was repeated.
    pub(crate) fn report(&self, object: &ObjectId, error: Error) -> Error {
        if !self.maybe_executed || error.kind() == ErrorKind::Unknown {
            return error;
        }
        let text = format!(
            "{}; retrying it failed: {}",
            unknown(object).message(),
            error.public_message()
        );
        Error::new(ErrorKind::Unknown, text).with_source(error)
    }

    /// What follows when the request came to nothing here: `Ok` when it is to be tried again, here
    /// or at the owner, who is known better now.
    ///
    /// # Errors
    ///
    /// The error itself otherwise.
    pub(crate) async fn retry(&mut self, activation: &Activation, undone: Undone) -> Result<()> {
        let clock = activation.runtime.clock.as_ref();
        let elsewhere = matches!(undone, Undone::OwnedElsewhere(_));
        let lost = matches!(undone, Undone::Lost(_));
        let error = undone.into_error();
        self.declined = (elsewhere || lost) && self.origin == Origin::Peer;
        let goes_on = lost || (elsewhere && activation.owner_cache.is_within_reach(clock));
        let may = activation.runtime.peers.is_some()
            && self.origin == Origin::Here
            && self.request.is_some();
        if !goes_on || !may {
            return Err(error);
        }
        self.rejections += 1;
        let since = *self.since.get_or_insert_with(|| Instant::now(clock));
        let Some(pauses) = self.rejections.checked_sub(FORWARDS_AT_ONCE + 1) else {
            return Ok(());
        };
        if since.elapsed_at_least(clock) >= FORWARD_WITHIN {
            return Err(error);
        }
        clock.sleep(FORWARD_PAUSE.saturating_mul(1 << pauses.min(16)).min(FORWARD_PAUSE_MAX)).await;
        Ok(())
    }
}

/// Whether it does no harm to send this twice: the object knows it again by its key or its number.
fn is_repeatable(request: &Request) -> bool {
    let extensions = request.extensions();
    extensions.get::<Keyed>().is_some() || extensions.get::<Delivery>().is_some()
}

fn unknown(object: &ObjectId) -> Error {
    let text = format!(
        "the server that owns {object} received this request but does not respond; it may or may not have been executed"
    );
    Error::new(ErrorKind::Unknown, text)
}

fn interrupted(object: &ObjectId) -> Error {
    let text = format!(
        "the server that owns {object} did not accept this request, and its body can't be sent twice; retry it"
    );
    Error::new(ErrorKind::Busy, text)
        .with_code(OWNED_ELSEWHERE)
        .with_retry_after(Duration::from_secs(1))
}

fn count(result: &'static str) {
    metrics::counter!("dotdo_forwarded_total", "result" => result).increment(1);
}
