//! A service that answers inside an object.

use std::pin::pin;

use bytes::Bytes;
use dotdo_core::{Body, Context, Error, ErrorKind, Request, Response, Result};
use tokio::sync::{mpsc, oneshot};
use tower::Service;

/// Any error of a service or of a body.
type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// Work on the context.
type Work = Box<dyn FnOnce(&mut Context) + Send>;

/// The context of the object's request, lent to the service that answers it. [`answer`] puts it into
/// the extensions of the request that it passes to the service, and has an example.
#[derive(Debug, Clone)]
pub struct Lent {
    work: mpsc::UnboundedSender<Work>,
}

impl Lent {
    /// Runs `work` on the context and returns its result.
    ///
    /// # Errors
    ///
    /// `Handler` (code `REQUEST_OVER`) when [`answer`] has returned already: in a task that
    /// outlives the request, or in the body of a response.
    pub async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Context) -> T + Send + 'static,
    ) -> Result<T> {
        let (done, outcome) = oneshot::channel();
        let work = move |ctx: &mut Context| {
            // The caller may be gone.
            let _ = done.send(work(ctx));
        };
        self.work.send(Box::new(work)).map_err(|_| over())?;
        outcome.await.map_err(|_| over())
    }
}

fn over() -> Error {
    Error::new(ErrorKind::Handler, "the request is over, and its context with it")
        .with_code("REQUEST_OVER")
}

/// Rolls back the request, whose outcome is this error. A service puts it into the extensions of
/// its response.
///
/// ```
/// use dotdo::service::{self, Lent, Undo};
/// use dotdo::{Body, Context, DurableObject, Error, Request, Response, Result};
///
/// struct Counter;
///
/// impl DurableObject for Counter {
///     async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
///         let service = tower::service_fn(async |request: Request| {
///             let lent = request.extensions().get::<Lent>().cloned().expect("it is lent");
///             lent.with(|ctx| ctx.storage().put("count", &1)).await??;
///             let mut response = Response::new(Body::empty());
///             response.extensions_mut().insert(Undo(Error::invalid("it counts no further")));
///             Ok::<_, Error>(response)
///         });
///         service::answer(service, request, ctx).await
///     }
/// }
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # use dotdo::{App, Serve, ServeOptions};
/// # use tower::Service;
/// # let options = ServeOptions {
/// #     storage: Some("memory://".to_owned()),
/// #     allow_unauthenticated: true,
/// #     ..ServeOptions::default()
/// # };
/// # let serve = Serve::new(App::new().class("Counter", || Counter)).options(options);
/// # let (mut service, _handle) = serve.into_service().await?;
/// # let request = http::Request::post("/do/visits").header("host", "localhost");
/// # let response = service.call(request.body(Body::empty())?).await?;
/// # assert_eq!(response.status(), 400);
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Undo(pub Error);

/// Answers `request` with `service`, whose handlers use `ctx` through the [`Lent`] in the request's
/// extensions.
///
/// ```
/// use dotdo::service::{self, Lent};
/// use dotdo::{Body, Context, DurableObject, Request, Response, Result};
///
/// struct Counter;
///
/// impl DurableObject for Counter {
///     async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
///         let service = tower::service_fn(async |request: Request| {
///             let lent = request.extensions().get::<Lent>().cloned().expect("it is lent");
///             let count = lent.with(|ctx| {
///                 let count = ctx.storage().get::<u64>("count")?.unwrap_or(0) + 1;
///                 ctx.storage().put("count", &count).map(|()| count)
///             });
///             Ok::<_, dotdo::Error>(Response::new(Body::from(count.await??.to_string())))
///         });
///         service::answer(service, request, ctx).await
///     }
/// }
/// ```
///
/// # Errors
///
/// The error of an [`Undo`]; an error of the service, which counts as the handler's.
pub async fn answer<S, B>(
    mut service: S,
    mut request: Request,
    ctx: &mut Context,
) -> Result<Response>
where
    S: Service<Request, Response = http::Response<B>>,
    S::Error: Into<AnyError>,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<AnyError>,
{
    let (sender, mut asked) = mpsc::unbounded_channel::<Work>();
    request.extensions_mut().insert(Lent { work: sender });
    let answering = async {
        std::future::poll_fn(|cx| service.poll_ready(cx)).await?;
        service.call(request).await
    };
    let mut answering = pin!(answering);
    let outcome = loop {
        tokio::select! {
            biased;
            Some(work) = asked.recv() => work(ctx),
            outcome = &mut answering => break outcome,
        }
    };
    let mut response = outcome.map_err(failed)?;
    if let Some(Undo(error)) = response.extensions_mut().remove() {
        return Err(error);
    }
    Ok(response.map(|body| Body::new(http_body_util::BodyExt::map_err(body, failed))))
}

/// An error of a service, or of the body of its response.
fn failed(cause: impl Into<AnyError>) -> Error {
    match cause.into().downcast::<Error>() {
        Ok(error) => *error,
        Err(cause) => Error::handler(cause),
    }
}
