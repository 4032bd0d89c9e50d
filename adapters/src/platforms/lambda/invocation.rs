//! Invocations: authentication, deadlines, and the work between a response and the freeze.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use dotdo_core::{Body, Error, ErrorKind, REQUEST_ID_HEADER, Response, Result};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream;
use http::HeaderValue;
use http_body::Body as _;
use http_body_util::{BodyExt, Full, StreamBody};
use lambda_http::request::LambdaRequest;
use lambda_runtime::tower::Layer;
use lambda_runtime::{Context, LambdaEvent, LambdaInvocation, Runtime, Service, service_fn};
use serde::de::IgnoredAny;
use serde_json::value::to_raw_value;
use tokio::sync::{OwnedRwLockReadGuard, RwLock};
use tokio::time::{Instant, timeout_at};

use super::api::{Api, Ticket};
use super::request::{EventRequest, Front};
use super::response::{self, Answer};
use super::settings::{LambdaSettings, Streaming};
use crate::edge::{Edge, Objects, refusal};

/// Time reserved at the end of an invocation to send the response, because Lambda kills the process
/// at its deadline.
const RESERVE: Duration = Duration::from_millis(200);

/// State shared by all invocations.
pub(super) struct Invocations<O> {
    pub(super) edge: Arc<Edge<O>>,
    pub(super) api: Api,
    pub(super) settings: LambdaSettings,
    /// Whether unauthenticated requests are accepted.
    pub(super) is_open: bool,
    /// Whether the process is frozen after a response.
    pub(super) is_frozen: bool,
    /// Read-locked by each running invocation.
    pub(super) running: Arc<RwLock<()>>,
}

impl<O: Objects> Invocations<O> {
    /// Answers events until the runtime API is lost.
    ///
    /// # Errors
    ///
    /// The library's message in that case.
    pub(super) async fn run(self) -> Result<(), lambda_runtime::Error> {
        // The library's loop, with our own responses instead of the library's.
        let never = service_fn(|_: LambdaEvent<IgnoredAny>| async { Ok::<(), Infallible>(()) });
        Runtime::new(never).layer(Loop(Arc::new(self))).run_concurrent().await
    }

    async fn serve(self: Arc<Self>, invocation: LambdaInvocation) {
        let ticket = Ticket::of(&invocation);
        // Held until the response was sent; the process may end once nobody holds this.
        let running = Arc::new(Arc::clone(&self.running).read_owned().await);
        let answered =
            AssertUnwindSafe(Arc::clone(&self).answer(&invocation, Arc::clone(&running)))
                .catch_unwind()
                .await;
        match answered.unwrap_or_else(|_| {
            Err(Error::internal("the adapter failed while it answered; its log has details"))
        }) {
            Ok(answer) => self.api.answer(&ticket, answer).await,
            Err(error) => self.api.fail(&ticket, &error).await,
        }
        drop(running);
    }

    /// The response to an event. A streamed response holds `running` until its end.
    ///
    /// # Errors
    ///
    /// `Invalid` when the event is not a request.
    async fn answer(
        self: Arc<Self>,
        invocation: &LambdaInvocation,
        running: Arc<OwnedRwLockReadGuard<()>>,
    ) -> Result<Answer> {
        let context = &invocation.context;
        let deadline = deadline(context);
        if is_tick(&invocation.body) {
            return self.tick(deadline).await;
        }
        let event: LambdaRequest = serde_json::from_slice(&invocation.body)
            .map_err(|cause| unknown(&cause.to_string()))?;
        let EventRequest { front, request, is_vouched_for } = EventRequest::new(event, context)
            .ok_or_else(|| unknown("the library knows more than this adapter"))?;
        let response = match request {
            Err(error) => refused(&error, context),
            Ok(_) if !(is_vouched_for || self.is_open) => refused(&nobody_vouched(), context),
            Ok(request) => ending(self.in_time(request, deadline, context).await, deadline),
        };
        if self.streams(front) {
            let last = async move {
                self.finish_background(deadline).await;
                drop(running);
            };
            return Ok(response::in_pieces(response, last));
        }
        let answer = response::whole(response, front).await;
        self.finish_background(deadline).await;
        Ok(answer)
    }

    /// Looks at what is due, for as long as the invocation lasts.
    async fn tick(&self, deadline: Option<Instant>) -> Result<Answer> {
        let looking = self.edge.tick();
        let is_done = match deadline {
            None => looking.await.map(|()| true)?,
            Some(deadline) => match timeout_at(deadline, looking).await {
                Ok(outcome) => outcome.map(|()| true)?,
                // The rest is due at the next tick.
                Err(_) => false,
            },
        };
        let status = if is_done { "ok" } else { "unfinished" };
        let document = to_raw_value(&serde_json::json!({ "status": status }));
        document.map(Answer::Whole).map_err(|cause| Error::internal(cause.to_string()))
    }

    fn streams(&self, front: Front) -> bool {
        match self.settings.streaming {
            Streaming::Off => false,
            Streaming::FunctionUrl => front == Front::FunctionUrl,
            Streaming::All => matches!(front, Front::FunctionUrl | Front::RestApi),
        }
    }

    /// The response, or the error that the deadline has passed.
    async fn in_time(
        &self,
        request: http::Request<Full<Bytes>>,
        deadline: Option<Instant>,
        context: &Context,
    ) -> Response {
        let work = self.edge.answer(request);
        match deadline {
            None => work.await,
            Some(deadline) => {
                timeout_at(deadline, work).await.unwrap_or_else(|_| refused(&too_late(), context))
            }
        }
    }

    /// Waits for the background work of answered requests, as long as the settings and the deadline
    /// allow. The rest continues in the next invocation, which thaws the process, or is done by
    /// another process.
    async fn finish_background(&self, deadline: Option<Instant>) {
        if !self.is_frozen {
            return;
        }
        let most = Instant::now() + self.settings.background_max;
        let until = deadline.map_or(most, |deadline| deadline.min(most));
        if timeout_at(until, self.edge.objects().finish_background()).await.is_err() {
            tracing::debug!(
                "background work of answered requests continues in the next invocation"
            );
        }
    }
}

/// Whether an event is a tick. Whoever may invoke the function can send one: a front end puts what its
/// clients send into an event of its own form.
fn is_tick(event: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Tick {
        dotdo: String,
    }
    serde_json::from_slice::<Tick>(event).is_ok_and(|event| event.dotdo == "tick")
}

/// The response, whose body is cut off at the deadline.
fn ending(response: Response, deadline: Option<Instant>) -> Response {
    let Some(deadline) = deadline.filter(|_| response.body().size_hint().exact().is_none()) else {
        return response;
    };
    response.map(|body| {
        let frames = stream::unfold(Some(body), move |body| async move {
            let mut body = body?;
            match timeout_at(deadline, body.frame()).await {
                Ok(frame) => frame.map(|frame| (frame, Some(body))),
                Err(_) => Some((Err(too_late()), None)),
            }
        });
        Body::new(StreamBody::new(frames))
    })
}

/// When a response must be ready. `None` if Lambda's deadline has already passed, as on emulators
/// without deadlines.
fn deadline(context: &Context) -> Option<Instant> {
    let left = context.deadline().duration_since(SystemTime::now()).ok()?;
    Some(Instant::now() + left.saturating_sub(RESERVE))
}

/// The response for events that the edge does not see or does not finish.
fn refused(error: &Error, context: &Context) -> Response {
    let id = HeaderValue::try_from(&context.request_id).unwrap_or(HeaderValue::from_static(""));
    tracing::warn!(request_id = context.request_id, error = ?error, "request refused");
    let mut response = refusal(error, &id);
    response.headers_mut().insert(REQUEST_ID_HEADER, id);
    response
}

fn unknown(cause: &str) -> Error {
    let message = format!(
        "expected an event of a REST API, an HTTP API, a load balancer or a function URL: {cause}"
    );
    Error::invalid(message).with_code("BAD_EVENT")
}

fn nobody_vouched() -> Error {
    let message = "the sender of this request is not authenticated; let AWS authenticate it (a function URL with AuthType AWS_IAM, an API with IAM or an authorizer), require tokens (DOTDO_AUTH_TOKENS), or, if anyone who can invoke this function may use it, set DOTDO_ALLOW_UNAUTHENTICATED=1";
    Error::new(ErrorKind::Forbidden, message).with_code("UNAUTHENTICATED_EVENT")
}

fn too_late() -> Error {
    let message = "the function is about to time out before the request was answered; it may or may not be executed";
    Error::new(ErrorKind::TimedOut, message).with_code("FUNCTION_TIMEOUT")
}

/// The service that answers events in the library's loop.
struct Loop<O>(Arc<Invocations<O>>);

impl<O> Clone for Loop<O> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<O, S> Layer<S> for Loop<O> {
    type Service = Self;

    fn layer(&self, _: S) -> Self {
        self.clone()
    }
}

impl<O: Objects> Service<LambdaInvocation> for Loop<O> {
    type Response = ();
    type Error = lambda_runtime::Error;
    type Future = BoxFuture<'static, Result<(), lambda_runtime::Error>>;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), lambda_runtime::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, invocation: LambdaInvocation) -> Self::Future {
        Arc::clone(&self.0).serve(invocation).map(Ok).boxed()
    }
}
