//! What only Vercel asks for: an end of each request that comes neither too early nor never, one
//! object behind every address, and an environment that is whole.

use std::path::{Path, PathBuf};
use std::process::Command;

use dotdo_tests::{OpenId, Seaweed, scratch};
use http_body_util::BodyExt;
use nix::sys::signal::Signal;

use crate::gate::Gate;
use crate::host::{Body, Hosted};
use crate::hosts::Instance;
use crate::message::{Answer, get, post, with};
use crate::setup;
use crate::stage::{counted, eventually, fresh, run};

/// The address of a folder as a store.
fn storage(folder: &Path) -> String {
    format!("file://{}", folder.display())
}

/// Sends a request that is answered with a count.
async fn counts(instance: &Instance, request: http::Request<Body>) -> u64 {
    counted(&Answer::of(instance.ask(request).await.1.expect("an answer")).await)
}

#[test]
fn the_end_of_a_request_comes_after_its_streamed_body() {
    run(async {
        let (folder, gate) = (scratch(), Gate::closed().await);
        let instance = Instance::start(&setup(&storage(folder.path()))).await;
        let (streamed, answer) =
            instance.ask(get(&format!("/do/streamed/stream?gate={}", gate.address()))).await;
        let mut answer = answer.expect("the head comes before the body");
        assert_eq!(
            answer
                .body_mut()
                .frame()
                .await
                .expect("a part")
                .expect("no error")
                .into_data()
                .expect("data"),
            "first"
        );
        gate.come(1).await;
        let (whole, other) = instance.ask(get("/do/other/here")).await;
        assert_eq!(Answer::of(other.expect("an answer")).await.status, 200);
        instance.over(whole).await;
        assert!(!instance.is_over(streamed), "half of the body has not come");
        gate.open();
        assert_eq!(answer.into_body().collect().await.expect("the rest").to_bytes(), "second");
        instance.over(streamed).await;
    });
}

#[test]
fn the_end_of_a_request_comes_after_the_snapshot_that_it_caused() {
    run(async {
        let folder = scratch();
        let instance = Instance::start(&setup(&storage(folder.path()))).await;
        let (number, answer) = instance.ask(post("/do/Counter/kept/add", "")).await;
        assert_eq!(counted(&Answer::of(answer.expect("an answer")).await), 1);
        instance.over(number).await;
        let latest =
            find(folder.path(), "latest").expect("the object's first change is in a snapshot");
        assert!(latest.parent().is_some_and(|parent| parent.ends_with("snapshots")), "{latest:?}");
    });
}

#[test]
fn the_end_of_a_request_comes_after_the_work_that_it_left_behind() {
    run(async {
        let (folder, gate) = (scratch(), Gate::closed().await);
        let instance = Instance::start(&setup(&storage(folder.path()))).await;
        let (number, answer) =
            instance.ask(post(&format!("/do/Counter/kept/add?later={}", gate.address()), "")).await;
        assert_eq!(
            counted(&Answer::of(answer.expect("an answer")).await),
            1,
            "the client does not wait for it"
        );
        gate.come(1).await;
        assert!(!instance.is_over(number), "the platform does");
        gate.open();
        instance.over(number).await;
        // From here on the platform may freeze it.
        instance.signal(Signal::SIGSTOP);
        let steps: Vec<String> = (1..=20).map(|step| format!("step {step}")).collect();
        assert_eq!(gate.come(20).await, steps);
    });
}

/// A file with this name below `folder`.
fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    let entries =
        std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.into_iter().find_map(|path| {
        if path.is_dir() {
            find(&path, name)
        } else {
            Some(path).filter(|path| path.ends_with(name))
        }
    })
}

#[test]
fn every_address_of_an_object_reaches_that_object_and_no_header_names_another() {
    run(async {
        let folder = scratch();
        let instance = Instance::start(&setup(&storage(folder.path()))).await;
        let plain = || post("/do/Counter/a%2Fb/add", "");
        let spoofed = [
            "x-matched-path",
            "x-original-url",
            "x-rewrite-url",
            "x-invoke-path",
            "x-vercel-original-path",
        ];
        let sent = [
            plain(),
            post("/api/object/do/Counter/a%2Fb/add", ""),
            post("/do/Counter/a%2Fb/add?path=/do/Counter/c/add&0=/do/Counter/c/add", ""),
            with(with(post("/add", ""), "x-do-type", b"Counter"), "x-do-id", b"a%2Fb"),
            spoofed
                .into_iter()
                .fold(plain(), |request, name| with(request, name, b"/do/Counter/c/add")),
        ];
        for (before, request) in sent.into_iter().enumerate() {
            assert_eq!(counts(&instance, request).await, before as u64 + 1);
        }
        assert_eq!(counts(&instance, get("/do/Counter/c/count")).await, 0);
    });
}

#[test]
fn a_request_that_is_under_way_when_the_function_is_to_end_comes_to_its_own_end() {
    run(async {
        let (folder, gate) = (scratch(), Gate::closed().await);
        let instance = Instance::start(
            &setup(&storage(folder.path())).env("DOTDO_SHUTDOWN_DEADLINE_MS", "240000"),
        )
        .await;
        let path = format!("/do/Counter/{}/add?gate={}", fresh("last"), gate.address());
        let end = async {
            gate.come(1).await;
            instance.signal(Signal::SIGTERM);
            eventually("the function says that it stops", || {
                instance.stderr().contains("shutting down")
            })
            .await;
            gate.open();
        };
        let ((number, answer), ()) = tokio::join!(instance.ask(post(&path, "")), end);
        assert_eq!(counted(&Answer::of(answer.expect("it is answered")).await), 1);
        instance.over(number).await;
        assert_eq!(instance.wait().code(), Some(0), "{}", instance.stderr());
    });
}

#[test]
fn the_token_of_a_request_is_exchanged_for_keys_of_the_bucket() {
    const TOKEN: &str = "x-vercel-oidc-token";
    run(async {
        let issuer = OpenId::start().await;
        let seaweed = Seaweed::trusting(&issuer, &[]).await;
        let setup = setup(&format!("s3://{}/production", seaweed.bucket()));
        let setup = seaweed
            .role("server")
            .into_iter()
            .fold(setup, |setup, (name, value)| setup.env(name, value));
        let instance = Instance::start(&setup).await;
        let (_, answer) = instance.ask(post("/do/Counter/keyed/add", "")).await;
        let early = Answer::of(answer.expect("an answer")).await;
        assert_eq!(early.status, 503, "{}", early.text());
        assert!(instance.stderr().contains(&format!("no request had the header {TOKEN} yet")));

        let token = issuer.token(&serde_json::json!({ "owner": "team" })).await;
        let sent = with(post("/do/Counter/keyed/add", ""), TOKEN, token.as_bytes());
        assert_eq!(counts(&instance, sent).await, 1, "{}", instance.stderr());
        assert_eq!(counts(&instance, post("/do/Counter/keyed/add", "")).await, 2);
        let seen = with(get("/do/mirror/headers"), TOKEN, token.as_bytes());
        let (_, answer) = instance.ask(seen).await;
        let seen = Answer::of(answer.expect("an answer")).await;
        assert!(!seen.text().contains(&token), "objects do not see it: {}", seen.text());
        assert!(!instance.stderr().contains(&token));
    });
}

#[test]
fn an_incomplete_environment_stops_the_start_with_an_error() {
    let folder = scratch();
    let socket = folder.path().join("s");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
    let socket = socket.to_str().expect("a path of letters");
    let nowhere = "neither VERCEL_IPC_PATH nor VERCEL_DEV_PORT is set";
    let cases: [(&[(&str, &str)], &str); 5] = [
        (&[("VERCEL", "1")], nowhere),
        (&[("DOTDO_PLATFORM", "vercel")], nowhere),
        (
            &[("VERCEL", "1"), ("VERCEL_IPC_PATH", "/nowhere/at.all")],
            "expected the path of a socket",
        ),
        (&[("VERCEL_IPC_PATH", socket), ("VERCEL_DEV_PORT", "many")], "expected a port number"),
        (&[("VERCEL_IPC_PATH", socket)], "DOTDO_AUTH_TOKENS"),
    ];
    for (environment, sentence) in cases {
        let setup = environment
            .iter()
            .fold(setup(&storage(folder.path())), |setup, (name, value)| setup.env(*name, *value));
        refuses(&mut setup.command(), sentence);
    }
    let mut homeless = setup(&storage(folder.path())).env("VERCEL_IPC_PATH", socket).command();
    refuses(homeless.env_remove("DOTDO_STORAGE"), "vercel does not keep a program's files");
}

/// Checks that a program does not serve, and says why.
fn refuses(command: &mut Command, sentence: &str) {
    let ended = command.output().expect("the program starts");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(2), "{command:?}: {said}");
    assert!(said.contains(sentence), "{command:?}: {said}");
}
