//! How a broker starts, or why it does not; its limits, and what every server has.

use dotdo_tests::Setup;
use http::Method;

use super::world::{OPERATOR, World, organisation, setup};

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_says_what_it_lacks() {
    for (setup, missing) in [
        (Setup::broker("s3://bucket"), "auth.issuer"),
        (
            Setup::broker("memory://").env("DOTDO_AUTH_ISSUER", "https://login.example.com"),
            "s3://bucket/prefix",
        ),
        (
            Setup::broker("s3://bucket").env("DOTDO_AUTH_ISSUER", "https://login.example.com"),
            "broker.role_arn",
        ),
    ] {
        let Err(log) = setup.try_start().await else { panic!("it started without {missing}") };
        assert!(log.contains(missing) && log.contains("exit status: 2"), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_every_server_has_a_broker_has() {
    let world = World::shared();
    let client = reqwest::Client::new();
    for path in ["/health", "/ready"] {
        let answer = client.get(world.broker.url(path)).send().await.expect("an answer");
        assert_eq!(answer.status(), 200, "{path}");
    }
    world.exchange(&world.login(&organisation("acme"), "alice").await, "read-only").await;
    let metrics = client.get(world.broker.url("/metrics"));
    assert_eq!(metrics.send().await.expect("an answer").status(), 401);
    let metrics = client.get(world.broker.url("/metrics")).bearer_auth(OPERATOR);
    let text = metrics.send().await.expect("an answer").text().await.expect("a text");
    for name in [
        "dotdo_broker_keys_total{result=\"made\"}",
        "dotdo_broker_exchange_seconds",
        "dotdo_http_requests_total",
    ] {
        assert!(text.contains(name), "{name}: {text}");
    }
    let line = world.broker.stderr();
    let line =
        line.lines().find(|line| line.contains("broker listening")).expect("a line").to_owned();
    for part in ["\"backend\":\"sts\"", "\"storage\":\"s3://", "\"address\":\"127.0.0.1:"] {
        assert!(line.contains(part), "{part}: {line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_and_an_address_have_limits() {
    let world = World::shared();
    let broker = setup(&world.openid, &world.seaweed)
        .env("DOTDO_BROKER_REQUESTS_PER_TENANT", "2")
        .env("DOTDO_BROKER_REQUESTS_PER_ADDRESS", "5");
    let broker = broker.start().await;
    let (acme, other) = (organisation("acme"), organisation("other"));
    let logins = [world.login(&acme, "alice").await, world.login(&other, "bob").await];
    let mut statuses = Vec::new();
    for login in [0, 0, 0, 1, 1, 1] {
        let path = (Method::POST, "/v1/credentials");
        let answer = world.ask_at(&broker, path, &logins[login], None).await;
        assert_eq!(answer.headers.contains_key("retry-after"), answer.status == 429);
        statuses.push(answer.status);
    }
    assert_eq!(
        statuses,
        [200, 200, 429, 200, 200, 429],
        "the third of a tenant, the sixth of an address"
    );
}
