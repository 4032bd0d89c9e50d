//! Requests to a server that has endpoints of its own and no objects, such as the broker: with the
//! same ids, limits, errors, metrics and log as requests to objects.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use dotdo_core::{Caller, Error, Response, Result};
use http::{StatusCode, header, request};
use http_body_util::BodyExt as _;
use tracing::Instrument as _;

use super::body::{Bounds, Inbound, RequestBody, too_large};
use super::dispatch::survive;
use super::{Edge, Objects, error};

/// A request to an endpoint, read completely.
pub(crate) struct Asked {
    pub(crate) head: request::Parts,
    pub(crate) body: Bytes,
    /// The client's address.
    pub(crate) client: Option<IpAddr>,
    /// The request's id.
    pub(crate) request_id: String,
    /// The caller for the log, once it is verified.
    pub(crate) caller: Option<Caller>,
}

impl<O: Objects> Edge<O> {
    /// Answers a request with a body of at most `bytes_max` bytes by `handler`; errors and panics
    /// become responses.
    pub(crate) async fn answer_by<B: RequestBody>(
        &self,
        request: http::Request<B>,
        bytes_max: u64,
        handler: impl AsyncFnOnce(&mut Asked) -> Result<Response>,
    ) -> Response {
        let (head, body) = request.into_parts();
        let mut context = self.context(&head);
        let span = context.trace.span();
        let announced = head
            .headers
            .get(header::CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        let bytes_in = Arc::clone(&context.line.bytes_in);
        let bounds = Bounds { bytes_max, pace: self.settings.pace() };
        let inbound = Inbound::new(body, bounds, bytes_in);
        let mut asked = Asked {
            head,
            body: Bytes::new(),
            client: context.line.client,
            request_id: String::from_utf8_lossy(context.line.id.as_bytes()).into_owned(),
            caller: None,
        };
        let answering = async {
            if announced.is_some_and(|bytes| bytes > bytes_max) {
                return Err(too_large(bytes_max));
            }
            asked.body = inbound.collect().await?.to_bytes();
            handler(&mut asked).await
        };
        let outcome = survive(answering.instrument(span)).await;
        context.line.caller = asked.caller;
        self.finish(outcome, context)
    }
}

impl<O: Objects> Edge<O> {
    /// The caller of a request to an endpoint; `None` if authentication is off.
    ///
    /// # Errors
    ///
    /// Those of [`Authentication::admit`](crate::auth::Authentication::admit).
    pub(crate) async fn identify(&self, asked: &Asked) -> Result<Option<Caller>> {
        self.authentication.admit(&asked.head, asked.client).await
    }
}

/// The status of the response for an error.
pub(crate) fn status_of(error: &Error) -> StatusCode {
    error::status(error.kind())
}
