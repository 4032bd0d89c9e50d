//! `dotdo serve` with a login and no key of a bucket, and servers whose callers log in.

use dotdo_core::Key;
use dotdo_tests::{Cli, Deadline, OpenId, Seaweed, Server, Setup, open};
use http::StatusCode;
use serde_json::{Value, json};

use super::{access, age};

/// How long keys are valid where they shall be replaced, in seconds.
const KEYS_SECONDS: u64 = 2;

/// What the access tokens of a user of a tenant say, whose objects are below `production`.
fn claims(seaweed: &Seaweed, org: &str, tenant: &str) -> Value {
    let prefix = format!("production/{org}/{tenant}");
    let storage = json!({ "bucket": seaweed.bucket(), "path_prefix": prefix });
    json!({ "org_id": org, "tenant_id": tenant, "storage": storage })
}

async fn put(server: &Server, token: Option<&str>, id: &str) -> (StatusCode, String) {
    let mut request = reqwest::Client::new().post(server.url("/do/notes/things"));
    request = request.json(&json!({ "id": id, "type": "Note", "data": {} }));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let answer = request.send().await.expect("the server answers");
    (answer.status(), answer.text().await.expect("the answer arrives"))
}

/// The ids of the things of the object that all users name alike.
async fn ids(server: &Server, token: Option<&str>) -> Option<Vec<String>> {
    let mut request = reqwest::Client::new().get(server.url("/do/notes/things"));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let answer = request.send().await.expect("the server answers");
    let things: Value = answer.error_for_status().ok()?.json().await.expect("JSON");
    let id = |thing: &Value| thing["id"].as_str().expect("things have ids").to_owned();
    Some(things["items"].as_array().expect("a list").iter().map(id).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_login_alone_the_state_is_in_the_tenants_part_of_the_bucket() {
    let issuer = OpenId::start().await;
    let seaweed = Seaweed::trusting(&issuer, &[("acme", "shop")]).await;
    let keys = seaweed.short_keys(KEYS_SECONDS).await;
    let mut cli =
        Cli::new().env("DOTDO_LEASE_DURATION_MS", "1000").env("AWS_ENDPOINT_URL_STS", keys.url());
    for (name, value) in seaweed.role("acme-shop") {
        if name != "AWS_ENDPOINT_URL_STS" {
            cli = cli.env(name, value);
        }
    }
    cli.login(&issuer, "ada", &claims(&seaweed, "acme", "shop")).await;

    let server = cli.serving(&[]).start().await;
    let said = server.stderr();
    assert!(said.contains("the login") && said.contains("--storage ./.dotdo"), "{said}");
    let (status, text) = put(&server, None, "first").await;
    assert_eq!(status, StatusCode::CREATED, "{text}\n{}", server.stderr());
    server.kill9();
    let server = cli.serving(&[]).start().await;
    let is_there = || async {
        // The lease of the killed server has to end first.
        ids(&server, None).await.filter(|ids| ids == &["first"]).map(drop)
    };
    assert!(Deadline::in_seconds(60).until(is_there).await.is_some(), "{}", server.stderr());
    assert!(!cli.home().join(".dotdo").exists(), "nothing is in the folder");

    let bucket = open(&seaweed.config("")).expect("a good configuration");
    let all = bucket.list(&Key::new(""), None, 1000).await.expect("the store answers");
    let keys_of_ours = || all.iter().map(|entry| entry.key.as_str());
    assert!(keys_of_ours().any(|key| key.starts_with("production/acme/shop/do/")));
    let outside: Vec<&str> = keys_of_ours()
        .filter(|key| !key.starts_with("production/acme/shop/") && !key.starts_with("ready/"))
        .collect();
    assert!(outside.is_empty(), "{outside:?}");

    is_renewed_while_it_serves(&cli, &issuer).await;
    // Logging out takes effect when the keys end.
    cli.run(&["logout"]).await.ok();
    let refused = || async {
        let (status, text) = put(&server, None, "late").await;
        (!status.is_success()).then_some(text)
    };
    assert!(Deadline::in_seconds(60).until(refused).await.is_some());
    for secret in keys.secrets() {
        assert!(!server.stderr().contains(&secret), "a secret is in the log");
    }
}

/// The server, whose keys end all the time, renews the login when it is due.
async fn is_renewed_while_it_serves(cli: &Cli, issuer: &OpenId) {
    let (token, renewals) = (access(&cli.kept("default")), issuer.asked("/token").await);
    age(cli, 30);
    let renewed = || async { (access(&cli.kept("default")) != token).then_some(()) };
    assert!(Deadline::in_seconds(60).until(renewed).await.is_some());
    assert_eq!(issuer.asked("/token").await, renewals + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_moves_no_state_unless_it_can_lead_to_a_bucket() {
    let issuer = OpenId::start().await;
    let cli = Cli::new();
    cli.login(&issuer, "ada", &json!({ "org_id": "acme" })).await;
    // Nobody exchanges its tokens.
    let server = cli.serving(&[]).start().await;
    assert_eq!(put(&server, None, "in-the-folder").await.0, StatusCode::CREATED);
    assert!(server.terminate().success());

    // Somebody would, but the storage is given.
    let cli = cli.env("AWS_ROLE_ARN", "arn:aws:iam::role/none");
    let cli = cli.env("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
    let folder = cli.home().join(".dotdo");
    let storage = folder.to_str().expect("the path is text");
    let server = cli.serving(&["--storage", storage]).start().await;
    assert!(server.terminate().success());

    // The token names no bucket.
    let log = cli.serving(&[]).try_start().await.map(drop).expect_err("there is no bucket");
    assert!(log.contains("the login") && log.contains("storage"), "{log}");

    // A login that is over does not become a folder.
    issuer.set(&json!({ "failures": {} })).await;
    age(&cli, 30);
    cli.change("default", |login| login["tokens"]["refresh_token"] = "unknown".into());
    let log = cli.serving(&[]).try_start().await.map(drop).expect_err("the login is over");
    assert!(log.contains("run `dotdo login`"), "{log}");
    let log = cli.serving(&[]).try_start().await.map(drop).expect_err("it is still over");
    assert!(log.contains("not logged in; run `dotdo login`"), "{log}");
}

#[tokio::test]
async fn users_of_two_tenants_log_in_and_each_sees_its_own_objects() {
    let issuer = OpenId::start().await;
    let (ada, bob) = (Cli::new(), Cli::new());
    ada.login(&issuer, "ada", &json!({ "org_id": "acme" })).await;
    bob.login(&issuer, "bob", &json!({ "org_id": "globe" })).await;
    let setup = Setup::new("memory://")
        .env("DOTDO_AUTH_ISSUER", issuer.issuer())
        .env("DOTDO_AUTH_AUDIENCE", OpenId::AUDIENCE);
    let server = setup.start().await;
    assert_eq!(put(&server, None, "nobody").await.0, StatusCode::UNAUTHORIZED);
    for (cli, id) in [(&ada, "of-ada"), (&bob, "of-bob")] {
        let token = cli.run(&["token"]).await.ok();
        let (status, text) = put(&server, Some(token.trim()), id).await;
        assert_eq!(status, StatusCode::CREATED, "{text}\n{}", server.stderr());
    }
    for (cli, id) in [(&ada, "of-ada"), (&bob, "of-bob")] {
        let token = cli.run(&["token"]).await.ok();
        assert_eq!(ids(&server, Some(token.trim())).await, Some(vec![id.to_owned()]));
    }
}
