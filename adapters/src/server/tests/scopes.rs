//! What callers may do by their scopes.

use super::client::Answer;
use super::spelled::spelled;
use super::*;

async fn server() -> Server {
    Server::with(server_settings(), EdgeSettings { auth: spelled(), ..edge_settings() }).await
}

async fn ask(server: &Server, method: &str, target: &str, scopes: &str) -> Answer {
    ask_with(server, method, target, &format!("authorization: Bearer alice~local~{scopes}\r\n"))
        .await
}

async fn ask_with(server: &Server, method: &str, target: &str, headers: &str) -> Answer {
    let mut client = server.connect().await;
    client
        .send(format!(
            "{method} {target} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n{headers}\r\n"
        ))
        .await;
    // The response to HEAD announces a body that does not come.
    if method == "HEAD" { client.head().await } else { client.answer().await }
}

/// The scope that is missing, according to the response; `None` if it is no refusal.
fn missing(answer: &Answer) -> Option<String> {
    let challenge = answer.headers.get("www-authenticate")?;
    assert_eq!(answer.status, 403);
    let scope = challenge.strip_prefix("Bearer error=\"insufficient_scope\", scope=\"")?;
    Some(scope.trim_end_matches('"').to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_needs_the_scope_of_its_method() {
    let server = server().await;
    for (method, letter, scope) in [
        ("GET", "r", "dotdo:read"),
        ("HEAD", "r", "dotdo:read"),
        ("OPTIONS", "r", "dotdo:read"),
        ("POST", "w", "dotdo:write"),
        ("PUT", "w", "dotdo:write"),
        ("DELETE", "w", "dotdo:write"),
        ("PATCH", "w", "dotdo:write"),
        ("PURGE", "w", "dotdo:write"),
    ] {
        for granted in ["", "r", "w", "rwh", "hao"] {
            let answer = ask(&server, method, "/do/a/seen", granted).await;
            let expected = (!granted.contains(letter)).then(|| scope.to_owned());
            assert_eq!(missing(&answer), expected, "{method} with {granted:?}");
            assert_eq!(answer.status == 200, expected.is_none(), "{method} with {granted:?}");
        }
    }
    let refused = ask(&server, "POST", "/do/a/seen", "r").await;
    let error = refused.json();
    assert_eq!(
        (&error["code"], &error["details"]["scope"]),
        (&"MISSING_SCOPE".into(), &"dotdo:write".into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_earlier_state_needs_a_scope_of_its_own() {
    let server = server().await;
    let at = |scopes: &str| format!("authorization: Bearer alice~local~{scopes}\r\nx-do-at: 1\r\n");
    for (scopes, expected) in
        [("rh", None), ("r", Some("dotdo:history")), ("h", Some("dotdo:read"))]
    {
        let answer = ask_with(&server, "GET", "/do/a/seen", &at(scopes)).await;
        assert_eq!(missing(&answer).as_deref(), expected, "{scopes}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_for_operators() {
    let server = server().await;
    for scopes in ["", "rwh", "rwha"] {
        let answer = ask(&server, "GET", "/metrics", scopes).await;
        assert_eq!(missing(&answer).as_deref(), Some("dotdo:operator"), "{scopes}");
    }
    // This server has none to show.
    let answer = ask(&server, "GET", "/metrics", "o").await;
    assert_eq!((answer.status, missing(&answer)), (404, None));
    let mut auth = spelled();
    auth.skip_paths = vec!["/metrics".to_owned()];
    let open = Server::with(server_settings(), EdgeSettings { auth, ..edge_settings() }).await;
    assert_eq!(
        ask_with(&open, "GET", "/metrics", "").await.status,
        404,
        "whoever opens it means it"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn everyone_is_told_whether_a_server_is_ready_and_operators_why_it_is_not() {
    let server = server().await;
    assert_eq!(ask_with(&server, "GET", "/ready", "").await.status, 200);
    // The last answer is good for a second.
    while ask_with(&server, "GET", "/ready", "").await.status == 200 {
        tokio::task::yield_now().await;
    }
    let why = async |headers: &str| {
        let answer = ask_with(&server, "GET", "/ready", headers).await;
        assert_eq!(answer.status, 503, "{headers}");
        answer.json()["error"].as_str().expect("a text").to_owned()
    };
    let token = |token: &str| format!("authorization: Bearer {token}\r\n");
    for client in ["", &token("alice~local~rwha"), &token("old"), "authorization: Basic x\r\n"] {
        assert!(!why(client).await.contains("s3://secret"), "{client}");
    }
    assert!(why(&token("alice~local~o")).await.contains("s3://secret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_verified_goes_no_further() {
    let mut auth = spelled();
    auth.skip_paths = vec!["/do/Counter/*".to_owned()];
    let server = Server::with(server_settings(), EdgeSettings { auth, ..edge_settings() }).await;
    let told = async |target: &str| {
        let answer = ask(&server, "GET", target, "r").await;
        assert_eq!(answer.status, 200, "{target}");
        answer.text().to_owned()
    };
    assert_eq!(told("/do/a/header/authorization").await, "");
    assert_eq!(
        told("/do/Counter/a/header/authorization").await,
        "Bearer alice~local~r",
        "what nobody has verified is the object's to read"
    );
}
