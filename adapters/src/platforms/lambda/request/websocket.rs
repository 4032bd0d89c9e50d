//! Converts the events of API Gateway's WebSocket APIs, which hold connections for the function.
//!
//! Source:
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-mapping-template-reference.html>,
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-route-keys-connect-disconnect.html>.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use dotdo_core::{Error, Result, SocketClose, SocketEnd, SocketMessage};
use http::{HeaderMap, HeaderValue, Method, header};
use http_body_util::Full;
use lambda_http::aws_lambda_events::apigw::{
    ApiGatewayWebsocketProxyRequest, ApiGatewayWebsocketProxyRequestContext,
};
use lambda_runtime::Context;
use serde::Deserialize;

use super::{Parts, address, path};
use crate::edge::ClientAddress;

/// The parameter of the query with the path of the handshake: the API has no path of its own.
const PATH: &str = "path";

/// A key of a handshake, which API Gateway has read and answers itself.
const KEY: HeaderValue = HeaderValue::from_static("AAAAAAAAAAAAAAAAAAAAAA==");

/// What has happened on a connection.
pub(in super::super) struct SocketArrival {
    /// The API, its stage and the connection, which no other connection ever has.
    pub(in super::super) address: String,
    pub(in super::super) client: Option<ClientAddress>,
    pub(in super::super) arrived: SocketArrived,
}

pub(in super::super) enum SocketArrived {
    /// A client asks for the connection.
    Connect {
        request: Result<Box<http::Request<Full<Bytes>>>>,
        /// Whether API Gateway has authenticated the client.
        is_vouched_for: bool,
    },
    Message(SocketMessage),
    Disconnect(SocketEnd),
}

impl SocketArrival {
    /// What an event says; `None` for one of another front end.
    ///
    /// # Errors
    ///
    /// `Invalid` (code `BAD_EVENT`) for one of a WebSocket API that can't be read.
    pub(in super::super) fn of(event: &[u8], context: &Context) -> Option<Result<Self>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Kind {
            request_context: KindOfContext,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct KindOfContext {
            connection_id: String,
            event_type: String,
        }
        let kind = serde_json::from_slice::<Kind>(event).ok()?.request_context;
        let read = serde_json::from_slice::<ApiGatewayWebsocketProxyRequest>(event);
        let read = read.map_err(|cause| bad(&format!("cannot read the event: {cause}")));
        Some(
            read.and_then(|event| Self::new(&kind.event_type, &kind.connection_id, event, context)),
        )
    }

    fn new(
        kind: &str,
        connection: &str,
        event: ApiGatewayWebsocketProxyRequest,
        context: &Context,
    ) -> Result<Self> {
        let about = &event.request_context;
        let address = place(about, connection)?;
        let client = super::address(about.identity.source_ip.as_deref()).map(ClientAddress);
        let arrived = match kind {
            "CONNECT" => SocketArrived::Connect {
                is_vouched_for: is_vouched_for(about),
                request: parts(event).request(context).map(Box::new),
            },
            "MESSAGE" => SocketArrived::Message(message(event)?),
            "DISCONNECT" => SocketArrived::Disconnect(end(about)),
            other => {
                let text = format!("expected CONNECT, MESSAGE or DISCONNECT, got {other:?}");
                return Err(bad(&text));
            }
        };
        Ok(Self { address, client, arrived })
    }
}

fn bad(text: &str) -> Error {
    Error::invalid(text).with_code("BAD_EVENT")
}

/// The API, its stage and the connection. They become parts of a URL that is signed.
fn place(about: &ApiGatewayWebsocketProxyRequestContext, connection: &str) -> Result<String> {
    let part = |text: Option<&str>, more: &[char]| {
        let text = text.filter(|text| !text.is_empty()).ok_or_else(|| {
            bad("expected the ids of an API, a stage and a connection in the event")
        })?;
        let fits = |character: char| character.is_ascii_alphanumeric() || more.contains(&character);
        match text.chars().all(fits) {
            true => Ok(text.to_owned()),
            false => Err(bad(&format!("expected an id of letters and digits, got {text:?}"))),
        }
    };
    let api = part(about.apiid.as_deref(), &[])?;
    let stage = part(about.stage.as_deref(), &['-', '_', '$'])?;
    let connection = part(Some(connection), &['-', '_', '=', '+'])?;
    Ok(format!("{api}/{stage}/{connection}"))
}

/// A Lambda authorizer, or IAM, which is visible only in the identity.
fn is_vouched_for(about: &ApiGatewayWebsocketProxyRequestContext) -> bool {
    let iam = [&about.identity.user_arn, &about.identity.caller]
        .into_iter()
        .flatten()
        .any(|who| !who.is_empty());
    iam || !about.authorizer.fields.is_empty()
}

/// The handshake, to the path that the query names.
fn parts(event: ApiGatewayWebsocketProxyRequest) -> Parts {
    let (many, one) = (&event.multi_value_query_string_parameters, &event.query_string_parameters);
    let query = if many.is_empty() { one } else { many };
    let target = query.first(PATH).unwrap_or("/");
    let (way, own) = target.split_once('?').unwrap_or((target, ""));
    let rest = path::query_decoded_without(query, PATH);
    let queries = [path::query_as_sent(own), rest];
    let queries: Vec<&str> =
        queries.iter().map(String::as_str).filter(|query| !query.is_empty()).collect();
    let mut headers = match event.multi_value_headers.is_empty() {
        true => event.headers,
        false => event.multi_value_headers,
    };
    upgrade(&mut headers);
    Parts {
        client: address(event.request_context.identity.source_ip.as_deref()),
        method: Method::GET,
        path: path::as_sent(way),
        query: queries.join("&"),
        headers,
        body: None,
        is_base64: false,
    }
}

/// Adds what makes a request a handshake on one connection.
fn upgrade(headers: &mut HeaderMap) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    headers.insert(header::SEC_WEBSOCKET_KEY, KEY);
    headers.remove(header::SEC_WEBSOCKET_EXTENSIONS);
}

fn message(event: ApiGatewayWebsocketProxyRequest) -> Result<SocketMessage> {
    let body = event.body.unwrap_or_default();
    if !event.is_base64_encoded {
        return Ok(body.into());
    }
    let bytes = BASE64_STANDARD.decode(body);
    let bytes = bytes.map_err(|_| bad("the body of the event is marked as base64 but is not"))?;
    Ok(Bytes::from(bytes).into())
}

fn end(about: &ApiGatewayWebsocketProxyRequestContext) -> SocketEnd {
    let code = about.disconnect_status_code.and_then(|code| u16::try_from(code).ok());
    let code = code.unwrap_or(1006);
    let reason = about.disconnect_reason.as_deref().unwrap_or_default();
    let error = (code == 1006).then(|| "the connection broke off".to_owned());
    SocketEnd { close: SocketClose::new(code, reason), error }
}

#[cfg(test)]
mod tests;
