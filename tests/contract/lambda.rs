//! What only AWS Lambda has: several kinds of events, a freeze after each answer, a start that can
//! fail with a sentence, and front ends that vouch for senders.

use std::process::ExitStatus;
use std::time::Duration;

use dotdo_tests::{Deadline, LambdaApis, Process, Setup, runtime, scratch};
use http_body_util::BodyExt;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::gate::Gate;
use crate::host::{Body, Host, Hosted};
use crate::hosts::{Clock, Front, Http, Lambda};
use crate::message::{bytes, get, post};
use crate::pattern::pattern;
use crate::setup;
use crate::stage::{PATIENCE_SECONDS, add, ask, count, insist, soon};

const FRONTS: [Front; 4] =
    [Front::RestApi, Front::HttpApi, Front::FunctionUrl, Front::LoadBalancer];

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
        let (_folder, setup) =
            world(|storage| Setup::of(env!("CARGO_BIN_EXE_scenario-app"), storage));
        // Nobody looks for what was left undelivered.
        let setup = setup
            .env("DOTDO_LAMBDA_BACKGROUND_MAX_MS", "60000")
            .env("DOTDO_OUTBOX_SCAN_MS", "86400000");
        let function = Lambda(Front::HttpApi).start(&setup).await;
        let paid =
            insist(function.as_ref(), || post("/do/Account/one/deposit?cents=100", "")).await;
        assert_eq!(paid.json(), json!({ "cents": 100 }));
        let sent =
            ask(function.as_ref(), post("/do/Account/one/transfer?to=two&cents=40", "")).await;
        assert_eq!(sent.json(), json!({ "cents": 60 }));
        function.signal(Signal::SIGKILL);
        function.wait();
        let next = Lambda(Front::HttpApi).start(&setup).await;
        assert_eq!(
            insist(next.as_ref(), || get("/do/Account/two/balance")).await.json(),
            json!({ "cents": 40 })
        );
    });
}

/// The number of an object's newest record in a folder.
pub(crate) fn newest_record(folder: &TempDir, object: &str) -> u64 {
    let log = folder.path().join(format!("local/local/do/{object}/log"));
    let names = std::fs::read_dir(log).expect("the object has a log").flatten();
    let number = |name: &str| name.rsplit_once('-').and_then(|(_, number)| number.parse().ok());
    let numbers = names.filter_map(|entry| number(entry.file_name().to_str()?));
    numbers.max().expect("it has a record")
}

#[test]
fn a_tick_runs_alarms_of_a_function_that_is_gone() {
    runtime().block_on(async {
        let (folder, setup) =
            world(|storage| Setup::of(env!("CARGO_BIN_EXE_scenario-app"), storage));
        // Nobody but the tick looks for what was left.
        let setup = setup.env("DOTDO_ALARMS_SCAN_MS", "0").env("DOTDO_HANDLER_TIME_MAX_MS", "1000");
        let function = Lambda(Front::FunctionUrl).start(&setup).await;
        insist(function.as_ref(), || post("/do/awake/wake", "")).await;
        function.signal(Signal::SIGKILL);
        function.wait();
        let (front, apis) = (Lambda(Front::FunctionUrl), LambdaApis::start().await);
        let invocations = apis.invocations();
        let next = front.setup(&setup, &apis);
        let next = front.start_on(apis, &next).await;
        let before = newest_record(&folder, "ledger/awake");
        let client = reqwest::Client::new();
        let tick = || async {
            let tick = client.post(&invocations).json(&json!({ "dotdo": "tick" }));
            let answer = tick.send().await.expect("the emulator answers");
            let answer: Value = answer.json().await.expect("JSON");
            assert_eq!(answer, json!({ "status": "ok" }), "{}", next.stderr());
            // The function may have been killed while it held the object for a handler.
            (newest_record(&folder, "ledger/awake") > before).then_some(())
        };
        let ran = Deadline::in_seconds(PATIENCE_SECONDS).until(tick).await;
        assert!(ran.is_some(), "no tick runs the alarm:\n{}", next.stderr());
        // What a client sends through a front end is no tick.
        let sent = ask(next.as_ref(), post("/do/awake/nothing", r#"{"dotdo":"tick"}"#)).await;
        assert_eq!(sent.status, 404);
    });
}

/// What an addition that leaves work behind says at the gate, one after the other.
fn steps() -> Vec<String> {
    (1..=20).map(|step| format!("step {step}")).collect()
}

#[test]
fn the_work_behind_an_answer_is_done_before_the_function_is_frozen() {
    runtime().block_on(async {
        for front in [Front::RestApi, Front::HttpApi, Front::LoadBalancer] {
            let (folder, setup) = world(setup);
            let gate = Gate::closed().await;
            let function =
                Lambda(front).start(&setup.env("DOTDO_LAMBDA_BACKGROUND_MAX_MS", "240000")).await;
            let path = format!("/do/Counter/kept/add?later={}", gate.address());
            let answered = async {
                let answer = ask(function.as_ref(), post(&path, "")).await;
                function.signal(Signal::SIGSTOP);
                answer
            };
            let open = async {
                gate.come(1).await;
                gate.open();
            };
            let (answer, ()) = tokio::join!(answered, open);
            assert_eq!(answer.json(), json!({ "count": 1 }), "{front:?}");
            assert_eq!(gate.come(steps().len()).await, steps(), "{front:?}");
            let snapshots = folder.path().join("local/local/do/counter/kept/snapshots/latest");
            assert!(snapshots.exists(), "{front:?}: the object's first change is in a snapshot");
        }
    });
}

/// A function in whose events a deadline stands, and the clock that tells it.
async fn with_clock(front: Front, setup: &Setup) -> (Box<dyn Hosted>, Clock) {
    let apis = LambdaApis::start().await;
    let clock = Clock::before(&apis).await;
    let setup = Lambda(front).setup(setup, &apis).env("AWS_LAMBDA_RUNTIME_API", clock.address());
    (Lambda(front).start_on(apis, &setup).await, clock)
}

/// An answer whose head came in the time that the clock leaves, which is more and more: a machine
/// may be slow.
async fn in_time(
    function: &dyn Hosted,
    clock: &Clock,
    make: impl Fn() -> http::Request<Body>,
) -> http::Response<Body> {
    for seconds in [1, 4, 16, 64] {
        clock.leave(Duration::from_secs(seconds));
        let answer = soon("the head of an answer", function.send(make())).await.expect("an answer");
        if answer.status() != 504 {
            assert_eq!(answer.status(), 200);
            return answer;
        }
    }
    panic!("no answer began in a minute:\n{}", function.stderr());
}

#[test]
fn a_request_at_the_deadline_gets_an_answer_and_the_process_survives() {
    runtime().block_on(async {
        let (_folder, setup) = world(setup);
        let gate = Gate::closed().await;
        for (front, is_whole) in [(Front::HttpApi, true), (Front::FunctionUrl, false)] {
            let (function, clock) = with_clock(front, &setup).await;
            let id = format!("late-{is_whole}");
            assert_eq!(add(function.as_ref(), &id).await, 1);
            clock.leave(Duration::from_secs(1));
            let late = ask(
                function.as_ref(),
                post(&format!("/do/Counter/{id}/add?gate={}", gate.address()), ""),
            )
            .await;
            assert_eq!((late.status, &late.error()["code"]), (504, &json!("FUNCTION_TIMEOUT")));
            // The head is there in time, but the body never ends.
            let endless = || get(&format!("/do/{id}/stream?gate={}", gate.address()));
            if is_whole {
                let late = ask(function.as_ref(), endless()).await;
                assert_eq!((late.status, &late.error()["code"]), (504, &json!("FUNCTION_TIMEOUT")));
            } else {
                let answer = in_time(function.as_ref(), &clock, endless).await;
                assert!(
                    soon("the end of an answer", answer.into_body().collect()).await.is_err(),
                    "what breaks off is not whole"
                );
            }
            clock.leave(Duration::from_secs(3600));
            assert_eq!(add(function.as_ref(), &format!("{id}-other")).await, 1, "it was not ended");
            assert_eq!(function.stderr().matches("\"polling\"").count(), 1);
        }
    });
}

#[test]
fn a_rest_api_gets_its_answers_piece_by_piece_where_that_is_asked_for() {
    runtime().block_on(async {
        let (_folder, setup) = world(setup);
        let gate = Gate::closed().await;
        let function = Lambda(Front::RestApi).start(&setup.env("DOTDO_LAMBDA_STREAMING", "all")).await;
        let streamed = get(&format!("/do/pieces/stream?gate={}", gate.address()));
        let mut answer = soon("the head of an answer", function.send(streamed)).await.expect("an answer");
        let first = soon("the first piece", answer.body_mut().frame()).await.expect("a piece").expect("no error");
        assert_eq!(first.into_data().expect("data"), "first");
        gate.come(1).await;
        gate.open();
        assert_eq!(bytes(answer).await, "second");
        let large = ask(function.as_ref(), get("/do/large/pattern?bytes=8000000")).await;
        assert!(large.body == pattern(8_000_000), "more than fits into one document: {} bytes", large.body.len());
        let wish = json!({ "status": 201, "headers": [["set-cookie", "a=1"], ["set-cookie", "b=2"], ["x-a", "one"]], "body": "said" });
        let said = ask(function.as_ref(), post("/do/said/say", wish.to_string())).await;
        assert_eq!((said.status, said.values("set-cookie"), said.text()), (201, vec![&b"a=1"[..], b"b=2"], "said"));
        assert_eq!(add(function.as_ref(), "pieces").await, 1);
        let missing = ask(function.as_ref(), get("/nowhere")).await;
        assert_eq!((missing.status, &missing.error()["code"]), (404, &json!("NO_OBJECT")));
    });
}

#[test]
fn a_failed_start_is_reported_to_the_invoker() {
    runtime().block_on(async {
        let apis = LambdaApis::start().await;
        let waiting =
            tokio::spawn(reqwest::Client::new().post(apis.invocations()).json(&json!({})).send());
        for (storage, code) in [("ftp://nowhere", 2), ("/dev/null/state", 1)] {
            let program =
                Process::start(&mut Lambda(Front::HttpApi).setup(&setup(storage), &apis).command());
            assert_eq!(
                tokio::task::spawn_blocking(move || program.wait().code()).await.expect("it ends"),
                Some(code),
                "{storage}"
            );
        }
        let told: Value =
            waiting.await.expect("a task").expect("an answer").json().await.expect("JSON");
        let message = told["errorMessage"].as_str().unwrap_or_default();
        assert!(told["errorType"] == "BAD_CONFIG" && message.contains("ftp://nowhere"), "{told}");
    });
}

#[test]
fn incomplete_environments_and_leases_are_refused_with_an_error() {
    let (_folder, setup) = world(setup);
    let (status, log) = end_of(&setup.clone().env("AWS_LAMBDA_FUNCTION_NAME", "function"));
    assert!(
        status.code() == Some(2)
            && log.contains("AWS_LAMBDA_RUNTIME_API")
            && log.contains("DOTDO_PLATFORM=http"),
        "{log}"
    );
    let complete = [
        ("RUNTIME_API", "127.0.0.1:1"),
        ("FUNCTION_NAME", "f"),
        ("FUNCTION_VERSION", "1"),
        ("FUNCTION_MEMORY_SIZE", "512"),
    ];
    let lambda = complete
        .iter()
        .fold(setup, |setup, (name, value)| setup.env(format!("AWS_LAMBDA_{name}"), *value));
    let (status, log) = end_of(&lambda.env("DOTDO_OWNERSHIP", "leased"));
    assert!(status.code() == Some(2) && log.contains("per-request"), "{log}");
}

#[test]
fn unauthenticated_events_are_refused() {
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
        assert!(unknown["errorMessage"].as_str().is_some_and(|message| message.contains("expected an event of a REST API")), "{unknown}");
    });
}
