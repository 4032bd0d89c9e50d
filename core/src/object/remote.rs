//! Another object, as a handler calls it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use crate::error::{Error, ErrorKind, Result};
use crate::id::ObjectId;
use crate::limits::CALL_DEPTH_MAX;
use crate::messages::Delivery;
use crate::object::body::{Request, Response};
use crate::object::caller::Caller;
use crate::object::context::{CallChain, Context, stopping};
use crate::object::handling::Handling;
use crate::object::host::Host;
use crate::router::At;
use crate::sockets::Place;
use crate::stack::with_room;
use crate::trace::{span, traced};

/// Another object.
///
/// ```
/// # use dotdo_core as dotdo;
/// async fn balance_then(ctx: &dotdo::Context, at: dotdo::At) -> dotdo::Result<String> {
///     let account = ctx.object("Account", "bob")?.at(at);
///     let request = http::Request::get("/balance").body(dotdo::Body::empty())?;
///     account.fetch(request).await?.into_body().text().await
/// }
/// ```
#[derive(Clone)]
pub struct RemoteObject {
    pub(super) target: ObjectId,
    /// The object whose handler, or whose work outside of its turn, got this value.
    pub(super) from: ObjectId,
    /// The caller for whom that handler runs.
    pub(super) caller: Caller,
    pub(super) chain: CallChain,
    pub(super) called: Arc<AtomicBool>,
    /// The handler that got this value; once it has ended, the chain no longer waits.
    pub(super) handler: Weak<Handling>,
    pub(super) host: Weak<dyn Host>,
    pub(super) at: Option<At>,
}

impl RemoteObject {
    /// `target`, for calls of the handler that has `context`.
    pub(super) fn new(context: &Context, target: ObjectId) -> Self {
        let CallChain { objects, holder, hops } = &context.request.chain;
        let objects = objects.iter().chain([&context.object]).cloned().collect();
        let holder = if context.is_as_of { holder.clone() } else { Some(context.object.clone()) };
        Self {
            target,
            from: context.object.clone(),
            caller: context.caller().clone(),
            chain: CallChain { objects, holder, hops: *hops },
            called: context.request.called.clone(),
            handler: Arc::downgrade(&context.request.running),
            host: context.host.clone(),
            at: None,
        }
    }

    /// The identity of this object.
    pub fn id(&self) -> &ObjectId {
        &self.target
    }

    /// The object at an earlier time: requests run on that state and can't change it.
    #[must_use]
    pub fn at(mut self, at: At) -> Self {
        self.at = Some(at);
        self
    }

    /// Sends `request` and waits for the response, which is durable when it arrives.
    ///
    /// # Errors
    ///
    /// `Invalid` when the target waits for this very call (code `CALL_CYCLE`) or the chain of calls
    /// is too long; `Busy` (code `CALL_DEADLOCK`) when the target waits, in another request, for an
    /// object that waits for this call; otherwise errors of the target's handler or the store.
    pub async fn fetch(&self, mut request: Request) -> Result<Response> {
        let (chain, caller) = match self.handler.upgrade() {
            Some(handler) if handler.shared => {
                handler.alone.store(true, Ordering::Relaxed);
                return Err(Error::new(
                    ErrorKind::Busy,
                    "a request that shares a transaction can't call objects; it is run again alone",
                ));
            }
            Some(_) => (self.chain.clone(), self.caller.clone()),
            // Nobody waits any more.
            None => (CallChain::default(), Caller::of_object(&self.from)),
        };
        if chain.objects.contains(&self.target) && self.at.is_none() {
            let text = format!(
                "the call would deadlock, because {} waits for this call; use ctx.send instead",
                self.target
            );
            return Err(Error::invalid(text).with_code("CALL_CYCLE"));
        }
        if chain.objects.len() + chain.hops > CALL_DEPTH_MAX {
            return Err(Error::invalid(format!(
                "expected at most {CALL_DEPTH_MAX} nested calls between objects, got more"
            ))
            .with_code("CALL_DEPTH"));
        }
        let host = self.host.upgrade().ok_or_else(stopping)?;
        if !chain.objects.is_empty() {
            // The request may depend on changes of earlier requests here.
            host.durable(&self.from).await?;
        }
        // An earlier state has no turn to wait for.
        let holder = chain.holder.as_ref().filter(|_| self.at.is_none());
        let calling = holder
            .map(|holder| host.begin_call(holder, &self.target, self.handler.clone()))
            .transpose()?;
        self.called.store(true, Ordering::Relaxed);
        let extensions = request.extensions_mut();
        extensions.insert(chain);
        // A message that is passed on is an ordinary request.
        extensions.remove::<Delivery>();
        // Its connection belongs to the object that the client has asked for.
        extensions.remove::<Place>();
        let caller = caller.through(&self.from, extensions.get());
        extensions.insert(caller);
        let span = span!("call", dotdo.class = self.target.class());
        let answer = traced(span, with_room(host.fetch(&self.target, self.at, request))).await;
        drop(calling);
        answer
    }
}
