//! API Gateway's WebSocket APIs on this machine, as its documentation describes them: it holds
//! connections for a Lambda function, which it invokes for each handshake, message and end, and which
//! sends by signed requests to `@connections`.
//!
//! Signatures are compared with those of botocore. Not there: the time limits of connections, and
//! quotas on how much is sent.

mod connection;
mod signature;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::header::{
    CONNECTION, HOST, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use self::connection::hold;
use self::signature::Botocore;

/// The API, and its stage.
const API: &str = "a1b2c3d4e5";
const STAGE: &str = "prod";
const REGION: &str = "eu-central-1";

/// The keys of the function's role.
const ID: &str = "ASIAEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const TOKEN: &str = "session/token+of=the==role";

/// The longest message, in bytes.
const MESSAGE_BYTES_MAX: usize = 128 << 10;

/// A running gateway in front of one function.
pub struct ApiGateway {
    state: Arc<State>,
    authority: String,
    keeper: JoinHandle<()>,
}

struct State {
    invocations: String,
    client: reqwest::Client,
    signer: Mutex<Botocore>,
    next: AtomicU64,
    connections: Mutex<BTreeMap<String, UnboundedSender<Told>>>,
    /// What an authorizer has said of clients, if there is one.
    authorizer: Mutex<Option<Value>>,
    /// How many requests to `@connections` had a wrong signature.
    refused: AtomicU64,
}

/// What a connection is told.
enum Told {
    Send(Bytes),
    Close,
    /// It is gone, and nobody says so.
    Lose,
}

impl ApiGateway {
    /// Starts a gateway that invokes the function at `invocations`.
    ///
    /// # Panics
    ///
    /// When botocore can't be installed, or no port is free.
    pub async fn start(invocations: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let authority = listener.local_addr().expect("it is bound").to_string();
        let state = Arc::new(State {
            invocations,
            client: reqwest::Client::new(),
            signer: Mutex::new(Botocore::start()),
            next: AtomicU64::new(1),
            connections: Mutex::default(),
            authorizer: Mutex::default(),
            refused: AtomicU64::new(0),
        });
        let keeper = tokio::spawn(keep(listener, Arc::clone(&state)));
        Self { state, authority, keeper }
    }

    /// The variables that the function needs besides those of Lambda.
    pub fn environment(&self) -> [(&'static str, String); 5] {
        [
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", ID.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET.to_owned()),
            ("AWS_SESSION_TOKEN", TOKEN.to_owned()),
            ("DOTDO_LAMBDA_CONNECTIONS_URL", format!("http://{}/{STAGE}", self.authority)),
        ]
    }

    /// The URL of the stage, for clients, with a query.
    pub fn url(&self, query: &str) -> String {
        format!("http://{}/{STAGE}?{query}", self.authority)
    }

    /// From now on, an authorizer says this of every client.
    pub fn authorize(&self, context: Value) {
        *self.state.authorizer.lock().expect("no panics") = Some(context);
    }

    /// Loses the oldest connection: the client's end breaks off, and the function is not told.
    pub fn lose_oldest(&self) {
        let mut connections = self.state.connections.lock().expect("no panics");
        let (_, oldest) = connections.pop_first().expect("there is one");
        let _ = oldest.send(Told::Lose);
    }

    /// How many connections there are.
    pub fn open(&self) -> usize {
        self.state.connections.lock().expect("no panics").len()
    }

    /// How many requests to `@connections` had a wrong signature.
    pub fn refused(&self) -> u64 {
        self.state.refused.load(Ordering::Relaxed)
    }

    /// Asks `@connections` without a signature.
    ///
    /// # Panics
    ///
    /// When the gateway does not answer.
    pub async fn post_unsigned(&self, connection: &str) -> u16 {
        let url = format!("http://{}/{STAGE}/@connections/{connection}", self.authority);
        let answer = self.state.client.post(url).body("x").send().await;
        answer.expect("the gateway answers").status().as_u16()
    }
}

impl Drop for ApiGateway {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

async fn keep(listener: TcpListener, state: Arc<State>) {
    while let Ok((stream, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let answer = service_fn(move |request| {
                let state = Arc::clone(&state);
                async move { Ok::<_, Infallible>(answer(state, request).await) }
            });
            // A client that ends leaves its connection as it is.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), answer)
                .with_upgrades()
                .await;
        });
    }
}

async fn answer(state: Arc<State>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    match request.uri().path().strip_prefix(&format!("/{STAGE}/@connections/")) {
        Some(connection) => {
            let connection = percent_decode_str(connection).decode_utf8_lossy().into_owned();
            manage(&state, &connection, request).await
        }
        None => connect(state, request).await,
    }
}

fn plain(status: StatusCode, body: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.to_owned().into()));
    *response.status_mut() = status;
    response
}

/// A request to `@connections`.
async fn manage(
    state: &State,
    connection: &str,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    if !state.signer.lock().expect("no panics").signs(&head, &body) {
        state.refused.fetch_add(1, Ordering::Relaxed);
        return plain(StatusCode::FORBIDDEN, r#"{"message":"Forbidden"}"#);
    }
    if body.len() > MESSAGE_BYTES_MAX {
        return plain(StatusCode::PAYLOAD_TOO_LARGE, r#"{"message":"Payload too large"}"#);
    }
    let mut connections = state.connections.lock().expect("no panics");
    let told = match head.method {
        Method::POST => connections.get(connection).map(|end| end.send(Told::Send(body))),
        Method::DELETE => connections.remove(connection).map(|end| end.send(Told::Close)),
        _ => return plain(StatusCode::FORBIDDEN, r#"{"message":"Forbidden"}"#),
    };
    match told {
        Some(Ok(())) if head.method == Method::DELETE => plain(StatusCode::NO_CONTENT, ""),
        Some(Ok(())) => plain(StatusCode::OK, ""),
        _ => plain(StatusCode::GONE, ""),
    }
}

impl State {
    /// Invokes the function, and returns its answer; `None` for an error of the function.
    async fn invoke(&self, event: &Value) -> Option<Value> {
        let answer = self.client.post(&self.invocations).json(event).send().await.ok()?;
        let is_fine = answer.status().is_success();
        let answer: Value = answer.json().await.ok()?;
        (is_fine && answer["errorType"].is_null()).then_some(answer)
    }

    fn event(&self, kind: &str, connection: &str, more: Value) -> Value {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970");
        let now = u64::try_from(now.as_millis()).expect("it is not so late");
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let route = match kind {
            "CONNECT" => "$connect",
            "DISCONNECT" => "$disconnect",
            _ => "$default",
        };
        let mut context = json!({
            "routeKey": route, "eventType": kind, "messageDirection": "IN", "stage": STAGE,
            "extendedRequestId": format!("E{number}="), "requestId": format!("R{number}="),
            "requestTime": "30/Nov/2026:12:00:00 +0000", "requestTimeEpoch": now,
            "connectedAt": now, "identity": { "sourceIp": "203.0.113.7" },
            "domainName": format!("{API}.execute-api.{REGION}.amazonaws.com"),
            "connectionId": connection, "apiId": API,
        });
        if let Some(authorizer) = &*self.authorizer.lock().expect("no panics") {
            context["authorizer"] = authorizer.clone();
        }
        let mut event = json!({ "isBase64Encoded": false });
        for (name, value) in more.as_object().expect("an object") {
            match name.as_str() {
                "requestContext" => {
                    let more = value.as_object().expect("an object").clone();
                    context.as_object_mut().expect("an object").extend(more);
                }
                _ => event[name] = value.clone(),
            }
        }
        event["requestContext"] = context;
        event
    }
}

/// A handshake, which the function may refuse.
async fn connect(state: Arc<State>, mut request: Request<Incoming>) -> Response<Full<Bytes>> {
    let Some(key) = request.headers().get(SEC_WEBSOCKET_KEY).cloned() else {
        return plain(StatusCode::FORBIDDEN, r#"{"message":"Forbidden"}"#);
    };
    let number = state.next.fetch_add(1, Ordering::Relaxed);
    let connection = format!("c{number:08}=");
    let (one, many) = headers(request.headers());
    let mut more = json!({ "headers": one, "multiValueHeaders": many });
    if let Some(query) = request.uri().query() {
        let (one, many) = parameters(query);
        more["queryStringParameters"] = one;
        more["multiValueQueryStringParameters"] = many;
    }
    let event = state.event("CONNECT", &connection, more);
    let Some(answer) = state.invoke(&event).await else {
        return plain(StatusCode::BAD_GATEWAY, "");
    };
    let status = answer["statusCode"].as_u64().and_then(|code| u16::try_from(code).ok());
    let status = status.and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.unwrap_or(StatusCode::BAD_GATEWAY);
    if !status.is_success() {
        return plain(status, answer["body"].as_str().unwrap_or_default());
    }
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(hold(state, connection, upgrade));
    let mut response = plain(StatusCode::SWITCHING_PROTOCOLS, "");
    let headers = response.headers_mut();
    let accept = HeaderValue::try_from(derive_accept_key(key.as_bytes())).expect("base64");
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    for (name, value) in answer["headers"].as_object().into_iter().flatten() {
        if name.eq_ignore_ascii_case(SEC_WEBSOCKET_PROTOCOL.as_str()) {
            let chosen = HeaderValue::try_from(value.as_str().expect("a text")).expect("a value");
            headers.insert(SEC_WEBSOCKET_PROTOCOL, chosen);
        }
    }
    response
}

/// The headers as events have them: those of the connection are not in them.
fn headers(headers: &HeaderMap) -> (Value, Value) {
    let mut many = BTreeMap::<String, Vec<String>>::new();
    for (name, value) in headers {
        if *name != CONNECTION && *name != UPGRADE {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            many.entry(name.to_string()).or_default().push(value);
        }
    }
    many.insert(HOST.to_string(), vec![format!("{API}.execute-api.{REGION}.amazonaws.com")]);
    (last(&many), json!(many))
}

fn parameters(query: &str) -> (Value, Value) {
    let decoded =
        |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let mut many = BTreeMap::<String, Vec<String>>::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        many.entry(decoded(name)).or_default().push(decoded(value));
    }
    (last(&many), json!(many))
}

fn last(many: &BTreeMap<String, Vec<String>>) -> Value {
    let last = |(name, values): (&String, &Vec<String>)| (name.clone(), json!(values.last()));
    Value::Object(many.iter().map(last).collect())
}
