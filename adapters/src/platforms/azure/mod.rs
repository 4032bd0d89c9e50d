//! Azure Functions: the program is the custom handler of a Functions host, which connects over
//! loopback.
//!
//! Either the host proxies HTTP (`enableProxyingHttpRequest`), or it describes each request in a JSON
//! payload, and expects the response likewise. A setting chooses the mode; a client can't. The
//! host's timer comes as a payload in both.
//!
//! Promises: a request in a payload keeps its meaning or is refused, and so does a response. Must
//! not know: the engine, the bucket, addresses.

mod request;
mod response;
pub(crate) mod settings;
mod timer;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;
use dotdo_core::{Error, ErrorKind, Response};
use http::{HeaderValue, Method, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use tokio::net::TcpListener;

use self::settings::Mode;
use self::timer::Timed;
use crate::config::Config;
use crate::edge::{Edge, Objects, RequestBody};
use crate::program::Program;
use crate::serve::Ended;
use crate::server::{Front, Signals};

/// Serves the requests of a Functions host on `listener`, and its timer.
pub(crate) async fn serve(
    listener: TcpListener,
    program: Program,
    config: &Config,
    signals: &mut Signals,
) -> Ended {
    let address = listener.local_addr().map_or_else(|_| "unknown".to_owned(), |it| it.to_string());
    match config.functions {
        Mode::Http => {
            program.announce("listening", &address);
            let front = Timed::new(program.edge.clone(), program.edge);
            crate::serve::serve(listener, Arc::new(front), config, signals).await
        }
        Mode::Payload => {
            program.announce("listening for invocations", &address);
            let bytes_max = config.edge.body_bytes_max;
            let front = Arc::new(Invocations::new(program.edge.clone(), bytes_max));
            let front = Timed::new(program.edge, front);
            crate::serve::serve(listener, Arc::new(front), config, signals).await
        }
    }
}

/// Maximum size of a payload besides the request's body, in bytes: URL, headers, caller.
const AROUND_BYTES_MAX: u64 = 1 << 20;

/// A wrapper around an edge for requests and responses in payloads.
pub(crate) struct Invocations<O> {
    edge: Arc<Edge<O>>,
    /// Maximum size of a payload. A body in it is base64 (a third longer) or text (at most twice as
    /// long, except for control characters).
    payload_bytes_max: usize,
}

impl<O: Objects> Invocations<O> {
    /// Wraps `edge`, for bodies of at most `body_bytes_max` bytes.
    pub(crate) fn new(edge: Arc<Edge<O>>, body_bytes_max: u64) -> Self {
        let payload = body_bytes_max.saturating_mul(2).saturating_add(AROUND_BYTES_MAX);
        Self { edge, payload_bytes_max: usize::try_from(payload).unwrap_or(usize::MAX) }
    }

    /// The request in an invocation.
    async fn described<B: RequestBody>(
        &self,
        body: B,
    ) -> Result<http::Request<Full<Bytes>>, Error> {
        let payload =
            Limited::new(body, self.payload_bytes_max).collect().await.map_err(|cause| {
                match cause.is::<LengthLimitError>() {
                    true => Error::new(
                        ErrorKind::TooLarge,
                        format!(
                            "expected a payload of at most {} bytes, got a larger one",
                            self.payload_bytes_max
                        ),
                    ),
                    false => Error::invalid(format!("the payload ended early: {cause}"))
                        .with_code("BODY_BROKEN"),
                }
            })?;
        request::described(&payload.to_bytes())
    }
}

impl<O: Objects> Front for Invocations<O> {
    type Objects = O;

    fn objects(&self) -> &O {
        self.edge.objects()
    }

    async fn answer<B: RequestBody>(&self, request: http::Request<B>) -> Response {
        let (head, body) = request.into_parts();
        if head.method != Method::POST {
            // At startup the host checks that the handler listens; any response is fine.
            let error = Error::not_found(
                "expected an invocation from the Functions host, which is a POST, because azure_functions.mode is payload",
            );
            return self.edge.refuse(&head, error);
        }
        let (method, answer) = match self.described(body).await {
            Ok(mut described) => {
                described.extensions_mut().extend(head.extensions);
                // A payload holds text, so nothing is compressed.
                described.headers_mut().remove(header::ACCEPT_ENCODING);
                (described.method().clone(), self.edge.answer(described).await)
            }
            Err(error) => (Method::POST, self.edge.refuse(&head, error)),
        };
        let mut response = Response::new(response::payload(answer, &method).await.into());
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}

/// A target for fuzzers: a payload, whose request is legal HTTP or refused.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz(data: &[u8]) {
    if let Ok(request) = request::described(data) {
        assert!(request.uri().path().starts_with('/'), "a request without a path");
    }
}
