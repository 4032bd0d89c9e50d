//! What `dotdo token` asks of a broker, and what it makes of odd answers.

use serde_json::{Value, json};
use wiremock::matchers::{body_json, header, method, path, query_param, query_param_is_missing};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::{access, logged_in};

const TOKENS: &str = "/v1/deploy-tokens";

#[tokio::test]
async fn deploy_tokens_are_asked_of_the_broker_with_the_token_of_the_login() {
    let (_provider, cli) = logged_in().await;
    let no_broker = cli.run(&["token", "--list"]).await.failed(2);
    assert!(no_broker.contains("DOTDO_BROKER"), "{no_broker}");

    let broker = MockServer::start().await;
    let cli = cli.env("DOTDO_BROKER", broker.uri());
    let bearer = format!("Bearer {}", access(&cli.kept("default")));
    let ask = |verb: &str| {
        Mock::given(method(verb)).and(path(TOKENS)).and(header("authorization", bearer.as_str()))
    };
    let wanted = json!({ "name": "ci", "scopes": ["dotdo:write"], "expiresInSeconds": 3600 });
    let issued = json!({ "id": "1f", "token": "dotdo_secret", "expires": "2026-03-01T00:00:00Z" });
    let answer = ResponseTemplate::new(201).set_body_json(&issued);
    ask("POST").and(body_json(wanted)).respond_with(answer).expect(2).mount(&broker).await;
    let issue = ["token", "--deploy", "--name", "ci", "--scope", "dotdo:write", "--expires", "1h"];
    let outcome = cli.run(&issue).await;
    assert_eq!(outcome.stdout, "dotdo_secret\n");
    assert!(outcome.stderr.contains("1f, valid until 2026-03-01T00:00:00Z"), "{outcome:?}");
    let shown = cli.run(&[&issue[..], &["--json"]].concat()).await.ok();
    assert_eq!(serde_json::from_str::<Value>(&shown).expect("JSON"), issued);

    let item = |id: &str, revoked: Option<&str>| {
        json!({ "id": id, "name": "ci", "scopes": ["dotdo:read", "dotdo:write"],
            "expires": "2026-03-01T00:00:00Z", "revoked": revoked })
    };
    let first = json!({ "items": [item("1f", None)], "next": "1f" });
    let second = json!({ "items": [item("2e", Some("2026-02-01T00:00:00Z"))] });
    let page = |page: &Value| ResponseTemplate::new(200).set_body_json(page);
    let list = ask("GET").and(query_param_is_missing("after"));
    list.respond_with(page(&first)).mount(&broker).await;
    ask("GET").and(query_param("after", "1f")).respond_with(page(&second)).mount(&broker).await;
    let listed = cli.run(&["token", "--list"]).await.ok();
    let expected = "1f  valid until 2026-03-01T00:00:00Z  dotdo:read,dotdo:write  ci\n\
                    2e  revoked     2026-02-01T00:00:00Z  dotdo:read,dotdo:write  ci\n";
    assert_eq!(listed, expected);

    let revoke = Mock::given(method("DELETE")).and(path(format!("{TOKENS}/..%2F1f")));
    revoke.respond_with(ResponseTemplate::new(204)).expect(1).mount(&broker).await;
    let outcome = cli.run(&["token", "--revoke", "../1f"]).await;
    assert!(outcome.stderr.contains("revoked ../1f"), "{outcome:?}");
    assert_eq!(outcome.ok(), "");
    broker.verify().await;
}

#[tokio::test]
async fn what_a_broker_refuses_is_told_without_the_token() {
    let (_provider, cli) = logged_in().await;
    let token = access(&cli.kept("default"));
    let broker = MockServer::start().await;
    let cli = cli.env("DOTDO_BROKER", broker.uri());
    let refusal = |error: &str| {
        let body = json!({ "error": error, "code": "MISSING_SCOPE", "status": 403 });
        ResponseTemplate::new(403).set_body_json(body)
    };
    let somewhere = ResponseTemplate::new(307).insert_header("location", "http://127.0.0.1:1/");
    for (answer, said) in [
        (
            refusal("the token lacks the scope dotdo:write"),
            "(status 403): the token lacks the scope",
        ),
        (refusal(&format!("bad token {token}")), "answers with status 403"),
        (somewhere, "answers with status 307"),
        (ResponseTemplate::new(201).set_body_string(&*token), "something that is not JSON"),
    ] {
        broker.reset().await;
        Mock::given(path(TOKENS)).respond_with(answer).mount(&broker).await;
        let stderr = cli.run(&["token", "--deploy"]).await.failed(1);
        assert!(stderr.contains(said) && !stderr.contains(&token), "{stderr}");
    }
}
