//! Servers without keys of the bucket: a token is exchanged for keys, which end while they are used.

use std::time::Duration;

use dotdo_core::{Key, S3Config, S3Credentials, Secret, StoreConfig, StoreError};
use dotdo_tests::{Deadline, OpenId, Seaweed, Server, Setup, ShortKeys, open};
use http::StatusCode;
use serde_json::{Value, json};
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

/// How long keys are valid in these tests, in seconds.
const KEYS_SECONDS: u64 = 2;

/// How many moments of an object's past are read, in turn.
const MOMENTS: u64 = 20;

struct World {
    issuer: OpenId,
    seaweed: Seaweed,
    token: String,
}

impl World {
    /// A store whose token service trusts an issuer, and a token of `acme`, `shop`.
    async fn new() -> Self {
        let issuer = OpenId::start().await;
        let seaweed = Seaweed::trusting(&issuer, &[("acme", "shop"), ("acme", "other")]).await;
        let token = issuer.token(&json!({ "org_id": "acme", "tenant_id": "shop" })).await;
        Self { issuer, seaweed, token }
    }

    /// A server with this token, for the keys of `role`.
    fn setup(&self, role: &str) -> Setup {
        let storage = format!("s3://{}/production", self.seaweed.bucket());
        let setup =
            Setup::new(&storage).env("JWT_TOKEN", &self.token).arg("--log-level").arg("trace");
        self.seaweed
            .role(role)
            .into_iter()
            .fold(setup, |setup, (name, value)| setup.env(name, value))
    }

    /// What the token service answers to `token`, for `role`.
    async fn assume(&self, role: &str, token: &str) -> (StatusCode, String) {
        let arn = self.seaweed.role(role).pop().expect("the last is the role").1;
        let form = format!(
            "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleSessionName=test&RoleArn={arn}&WebIdentityToken={token}"
        );
        let answer = reqwest::Client::new()
            .post(self.seaweed.endpoint())
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form)
            .send()
            .await
            .expect("the token service answers");
        (answer.status(), answer.text().await.expect("the answer arrives"))
    }
}

async fn put(server: &Server, id: &str, data: &str) -> (StatusCode, String) {
    let answer = reqwest::Client::new()
        .post(server.url(&format!("/do/{id}/things")))
        .json(&json!({ "type": "Note", "data": { "text": data } }))
        .send()
        .await
        .expect("the server answers");
    (answer.status(), answer.text().await.expect("the answer arrives"))
}

/// How many things an object has, now or at a sequence number.
async fn count(server: &Server, id: &str, at: Option<u64>) -> u64 {
    let mut request =
        reqwest::Client::new().get(server.url(&format!("/do/{id}/things?limit=1000")));
    if let Some(at) = at {
        request = request.header("x-do-at", at.to_string());
    }
    let answer = request.send().await.expect("the server answers");
    let (status, text) = (answer.status(), answer.text().await.expect("the answer arrives"));
    assert_eq!(status, StatusCode::OK, "{text}\n{}", end(server));
    let things: Value = serde_json::from_str(&text).expect("JSON");
    things["count"].as_u64().expect("a number")
}

/// The end of a log that is written at the level `trace`.
fn end(server: &Server) -> String {
    let log = server.stderr();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

fn is_secret_free(log: &str, secrets: &[String]) {
    for secret in secrets.iter().flat_map(|secret| secret.split('.')).filter(|part| part.len() > 20)
    {
        assert!(!log.contains(secret), "the log has a part of a secret");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_keys_of_the_bucket_writes_restarts_and_reads() {
    let world = World::new().await;
    let short = world.seaweed.short_keys(600).await;
    let setup = world.setup("acme-shop").env("AWS_ENDPOINT_URL_STS", short.url());
    let server = setup.start().await;
    let (status, text) = put(&server, "first", "hello").await;
    assert_eq!(status, StatusCode::CREATED, "{text}");
    assert!(server.terminate().success());
    let first_log = server.stderr();
    let server = setup.start().await;
    assert_eq!(count(&server, "first", None).await, 1);
    let secrets = [short.secrets(), vec![world.token.clone()]].concat();
    assert!(short.exchanges() >= 2, "each start has exchanged the token");
    is_secret_free(&first_log, &secrets);
    is_secret_free(&server.stderr(), &secrets);

    keys_reach_one_tenant_only(&world).await;
    a_forged_token_is_refused(&world).await;
}

/// The objects of the token's tenant are below its prefix, and keys of another tenant do not reach
/// them.
async fn keys_reach_one_tenant_only(world: &World) {
    let keys = |text: &str| {
        let part = |name: &str| element(text, name);
        let credentials = S3Credentials::Keys {
            access_key_id: part("AccessKeyId"),
            secret_access_key: Secret::new(part("SecretAccessKey")),
            session_token: Some(Secret::new(part("SessionToken"))),
        };
        let StoreConfig::S3(place) = world.seaweed.config("production") else { panic!("S3") };
        open(&StoreConfig::S3(S3Config { credentials, ..place })).expect("a good configuration")
    };
    let own = keys(&world.assume("acme-shop", &world.token).await.1);
    let log = own.list(&Key::new("acme/shop/do"), None, 1000).await.expect("its own prefix");
    let record = log.iter().find(|entry| entry.key.as_str().contains("/log/")).expect("a record");

    let other = keys(&world.assume("acme-other", &world.token).await.1);
    let denied =
        |error: StoreError| assert!(matches!(error, StoreError::Refused { .. }), "{error}");
    denied(other.get(&record.key).await.map(|_| ()).expect_err("another tenant's"));
    denied(other.put(&record.key, "x".into()).await.expect_err("another tenant's"));
    denied(other.create(&record.key.join("x"), "x".into()).await.expect_err("another tenant's"));
    other.delete(std::slice::from_ref(&record.key)).await.expect_err("another tenant's");
    denied(other.list(&Key::new("acme/shop"), None, 1).await.map(|_| ()).expect_err("another's"));
    assert!(own.get(&record.key).await.expect("its own").is_some(), "it is still there");
}

async fn a_forged_token_is_refused(world: &World) {
    let (head, signature) = world.token.rsplit_once('.').expect("a token has three parts");
    let forged = format!("{head}.{}", signature.chars().rev().collect::<String>());
    let log = world.setup("acme-shop").env("JWT_TOKEN", &forged).try_start().await;
    let log = log.map(|_| ()).expect_err("the server does not start");
    assert!(log.contains("refuses the token from JWT_TOKEN: 400 Bad Request"), "{log}");
    assert!(log.contains("check that the token is valid"), "{log}");
    is_secret_free(&log, &[forged]);
}

/// The broker's answer says where the objects are and whose; its keys reach no other tenant's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_token_and_a_broker_alone_a_server_serves_the_token_s_tenant() {
    let world = World::new().await;
    let keys = world.assume("acme-shop", &world.token).await.1;
    let broker = MockServer::start().await;
    let granted = json!({
        "accessKeyId": element(&keys, "AccessKeyId"),
        "secretAccessKey": element(&keys, "SecretAccessKey"),
        "sessionToken": element(&keys, "SessionToken"),
        "expires": element(&keys, "Expiration"),
        "endpoint": world.seaweed.endpoint(),
        "region": "us-east-1",
        "bucket": world.seaweed.bucket(),
        "prefix": "production",
        "tenant": { "org": "acme", "name": "shop" },
    });
    Mock::given(method("POST"))
        .and(path("/v1/credentials"))
        .and(header("authorization", format!("Bearer {}", world.token).as_str()))
        .respond_with(ResponseTemplate::new(200).set_body_json(granted))
        .expect(1)
        .mount(&broker)
        .await;
    // An empty variable counts as not set.
    let setup = Setup::of(env!("CARGO_BIN_EXE_scenario-app"), "")
        .env("JWT_TOKEN", &world.token)
        .env("DOTDO_BROKER", broker.uri());
    let server = setup.start().await;
    let append = server.url("/do/brokered/append?client=1&n=1");
    let answer = reqwest::Client::new().post(append).send().await.expect("the server answers");
    assert_eq!(answer.status(), StatusCode::OK, "{}", server.stderr());
    let all = open(&world.seaweed.config("production")).expect("a good configuration");
    let written = all.list(&Key::new(""), None, 1000).await.expect("the whole prefix");
    let is_own = |key: &Key| key.as_str().starts_with("acme/shop/");
    assert!(written.iter().any(|entry| entry.key.as_str().contains("/log/")));
    assert!(written.iter().all(|entry| is_own(&entry.key)), "{written:?}");
}

/// The text of an element of the token service's answer.
fn element(text: &str, name: &str) -> String {
    let (_, rest) = text.split_once(&format!("<{name}>")).expect("keys");
    rest.split_once('<').expect("an element ends").0.to_owned()
}

/// Writes, snapshots, restores and time travel go on while keys end under them: announced, and
/// then as if they had been revoked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_end_are_replaced_and_no_request_fails() {
    let world = World::new().await;
    for (id, keys) in [
        ("announced", world.seaweed.short_keys(KEYS_SECONDS).await),
        ("revoked", world.seaweed.revoked_keys(KEYS_SECONDS).await),
    ] {
        let setup = world
            .setup("server")
            .env("AWS_ENDPOINT_URL_STS", keys.url())
            .env("DOTDO_CHECKPOINT_INTERVAL_MS", "200")
            .env("DOTDO_CHECKPOINT_MIN_CHANGES", "5");
        let server = setup.start().await;
        let written = writes(&server, id, &keys).await;
        assert!(server.terminate().success());
        let server = setup.start().await;
        assert_eq!(count(&server, id, None).await, written.min(1000), "no write is lost");
        reads(&server, id, &keys).await;
        let secrets = [keys.secrets(), vec![world.token.clone()]].concat();
        is_secret_free(&server.stderr(), &secrets);
    }
    // The token is still good, and so is its issuer.
    assert_eq!(
        world.assume("server", &world.issuer.token(&json!({})).await).await.0,
        StatusCode::OK
    );
}

/// Writes until keys have been replaced several times; returns how many things were written.
async fn writes(server: &Server, id: &str, keys: &ShortKeys) -> u64 {
    let (begin, deadline) = (keys.exchanges(), Deadline::in_seconds(120));
    let mut written = 0;
    while keys.exchanges() < begin + 3 {
        assert!(!deadline.is_over(), "keys are not replaced");
        let (status, text) = put(server, id, &"x".repeat(1000)).await;
        assert_eq!(status, StatusCode::CREATED, "{text}\n{}", end(server));
        written += 1;
    }
    written
}

/// Reads, which restore the object at some moment of its past, until keys have been replaced
/// several times.
async fn reads(server: &Server, id: &str, keys: &ShortKeys) {
    let (begin, deadline) = (keys.exchanges(), Deadline::in_seconds(120));
    let mut at = 1;
    while keys.exchanges() < begin + 3 {
        assert!(!deadline.is_over(), "keys are not replaced");
        count(server, id, Some(at)).await;
        at = at % MOMENTS + 1;
    }
}

/// While the token service is away, the keys are used until they end; then requests are refused
/// with the reason, and served again when it is back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_service_that_is_away_is_survived_as_long_as_keys_are_valid() {
    let world = World::new().await;
    let keys = world.seaweed.short_keys(KEYS_SECONDS).await;
    let setup = world
        .setup("server")
        .env("AWS_ENDPOINT_URL_STS", keys.url())
        .env("DOTDO_COMMIT_DEADLINE_MS", "1000");
    let server = setup.start().await;
    assert_eq!(put(&server, "patient", "before").await.0, StatusCode::CREATED);
    keys.set_away(true);
    let deadline = Deadline::in_seconds(60);
    let refusal = deadline
        .until(|| async {
            let (status, text) = put(&server, "patient", "meanwhile").await;
            (status != StatusCode::CREATED).then_some((status, text))
        })
        .await;
    let (status, text) = refusal.expect("the keys end");
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{text}");
    assert!(text.contains("the token service"), "{text}");
    keys.set_away(false);
    let back = Deadline::in_seconds(60).until(|| async {
        (put(&server, "patient", "after").await.0 == StatusCode::CREATED).then_some(())
    });
    tokio::time::timeout(Duration::from_secs(90), back).await.ok().flatten().expect("it is back");
}
