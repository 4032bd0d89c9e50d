//! Traces: what a collector gets of requests, and what a collector that is away costs.

use dotdo_tests::{Server, Setup};
use http::Method;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use reqwest::Client;

use super::collector::{Collector, Manner, attribute, hex};
use super::metrics::{scrape, sum};
use crate::forward::{forwarding, good};
use crate::world::{ENDLESS_LEASE_MS, World};

const SECRET: &str = "hunter2";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// A server that sends its traces to `endpoint`, and logs all it can.
fn traced(setup: Setup, endpoint: &str) -> Setup {
    setup
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        .env("OTEL_EXPORTER_OTLP_HEADERS", format!("x-key={SECRET}"))
        .env("OTEL_BSP_SCHEDULE_DELAY", "50")
        .env("OTEL_SERVICE_NAME", "ledgers")
        .env("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
        .env("DOTDO_LOG_LEVEL", "debug,hyper=trace,reqwest=trace")
        .env("DOTDO_LOG_ACCESS", "all")
}

/// Sends a request that is a part of the trace.
async fn send(http: &Client, method: Method, url: String) -> u16 {
    let request =
        http.request(method, url).header("traceparent", format!("00-{TRACE}-{PARENT}-01"));
    request.send().await.expect("the server answers").status().as_u16()
}

/// The spans of the trace that have this name.
fn named<'a>(spans: &'a [Span], name: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.name == name && hex(&span.trace_id) == TRACE).collect()
}

fn is_child(span: &Span, parent: &Span) -> bool {
    span.parent_span_id == parent.span_id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_a_trace_from_the_client_to_the_store() {
    let (world, http, collector) =
        (World::folder(), Client::new(), Collector::start(Manner::Takes).await);
    // Nothing is sent before the server ends.
    let setup =
        traced(world.setup(), collector.endpoint()).env("OTEL_BSP_SCHEDULE_DELAY", "3600000");
    let server = setup.env("DOTDO_SHUTDOWN_DEADLINE_MS", "60000").start().await;
    assert_eq!(
        send(&http, Method::POST, server.url("/do/secret-name/append?client=1&n=1")).await,
        200
    );
    assert_eq!(
        send(
            &http,
            Method::POST,
            server.url("/do/Mirror/caller/call?class=Mirror&id=called&to=/own")
        )
        .await,
        200
    );
    assert!(server.terminate().success(), "{}", server.stderr());

    let spans = collector.spans();
    let [request] = named(&spans, "POST /Ledger/{id}")[..] else { panic!("{spans:#?}") };
    assert_eq!(
        (hex(&request.parent_span_id).as_str(), request.kind),
        (PARENT, SpanKind::Server as i32)
    );
    let told = |key: &str| attribute(&request.attributes, key);
    assert_eq!(told("http.request.method").as_deref(), Some("POST"));
    assert_eq!(told("http.route").as_deref(), Some("/Ledger/{id}"));
    assert_eq!(told("http.response.status_code").as_deref(), Some("200"));
    let children = |parent: &Span| {
        spans
            .iter()
            .filter(|span| is_child(span, parent))
            .map(|span| span.name.as_str())
            .collect::<Vec<_>>()
    };
    assert!(
        ["restore", "handler", "commit"].iter().all(|name| children(request).contains(name)),
        "{:?}",
        children(request)
    );
    let commit = spans
        .iter()
        .find(|span| span.name == "commit" && is_child(span, request))
        .expect("its commit");
    assert!(children(commit).contains(&"store"), "{spans:#?}");
    let call = named(&spans, "call")[0];
    let caller = named(&spans, "handler")
        .into_iter()
        .find(|handler| is_child(call, handler))
        .expect("a handler called");
    assert!(children(call).contains(&"handler"), "the called object's work is a part of the call");
    assert!(
        named(&spans, "POST /Mirror/{id}").into_iter().any(|request| is_child(caller, request))
    );
    check_exports(&collector, &server);
}

/// What the sender says of itself, and what it keeps to itself.
fn check_exports(collector: &Collector, server: &Server) {
    for export in collector.exports() {
        assert_eq!(export.path, "/v1/traces");
        assert_eq!(
            export.headers.get("x-key").map(http::HeaderValue::as_bytes),
            Some(SECRET.as_bytes())
        );
        assert!(!format!("{:?}", export.content).contains("secret-name"), "ids stay at home");
        for resource in &export.content.resource_spans {
            let attributes = &resource.resource.as_ref().expect("a resource").attributes;
            assert_eq!(attribute(attributes, "service.name").as_deref(), Some("ledgers"));
            assert_eq!(
                attribute(attributes, "deployment.environment.name").as_deref(),
                Some("test")
            );
        }
    }
    let log = server.stderr();
    assert!(log.contains(&format!("\"trace_id\":\"{TRACE}\"")), "{log}");
    assert!(!log.contains(SECRET), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forwarded_request_is_one_trace_and_what_fails_says_so() {
    let (world, http, collector) =
        (World::folder(), Client::new(), Collector::start(Manner::Takes).await);
    let setup = traced(forwarding(&world), collector.endpoint())
        .env("DOTDO_LEASE_DURATION_MS", ENDLESS_LEASE_MS);
    let (owner, other) = (setup.start().await, setup.start().await);
    good(&http, Method::POST, owner.url("/do/passed/append?client=1&n=1")).await;
    assert_eq!(send(&http, Method::GET, other.url("/do/passed/count")).await, 200);
    let both = |spans: &[Span]| {
        let requests = named(spans, "GET /Ledger/{id}");
        let forward = named(spans, "forward").first().copied().cloned()?;
        let here = requests.iter().find(|request| is_child(&forward, request))?;
        let there = requests.iter().find(|request| is_child(request, &forward))?;
        Some((hex(&here.parent_span_id), there.kind))
    };
    assert_eq!(collector.until(both).await, (PARENT.to_owned(), SpanKind::Server as i32));

    // A handler's time is over: the request and the handler have failed.
    let folder = World::folder();
    let slow = traced(folder.setup(), collector.endpoint())
        .env("DOTDO_HANDLER_TIME_MAX_MS", "50")
        .start()
        .await;
    assert_eq!(send(&http, Method::POST, slow.url("/do/slow/endless")).await, 504);
    let failed = |spans: &[Span]| {
        let is_error = |span: &&Span| {
            span.status.as_ref().is_some_and(|status| status.code == StatusCode::Error as i32)
        };
        let request = named(spans, "POST /Ledger/{id}").into_iter().find(is_error)?;
        let handler = named(spans, "handler").into_iter().find(is_error)?;
        Some([request, handler].map(|span| attribute(&span.attributes, "error.type")))
    };
    let [request, handler] = collector.until(failed).await;
    assert!(request.is_some() && request == handler, "{request:?} {handler:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_shares_records_and_each_request_keeps_its_trace() {
    let (world, http, collector) =
        (World::folder(), Client::new(), Collector::start(Manner::Takes).await);
    let server = traced(world.setup().env("DOTDO_OWNERSHIP", "per-request"), collector.endpoint())
        .start()
        .await;
    assert_eq!(send(&http, Method::POST, server.url("/do/one/append?client=1&n=1")).await, 200);
    let whole = |spans: &[Span]| {
        let request = named(spans, "POST /Ledger/{id}").first().copied().cloned()?;
        let children = ["handler", "commit"]
            .map(|name| named(spans, name).iter().any(|span| is_child(span, &request)));
        (children == [true, true]).then_some(())
    };
    collector.until(whole).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unavailable_collector_costs_spans_but_no_request() {
    let (world, http, hanging) =
        (World::folder(), Client::new(), Collector::start(Manner::Hangs).await);
    // Nobody listens on port 1.
    for (endpoint, outcome) in [("http://127.0.0.1:1", "failed"), (hanging.endpoint(), "dropped")] {
        let server = traced(world.setup(), endpoint)
            .env("OTEL_EXPORTER_OTLP_TIMEOUT", "3600000")
            .start()
            .await;
        let mut n = 0;
        // Each request has several spans; the queue has room for 2,048.
        while sum(&scrape(&http, &server).await, "dotdo_spans_total", ("outcome", outcome)) == 0.0 {
            for _ in 0..100 {
                n += 1;
                good(&http, Method::GET, server.url("/do/busy/count")).await;
            }
            assert!(n < 20_000, "no span is counted as {outcome}:\n{}", server.stderr());
        }
        assert!(
            server.terminate().success(),
            "a stop does not wait for the collector:\n{}",
            server.stderr()
        );
        assert!(!server.stderr().contains(SECRET));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_sent_when_it_is_switched_off_and_a_wrong_setting_stops_the_start() {
    let (world, http, collector) =
        (World::folder(), Client::new(), Collector::start(Manner::Takes).await);
    let server =
        traced(world.setup(), collector.endpoint()).env("OTEL_SDK_DISABLED", "true").start().await;
    good(&http, Method::POST, server.url("/do/quiet/append?client=1&n=1")).await;
    assert!(server.terminate().success());
    assert!(collector.exports().is_empty());
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_HEADERS", SECRET),
        ("OTEL_TRACES_SAMPLER", "some"),
    ] {
        let log = traced(world.setup(), collector.endpoint())
            .env(name, value)
            .try_start()
            .await
            .err()
            .expect("it does not start");
        assert!(log.contains(name) && !log.contains(SECRET), "{log}");
    }
}
