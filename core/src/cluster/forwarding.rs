//! Forwards requests to the processes that own their objects, and decides what to do when an owner
//! does not take them.
//!
//! Promises: a request that may have been executed is never reported as not executed, and it is
//! repeated only where that does no harm.

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
use crate::lease::OWNED_BY_OTHER_INSTANCE;
use crate::limits::{FORWARD_PAUSE, FORWARD_PAUSE_MAX, FORWARD_WITHIN, FORWARDS_AT_ONCE};
use crate::messages::Delivery;
use crate::object::{CallChain, Caller, Request, Response, duplicate};
use crate::planted::{Bug, planted};
use crate::sockets::{SocketEvent, SocketPart};
use crate::trace::{failed, span};

/// Where a request comes from, which decides what it does when another instance owns the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A client, or an object here. The request is forwarded, or waits for the owner's lease to
    /// end.
    Here,
    /// This process itself, for work that no other can do. The request waits for the owner's lease
    /// to end.
    Own,
    /// Another server, or this process for work that others can do as well. The owner is returned
    /// at once, and the caller decides.
    Peer,
}

/// A request that is routed to the owner of its object.
pub(crate) struct Routing {
    /// The request; `None` while it is being executed and can't be repeated.
    request: Option<Request>,
    request_context: RequestContext,
    origin: Origin,
    /// How often it was rolled back here because another process owned or won the object, and when
    /// that first happened.
    rejections: u32,
    since: Option<Instant>,
    /// Whether the directory was asked for the owner.
    asked_directory: bool,
    /// Whether the request goes back to the server that sent it.
    declined: bool,
    /// Whether a server that received the request did not answer, so that it may be executed at any
    /// time.
    maybe_executed: bool,
    /// Marks the calls of objects on other servers that wait for it.
    _calling: Option<Calling>,
}

impl Routing {
    /// A request from a client or an object of this process.
    pub(crate) fn of(mut request: Request) -> Self {
        let mut request_context =
            request.extensions_mut().remove::<RequestContext>().unwrap_or_default();
        if let Some(chain) = request.extensions().get::<CallChain>() {
            request_context.chain = chain.objects.to_vec();
            request_context.hops = chain.hops;
        }
        request_context.delivery = request.extensions().get().cloned();
        request_context.caller = request.extensions().get().cloned();
        request_context.socket = SocketPart::of(&request);
        Self { request_context, origin: Origin::Here, ..Self::local(request) }
    }

    /// A request that another server has forwarded here.
    ///
    /// # Errors
    ///
    /// Those of a client's request; `Busy` (code `CALL_DEADLOCK`) when the call would deadlock;
    /// `Forbidden` for a caller of another tenant than the object's.
    pub(crate) async fn received(
        runtime: &Runtime,
        object: &ObjectId,
        request_context: RequestContext,
        mut request: Request,
    ) -> Result<Self> {
        if let Some(caller) = &request_context.caller {
            caller.check_reach(object)?;
        }
        let calling = runtime.calls.received(&request_context.chain, object)?;
        let extensions = request.extensions_mut();
        extensions.insert(CallChain {
            objects: request_context.chain.as_slice().into(),
            holder: request_context.chain.last().cloned(),
            hops: request_context.hops,
        });
        if let Some(delivery) = &request_context.delivery {
            extensions.insert(delivery.clone());
        }
        match &request_context.caller {
            Some(caller) => _ = extensions.insert(caller.clone()),
            None => _ = extensions.remove::<Caller>(),
        }
        if let Some(part) = &request_context.socket {
            part.restore(extensions);
        }
        if let Some(attempt) = request_context.attempt.filter(|_| !planted(Bug::SafeMethodBelieved))
        {
            extensions.insert(Keyed::attempt(attempt));
        }
        // A key that the client has given takes precedence.
        Ok(Self {
            request_context,
            origin: Origin::Peer,
            _calling: Some(calling),
            ..Self::local(prepare(runtime, object, request).await?)
        })
    }

    /// A request that is answered here or not at all.
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

    /// A request of administration: it waits for another owner where that may be gone, and is never
    /// forwarded.
    pub(crate) fn administering(request: Request) -> Self {
        Self::local(request)
    }

    /// A request that does not wait for another owner.
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

    /// Takes the request to execute it here. A copy is kept if another server may have to execute
    /// it.
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

    /// Gives the request an attempt number, unless it has a key already, so that the object
    /// recognises a repetition. Only requests with safe methods and events of sockets get one: those
    /// rarely change anything, and then it costs nothing; for these, nobody else could repeat what a
    /// client has sent. For other methods, the client gets `OUTCOME_UNKNOWN`
    /// instead of a repetition.
    fn name(&mut self, runtime: &Runtime) {
        let Some(request) = &mut self.request else { return };
        let named = request.extensions().get::<Keyed>().is_some()
            || request.extensions().get::<Delivery>().is_some();
        let is_event = request.extensions().get::<SocketEvent>().is_some();
        let may_repeat = request.method().is_safe() || is_event;
        if !named && may_repeat && request.body().peek().is_some() {
            let number = runtime.uuid();
            self.request_context.attempt = Some(number);
            request.extensions_mut().insert(Keyed::attempt(number));
        }
    }

    /// Forwards the request if another process is known to own the object. `None`: it was not
    /// answered yet.
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

    /// The process that owns the object, if the owner cache or, once per request, the directory
    /// knows it.
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

    /// Handles an owner that gave no answer: the request is routed again, or fails.
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

    /// The error for the client. A request that was repeated may have been executed, whatever
    /// `error` says.
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

    /// Handles a request that was rolled back here: `Ok` when it is to be tried again, here or at
    /// the owner.
    ///
    /// # Errors
    ///
    /// The error itself otherwise.
    pub(crate) async fn retry(&mut self, activation: &Activation, undone: Undone) -> Result<()> {
        let clock = activation.runtime.clock.as_ref();
        let elsewhere = matches!(undone, Undone::OtherOwner(_));
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

/// Whether the request can be sent twice without harm, because the object recognises its key or its
/// attempt number.
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
        .with_code(OWNED_BY_OTHER_INSTANCE)
        .with_retry_after(Duration::from_secs(1))
}

fn count(result: &'static str) {
    metrics::counter!("dotdo_forwarded_total", "result" => result).increment(1);
}
