//! Requests of other servers: admitted before their body is requested, and started when its first
//! chunk has arrived.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use dotdo_core::{Body as ResponseBody, Error, ErrorKind, Received, Request, Response, Result};
use http::StatusCode;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;

use super::body::RequestBody;
use super::context::RequestContext;
use super::dispatch::survive;
use super::{Edge, Objects};
use crate::cluster::peers::{ForwardedRequest, Kind, kind_named};

/// What a server did with a forwarded request.
type Outcome = (Kind, Result<Response>);

impl<O: Objects> Edge<O> {
    /// Answers a request of another server and reports the outcome; errors and panics become
    /// responses.
    pub(super) async fn answer_peer<B: RequestBody>(
        &self,
        arrival: &ForwardedRequest,
        request: http::Request<B>,
        mut context: RequestContext,
    ) -> Response {
        (context.line.peer, context.line.client) = (Some(arrival.sender()), arrival.client());
        context.line.caller = arrival.caller();
        let outcome = survive(self.dispatch_peer(arrival, request, &mut context)).await;
        let (kind, outcome) =
            outcome.unwrap_or_else(|error| (Kind::Error(kind_named(error.kind())), Err(error)));
        let result = match kind {
            Kind::Response => "answered",
            Kind::Error(_) => "failed",
            Kind::NotOwner => "not_owner",
        };
        metrics::counter!("dotdo_peer_requests_total", "result" => result).increment(1);
        self.forwarded.marked(kind, self.finish(outcome, context))
    }

    async fn dispatch_peer<B: RequestBody>(
        &self,
        arrival: &ForwardedRequest,
        request: http::Request<B>,
        context: &mut RequestContext,
    ) -> Result<Outcome> {
        context.line.object = Some(arrival.object.clone());
        if !arrival.is_for_the_server() && !self.objects.admits(&arrival.object).await {
            return Ok(not_owner());
        }
        let (mut head, body) = request.into_parts();
        arrival.restore(&mut head)?;
        context.line.uri = head.uri.clone();
        let begun = tokio::time::timeout(self.settings.body_stall, Begun::new(body)).await;
        let body = begun.map_err(|_| stalled())??;
        let body = self.receive(body, &mut head, &arrival.object, context).await?;
        Ok(
            match self
                .objects
                .receive(
                    &arrival.object,
                    arrival.request_context.clone(),
                    Request::from_parts(head, body),
                )
                .await
            {
                Received::Answered(Ok(response)) => (Kind::Response, Ok(response)),
                Received::Answered(Err(error)) => {
                    (Kind::Error(kind_named(error.kind())), Err(error))
                }
                Received::NotOwner => not_owner(),
            },
        )
    }
}

fn stalled() -> Error {
    Error::new(ErrorKind::TooSlow, "the server that announced this request did not send it")
        .with_code("BODY_STALLED")
}

/// The response of a server that does not own the object (421, RFC 9110 section 15.5.20). The other
/// server finds the owner again, so this is not a failure, and no client sees it.
fn not_owner() -> Outcome {
    let mut response = Response::new(ResponseBody::empty());
    *response.status_mut() = StatusCode::MISDIRECTED_REQUEST;
    (Kind::NotOwner, Ok(response))
}

/// A body whose first chunk or end has arrived. Requesting it tells the sender that the request is
/// accepted.
struct Begun<B> {
    first: Option<Frame<Bytes>>,
    is_over: bool,
    rest: B,
}

impl<B> Begun<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    /// Waits for the first chunk of `body`.
    ///
    /// # Errors
    ///
    /// `Invalid` when the sender has withdrawn the request.
    async fn new(mut body: B) -> Result<Self> {
        match body.frame().await {
            None => Ok(Self { first: None, is_over: true, rest: body }),
            Some(Ok(first)) => Ok(Self { first: Some(first), is_over: false, rest: body }),
            Some(Err(cause)) => Err(Error::invalid("the request was withdrawn")
                .with_code("BODY_BROKEN")
                .with_source(cause)),
        }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Begun<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.first.take() {
            Some(first) => Poll::Ready(Some(Ok(first))),
            None if self.is_over => Poll::Ready(None),
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && (self.is_over || self.rest.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let first =
            self.first.as_ref().and_then(Frame::data_ref).map_or(0, |data| data.len() as u64);
        let rest = self.rest.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(first + rest.lower());
        if let Some(upper) = rest.upper() {
            hint.set_upper(first + upper);
        }
        hint
    }
}
