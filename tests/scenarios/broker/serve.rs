//! From a login to a deployment: a deploy token, and a server that has nothing else.

use dotdo_core::Key;
use dotdo_tests::{Cli, Deadline, Server};
use http::StatusCode;
use serde_json::{Value, json};

use super::world::{World, organisation, prefix};

async fn put(server: &Server, id: &str) -> (StatusCode, String) {
    let request = reqwest::Client::new().post(server.url("/do/notes/things"));
    let thing = json!({ "id": id, "type": "Note", "data": {} });
    let answer = request.json(&thing).send().await.expect("the server answers");
    (answer.status(), answer.text().await.expect("the answer arrives"))
}

async fn has(server: &Server, id: &str) -> Option<()> {
    let path = server.url(&format!("/do/notes/things/{id}"));
    let answer = reqwest::get(path).await.expect("the server answers");
    (answer.status() == StatusCode::OK).then_some(())
}

/// The first word of the only line.
fn only_id(listed: &str) -> &str {
    assert_eq!(listed.lines().count(), 1, "{listed}");
    listed.split_whitespace().next().expect("an id")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deployment_has_a_deploy_token_and_nothing_else() {
    let world = World::shared();
    let org = organisation("deployed");
    let ada = Cli::new().env("DOTDO_BROKER", world.broker.url(""));
    ada.login(&world.openid, "ada", &json!({ "org_id": org, "tenant_id": "shop" })).await;
    let token = ada.run(&["token", "--deploy", "--name", "ci"]).await.ok();
    let token = token.trim();
    world.keep_secret(token);

    // Another machine, which nobody has logged in at.
    let machine = Cli::new()
        .env("JWT_TOKEN", token)
        .env("DOTDO_BROKER", world.broker.url(""))
        .env("DOTDO_LEASE_DURATION_MS", "1000");
    let server = machine.serving(&[]).start().await;
    let (status, text) = put(&server, "first").await;
    assert_eq!(status, StatusCode::CREATED, "{text}\n{}", server.stderr());
    server.kill9();
    let server = machine.serving(&[]).start().await;
    // The lease of the killed server has to end first.
    let is_there = || has(&server, "first");
    assert!(Deadline::in_seconds(60).until(is_there).await.is_some(), "{}", server.stderr());
    assert!(!server.stderr().contains(token), "the token is in the log");
    assert!(server.terminate().success());

    let all = world.bucket().list(&Key::new(""), None, 1000).await.expect("the store answers");
    let own = prefix(&org);
    let (ours, outside): (Vec<&str>, Vec<&str>) = all
        .iter()
        .map(|entry| entry.key.as_str())
        // The list of the tenant's deploy tokens is the broker's own.
        .filter(|key| key.contains(&org) && !key.contains("/.broker/"))
        .partition(|key| key.starts_with(&own));
    assert!(ours.iter().any(|key| key.contains("/log/")), "{ours:?}");
    assert!(outside.is_empty(), "{outside:?}");

    let listed = ada.run(&["token", "--list"]).await.ok();
    ada.run(&["token", "--revoke", only_id(&listed)]).await.ok();
    let log = machine.serving(&[]).try_start().await.map(drop).expect_err("it is revoked");
    assert!(log.contains("revoked") && !log.contains(token), "{log}");
    let shown = ada.run(&["token", "--list", "--json"]).await.ok();
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    assert!(shown[0]["revoked"].is_string(), "{shown}");
}
