//! The value of an object in memory, of any class, and what runs before its first request.

use std::future::Future;
use std::pin::Pin;

use crate::alarms::AlarmInfo;
use crate::error::{Error, Result};
use crate::object::app::DurableObject;
use crate::object::body::{Body, Request, Response};
use crate::object::context::Context;
use crate::object::schedule::Schedule;
use crate::object::slice::Slice;
use crate::object::socket::check_accepted;
use crate::object::socket_event::answer_event;
use crate::sockets::SocketEvent;

/// A value of any class, whose start runs before its first request.
pub(crate) trait AnyObject: Send {
    /// Runs [`DurableObject::start`], unless it has run.
    fn start<'a>(
        &'a mut self,
        ctx: &'a mut Context,
    ) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;

    /// Runs [`DurableObject::fetch`], after the start.
    fn fetch<'a>(
        &'a mut self,
        request: Request,
        ctx: &'a mut Context,
    ) -> Pin<Box<dyn Future<Output = Result<Response>> + Send + 'a>>;

    /// Runs [`DurableObject::alarm`], after the start.
    fn alarm<'a>(
        &'a mut self,
        info: AlarmInfo,
        ctx: &'a mut Context,
    ) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;

    /// Runs [`DurableObject::scheduled`], after the start.
    fn scheduled<'a>(
        &'a mut self,
        schedule: Schedule,
        ctx: &'a mut Context,
    ) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;
}

/// A value of a class, and whether its start has run. If the transaction in which it ran is rolled
/// back, the value must be created anew.
pub(super) struct Loaded<T> {
    value: T,
    started: bool,
}

/// The value of an object whose class is unknown.
pub(super) struct Unknown(pub(super) Error);

impl AnyObject for Unknown {
    fn start<'a>(
        &'a mut self,
        _: &'a mut Context,
    ) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>> {
        Box::pin(std::future::ready(Err(self.0.clone())))
    }

    fn fetch<'a>(
        &'a mut self,
        _: Request,
        _: &'a mut Context,
    ) -> Pin<Box<dyn Future<Output = Result<Response>> + Send + 'a>> {
        Box::pin(std::future::ready(Err(self.0.clone())))
    }

    fn alarm<'a>(
        &'a mut self,
        _: AlarmInfo,
        _: &'a mut Context,
    ) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>> {
        Box::pin(std::future::ready(Err(self.0.clone())))
    }

    fn scheduled<'a>(
        &'a mut self,
        _: Schedule,
        _: &'a mut Context,
    ) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>> {
        Box::pin(std::future::ready(Err(self.0.clone())))
    }
}

impl<T: DurableObject> Loaded<T> {
    pub(super) fn new(value: T) -> Self {
        Self { value, started: false }
    }

    async fn start_once(&mut self, ctx: &mut Context) -> Result<()> {
        if self.started {
            return Ok(());
        }
        let is_first = ctx.database.is_blank() && ctx.database.is_unchanged()?;
        let caller = ctx.request.caller.take();
        self.value.start(ctx).await?;
        ctx.request.caller = caller;
        if is_first {
            ctx.database.note_start()?;
        }
        ctx.check_sockets()?;
        self.started = true;
        Ok(())
    }
}

impl<T: DurableObject> AnyObject for Loaded<T> {
    fn start<'a>(
        &'a mut self,
        ctx: &'a mut Context,
    ) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>> {
        Box::pin(self.start_once(ctx))
    }

    fn fetch<'a>(
        &'a mut self,
        mut request: Request,
        ctx: &'a mut Context,
    ) -> Pin<Box<dyn Future<Output = Result<Response>> + Send + 'a>> {
        Box::pin(async move {
            self.start_once(ctx).await?;
            if let Some(slice) = request.extensions().get::<Slice>() {
                slice.run(&mut self.value, ctx)?;
                return Ok(Response::new(Body::empty()));
            }
            if let Some(event) = request.extensions_mut().remove::<SocketEvent>() {
                return answer_event(&mut self.value, event, request.into_body(), ctx).await;
            }
            let response = self.value.fetch(request, ctx).await?;
            check_accepted(ctx, &response)?;
            Ok(response)
        })
    }

    fn alarm<'a>(
        &'a mut self,
        info: AlarmInfo,
        ctx: &'a mut Context,
    ) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>> {
        Box::pin(async move {
            self.start_once(ctx).await?;
            self.value.alarm(info, ctx).await
        })
    }

    fn scheduled<'a>(
        &'a mut self,
        schedule: Schedule,
        ctx: &'a mut Context,
    ) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>> {
        Box::pin(async move {
            self.start_once(ctx).await?;
            self.value.scheduled(schedule, ctx).await
        })
    }
}
