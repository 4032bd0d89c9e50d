//! What is done with every request is done once, by the server that the client reached, also when
//! another one owns the object: the token, the limit, the compression, the headers for pages of
//! other origins, the line in the log.

use std::io::Read as _;

use dotdo_tests::ledger::error_of;
use dotdo_tests::{Deadline, Server};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;

use crate::forward::{forwarding, good};
use crate::world::{ENDLESS_LEASE_MS, PATIENCE_SECONDS, World};

/// What clients of the owner know, and what those of the other server know: whoever asked again
/// would be found out.
const OWNERS_TOKEN: &str = "owners-0123456789abcdef0123456789";
const OTHERS_TOKEN: &str = "others-0123456789abcdef0123456789";
const ORIGIN: &str = "https://app.example.com";
const CLIENT: &str = "203.0.113.7";
const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// Those of the answer that are said once, whatever servers it passed.
const ONCE: [&str; 8] = [
    "access-control-allow-origin",
    "content-encoding",
    "content-type",
    "vary",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "x-request-id",
];

/// The owner of the mirror `one` and another server, with all that can stand in front of objects,
/// each with its own token. Only the other one has a proxy in front.
async fn two(world: &World, requests: u32) -> [Server; 2] {
    let setup = forwarding(world)
        .env("DOTDO_LEASE_DURATION_MS", ENDLESS_LEASE_MS)
        .env("DOTDO_RATE_LIMIT_REQUESTS", requests.to_string())
        .env("DOTDO_RATE_LIMIT_WINDOW_MS", "86400000")
        .env("DOTDO_COMPRESSION_ENABLED", "true")
        .env("DOTDO_COMPRESSION_MIN_BYTES", "1")
        .env("DOTDO_CORS_ORIGINS", ORIGIN)
        .env("DOTDO_LOG_FORMAT", "json")
        .env("DOTDO_LOG_ACCESS", "all");
    let owner = setup.clone().env("DOTDO_AUTH_TOKENS", OWNERS_TOKEN).start().await;
    let other = setup
        .env("DOTDO_AUTH_TOKENS", OTHERS_TOKEN)
        .env("DOTDO_TRUSTED_PROXIES", "127.0.0.1")
        .start()
        .await;
    let owned =
        Client::new().post(owner.url("/do/Mirror/one/own")).bearer_auth(OWNERS_TOKEN).send().await;
    assert_eq!(owned.expect("the server answers").status(), StatusCode::OK);
    [owner, other]
}

async fn sent(request: RequestBuilder) -> Response {
    request.send().await.expect("the server answers")
}

/// The line that a server writes for the request with this id, once it has.
async fn line(server: &Server, id: &str) -> Value {
    let lines = || {
        let log = server.stderr();
        let all = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        all.filter(|line| {
            line["request_id"].as_str().is_some_and(|said| said.trim_matches('"') == id)
        })
        .collect()
    };
    let found = Deadline::in_seconds(PATIENCE_SECONDS)
        .until(|| async { Some(lines()).filter(|lines: &Vec<Value>| !lines.is_empty()) });
    let found = found.await.unwrap_or_else(|| panic!("no line for {id}:\n{}", server.stderr()));
    assert_eq!(found.len(), 1, "one line for each request: {found:?}");
    found[0].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forwarded_request_is_rate_limited_only_by_the_first_server() {
    let world = World::folder();
    let ([owner, other], http) = (two(&world, 5).await, Client::new());
    for (server, token, before) in [(&other, OTHERS_TOKEN, 0), (&owner, OWNERS_TOKEN, 1)] {
        let ask = || http.post(server.url("/do/Mirror/one/own")).bearer_auth(token).send();
        for n in before..5 {
            let answer = ask().await.expect("the server answers");
            assert_eq!(answer.status(), StatusCode::OK, "{n}");
            assert_eq!(
                answer.headers()["x-ratelimit-remaining"],
                (4 - n).to_string(),
                "each request counts once"
            );
        }
        let answer = ask().await.expect("the server answers");
        assert!(answer.headers().contains_key("retry-after"));
        let (status, code, _) = error_of(answer).await;
        assert_eq!((status, code.as_str()), (StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED"));
    }
    let done = good(&http, Method::GET, owner.url("/health")).await.status();
    assert_eq!(done, StatusCode::OK, "what is no object is not counted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_that_the_client_reached_asks_for_the_token_and_the_owner_does_not() {
    let world = World::folder();
    let ([owner, other], http) = (two(&world, 1000).await, Client::new());
    let ask = |server: &Server| http.get(server.url("/do/Mirror/one/headers"));
    let seen: Value = sent(ask(&other).bearer_auth(OTHERS_TOKEN)).await.json().await.expect("JSON");
    assert_eq!(seen["authorization"], Value::Null, "neither the owner nor the object gets it");
    for (server, known, unknown) in
        [(&other, OTHERS_TOKEN, OWNERS_TOKEN), (&owner, OWNERS_TOKEN, OTHERS_TOKEN)]
    {
        assert_eq!(error_of(sent(ask(server)).await).await.1, "UNAUTHENTICATED");
        assert_eq!(error_of(sent(ask(server).bearer_auth(unknown)).await).await.1, "INVALID_TOKEN");
        // Nobody comes in by saying that it is a server, with a token or without.
        for claim in ["", "x", "e30.00", &format!("e30.{}", "0".repeat(64))] {
            for request in
                [ask(server), ask(server).bearer_auth(known), http.get(server.url("/metrics"))]
            {
                let (status, code, _) =
                    error_of(sent(request.header("dotdo-peer", claim)).await).await;
                assert_eq!(
                    (status, code.as_str()),
                    (StatusCode::FORBIDDEN, "PEER_REFUSED"),
                    "{claim:?}"
                );
            }
        }
    }
    let figures = sent(http.get(owner.url("/metrics")).bearer_auth(OWNERS_TOKEN))
        .await
        .text()
        .await
        .expect("text");
    assert!(
        figures.contains("dotdo_peer_requests_total{result=\"answered\"} 1\n"),
        "nobody else was sent to the owner: {figures}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forwarded_response_is_compressed_once_and_both_servers_log_the_same_client() {
    let world = World::folder();
    let ([owner, other], http) = (two(&world, 1000).await, Client::new());
    let padding = "what repeats itself becomes small ".repeat(100);
    for path in ["headers", "fail"] {
        let request = http
            .get(other.url(&format!("/do/Mirror/one/{path}")))
            .bearer_auth(OTHERS_TOKEN)
            .header("origin", ORIGIN);
        let request = request
            .header("x-padding", &padding)
            .header("accept-encoding", "gzip")
            .header("x-request-id", path);
        let answer =
            sent(request.header("x-forwarded-for", CLIENT).header("traceparent", TRACE)).await;
        for name in ONCE {
            assert_eq!(answer.headers().get_all(name).iter().count(), 1, "{name}: {answer:?}");
        }
        assert_eq!(
            (&answer.headers()["content-encoding"], &answer.headers()["x-request-id"]),
            (&"gzip".parse().expect("a value"), &path.parse().expect("a value"))
        );
        assert_eq!(answer.headers()["access-control-allow-origin"], ORIGIN);
        let (status, small) =
            (answer.status().as_u16(), answer.bytes().await.expect("the whole body"));
        let mut text = String::new();
        flate2::read::GzDecoder::new(&small[..])
            .read_to_string(&mut text)
            .expect("gzip, and JSON in it");
        let told: Value = serde_json::from_str(&text).expect("JSON");
        if path == "headers" {
            for (name, value) in [
                ("traceparent", TRACE),
                ("x-request-id", path),
                ("x-forwarded-for", CLIENT),
                ("origin", ORIGIN),
            ] {
                assert_eq!(told[name], serde_json::json!([value]), "{name}");
            }
        } else {
            assert_eq!(told["code"], "AS_ASKED");
        }

        let (here, there) = (line(&other, path).await, line(&owner, path).await);
        for line in [&here, &there] {
            assert_eq!(
                (&line["client"], &line["status"]),
                (&CLIENT.into(), &status.into()),
                "{line}"
            );
            assert_eq!(
                (&line["class"], &line["object"]),
                (&"Mirror".into(), &"one".into()),
                "{line}"
            );
        }
        assert_eq!((&here["caller"], &here["peer"]), (&"token-1".into(), &Value::Null), "{here}");
        assert_eq!(
            (&there["caller"], there["peer"].is_string()),
            (&"token-1".into(), true),
            "{there}"
        );
        assert_eq!(
            (&here["bytes_out"], &there["bytes_out"]),
            (&small.len().into(), &text.len().into()),
            "compressed once, for the client"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_client_can_name_headers_that_are_lost_on_the_way_to_the_owner() {
    let world = World::folder();
    let ([owner, other], http) = (two(&world, 1000).await, Client::new());
    let mut told = Vec::new();
    for (server, token) in [(&owner, OWNERS_TOKEN), (&other, OTHERS_TOKEN)] {
        let named = "close, x-do-id, x-do-type, x-request-id, x-forwarded-for, traceparent, authorization, host, content-length";
        let request = http
            .post(server.url("/do/one/headers"))
            .bearer_auth(token)
            .header("connection", named)
            .body("body");
        let request = request
            .header("x-request-id", "named")
            .header("x-forwarded-for", CLIENT)
            .header("traceparent", TRACE);
        let answer =
            sent(request.header("host", "objects.example.com").header("x-do-type", "Mirror")).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let mut seen: Value = answer.json().await.expect("JSON");
        let headers = seen.as_object_mut().expect("headers");
        // Of one connection, and of one client.
        assert_eq!(headers.remove("authorization"), None);
        headers.remove("connection");
        told.push(seen);
    }
    assert_eq!(told[0]["x-do-id"], serde_json::json!(["one"]));
    assert_eq!(told[0], told[1], "the object sees the same, whichever server was asked");
}
