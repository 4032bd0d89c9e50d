//! Further turns of an object, for handlers that have left theirs: a slice of a request each. The
//! design is in docs/design/0034.
//!
//! Promises: a slice has the turn, is one transaction, and its result is returned when its record is
//! in the bucket. What a handler leaves its turn for runs once, after the record of its first slice.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::future::{Either, select};

use crate::error::{Error, ErrorKind, Result};
use crate::id::ObjectId;
use crate::object::app::DurableObject;
use crate::object::body::{Body, Response};
use crate::object::caller::Caller;
use crate::object::class::Class;
use crate::object::context::{CallChain, Context, object_of, stopping};
use crate::object::handling::Handling;
use crate::object::host::Host;
use crate::object::remote::RemoteObject;
use crate::object::rest::{Continuation, Continued};
use crate::object::slice::Slice;
use crate::object::stub::Stub;
use crate::sync::Mutex;

/// A handle by which work outside of an object's turn takes further turns of it. It comes from
/// [`Context::turns`], or from [`Context::leave_turn`], which has an example.
pub struct Turns<T> {
    object: ObjectId,
    caller: Caller,
    chain: CallChain,
    /// The handler that made this handle; while it runs, it has the turn.
    maker: Weak<Handling>,
    /// Alive while a request waits for what its handler left the turn for.
    continuing: Weak<Handling>,
    host: Weak<dyn Host>,
    value: PhantomData<fn() -> T>,
}

impl<T> Clone for Turns<T> {
    fn clone(&self) -> Self {
        Self {
            object: self.object.clone(),
            caller: self.caller.clone(),
            chain: self.chain.clone(),
            maker: self.maker.clone(),
            continuing: self.continuing.clone(),
            host: self.host.clone(),
            value: PhantomData,
        }
    }
}

impl<T: DurableObject> Turns<T> {
    /// Runs `work` in a turn of the object: in a transaction of its own, which is in the bucket when
    /// its result is returned. It waits for the turn as a request does, and runs within the maximum
    /// time of a handler.
    ///
    /// On functions `work` runs again when another instance has written meanwhile; what the run
    /// before has changed was rolled back.
    ///
    /// # Errors
    ///
    /// The error of `work`, which rolls its changes back. `Invalid` (code `TURN_HELD`) in the handler
    /// that made this handle, as long as it runs. Otherwise those of a request: `Busy` when others
    /// keep the object busy, another process owns it, or the server stops.
    pub async fn turn<R: Send + 'static>(
        &self,
        mut work: impl FnMut(&mut T, &mut Context) -> Result<R> + Send + 'static,
    ) -> Result<R> {
        if self.maker.strong_count() > 0 {
            let text = format!(
                "the handler of {} has the turn that it waits for; return from it first",
                self.object
            );
            return Err(Error::invalid(text).with_code("TURN_HELD"));
        }
        let result = Arc::new(Mutex::new(None));
        let slice = Slice::new({
            let result = result.clone();
            move |value, context| {
                let value = value.downcast_mut::<T>().ok_or_else(|| {
                    let text = format!("{} is of another class than the handle", context.id());
                    Error::internal(text)
                })?;
                let done = work(value, context)?;
                *result.lock() = Some(done);
                Ok(())
            }
        });
        let mut request = slice.request();
        let (caller, chain) = self.waiting();
        request.extensions_mut().insert(caller);
        request.extensions_mut().insert(chain);
        let host = self.host.upgrade().ok_or_else(stopping)?;
        host.turn(&self.object, request).await?;
        let result = result.lock().take();
        result.ok_or_else(|| Error::internal("a turn that succeeded has a result"))
    }

    /// The identity of the object.
    pub fn id(&self) -> &ObjectId {
        &self.object
    }

    /// The object `id` of `class`, for calls to it. They keep no turn, so an object that is called
    /// may call this one.
    ///
    /// # Errors
    ///
    /// `Invalid` when the class or the id is invalid.
    pub fn object(&self, class: &str, id: &str) -> Result<RemoteObject> {
        let target = object_of(&self.host, self.object.tenant(), (class, id))?;
        let CallChain { objects, holder, hops } = self.chain.clone();
        Ok(RemoteObject {
            target,
            from: self.object.clone(),
            caller: self.caller.clone(),
            chain: CallChain { objects, holder, hops: hops + 1 },
            called: Arc::default(),
            handler: self.continuing.clone(),
            host: self.host.clone(),
            at: None,
        })
    }

    /// The object `id` of the class `C`, for calls to it.
    ///
    /// # Errors
    ///
    /// `Invalid` when the id is not one.
    pub fn stub<C: Class>(&self, id: &str) -> Result<Stub<C>> {
        Ok(Stub::of(self.object(C::NAME, id)?))
    }

    /// Waits for `duration` on the server's clock, which tests advance.
    ///
    /// # Errors
    ///
    /// `Busy` when the server stops: it grants no more turns, so there is nothing to wait for.
    pub async fn sleep(&self, duration: Duration) -> Result<()> {
        // Nothing of the engine is kept while this waits.
        let (clock, open) = self.host.upgrade().ok_or_else(stopping)?.times();
        let (passed, closed) = (clock.sleep(duration), pin!(open.acquire()));
        match select(passed, closed).await {
            Either::Left(_) => Ok(()),
            Either::Right(_) => Err(stopping()),
        }
    }

    /// For whom the work runs, and who waits for it.
    fn waiting(&self) -> (Caller, CallChain) {
        match self.continuing.strong_count() {
            0 => (Caller::of_object(&self.object), CallChain::default()),
            _ => (self.caller.clone(), self.chain.clone()),
        }
    }
}

impl Context {
    /// Leaves the turn, and answers the request with what `work` returns. The returned response
    /// stands for that: return it from the handler.
    ///
    /// When the handler has returned and its changes are in the bucket, `work` runs outside of the
    /// object: it can await whatever it likes while other requests have their turns, and takes
    /// further turns by its handle ([`Turns::turn`]). What it knew of the object may have changed
    /// meanwhile.
    ///
    /// What the handler did happens as for any request. `work` runs at most once: not at all if the
    /// handler fails, and not to its end when the process stops, the client goes away, or 15 minutes
    /// have passed. A request that comes again with its `Idempotency-Key` gets the stored response,
    /// or, while there is none, 503 with the code `REQUEST_BEGUN`. For what must happen after a
    /// crash, set an alarm.
    ///
    /// ```
    /// # use dotdo_core as dotdo;
    /// use dotdo::{Context, DurableObject, IntoResponse, Request, Response, Result, Turns};
    ///
    /// struct Assistant;
    ///
    /// # async fn ask_a_model(_: &str) -> Result<String> { Ok("42".into()) }
    /// impl DurableObject for Assistant {
    ///     async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
    ///         let question = request.into_body().text().await?;
    ///         ctx.storage().put("question", &question)?;
    ///         ctx.leave_turn(move |object: Turns<Self>| async move {
    ///             let answer = ask_a_model(&question).await?;
    ///             let kept = answer.clone();
    ///             object.turn(move |_, ctx| ctx.storage().put("answer", &kept)).await?;
    ///             answer.into_response()
    ///         })
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// `Invalid` (code `READ_ONLY`) for a request on a former state.
    pub fn leave_turn<T: DurableObject, F>(
        &mut self,
        work: impl FnOnce(Turns<T>) -> F,
    ) -> Result<Response>
    where
        F: Future<Output = Result<Response>> + Send + 'static,
    {
        if self.is_as_of {
            let text = "a request with X-DO-At is read-only; it has no turn to leave";
            return Err(Error::new(ErrorKind::Invalid, text).with_code("READ_ONLY"));
        }
        let continuing = Arc::new(Handling::default());
        let work = work(self.turns_while(Arc::downgrade(&continuing)));
        let mut response = Response::new(Body::empty());
        response
            .extensions_mut()
            .insert(Continuation::of(Continued::new(Box::pin(work), continuing)));
        Ok(response)
    }

    /// Leaves the turn of an alarm's handler, whose outcome is that of `work`: as
    /// [`Context::leave_turn`] is for requests. Return what this returns.
    ///
    /// While `work` is under way the alarm counts as running: it is not set, and is not run beside.
    /// If `work` fails, the alarm runs again after a pause; if nothing is heard of it for a minute,
    /// because the process has ended, it runs again elsewhere. A handler that sets the alarm anew
    /// takes the place of the one that runs, whatever becomes of that.
    ///
    /// ```
    /// # use dotdo_core as dotdo;
    /// # use dotdo::{AlarmInfo, Context, DurableObject, Request, Response, Result, Turns};
    /// # struct Invoice;
    /// # async fn charge() -> Result<()> { Ok(()) }
    /// impl DurableObject for Invoice {
    /// #     async fn fetch(&mut self, _: Request, _: &mut Context) -> Result<Response> {
    /// #         Ok(Response::default())
    /// #     }
    ///     async fn alarm(&mut self, _: AlarmInfo, ctx: &mut Context) -> Result<()> {
    ///         ctx.leave_alarm(|object: Turns<Self>| async move {
    ///             charge().await?;
    ///             object.turn(|_, ctx| ctx.storage().put("state", "paid")).await
    ///         })
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// `Invalid` (code `NO_ALARM`) in a handler of anything else.
    pub fn leave_alarm<T: DurableObject, F>(
        &mut self,
        work: impl FnOnce(Turns<T>) -> F,
    ) -> Result<()>
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        if !self.request.is_of_alarm {
            let text = "expected the handler of an alarm; a request leaves its turn by leave_turn";
            return Err(Error::invalid(text).with_code("NO_ALARM"));
        }
        let continuing = Arc::new(Handling::default());
        let work = work(self.turns_while(Arc::downgrade(&continuing)));
        let work = async move { work.await.map(|()| Response::new(Body::empty())) };
        self.request.rest_of_alarm = Some(Continued::new(Box::pin(work), continuing));
        Ok(())
    }

    /// A handle by which work that the handler leaves behind ([`Context::wait_until`]) takes turns of
    /// the object. Its requests are the object's own ([`Context::caller`]).
    ///
    /// ```
    /// # use dotdo_core as dotdo;
    /// # struct Page;
    /// # impl dotdo::DurableObject for Page {
    /// #     async fn fetch(&mut self, _: dotdo::Request, _: &mut dotdo::Context) -> dotdo::Result<dotdo::Response> {
    /// #         Ok(dotdo::Response::new("".into()))
    /// #     }
    /// # }
    /// # async fn render() -> String { String::new() }
    /// fn refresh(ctx: &mut dotdo::Context) {
    ///     let page = ctx.turns::<Page>();
    ///     ctx.wait_until(async move {
    ///         let text = render().await;
    ///         _ = page.turn(move |_, ctx| ctx.storage().put("text", &text)).await;
    ///     });
    /// }
    /// ```
    pub fn turns<T: DurableObject>(&self) -> Turns<T> {
        self.turns_while(Weak::new())
    }

    fn turns_while<T>(&self, continuing: Weak<Handling>) -> Turns<T> {
        Turns {
            object: self.object.clone(),
            caller: self.caller().clone(),
            chain: self.request.chain.clone(),
            maker: Arc::downgrade(&self.request.running),
            continuing,
            host: self.host.clone(),
            value: PhantomData,
        }
    }
}
