//! What must be nowhere: tokens and secrets in logs at the level trace, in errors, in the answers
//! to panics, in traces, and in core dumps.

use std::os::unix::process::ExitStatusExt as _;

use dotdo_tests::{OpenId, Token};
use nix::sys::signal::Signal;
use reqwest::{Client, Method, StatusCode};
use serde_json::json;

use super::collector::{Collector, Manner};
use crate::forward::{SECRET, forwarding};
use crate::world::World;

/// Everything that can be logged.
const ALL: &str =
    "trace,h2=trace,hyper=trace,hyper_util=trace,object_store=trace,reqwest=trace,rustls=trace";
const DEVELOPMENT: &str = "a development secret that nobody may see";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_in_a_log_an_error_a_panic_a_trace_or_a_core_dump() {
    let (world, issuer) = (World::folder(), OpenId::start().await);
    let collector = Collector::start(Manner::Takes).await;
    let server = forwarding(&world)
        .env("DOTDO_AUTH_ISSUER", issuer.issuer())
        .env("DOTDO_AUTH_AUDIENCE", OpenId::AUDIENCE)
        .env("DOTDO_AUTH_DEVELOPMENT_SECRET", DEVELOPMENT)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint())
        .env("OTEL_BSP_SCHEDULE_DELAY", "50")
        .env("DOTDO_LOG_LEVEL", ALL)
        .env("DOTDO_LOG_ACCESS", "all")
        .start()
        .await;
    let good = issuer.token(&json!({ "sub": "ada", "org_id": "acme" })).await;
    let nobody = issuer.token(&json!({ "sub": "ada" })).await;
    let old = issuer.token(&json!({ "sub": "ada", "org_id": "acme", "exp": 1 })).await;
    let lying = Token { header: json!({ "alg": "none" }), ..Token::default() };
    let lying = issuer.sign(&lying).await;
    let (head, signature) = good.rsplit_once('.').expect("three parts");
    let forged = format!("{head}.{}", signature.chars().rev().collect::<String>());

    let mut told = String::new();
    for (token, path, status) in [
        (&good, "/do/a/append?client=1&n=1", StatusCode::OK),
        (&good, "/do/a/panic", StatusCode::INTERNAL_SERVER_ERROR),
        (&good, "/do/a/nothing", StatusCode::NOT_FOUND),
        (&nobody, "/do/a/append?client=1&n=2", StatusCode::FORBIDDEN),
        (&old, "/do/a/append?client=1&n=2", StatusCode::UNAUTHORIZED),
        (&lying, "/do/a/append?client=1&n=2", StatusCode::UNAUTHORIZED),
        (&forged, "/do/a/append?client=1&n=2", StatusCode::UNAUTHORIZED),
    ] {
        // A careless client repeats its token wherever it may.
        let url = server.url(&format!(
            "{path}{}access_token={token}",
            if path.contains('?') { "&" } else { "?" }
        ));
        let request = Client::new().request(Method::POST, url).bearer_auth(token);
        let request = request.header("cookie", format!("token={token}"));
        let request = request.header("x-amz-security-token", token.as_str());
        let answer = request.send().await.expect("the server answers");
        assert_eq!(answer.status(), status, "{path}");
        told +=
            &format!("{:?}\n{}\n", answer.headers().clone(), answer.text().await.expect("text"));
    }
    let spans = collector.until(|spans| (spans.len() > 6).then(|| format!("{spans:#?}"))).await;

    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.pid())).expect("limits");
    let of_dumps = limits.lines().find(|line| line.starts_with("Max core file size"));
    let of_dumps: Vec<&str> = of_dumps.expect("a line").split_whitespace().collect();
    assert!(of_dumps[4..6].iter().all(|limit| ["0", "1"].contains(limit)), "{of_dumps:?}");
    server.signal(Signal::SIGABRT);
    let ended = server.wait();
    assert_eq!((ended.signal(), ended.core_dumped()), (Some(Signal::SIGABRT as i32), false));

    let log = server.stderr();
    assert!(log.contains("TRACE") && log.contains("as the test asks"), "the log has everything");
    for secret in [&good, &nobody, &old, &lying, &forged, SECRET, DEVELOPMENT] {
        // The first part of a token is the same for many, and no secret.
        for part in secret.split('.').skip(usize::from(secret.contains('.'))) {
            let shown = &part[..6.min(part.len())];
            for (place, text) in [("the log", &log), ("the traces", &spans), ("an answer", &told)] {
                assert!(part.len() < 9 || !text.contains(part), "{place} has {shown}…");
            }
        }
    }
}
