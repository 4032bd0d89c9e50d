//! Lambda's runtime API, as far as `lambda_runtime` does not do: answers, and the report of a start
//! that failed.
//!
//! The library's own way to answer piece by piece ends a body that breaks off with a line of text,
//! as if it were whole; it gives a response without a content type one; and it fails on headers
//! that are not ASCII.
//!
//! Source: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>,
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html#runtimes-custom-response-streaming>.

use dotdo_core::{Body, Error};
use http::request::Builder;
use http::{HeaderName, HeaderValue, Request, header};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use lambda_runtime::LambdaInvocation;

use super::response::Answer;

/// The version of the API, before every path.
const VERSION: &str = "2018-06-01/runtime";
/// Tells a late answer from one to the same request tried again; comes with an event, and goes with
/// its answer.
const INVOCATION_ID: HeaderName = HeaderName::from_static("lambda-runtime-invocation-id");
const ERROR_TYPE: HeaderName = HeaderName::from_static("lambda-runtime-function-error-type");
const RESPONSE_MODE: HeaderName = HeaderName::from_static("lambda-runtime-function-response-mode");

/// The runtime API.
pub(super) struct Api {
    client: Client<HttpConnector, Body>,
    base: String,
}

/// What an answer has to name.
pub(super) struct Ticket {
    request_id: String,
    invocation_id: Option<HeaderValue>,
}

impl Ticket {
    /// That of an event.
    pub(super) fn of(invocation: &LambdaInvocation) -> Self {
        let invocation_id = invocation.parts.headers.get(INVOCATION_ID).cloned();
        Self { request_id: invocation.context.request_id.clone(), invocation_id }
    }
}

impl Api {
    /// The API at `address`: an authority, or a URL.
    pub(super) fn new(address: &str) -> Self {
        let base =
            if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            base: base.trim_end_matches('/').to_owned(),
        }
    }

    /// Answers an event.
    pub(super) async fn answer(&self, ticket: &Ticket, answer: Answer) {
        let request = self.post(
            &format!("invocation/{}/response", ticket.request_id),
            ticket.invocation_id.as_ref(),
        );
        let request = match answer {
            Answer::Whole(document) => request
                .header(header::CONTENT_TYPE, "application/json")
                .body(String::from(Box::<str>::from(document)).into()),
            Answer::InPieces(body) => {
                let kind = "application/vnd.awslambda.http-integration-response";
                request
                    .header(RESPONSE_MODE, "streaming")
                    .header(header::CONTENT_TYPE, kind)
                    .body(body)
            }
        };
        if !self.send(request).await {
            // Where nothing of the answer has left, nobody would ever hear of this event again.
            self.fail(
                ticket,
                &Error::internal("the response ended early").with_code("ANSWER_BROKEN"),
            )
            .await;
        }
    }

    /// Says that an event can't be answered.
    pub(super) async fn fail(&self, ticket: &Ticket, error: &Error) {
        let request = self.post(
            &format!("invocation/{}/error", ticket.request_id),
            ticket.invocation_id.as_ref(),
        );
        self.send(failed(request, error)).await;
    }

    /// Says that this process can't start.
    pub(super) async fn fail_start(&self, error: &Error) {
        self.send(failed(self.post("init/error", None), error)).await;
    }

    fn post(&self, path: &str, invocation_id: Option<&HeaderValue>) -> Builder {
        let request = Request::post(format!("{}/{VERSION}/{path}", self.base));
        invocation_id.into_iter().fold(request, |request, id| request.header(INVOCATION_ID, id))
    }

    /// Whether the API has heard all of it.
    async fn send(&self, request: http::Result<Request<Body>>) -> bool {
        let sent = match request {
            Ok(request) => self.client.request(request).await.map_err(|cause| cause.to_string()),
            Err(cause) => Err(cause.to_string()),
        };
        match sent {
            Ok(answer) if answer.status().is_success() => {}
            Ok(answer) => tracing::error!(
                status = answer.status().as_u16(),
                "Lambda's runtime API did not accept a response"
            ),
            Err(cause) => {
                tracing::error!(cause, "a response did not reach Lambda's runtime API completely");
                return false;
            }
        }
        true
    }
}

fn failed(request: Builder, error: &Error) -> http::Result<Request<Body>> {
    let body = serde_json::json!({ "errorType": error.code(), "errorMessage": error.message(), "stackTrace": [] });
    request
        .header(ERROR_TYPE, format!("Runtime.{}", error.code()))
        .header(header::CONTENT_TYPE, "application/json")
        .body(body.into())
}
