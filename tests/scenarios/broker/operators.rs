//! What an operator gets that no tenant does: keys of any tenant's part, for servers of many tenants.

use dotdo_core::Key;
use dotdo_tests::{Deadline, Seaweed, Setup, open};
use http::Method;
use serde_json::{Value, json};

use super::world::{Client, ROOT, World, organisation, prefix, setup};

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_gets_keys_of_any_tenant_and_of_what_all_share() {
    let world = World::shared();
    let (acme, other, ops) = (organisation("acme"), organisation("other"), organisation("ops"));
    let broker = setup(&world.openid, &world.seaweed).env("DOTDO_AUTH_OPERATORS", &ops);
    let broker = broker.start().await;
    let operator = json!({ "sub": "server", "org_id": ops, "scope": "dotdo:operator dotdo:write" });
    let operator = world.token(&operator).await;
    let of_acme = json!({ "tenant": { "org": acme, "name": "shop" } });
    let ask = async |token: &str, body: &Value| {
        world.ask_at(&broker, (Method::POST, "/v1/credentials"), token, Some(body)).await
    };

    let answer = ask(&operator, &of_acme).await;
    assert_eq!((answer.status, &answer.body["tenant"]["org"]), (200, &json!(acme)), "{answer:?}");
    let shared = ask(&operator, &json!({ "shared": true })).await;
    assert_eq!((shared.status, &shared.body["tenant"]), (200, &json!(null)), "{shared:?}");
    let list = format!("{ROOT}/.tenants/{acme}~shop");
    for (keys, own) in [(&answer, format!("{}do/x", prefix(&acme))), (&shared, list.clone())] {
        let client = Client::of(&keys.body);
        for key in
            [format!("{}do/x", prefix(&acme)), format!("{}do/x", prefix(&other)), list.clone()]
        {
            let path = format!("/{}/{key}", client.config.bucket);
            let status = client.send(("PUT", &path), ("", ""), "x").await.status;
            assert_eq!(status, if key == own { 200 } else { 403 }, "{key}");
        }
    }
    world.bucket().delete(&[Key::new(list)]).await.expect("deleted");

    let (_, deployed) = world.deploy_token(&world.login(&ops, "ada").await, "ci").await;
    for (token, body, status, code) in [
        (world.login(&other, "bob").await, of_acme.clone(), 403, "MISSING_SCOPE"),
        (world.login(&other, "bob").await, json!({ "shared": true }), 403, "MISSING_SCOPE"),
        (world.login(&acme, "ada").await, of_acme.clone(), 403, "MISSING_SCOPE"),
        (deployed, of_acme.clone(), 403, "MISSING_SCOPE"),
        (
            world
                .token(
                    &json!({ "sub": "x", "org_id": other, "scope": "dotdo:operator dotdo:write" }),
                )
                .await,
            of_acme.clone(),
            403,
            "MISSING_SCOPE",
        ),
        (operator.clone(), json!({ "tenant": { "org": "", "name": "x" } }), 400, "BAD_BODY"),
        (operator.clone(), json!({ "tenant": of_acme["tenant"], "shared": true }), 400, "BAD_BODY"),
    ] {
        let answer = ask(&token, &body).await;
        assert_eq!(
            (answer.status, answer.body["code"].as_str()),
            (status, Some(code)),
            "{answer:?}"
        );
    }
    let told = |line: &str| line.contains("dotdo::audit") && line.contains(&format!("{acme}/shop"));
    let line = async || broker.stderr().lines().find(|line| told(line)).map(str::to_owned);
    let line = Deadline::in_seconds(60).until(line).await.expect("a line of the audit log");
    let line: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!((&line["org"], &line["of_tenant"]), (&json!(ops), &json!(format!("{acme}/shop"))));

    serves_both(&world.seaweed, (&broker.url(""), &operator), [&acme, &other]).await;
}

/// A server with an operator's token serves all tenants, with keys of one at a time.
async fn serves_both(seaweed: &Seaweed, (broker, token): (&str, &str), orgs: [&str; 2]) {
    let server = Setup::of(env!("CARGO_BIN_EXE_scenario-app"), "")
        .env("JWT_TOKEN", token)
        .env("DOTDO_BROKER", broker)
        .env("DOTDO_IDENTITY_KEYS_BY_TENANT", "true")
        .env("SCENARIO_SPELLED_TOKENS", "1")
        .start()
        .await;
    for org in orgs {
        let request = reqwest::Client::new().post(server.url("/do/Witness/one"));
        let answer = request.bearer_auth(format!("ada~{org}~rwh")).send().await;
        let answer = answer.expect("the server answers");
        assert_eq!(answer.status(), 200, "{}", server.stderr());
        let told: Value = answer.json().await.expect("JSON");
        assert_eq!(told["seen"], json!([format!("ada of {org}/shop")]));
        let bucket = open(&seaweed.config("")).expect("a good configuration");
        let below = Key::new(format!("{}do", prefix(org)));
        assert!(!bucket.list(&below, None, 100).await.expect("a listing").is_empty());
    }
}
