//! `dotdo doctor` on buckets, honest and not, and with an issuer.

use dotdo_core::{Key, StoreConfig};
use dotdo_tests::{Cli, Liar, Lie, OpenId, Outcome, Seaweed, open};
use serde_json::{Value, json};

/// What is in a bucket.
async fn keys(store: &StoreConfig) -> Vec<Key> {
    let bucket = open(store).expect("it can be opened");
    let listed = bucket.list(&Key::new(""), None, 1000).await.expect("it can be listed");
    listed.into_iter().map(|entry| entry.key).collect()
}

/// A user whose settings lead to an S3 store.
fn user(store: &StoreConfig) -> Cli {
    let StoreConfig::S3(s3) = store else { panic!("a bucket") };
    Cli::new()
        .env("DOTDO_STORAGE", format!("s3://{}/{}", s3.bucket, s3.prefix).trim_end_matches('/'))
        .env("AWS_ENDPOINT_URL", s3.endpoint.clone().expect("its own"))
        .env("AWS_REGION", "us-east-1")
}

/// The checks by name, the first of each.
fn check<'a>(said: &'a Value, name: &str) -> &'a Value {
    let checks = said["checks"].as_array().expect("a list");
    checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("{name}: {said}"))
}

#[tokio::test]
async fn a_bucket_an_issuer_and_a_login_are_healthy_and_nothing_is_left() {
    let provider = OpenId::start().await;
    let store = Seaweed::shared().config("doctor");
    let mut cli = user(&store).env("DOTDO_AUTH_ISSUER", provider.issuer());
    for (name, value) in Seaweed::shared().environment() {
        cli = cli.env(name, value);
    }
    cli.login(&provider, "ada", &json!({ "org_id": "acme" })).await;
    let out = cli.run(&["doctor", "--port", "0", "--json"]).await.ok();
    let said: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(said["ok"], true);
    for name in ["settings", "store", "latency", "clock", "network", "issuer", "login", "port"] {
        // The store is on this machine, so it need not be encrypted.
        assert_eq!(check(&said, name)["outcome"], "ok", "{name}: {said}");
    }
    assert!(check(&said, "login")["seen"].as_str().expect("a text").starts_with("ada at "));
    assert!(check(&said, "latency")["details"]["createMs"].as_f64().expect("a number") > 0.0);
    assert_eq!(keys(&store).await, Vec::<Key>::new(), "nothing is left");
}

#[tokio::test]
async fn a_store_that_breaks_its_promise_fails_and_nothing_is_left() {
    for (lie, expected) in [
        (Lie::IgnoresCondition, "a second create of the same key succeeded"),
        (Lie::Forbids, "can't be used"),
    ] {
        let store = Liar::start(lie).await.config();
        let cli =
            user(&store).env("AWS_ACCESS_KEY_ID", "id").env("AWS_SECRET_ACCESS_KEY", "hunter2");
        let Outcome { code, stdout, stderr } = cli.run(&["doctor", "--port", "0"]).await;
        assert_eq!(code, Some(1), "{stdout}{stderr}");
        assert!(stdout.contains("failed   store") && stdout.contains(expected), "{stdout}");
        assert!(stdout.contains("next: check the bucket's name and the permissions"), "{stdout}");
        assert!(!stdout.contains("hunter2"));
        if lie == Lie::IgnoresCondition {
            assert_eq!(keys(&store).await, Vec::<Key>::new());
        }
    }
}

#[tokio::test]
async fn a_token_that_ends_soon_is_a_warning_and_one_that_is_over_a_failure() {
    let provider = OpenId::start().await;
    for (seconds, outcome) in [(600, "warning"), (-600, "failed")] {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let ends = now.expect("it is after 1970").as_secs().cast_signed() + seconds;
        let token = provider.token(&json!({ "org_id": "acme", "exp": ends })).await;
        let cli = Cli::new().env("JWT_TOKEN", token.clone());
        let Outcome { stdout, .. } = cli.run(&["doctor", "--port", "0", "--json"]).await;
        let said: Value = serde_json::from_str(&stdout).expect("JSON");
        assert_eq!(check(&said, "token")["outcome"], outcome, "{said}");
        assert!(!stdout.contains(&token));
    }
}
