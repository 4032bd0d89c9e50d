//! What browsers are told about pages of other origins.

use dotdo_core::Secret;

use super::client::Answer;
use super::*;
use crate::auth::AuthSettings;
use crate::edge::CorsSettings;

const APP: &str = "https://app.example.com";

async fn server(origins: &[&str], credentials: bool) -> Server {
    let cors = CorsSettings {
        origins: origins.iter().map(|origin| (*origin).to_owned()).collect(),
        credentials,
        ..CorsSettings::default()
    };
    let auth = AuthSettings {
        tokens: Some(Secret::new("0123456789abcdef0123456789abcdef")),
        ..AuthSettings::default()
    };
    Server::with(server_settings(), EdgeSettings { cors, auth, ..edge_settings() }).await
}

fn request(method: &str, path: &str, headers: &[&str]) -> String {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer 0123456789abcdef0123456789abcdef\r\n{headers}\r\n"
    )
}

fn allowed(answer: &Answer) -> Option<&str> {
    answer.headers.get("access-control-allow-origin").map(String::as_str)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preflight_needs_no_token_and_reaches_no_object() {
    let server = server(&[APP], true).await;
    let asks = format!(
        "OPTIONS /do/a/panic HTTP/1.1\r\nhost: x\r\norigin: {APP}\r\naccess-control-request-method: DELETE\r\n\
         access-control-request-headers: authorization,x-do-id\r\n\r\n"
    );
    let answer = server.ask(&asks).await;
    assert_eq!((answer.status, allowed(&answer), answer.body.len()), (204, Some(APP), 0));
    assert_eq!(answer.headers["access-control-allow-credentials"], "true");
    assert_eq!(answer.headers["access-control-allow-methods"], "GET,HEAD,POST,PUT,PATCH,DELETE");
    let headers =
        "authorization,content-type,x-do-id,x-do-type,x-do-at,idempotency-key,x-request-id";
    assert_eq!(answer.headers["access-control-allow-headers"], headers);
    assert_eq!(
        (&*answer.headers["access-control-max-age"], &*answer.headers["vary"]),
        ("600", "origin")
    );

    let stranger = server.ask(&asks.replace(APP, "https://evil.com")).await;
    assert_eq!(
        (
            stranger.status,
            allowed(&stranger),
            stranger.headers.get("access-control-allow-credentials")
        ),
        (204, None, None)
    );
    let object_s_own =
        server.ask(&request("OPTIONS", "/do/a/seen", &[&format!("origin: {APP}")])).await;
    assert_eq!(
        (object_s_own.status, allowed(&object_s_own)),
        (200, Some(APP)),
        "what asks for no method is the object's"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn only_listed_origins_see_answers_and_errors() {
    let server = server(&[APP, "http://localhost:3000"], true).await;
    for (path, status) in [
        ("/do/a/seen", 200),
        ("/nothing", 404),
        ("/do/a/refuse", 503),
        ("/do/%/x", 400),
        ("/do/a/panic", 500),
    ] {
        let answer = server.ask(&request("GET", path, &[&format!("origin: {APP}")])).await;
        assert_eq!(
            (answer.status, allowed(&answer), &*answer.headers["vary"]),
            (status, Some(APP), "origin"),
            "{path}"
        );
        assert!(answer.headers["access-control-expose-headers"].contains("x-request-id"));
    }
    let unknown =
        server.ask(&format!("GET /do/a/seen HTTP/1.1\r\nhost: x\r\norigin: {APP}\r\n\r\n")).await;
    assert_eq!((unknown.status, allowed(&unknown)), (401, Some(APP)));
    let large = format!(
        "POST /do/a/count HTTP/1.1\r\nhost: x\r\norigin: {APP}\r\ncontent-length: 9999999\r\n\
         authorization: Bearer 0123456789abcdef0123456789abcdef\r\n\r\n"
    );
    let large = server.ask(&large).await;
    assert_eq!((large.status, allowed(&large)), (413, Some(APP)));
    let two = format!("origin: {APP}");
    for origins in [
        &["origin: https://evil.com"][..],
        &["origin: https://app.example.com.evil.com"],
        &["origin: https://evilapp.example.com"],
        &["origin: http://app.example.com"],
        &["origin: https://app.example.com:444"],
        &["origin: http://localhost"],
        &["origin: null"],
        &[&two, "origin: https://evil.com"],
        &["origin: https://app.example.com, https://evil.com"],
        &["referer: https://app.example.com/"],
    ] {
        let answer = server.ask(&request("GET", "/do/a/seen", origins)).await;
        let told = (allowed(&answer), answer.headers.get("access-control-allow-credentials"));
        assert_eq!(
            (answer.status, told, &*answer.headers["vary"]),
            (200, (None, None), "origin"),
            "{origins:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_origin_is_a_star_and_never_a_reflection() {
    let server = server(&["*"], false).await;
    for origin in ["https://evil.com", "null"] {
        let answer =
            server.ask(&request("GET", "/do/a/seen", &[&format!("origin: {origin}")])).await;
        assert_eq!(
            (allowed(&answer), answer.headers.get("access-control-allow-credentials")),
            (Some("*"), None)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cors_headers_of_objects_are_replaced() {
    let server = server(&[APP], false).await;
    let path = "/do/a/with?access-control-allow-origin=https://evil.com&access-control-allow-credentials=true&vary=accept";
    let answer = server.ask(&request("GET", path, &["origin: https://evil.com"])).await;
    assert_eq!(
        (allowed(&answer), answer.headers.get("access-control-allow-credentials")),
        (None, None)
    );
    assert_eq!(answer.headers["vary"], "accept, origin");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_cors_origins_preflights_reach_the_object() {
    let server = Server::start().await;
    let asks = format!(
        "OPTIONS /do/a/seen HTTP/1.1\r\nhost: x\r\norigin: {APP}\r\naccess-control-request-method: GET\r\n\r\n"
    );
    let answer = server.ask(&asks).await;
    assert_eq!((answer.status, allowed(&answer), answer.headers.get("vary")), (200, None, None));
}
