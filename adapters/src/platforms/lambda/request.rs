//! Converts events to requests.
//!
//! The event types and their detection are from `lambda_http`. Its requests are not used, because
//! they lose repeated headers of REST APIs, prepend the stage to the path, and resolve `..` in it.
//!
//! Source:
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html>,
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>,
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html>,
//! <https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html>.

mod path;
mod websocket;

use std::net::{IpAddr, SocketAddr};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use dotdo_core::{Error, REQUEST_ID_HEADER, Result};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use http_body_util::Full;
use lambda_http::aws_lambda_events::alb::AlbTargetGroupRequest;
use lambda_http::aws_lambda_events::apigw::{
    ApiGatewayProxyRequest, ApiGatewayProxyRequestContext, ApiGatewayV2httpRequest,
    ApiGatewayV2httpRequestContext,
};
use lambda_http::request::LambdaRequest;
use lambda_runtime::Context;

pub(super) use self::websocket::{SocketArrival, SocketArrived};
use crate::edge::ClientAddress;

/// The header of X-Ray's trace id, in requests and in the runtime API.
const TRACE_ID_HEADER: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// The front end of an event, which determines the form of its response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Front {
    /// API Gateway's REST API (payload format 1.0).
    RestApi,
    /// API Gateway's HTTP API (payload format 2.0).
    HttpApi,
    /// The function's own URL.
    FunctionUrl,
    /// An Application Load Balancer.
    LoadBalancer {
        /// Whether its target group has multi-value headers enabled.
        has_many: bool,
    },
    /// API Gateway's WebSocket API.
    WebSocketApi,
}

/// A request from an event.
pub(super) struct EventRequest {
    pub(super) front: Front,
    pub(super) request: Result<http::Request<Full<Bytes>>>,
    /// Whether the front end has authenticated its sender.
    pub(super) is_vouched_for: bool,
}

/// The common content of all events.
struct Parts {
    method: Method,
    path: String,
    query: String,
    headers: HeaderMap,
    body: Option<String>,
    is_base64: bool,
    client: Option<IpAddr>,
}

impl EventRequest {
    /// Parses an event.
    pub(super) fn new(event: LambdaRequest, context: &Context) -> Option<Self> {
        let (front, is_vouched_for, parts) = match event {
            LambdaRequest::ApiGatewayV1(event) => {
                (Front::RestApi, rest_is_vouched_for(&event.request_context), of_rest_api(event))
            }
            LambdaRequest::ApiGatewayV2(event) => {
                let front = if is_http_api(&event.request_context) {
                    Front::HttpApi
                } else {
                    Front::FunctionUrl
                };
                (front, http_is_vouched_for(&event.request_context), of_http_api(event, front))
            }
            LambdaRequest::Alb(event) => {
                let has_many = !event.multi_value_headers.is_empty();
                (Front::LoadBalancer { has_many }, false, of_load_balancer(event))
            }
            // The library may support others with further features.
            _ => return None,
        };
        Some(Self { front, request: parts.request(context), is_vouched_for })
    }
}

/// Function URLs send the events of HTTP APIs. Their domain distinguishes them; emulators name no
/// API.
fn is_http_api(context: &ApiGatewayV2httpRequestContext) -> bool {
    let is_url =
        context.domain_name.as_deref().is_some_and(|domain| domain.contains(".lambda-url."));
    context.apiid.is_some() && !is_url
}

/// IAM, a Lambda authorizer or JWT.
fn http_is_vouched_for(context: &ApiGatewayV2httpRequestContext) -> bool {
    context
        .authorizer
        .as_ref()
        .is_some_and(|by| by.iam.is_some() || by.jwt.is_some() || !by.fields.is_empty())
}

/// An authorizer, or IAM, which is visible only in the identity.
fn rest_is_vouched_for(context: &ApiGatewayProxyRequestContext) -> bool {
    let iam = [&context.identity.user_arn, &context.identity.caller]
        .into_iter()
        .flatten()
        .any(|who| !who.is_empty());
    iam || !context.authorizer.fields.is_empty()
}

fn of_rest_api(event: ApiGatewayProxyRequest) -> Parts {
    let (many, one) = (&event.multi_value_query_string_parameters, &event.query_string_parameters);
    Parts {
        client: address(event.request_context.identity.source_ip.as_deref()),
        method: event.http_method,
        path: path::as_sent(event.path.as_deref().unwrap_or_default()),
        query: path::query_decoded(if many.is_empty() { one } else { many }),
        headers: if event.multi_value_headers.is_empty() {
            event.headers
        } else {
            event.multi_value_headers
        },
        body: event.body,
        is_base64: event.is_base64_encoded,
    }
}

fn of_http_api(event: ApiGatewayV2httpRequest, front: Front) -> Parts {
    let raw = event.raw_path.as_deref().unwrap_or_default();
    let mut headers = event.headers;
    // Cookies are separate from the other headers, one by one.
    if let Some(Ok(cookies)) =
        event.cookies.filter(|all| !all.is_empty()).map(|all| HeaderValue::try_from(all.join("; ")))
    {
        headers.insert(header::COOKIE, cookies);
    }
    Parts {
        client: address(event.request_context.http.source_ip.as_deref()),
        method: event.request_context.http.method,
        path: if front == Front::HttpApi {
            path::decoded(raw, event.request_context.stage.as_deref())
        } else {
            path::as_sent(raw)
        },
        query: path::query_as_sent(event.raw_query_string.as_deref().unwrap_or_default()),
        headers,
        body: event.body,
        is_base64: event.is_base64_encoded,
    }
}

fn of_load_balancer(event: AlbTargetGroupRequest) -> Parts {
    let (many, one) = (&event.multi_value_query_string_parameters, &event.query_string_parameters);
    let headers = if event.multi_value_headers.is_empty() {
        event.headers
    } else {
        event.multi_value_headers
    };
    // The event has no other source; the load balancer itself has written the last entry.
    let forwarded = headers
        .get_all("x-forwarded-for")
        .iter()
        .next_back()
        .and_then(|value| value.to_str().ok()?.rsplit(',').next());
    Parts {
        client: address(forwarded),
        method: event.http_method,
        path: path::as_sent(event.path.as_deref().unwrap_or_default()),
        query: path::query_in_parts(if many.is_empty() { one } else { many }),
        headers,
        body: event.body,
        is_base64: event.is_base64_encoded,
    }
}

/// An address, with or without a port.
fn address(text: Option<&str>) -> Option<IpAddr> {
    let text = text?.trim();
    text.parse().ok().or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()))
}

impl Parts {
    /// The request, with Lambda's ids if the client sent none.
    fn request(mut self, context: &Context) -> Result<http::Request<Full<Bytes>>> {
        if !self.headers.contains_key(REQUEST_ID_HEADER)
            && let Ok(id) = HeaderValue::try_from(&context.request_id)
        {
            self.headers.insert(REQUEST_ID_HEADER, id);
        }
        if let Some(Ok(trace)) = context.xray_trace_id.as_ref().map(HeaderValue::try_from) {
            self.headers.insert(TRACE_ID_HEADER, trace);
        }
        let body = match self.body {
            None => Bytes::new(),
            Some(text) if self.is_base64 => {
                let broken = |cause| {
                    Error::invalid("the body of the event is marked as base64 but is not")
                        .with_code("BAD_EVENT")
                        .with_source(cause)
                };
                BASE64_STANDARD.decode(text).map_err(broken)?.into()
            }
            Some(text) => text.into(),
        };
        let target =
            if self.query.is_empty() { self.path } else { format!("{}?{}", self.path, self.query) };
        let mut request = http::Request::new(Full::new(body));
        *request.uri_mut() = target.parse().map_err(|cause| {
            Error::invalid("expected the path of a request in the event")
                .with_code("BAD_EVENT")
                .with_source(cause)
        })?;
        *request.method_mut() = self.method;
        *request.headers_mut() = self.headers;
        if let Some(client) = self.client {
            request.extensions_mut().insert(ClientAddress(client));
        }
        Ok(request)
    }
}

#[cfg(test)]
mod tests;
