//! Azure Functions: plays the Functions host in front of its custom handler, as it is documented
//! and as its source does it.
//!
//! The host starts the program with the port to listen on, asks `GET /` until anybody answers, and
//! then either proxies HTTP (`enableProxyingHttpRequest`) or sends invocations: `POST /{function}`
//! with the request as JSON. It decodes paths and encodes them again. When it ends, it kills the
//! program without asking it.

use std::collections::BTreeMap;
use std::process::ExitStatus;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dotdo_tests::{Deadline, Server, Setup};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use nix::sys::signal::Signal;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Value, json};

use crate::host::{Abilities, Body, Broken, Host, Hosted};
use crate::lambda::newest_record;
use crate::message::{full, post};
use crate::stage::{PATIENCE_SECONDS, ask, insist, run};

/// The folder of function.json, which is the name of the function.
const FUNCTION: &str = "object";

/// What a path may have as it is.
const IN_PATHS: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@')
    .remove(b'%');

/// The host that hands HTTP on.
pub(crate) struct AzureProxy;

/// The host that describes requests in payloads.
pub(crate) struct AzurePayload;

#[async_trait]
impl Host for AzureProxy {
    fn abilities(&self) -> Abilities {
        Abilities {
            streams_requests: false,
            keeps_encoded_paths: false,
            ends_in_order: false,
            holds_connections: false,
            ..Abilities::ALL
        }
    }

    async fn start(&self, setup: &Setup) -> Box<dyn Hosted> {
        Box::new(FunctionsHost {
            handler: start(setup, "http").await,
            client: client(),
            is_proxy: true,
        })
    }
}

#[async_trait]
impl Host for AzurePayload {
    fn abilities(&self) -> Abilities {
        Abilities {
            streams_responses: false,
            keeps_repeated_answers: false,
            keeps_header_bytes: false,
            ..AzureProxy.abilities()
        }
    }

    async fn start(&self, setup: &Setup) -> Box<dyn Hosted> {
        Box::new(FunctionsHost {
            handler: start(setup, "payload").await,
            client: client(),
            is_proxy: false,
        })
    }
}

fn client() -> Client<HttpConnector, Body> {
    Client::builder(TokioExecutor::new()).build_http()
}

/// Starts the program as the host does, whatever else its environment says of ports, and waits
/// until it answers anything.
async fn start(setup: &Setup, mode: &str) -> Server {
    let setup = setup
        .clone()
        .env("FUNCTIONS_CUSTOMHANDLER_PORT", "0")
        .env("FUNCTIONS_CUSTOMHANDLER_WORKER_ID", "w1")
        .env("PORT", "1");
    let setup = setup
        .env("DOTDO_HOST", "0.0.0.0")
        .env("DOTDO_ALLOW_UNAUTHENTICATED", "1")
        .env("DOTDO_AZURE_FUNCTIONS_MODE", mode);
    let server = setup.start_listening().await;
    let ping = || async { client().get(server.url("/").parse().ok()?).await.ok() };
    assert!(
        Deadline::in_seconds(60).until(ping).await.is_some(),
        "nobody answers:\n{}",
        server.stderr()
    );
    server
}

struct FunctionsHost {
    handler: Server,
    client: Client<HttpConnector, Body>,
    is_proxy: bool,
}

#[async_trait]
impl Hosted for FunctionsHost {
    async fn send(&self, request: Request<Body>) -> Result<Response<Body>, Broken> {
        let (mut head, body) = request.into_parts();
        head.headers.entry(header::HOST).or_insert(HeaderValue::from_static("localhost"));
        for (name, value) in [
            ("x-forwarded-for", "203.0.113.7:50123"),
            ("x-forwarded-proto", "https"),
            ("x-original-url", head.uri.path()),
            ("x-azure-functions-invocationid", "1b6e1f4c"),
        ] {
            let value = HeaderValue::from_str(value)?;
            head.headers.insert(HeaderName::from_static(name), value);
        }
        let path = encoded_again(head.uri.path());
        let target =
            head.uri.query().map_or_else(|| path.clone(), |query| format!("{path}?{query}"));
        if self.is_proxy {
            head.headers.insert("x-ms-invocation-id", HeaderValue::from_static("1b6e1f4c"));
            head.uri = self.handler.url(&target).parse()?;
            let answer = self.client.request(Request::from_parts(head, body)).await?;
            return Ok(answer.map(|body| body.map_err(Into::into).boxed_unsync()));
        }
        let payload = described(&head.method, &target, &head.headers, body).await?;
        let invocation = Request::post(self.handler.url(&format!("/{FUNCTION}")))
            .header(header::CONTENT_TYPE, "application/json; charset=utf-8")
            .header("x-azure-functions-invocationid", "1b6e1f4c")
            .header(header::USER_AGENT, "Azure-Functions-Host/4.1037.0")
            .body(full(payload.to_string()))?;
        let answer = self.client.request(invocation).await?;
        if !answer.status().is_success() {
            return Ok(Response::builder()
                .status(StatusCode::INTERNAL_SERVER_ERROR)
                .body(full(""))?);
        }
        taken(
            &head.method,
            &serde_json::from_slice(&answer.into_body().collect().await?.to_bytes())?,
        )
    }

    fn signal(&self, signal: Signal) {
        // The host knows no other end.
        self.handler.signal(if signal == Signal::SIGTERM { Signal::SIGKILL } else { signal });
    }

    fn wait(&self) -> ExitStatus {
        self.handler.wait()
    }

    fn stderr(&self) -> String {
        self.handler.stderr()
    }
}

/// A path that was decoded, but for slashes, and encoded again.
fn encoded_again(path: &str) -> String {
    let parts = path
        .split("%2F")
        .flat_map(|part| part.split("%2f"))
        .map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned());
    utf8_percent_encode(&parts.collect::<Vec<_>>().join("%2F"), IN_PATHS).to_string()
}

/// The payload of an invocation. A body without an announced length is not in it.
async fn described(
    method: &Method,
    target: &str,
    headers: &HeaderMap,
    body: Body,
) -> Result<Value, Broken> {
    let mut seen: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in headers {
        seen.entry(name.to_string())
            .or_default()
            .push(String::from_utf8_lossy(value.as_bytes()).into_owned());
    }
    let is_announced = http_body::Body::size_hint(&body).exact().is_some()
        || headers.contains_key(header::CONTENT_LENGTH);
    let bytes = body.collect().await?.to_bytes();
    let host = &seen["host"][0];
    let mut req = json!({ "Url": format!("https://{host}{target}"), "Method": method.as_str(), "Query": {}, "Params": { "path": "" }, "Identities": [] });
    if !is_announced {
        seen.insert("transfer-encoding".to_owned(), vec!["chunked".to_owned()]);
    } else if !bytes.is_empty() {
        seen.insert("content-length".to_owned(), vec![bytes.len().to_string()]);
        let kind = seen.get("content-type").map_or("", |values| &*values[0]).to_ascii_lowercase();
        let is_binary = kind.starts_with("application/octet-stream") || kind.contains("multipart/");
        req["Body"] = if is_binary {
            STANDARD.encode(&bytes)
        } else {
            String::from_utf8_lossy(&bytes).into_owned()
        }
        .into();
    }
    req["Headers"] = json!(seen);
    Ok(
        json!({ "Data": { "req": req }, "Metadata": { "Headers": {}, "sys": { "MethodName": FUNCTION, "RandGuid": "7f6a" } } }),
    )
}

/// What the output binding `res` sends.
fn taken(method: &Method, payload: &Value) -> Result<Response<Body>, Broken> {
    let res = &payload["Outputs"]["res"];
    let mut answer = Response::builder()
        .status(res["statusCode"].as_str().ok_or("there is no status")?.parse::<u16>()?);
    for (name, value) in res["headers"].as_object().ok_or("there are no headers")? {
        answer = answer.header(name, value.as_str().ok_or("a header is text")?.as_bytes());
    }
    let body = res["body"].as_str().ok_or("the body is text")?.to_owned();
    Ok(answer.body(full(if method == Method::HEAD { String::new() } else { body }))?)
}

/// What the host sends when the timer of `tick/function.json` rings, and what it makes of the answer:
/// the status, and whether it is one that the host takes.
async fn ring(handler: &Server, path: &str, data: Value) -> (u16, bool) {
    let payload = json!({ "Data": data, "Metadata": { "sys": { "MethodName": "tick", "UtcNow": "2026-11-30T12:00:00Z", "RandGuid": "7f6a" } } });
    let invocation = Request::post(handler.url(path))
        .header(header::CONTENT_TYPE, "application/json; charset=utf-8")
        .header("x-azure-functions-hostversion", "4.1037.0")
        .header("x-azure-functions-invocationid", "1b6e1f4c")
        .header(header::USER_AGENT, "Azure-Functions-Host/4.1037.0")
        .body(full(payload.to_string()))
        .expect("a request");
    let answer = client().request(invocation).await.expect("the handler answers");
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.expect("a body").to_bytes();
    let result: Value = serde_json::from_slice(&body).unwrap_or_default();
    let warns_of_nothing = result["Outputs"].as_object().is_some_and(|all| !all.is_empty())
        && !result["ReturnValue"].is_null();
    (status, warns_of_nothing)
}

#[test]
fn the_host_s_timer_runs_what_is_due_and_no_client_can_send_it() {
    run(async {
        let timer = json!({ "timer": { "Schedule": { "AdjustForDST": true }, "ScheduleStatus": { "Last": "2026-11-30T11:59:00.001+00:00", "LastUpdated": "2026-11-30T11:59:00.001+00:00", "Next": "2026-11-30T12:01:00+00:00" }, "IsPastDue": false } });
        for is_proxy in [true, false] {
            let folder = dotdo_tests::scratch();
            let storage = format!("file://{}", folder.path().display());
            // Nobody but the timer looks for what a killed instance has left.
            let setup = Setup::of(env!("CARGO_BIN_EXE_scenario-app"), &storage)
                .env("DOTDO_ALARMS_SCAN_MS", "0")
                .env("DOTDO_HANDLER_TIME_MAX_MS", "1000");
            let mode = if is_proxy { "http" } else { "payload" };
            let host = |handler| FunctionsHost { handler, client: client(), is_proxy };
            let first = host(start(&setup, mode).await);
            insist(&first, || post("/do/awake/wake", "")).await;
            first.signal(Signal::SIGKILL);
            first.wait();
            let next = host(start(&setup, mode).await);
            let before = newest_record(&folder, "ledger/awake");
            // What a client sends through the host is no tick, however it looks.
            let sent = ask(&next, post("/tick", json!({ "Data": timer }).to_string())).await;
            assert_eq!((sent.status, newest_record(&folder, "ledger/awake")), (404, before));
            let rings = || async {
                let (status, is_taken) = ring(&next.handler, "/tick", timer.clone()).await;
                assert!(status == 200 && is_taken, "{mode}: {status}\n{}", next.stderr());
                (newest_record(&folder, "ledger/awake") > before).then_some(())
            };
            let ran = Deadline::in_seconds(PATIENCE_SECONDS).until(rings).await;
            assert!(ran.is_some(), "{mode}: no timer runs the alarm:\n{}", next.stderr());
            assert_eq!(ring(&next.handler, "/tick", json!({ "queue": "x" })).await.0, 400);
        }
    });
}

/// The app in deploy/azure, which a user publishes.
#[test]
fn the_shipped_app_is_the_one_in_the_tests() {
    let read = |file: &str| {
        let path = format!("{}/../deploy/azure/{file}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        serde_json::from_str::<Value>(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
    };
    let host = read("host.json");
    assert_eq!(
        host["customHandler"]["enableProxyingHttpRequest"], true,
        "the setting's default is to take HTTP as it is"
    );
    assert_eq!(host["extensions"]["http"]["routePrefix"], "", "paths are the same as everywhere");
    let function = read(&format!("{FUNCTION}/function.json"));
    let [trigger, output] = &function["bindings"].as_array().expect("a list")[..] else {
        panic!("only such a function gets HTTP as it is")
    };
    assert_eq!(
        (&trigger["type"], &trigger["name"], &trigger["route"]),
        (&json!("httpTrigger"), &json!("req"), &json!("{*path}"))
    );
    assert_eq!((&output["type"], &output["name"]), (&json!("http"), &json!("res")));
    let methods: Vec<_> =
        trigger["methods"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    for method in [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
    ] {
        assert!(methods.contains(&&*method.as_str().to_ascii_lowercase()), "{method}");
    }
    assert_eq!(
        trigger["authLevel"], "function",
        "whoever publishes it as it is lets in nobody without a key"
    );
    let timer = &read("tick/function.json")["bindings"];
    assert_eq!(timer[0]["type"], "timerTrigger");
    assert_eq!((&timer[0]["name"], timer[1].is_null()), (&json!("timer"), true));
    let settings = &read("local.settings.json.example")["Values"];
    assert_eq!(
        (&settings["FUNCTIONS_WORKER_RUNTIME"], &settings["DOTDO_STORAGE"]),
        (&json!("custom"), &json!("az://objects/state"))
    );
}
