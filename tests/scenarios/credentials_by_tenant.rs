//! Servers of many tenants that get keys for each tenant's part of the bucket, from a token service
//! or from a broker.

use dotdo_core::{Key, S3Config, StoreConfig, StoreError};
use dotdo_tests::{Deadline, GivenKeys, OpenId, Seaweed, Server, Setup, open};
use futures_util::future::join_all;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use crate::world::PATIENCE_SECONDS;

const TENANTS: [&str; 2] = ["acme", "globex"];

/// A server of scenarios with tokens that spell out their callers, whose own token is `token`.
fn setup(storage: &str, token: &str) -> Setup {
    Setup::of(env!("CARGO_BIN_EXE_scenario-app"), storage)
        .env("JWT_TOKEN", token)
        .env("DOTDO_IDENTITY_KEYS_BY_TENANT", "true")
        .env("SCENARIO_SPELLED_TOKENS", "1")
        .env("DOTDO_LEASE_DURATION_MS", "1000")
        .env("DOTDO_OUTBOX_SCAN_MS", "200")
}

async fn ask(server: &Server, (method, org, path): (Method, &str, &str)) -> (StatusCode, Value) {
    let request = Client::new().request(method, server.url(path));
    let request = request.bearer_auth(format!("ada~{org}~rwha"));
    let answer = request.send().await.expect("the server answers");
    let (status, text) = (answer.status(), answer.text().await.expect("the answer arrives"));
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

async fn write(server: &Server, org: &str) {
    let (status, told) = ask(server, (Method::POST, org, "/do/Witness/one")).await;
    assert_eq!(status, StatusCode::OK, "{told}\n{}", server.stderr());
}

/// Checks that keys of one part reach that part, and nothing of the others.
async fn reach(seaweed: &Seaweed, given: &GivenKeys) {
    let StoreConfig::S3(place) = seaweed.config("production") else { panic!("S3") };
    let config = S3Config { credentials: given.credentials.clone(), ..place };
    let bucket = open(&StoreConfig::S3(config)).expect("a good configuration");
    for (session, folder) in
        [("acme@shop", "acme/shop"), ("globex@shop", "globex/shop"), ("shared", ".tenants")]
    {
        let key = Key::new(format!("{folder}/probed"));
        let written = bucket.put(&key, "x".into()).await;
        let read = bucket.get(&key).await;
        let listed = bucket.list(&Key::new(folder), None, 1).await;
        if session == given.session {
            assert!(written.is_ok() && read.is_ok() && listed.is_ok(), "{given:?} in {folder}");
            bucket.delete(&[key]).await.expect("its own part");
        } else {
            let refused = [written.err(), read.err(), listed.err()];
            for error in refused {
                assert!(matches!(error, Some(StoreError::Refused { .. })), "{folder}: {error:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_of_many_tenants_has_keys_of_each_one_s_part_alone() {
    let issuer = OpenId::start().await;
    let seaweed = Seaweed::trusting(&issuer, &[]).await;
    let keys = seaweed.short_keys(600).await;
    let token = issuer.token(&json!({ "sub": "server" })).await;
    let storage = format!("s3://{}/production", seaweed.bucket());
    let setup = seaweed
        .role("server")
        .into_iter()
        .fold(setup(&storage, &token), |setup, (name, value)| setup.env(name, value))
        .env("AWS_ENDPOINT_URL_STS", keys.url());

    let server = setup.start().await;
    for org in TENANTS {
        join_all((0..20).map(|_| write(&server, org))).await;
    }
    let sessions = || {
        let mut sessions: Vec<String> =
            keys.given().into_iter().map(|given| given.session).collect();
        sessions.sort();
        sessions
    };
    // Those without a tenant are looked after without being asked for.
    let own = ["acme@shop", "globex@shop", "local@local", "shared"];
    let each_once = || std::future::ready((sessions() == own).then_some(()));
    let is_so = Deadline::in_seconds(PATIENCE_SECONDS).until(each_once).await;
    assert!(is_so.is_some(), "one exchange for each part, not {:?}", sessions());
    let told = ask(&server, (Method::POST, "acme", "/do/Witness/one/tell?two")).await;
    assert_eq!(told.0, StatusCode::OK, "{}", told.1);
    server.kill9();
    // What the list of tenants says is enough to find the message, if it is not delivered yet.
    let server = setup.start().await;
    let arrived = || async {
        let (_, two) = ask(&server, (Method::GET, "acme", "/do/Witness/two")).await;
        (two["seen"] == json!(["Witness/one of acme/shop"])).then_some(())
    };
    assert!(Deadline::in_seconds(PATIENCE_SECONDS).until(arrived).await.is_some());
    let mut seen = Vec::new();
    for given in keys.given() {
        if !seen.contains(&given.session) {
            reach(&seaweed, &given).await;
            seen.push(given.session);
        }
    }
    seen.sort();
    assert_eq!(seen, own);
    // A tenant can end, although all its keys reach is its own part.
    let (status, closed) = ask(&server, (Method::DELETE, "globex", "/tenant")).await;
    assert_eq!((status, &closed["state"]), (StatusCode::ACCEPTED, &json!("closed")), "{closed}");
    let (status, _) = ask(&server, (Method::POST, "globex", "/do/Witness/one")).await;
    assert_eq!(status, StatusCode::GONE);
    for secret in [keys.secrets(), vec![token]].concat() {
        assert!(!server.stderr().contains(&secret), "a secret is in the log");
    }
}

/// Keys of two seconds, while both tenants write: each tenant's are renewed for it, and no request
/// fails.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_each_tenant_are_renewed_while_they_are_used() {
    let issuer = OpenId::start().await;
    let seaweed = Seaweed::trusting(&issuer, &[]).await;
    let keys = seaweed.short_keys(2).await;
    let token = issuer.token(&json!({ "sub": "server" })).await;
    let storage = format!("s3://{}/production", seaweed.bucket());
    let setup = seaweed
        .role("server")
        .into_iter()
        .fold(setup(&storage, &token), |setup, (name, value)| setup.env(name, value));
    let server = setup.env("AWS_ENDPOINT_URL_STS", keys.url()).start().await;
    let deadline = Deadline::in_seconds(PATIENCE_SECONDS);
    let renewed = |org: &str| {
        let session = format!("{org}@shop");
        keys.given().iter().filter(|given| given.session == session).count() > 2
    };
    while !TENANTS.into_iter().all(renewed) {
        assert!(!deadline.is_over(), "keys are not renewed:\n{}", server.stderr());
        join_all(TENANTS.map(|org| write(&server, org))).await;
    }
}

#[tokio::test]
async fn keys_by_tenant_need_somebody_who_gives_them() {
    for (storage, more, expected) in [
        ("memory://", ("AWS_ROLE_ARN", "arn:role"), "expected a token that a token service"),
        ("s3://bucket", ("AWS_REGION", "auto"), "expected a token that a token service"),
        ("", ("AWS_ROLE_ARN", "arn:role"), "set DOTDO_STORAGE"),
    ] {
        let setup = setup(storage, "e30.e30.e30").env(more.0, more.1);
        let log = setup.try_start().await.map(drop).expect_err("it can't start");
        assert!(log.contains("identity.keys_by_tenant: ") && log.contains(expected), "{log}");
    }
}
