//! Invocations: authentication, deadlines, and the work between a response and the freeze.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, SystemTime};

use dotdo_core::{
    Body, Error, ErrorKind, REQUEST_ID_HEADER, Response, Result, SocketConnection, SocketTransport,
};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream;
use http::HeaderValue;
use http_body::Body as _;
use http_body_util::{BodyExt, StreamBody};
use lambda_http::request::LambdaRequest;
use lambda_runtime::tower::Layer;
use lambda_runtime::{Context, LambdaEvent, LambdaInvocation, Runtime, Service, service_fn};
use serde::de::IgnoredAny;
use serde_json::value::to_raw_value;
use tokio::sync::{OwnedRwLockReadGuard, RwLock};
use tokio::time::{Instant, timeout_at};

use super::api::{Api, Ticket};
use super::request::{EventRequest, Front, SocketArrival};
use super::response::{self, Answer};
use super::settings::{LambdaSettings, Streaming};
use crate::edge::{Edge, Objects, RequestBody, refusal};

/// Time reserved at the end of an invocation to send the response, because Lambda kills the process
/// at its deadline.
const RESERVE: Duration = Duration::from_millis(200);

/// How long the first frames of a connection may take after its handshake was answered.
const OPENING_MAX: Duration = Duration::from_secs(10);

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
    /// Reaches the connections that API Gateway holds.
    pub(super) transport: Option<Arc<dyn SocketTransport>>,
}

/// What an event is answered with.
pub(super) struct Answered {
    pub(super) answer: Answer,
    /// A connection whose handshake the answer accepts.
    pub(super) opened: Option<SocketConnection>,
}

impl From<Answer> for Answered {
    fn from(answer: Answer) -> Self {
        Self { answer, opened: None }
    }
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
            Ok(Answered { answer, opened }) => {
                let is_sent = self.api.answer(&ticket, answer).await;
                self.after_handshake(opened.filter(|_| is_sent), &invocation.context).await;
            }
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
    ) -> Result<Answered> {
        let context = &invocation.context;
        let deadline = deadline(context);
        if is_tick(&invocation.body) {
            return self.tick(deadline).await.map(Answered::from);
        }
        if let Some(arrival) = SocketArrival::of(&invocation.body, context) {
            return Ok(self.socket(arrival?, deadline, context).await);
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
            return Ok(response::in_pieces(response, last).into());
        }
        let answer = response::whole(response, front).await;
        self.finish_background(deadline).await;
        Ok(answer.into())
    }

    /// Sends what an object has sent to a connection during its handshake, once that was answered:
    /// nothing can be sent to it before. The runtime API has the answer, and the process is not
    /// frozen until it asks for the next event.
    async fn after_handshake(&self, opened: Option<SocketConnection>, context: &Context) {
        let (Some(connection), Some(engine)) = (opened, self.edge.objects().engine()) else {
            return;
        };
        engine.opened(&connection);
        let latest = Instant::now() + OPENING_MAX;
        let deadline = deadline(context).map_or(latest, |deadline| deadline.min(latest));
        self.finish_background_by(deadline).await;
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
    pub(super) async fn in_time<B: RequestBody>(
        &self,
        request: http::Request<B>,
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
        let most = Instant::now() + self.settings.background_max;
        self.finish_background_by(deadline.map_or(most, |deadline| deadline.min(most))).await;
    }

    /// The same, until then.
    pub(super) async fn finish_background_by(&self, until: Instant) {
        if !self.is_frozen {
            return;
        }
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
pub(super) fn refused(error: &Error, context: &Context) -> Response {
    let id = HeaderValue::try_from(&context.request_id).unwrap_or(HeaderValue::from_static(""));
    tracing::warn!(request_id = context.request_id, error = ?error, "request refused");
    let mut response = refusal(error, &id);
    response.headers_mut().insert(REQUEST_ID_HEADER, id);
    response
}

fn unknown(cause: &str) -> Error {
    let message = format!(
        "expected an event of a REST API, an HTTP API, a WebSocket API, a load balancer or a function URL: {cause}"
    );
    Error::invalid(message).with_code("BAD_EVENT")
}

pub(super) fn nobody_vouched() -> Error {
    let message = "the sender of this request is not authenticated; let AWS authenticate it (a function URL with AuthType AWS_IAM, an API with IAM or an authorizer), require tokens (DOTDO_AUTH_TOKENS), or, if anyone who can invoke this function may use it, set DOTDO_ALLOW_UNAUTHENTICATED=1";
    Error::new(ErrorKind::Forbidden, message).with_code("UNAUTHENTICATED_EVENT")
}

pub(super) fn too_late() -> Error {
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
