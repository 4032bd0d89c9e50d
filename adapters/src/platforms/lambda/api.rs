//! A client for the parts of Lambda's runtime API that `lambda_runtime` lacks: responses, and the
//! report of a failed start.
//!
//! The library's own streaming ends an interrupted body with a line of text as if it were complete,
//! adds a content type to responses without one, and fails on headers that are not ASCII.
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
/// Distinguishes a late response from one to a retry of the same request; it comes with an event,
/// and is sent with its response.
const INVOCATION_ID: HeaderName = HeaderName::from_static("lambda-runtime-invocation-id");
const ERROR_TYPE: HeaderName = HeaderName::from_static("lambda-runtime-function-error-type");
const RESPONSE_MODE: HeaderName = HeaderName::from_static("lambda-runtime-function-response-mode");

/// The runtime API.
pub(super) struct Api {
    client: Client<HttpConnector, Body>,
    base: String,
}

/// The ids that a response must contain.
pub(super) struct Ticket {
    request_id: String,
    invocation_id: Option<HeaderValue>,
}

impl Ticket {
    /// The ids of an event.
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

    /// Answers an event. Whether the API received everything.
    pub(super) async fn answer(&self, ticket: &Ticket, answer: Answer) -> bool {
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
        let is_sent = self.send(request).await;
        if !is_sent {
            // If nothing of the response was sent, the event would stay unanswered.
            self.fail(
                ticket,
                &Error::internal("the response ended early").with_code("RESPONSE_BROKEN"),
            )
            .await;
        }
        is_sent
    }

    /// Reports that an event can't be answered.
    pub(super) async fn fail(&self, ticket: &Ticket, error: &Error) {
        let request = self.post(
            &format!("invocation/{}/error", ticket.request_id),
            ticket.invocation_id.as_ref(),
        );
        self.send(failed(request, error)).await;
    }

    /// Reports that this process can't start.
    pub(super) async fn fail_start(&self, error: &Error) {
        self.send(failed(self.post("init/error", None), error)).await;
    }

    fn post(&self, path: &str, invocation_id: Option<&HeaderValue>) -> Builder {
        let request = Request::post(format!("{}/{VERSION}/{path}", self.base));
        invocation_id.into_iter().fold(request, |request, id| request.header(INVOCATION_ID, id))
    }

    /// Whether the API received everything.
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
