//! What must be nowhere, and the line of every decision.

use dotdo_core::Key;
use dotdo_tests::Deadline;
use http::Method;
use serde_json::{Value, json};

use super::world::{World, organisation};

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_logged_at_any_level_or_kept_in_the_bucket() {
    let world = World::shared();
    let org = organisation("acme");
    let alice = world.login(&org, "alice").await;
    let (id, token) = world.deploy_token(&alice, "ci").await;
    world.exchange(&token, "read-write").await;
    world.exchange(&alice, "read-only").await;
    world.exchange(&format!("{alice}x"), "read-only").await;
    world.exchange(&format!("{token}x"), "read-only").await;
    world.keep_secret("secretsecret");
    let path = format!("/v1/deploy-tokens/{id}");
    world.ask((Method::DELETE, &path), &alice, None).await;
    world.exchange(&token, "read-write").await;

    let log = world.broker.stderr();
    assert!(log.contains("TRACE"), "the log has everything");
    let mut stored = String::new();
    let bucket = world.bucket();
    for entry in bucket.list(&Key::new("root/state/.broker"), None, 10_000).await.expect("a list") {
        let object = bucket.get(&entry.key).await.expect("an answer");
        let bytes = object.map(|object| object.bytes).unwrap_or_default();
        stored.push_str(&format!("{} {}\n", entry.key, String::from_utf8_lossy(&bytes)));
    }
    assert!(stored.contains(&id), "{stored}");
    let secrets = world.secrets();
    assert!(secrets.len() > 6, "{}", secrets.len());
    for secret in &secrets {
        // A JWT's signature alone would be as good.
        let part = secret.rsplit('.').next().unwrap_or(secret);
        for secret in [secret.as_str(), part] {
            let shown = &secret[..6.min(secret.len())];
            assert!(!log.contains(secret), "the log has the secret {shown}…");
            assert!(!stored.contains(secret), "the bucket has the secret {shown}…");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_decision_is_a_line_of_the_audit_log() {
    let world = World::shared();
    let org = organisation("acme");
    let alice = world.login(&org, "alice").await;
    let (id, token) = world.deploy_token(&alice, "ci").await;
    world.exchange(&token, "read-only").await;
    let reader = json!({ "sub": "bob", "org_id": org, "tenant_id": "shop", "scope": "dotdo:read" });
    let reader = world.token(&reader).await;
    let refused = world.exchange(&reader, "read-write").await;
    world.ask((Method::GET, "/v1/deploy-tokens"), &alice, None).await;
    world.ask((Method::DELETE, &format!("/v1/deploy-tokens/{id}")), &alice, None).await;
    let lines = || async {
        let log = world.broker.stderr();
        let ours = log.lines().filter(|line| line.contains("dotdo::audit") && line.contains(&org));
        let lines: Vec<Value> =
            ours.map(|line| serde_json::from_str(line).expect("JSON")).collect();
        (lines.len() == 5).then_some(lines)
    };
    let lines = Deadline::in_seconds(60).until(lines).await.expect("five lines of the log");
    let told: Vec<[&str; 5]> = lines
        .iter()
        .map(|line| {
            ["action", "result", "subject", "access", "code"]
                .map(|name| line[name].as_str().unwrap_or_default())
        })
        .collect();
    assert_eq!(
        told,
        [
            ["issue_token", "allowed", "alice", "", ""],
            ["issue_keys", "allowed", "alice", "read-only", ""],
            ["issue_keys", "denied", "bob", "read-write", "MISSING_SCOPE"],
            ["list_tokens", "allowed", "alice", "", ""],
            ["revoke_token", "allowed", "alice", "", ""],
        ]
    );
    for line in &lines {
        assert_eq!((&line["org"], &line["tenant"]), (&json!(org), &json!("shop")));
        assert_eq!(line["client"], "127.0.0.1");
    }
    for at in [0, 1, 4] {
        assert_eq!(lines[at]["token_id"], id.as_str(), "{:?}", lines[at]);
    }
    assert_eq!(lines[2]["request_id"], refused.body["requestId"]);
}
