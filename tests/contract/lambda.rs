//! What only AWS Lambda has: several kinds of events, a freeze after each answer, a start that can fail with a sentence, and front ends that vouch for senders.

use std::process::ExitStatus;

use dotdo_tests::{LambdaApis, Process, Setup, runtime, scratch};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::host::Host;
use crate::hosts::{Front, Http, Lambda};
use crate::message::{get, post};
use crate::setup;
use crate::stage::{add, ask, count, insist};

const FRONTS: [Front; 4] = [Front::RestApi, Front::HttpApi, Front::FunctionUrl, Front::LoadBalancer];

/// A folder, and how programs are started on it.
fn world(program: impl Fn(&str) -> Setup) -> (TempDir, Setup) {
    let folder = scratch();
    let setup = program(&format!("file://{}", folder.path().display()));
    (folder, setup)
}

/// How a program ended that could not start, and what it logged.
fn end_of(setup: &Setup) -> (ExitStatus, String) {
    Process::start(&mut setup.command()).last_words()
}

#[test]
fn events_of_every_kind_reach_the_same_objects() {
    runtime().block_on(async {
        let (_folder, setup) = world(setup);
        let mut expected = 0;
        let mut programs = Vec::new();
        for front in FRONTS {
            programs.push(Lambda(front).start(&setup).await);
        }
        for _ in 0..2 {
            for program in &programs {
                expected += 1;
                assert_eq!(add(program.as_ref(), "everybody").await, expected);
            }
        }
        for program in &programs {
            assert_eq!(count(program.as_ref(), "everybody").await, expected);
        }
    });
}

#[test]
fn a_function_that_was_frozen_sees_the_lease_of_a_server_and_what_it_wrote() {
    runtime().block_on(async {
        let (_folder, setup) = world(setup);
        let setup = setup.env("DOTDO_LEASE_DURATION_MS", "400");
        let function = Lambda(Front::FunctionUrl).start(&setup).await;
        assert_eq!(add(function.as_ref(), "shared").await, 1);
        function.signal(Signal::SIGSTOP);
        let server = Http::started().start(&setup).await;
        assert_eq!(add(server.as_ref(), "shared").await, 2);
        function.signal(Signal::SIGCONT);
        // The server's lease may be over; while it is not, the function may not write.
        let early = ask(function.as_ref(), get("/do/Counter/shared/count")).await;
        assert!(early.status == 503 || early.json() == json!({ "count": 2 }), "{early:?}");
        server.signal(Signal::SIGSTOP);
        assert_eq!(add(function.as_ref(), "shared").await, 3);
        server.signal(Signal::SIGCONT);
        assert_eq!(count(server.as_ref(), "shared").await, 3);
    });
}

#[test]
fn messages_are_delivered_before_the_function_is_frozen() {
    runtime().block_on(async {
        let (_folder, setup) = world(|storage| Setup::of(env!("CARGO_BIN_EXE_scenario-app"), storage));
        // Nobody looks for what was left undelivered.
        let setup = setup.env("DOTDO_LAMBDA_SETTLE_MAX_MS", "60000").env("DOTDO_OUTBOX_SCAN_MS", "86400000");
        let function = Lambda(Front::HttpApi).start(&setup).await;
        let paid = insist(function.as_ref(), || post("/do/Account/one/deposit?cents=100", "")).await;
        assert_eq!(paid.json(), json!({ "cents": 100 }));
        let sent = ask(function.as_ref(), post("/do/Account/one/transfer?to=two&cents=40", "")).await;
        assert_eq!(sent.json(), json!({ "cents": 60 }));
        function.signal(Signal::SIGKILL);
        function.wait();
        let next = Lambda(Front::HttpApi).start(&setup).await;
        assert_eq!(insist(next.as_ref(), || get("/do/Account/two/balance")).await.json(), json!({ "cents": 40 }));
    });
}

#[test]
fn a_start_that_fails_is_told_to_who_invoked_the_function() {
    runtime().block_on(async {
        let apis = LambdaApis::start().await;
        let waiting = tokio::spawn(reqwest::Client::new().post(apis.invocations()).json(&json!({})).send());
        for (storage, code) in [("ftp://nowhere", 2), ("/dev/null/state", 1)] {
            let program = Process::start(&mut Lambda(Front::HttpApi).setup(&setup(storage), &apis).command());
            assert_eq!(tokio::task::spawn_blocking(move || program.wait().code()).await.expect("it ends"), Some(code), "{storage}");
        }
        let told: Value = waiting.await.expect("a task").expect("an answer").json().await.expect("JSON");
        let message = told["errorMessage"].as_str().unwrap_or_default();
        assert!(told["errorType"] == "BAD_CONFIG" && message.contains("ftp://nowhere"), "{told}");
    });
}

#[test]
fn half_an_environment_and_leases_are_refused_with_a_sentence() {
    let (_folder, setup) = world(setup);
    let (status, log) = end_of(&setup.clone().env("AWS_LAMBDA_FUNCTION_NAME", "function"));
    assert!(status.code() == Some(2) && log.contains("AWS_LAMBDA_RUNTIME_API") && log.contains("DOTDO_PLATFORM=http"), "{log}");
    let complete = [("RUNTIME_API", "127.0.0.1:1"), ("FUNCTION_NAME", "f"), ("FUNCTION_VERSION", "1"), ("FUNCTION_MEMORY_SIZE", "512")];
    let lambda = complete.iter().fold(setup, |setup, (name, value)| setup.env(format!("AWS_LAMBDA_{name}"), *value));
    let (status, log) = end_of(&lambda.env("DOTDO_OWNERSHIP", "leased"));
    assert!(status.code() == Some(2) && log.contains("per-request"), "{log}");
}

#[test]
fn who_was_not_vouched_for_stays_outside() {
    runtime().block_on(async {
        let (_folder, setup) = world(setup);
        let apis = LambdaApis::start().await;
        let setup = Lambda(Front::HttpApi).setup(&setup, &apis).env("DOTDO_ALLOW_UNAUTHENTICATED", "false");
        let program = Process::start(&mut setup.command());
        let mut event: Value = serde_json::from_str(include_str!("events/function-url.json")).expect("JSON");
        event["rawPath"] = "/do/Counter/private/count".into();
        let client = reqwest::Client::new();
        let ask = async |event: &Value| -> Value {
            let answer = client.post(apis.invocations()).json(event).send().await.expect("an answer");
            answer.json().await.unwrap_or_else(|error| panic!("{error}\n{}", program.stderr()))
        };
        let refused = ask(&event).await;
        let error: Value = serde_json::from_str(refused["body"].as_str().unwrap_or_default()).expect("JSON");
        assert_eq!((&refused["statusCode"], &error["code"]), (&json!(403), &json!("UNAUTHENTICATED_EVENT")));
        event["requestContext"]["authorizer"] =
            json!({ "iam": { "accountId": "123456789012", "userArn": "arn:aws:iam::123456789012:user/one" } });
        let answered = ask(&event).await;
        assert_eq!((&answered["statusCode"], &answered["body"]), (&json!(200), &json!("{\"count\":0}")));
        let unknown = ask(&json!({ "source": "aws.events", "detail-type": "Scheduled Event" })).await;
        assert!(unknown["errorMessage"].as_str().is_some_and(|message| message.contains("none of a REST API")), "{unknown}");
    });
}
