//! Deploy tokens, from their issue to a replay after their revocation.

use dotdo_core::Key;
use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};

use super::world::{Answer, ROOT, World, organisation};

const TOKENS: &str = "/v1/deploy-tokens";

fn refused(answer: &Answer) -> (u16, &str) {
    (answer.status, answer.body["code"].as_str().unwrap_or_default())
}

fn sentence(answer: &Answer) -> &str {
    answer.body["error"].as_str().unwrap_or_default()
}

async fn listed(world: &World, login: &str) -> Vec<Value> {
    let answer = world.ask((Method::GET, TOKENS), login, None).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["items"].as_array().expect("a list").clone()
}

async fn revoke(world: &World, login: &str, id: &str) -> Answer {
    world.ask((Method::DELETE, &format!("{TOKENS}/{id}")), login, None).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_token_works_until_it_is_revoked() {
    let world = World::shared();
    let org = organisation("acme");
    let (alice, bob) = (world.login(&org, "alice").await, world.login(&org, "bob").await);
    let (id, token) = world.deploy_token(&alice, "ci").await;
    let keys = world.exchange(&token, "read-write").await;
    assert_eq!((keys.status, &keys.body["tenant"]["org"]), (200, &json!(org)), "{keys:?}");

    let items = listed(world, &bob).await;
    assert_eq!(items.len(), 1);
    assert_eq!(
        (&items[0]["id"], &items[0]["name"], &items[0]["createdBy"]),
        (&json!(id), &json!("ci"), &json!("alice"))
    );
    assert_eq!(items[0]["scopes"], json!(["dotdo:read", "dotdo:write"]));
    assert!(items[0]["revoked"].is_null() && items[0]["expires"].is_string(), "{items:?}");
    assert!(!json!(items).to_string().contains(&token));

    let answer = revoke(world, &bob, &id).await;
    assert_eq!(answer.status, 204);
    assert_eq!(answer.headers["cache-control"], "no-store");
    for access in ["read-write", "read-only"] {
        let replayed = world.exchange(&token, access).await;
        assert_eq!(refused(&replayed), (401, "INVALID_TOKEN"), "{replayed:?}");
        assert!(sentence(&replayed).contains("was revoked"), "{replayed:?}");
    }
    assert_eq!(revoke(world, &alice, &id).await.status, 204, "once more is no error");
    assert!(listed(world, &alice).await[0]["revoked"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_token_is_its_tenants_alone_and_manages_nothing() {
    let world = World::shared();
    let (acme, other) = (organisation("acme"), organisation("other"));
    let (alice, mallory) =
        (world.login(&acme, "alice").await, world.login(&other, "mallory").await);
    let (id, token) = world.deploy_token(&alice, "ci").await;
    assert!(listed(world, &mallory).await.is_empty());
    let answer = revoke(world, &mallory, &id).await;
    assert_eq!(refused(&answer), (404, "UNKNOWN_TOKEN"), "{answer:?}");
    assert_eq!(refused(&revoke(world, &mallory, &"0".repeat(32)).await), (404, "UNKNOWN_TOKEN"));
    let body = json!({ "name": "more" });
    for answer in [
        world.ask((Method::POST, TOKENS), &token, Some(&body)).await,
        world.ask((Method::GET, TOKENS), &token, None).await,
        revoke(world, &token, &id).await,
    ] {
        assert_eq!(refused(&answer), (403, "DEPLOY_TOKEN"), "{answer:?}");
    }
    assert_eq!(world.exchange(&token, "read-write").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_token_has_no_more_than_its_issuer_and_never_all() {
    let world = World::shared();
    let org = organisation("acme");
    let all = "dotdo:read dotdo:write dotdo:admin";
    let admin = world.token(&json!({ "sub": "alice", "org_id": org, "scope": all })).await;
    let reader = world.token(&json!({ "sub": "bob", "org_id": org, "scope": "dotdo:read" })).await;
    let ask = async |login: &str, body: Value| {
        world.ask((Method::POST, TOKENS), login, Some(&body)).await
    };
    for (body, expected) in [
        (json!({ "name": "ci", "scopes": ["dotdo:admin"] }), (400, "BAD_BODY")),
        (json!({ "name": "ci", "scopes": ["dotdo:operator"] }), (400, "BAD_BODY")),
        (json!({ "name": "ci", "scopes": ["write"] }), (400, "BAD_BODY")),
        (json!({ "name": "ci", "scopes": [] }), (400, "BAD_BODY")),
        (json!({ "name": "ci", "scopes": ["dotdo:history"] }), (403, "MISSING_SCOPE")),
        (json!({ "name": "" }), (400, "BAD_BODY")),
        (json!({ "name": "a\nb" }), (400, "BAD_BODY")),
        (json!({ "name": "x".repeat(101) }), (400, "BAD_BODY")),
        (json!({ "name": "ci", "expiresInSeconds": 59 }), (400, "BAD_BODY")),
        (json!({ "name": "ci", "expiresInSeconds": 367 * 86_400 }), (400, "BAD_BODY")),
        (json!({ "name": "ci", "expiresInSeconds": -1 }), (400, "BAD_BODY")),
        (json!({ "name": "ci", "more": 1 }), (400, "BAD_BODY")),
        (json!({}), (400, "BAD_BODY")),
        (json!({ "name": "x".repeat(5000) }), (413, "TOO_LARGE")),
    ] {
        let answer = ask(&admin, body.clone()).await;
        assert_eq!(refused(&answer), expected, "{body} {answer:?}");
    }
    assert_eq!(refused(&ask(&reader, json!({ "name": "ci" })).await), (403, "MISSING_SCOPE"));
    let narrow = ask(&admin, json!({ "name": "ci", "scopes": ["dotdo:read"] })).await;
    assert_eq!(narrow.status, 201, "{narrow:?}");
    let token = narrow.body["token"].as_str().expect("a token");
    assert_eq!(world.exchange(token, "read-only").await.status, 200);
    assert_eq!(refused(&world.exchange(token, "read-write").await), (403, "MISSING_SCOPE"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_bucket_has_is_no_token_and_what_expired_is_none() {
    let world = World::shared();
    let login = world.login(&organisation("acme"), "alice").await;
    let (id, token) = world.deploy_token(&login, "ci").await;
    let (bucket, key) = (world.bucket(), Key::new(format!("{ROOT}/.broker/tokens/{id}")));
    let stored = bucket.get(&key).await.expect("an answer").expect("the record").bytes;
    let mut record: Value = serde_json::from_slice(&stored).expect("JSON");
    assert!(!String::from_utf8_lossy(&stored).contains(&token));
    let hash = record["hash"].as_str().expect("a hash").to_owned();
    let mut tampered = token.clone();
    let last = if tampered.pop() == Some('A') { 'E' } else { 'A' };
    tampered.push(last);
    for stolen in [hash.clone(), format!("dotdo_{hash}"), format!("dotdo_{id}"), tampered] {
        let answer = world.exchange(&stolen, "read-only").await;
        assert_eq!(refused(&answer), (401, "INVALID_TOKEN"), "{answer:?}");
    }
    record["expires_ms"] = json!(1_700_000_000_000_i64);
    bucket.put(&key, record.to_string().into()).await.expect("written");
    let answer = world.exchange(&token, "read-only").await;
    assert_eq!(refused(&answer), (401, "INVALID_TOKEN"), "{answer:?}");
    assert!(sentence(&answer).contains("has expired"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_tokens_at_once_are_all_different_and_all_listed() {
    let world = World::shared();
    let login = world.login(&organisation("acme"), "alice").await;
    let names: Vec<String> = (0..30).map(|number| format!("ci-{number}")).collect();
    let issued = join_all(names.iter().map(|name| world.deploy_token(&login, name))).await;
    let items = listed(world, &login).await;
    let mut ids: Vec<&str> = items.iter().map(|item| item["id"].as_str().expect("an id")).collect();
    ids.dedup();
    assert_eq!(ids.len(), 30);
    assert!(issued.iter().all(|(id, _)| ids.contains(&&**id)));
    let revoked = join_all(issued.iter().map(|(id, _)| revoke(world, &login, id))).await;
    assert!(revoked.iter().all(|answer| answer.status == 204));
    // An address with many failures would be refused, and with it the other tests.
    assert_eq!(world.exchange(&issued[29].1, "read-only").await.status, 401);
}
