//! The client against servers that fail in every way.

use dotdo_core::{
    Body, Class, Context, DurableObject, ErrorKind, Message, Request, Response, Result,
};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use wiremock::matchers::{header, header_exists, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;

struct Account;

impl DurableObject for Account {
    async fn fetch(&mut self, _: Request, _: &mut Context) -> Result<Response> {
        Ok(Response::default())
    }
}

impl Class for Account {
    const NAME: &'static str = "Account";
}

#[derive(Serialize, Deserialize)]
struct Deposit {
    cents: i64,
}

impl Message for Deposit {
    type Class = Account;
    type Answer = i64;
    const PATH: &'static str = "/deposit";
}

const DEPOSIT: Deposit = Deposit { cents: 5 };

fn client(url: &str) -> Client {
    Client::new(url).expect("a URL").with_timeout(Duration::from_secs(20))
}

fn account(server: &MockServer) -> ClientStub<Account> {
    client(&server.uri()).stub("ada").expect("an id")
}

/// The response for an error, as a server makes it.
fn error(status: u16, code: &str) -> ResponseTemplate {
    let body = serde_json::json!({
        "error": "why", "code": code, "status": status, "requestId": "r", "details": { "cents": 3 },
    });
    ResponseTemplate::new(status).set_body_json(body)
}

async fn answer(server: &MockServer, response: ResponseTemplate) {
    Mock::given(method("POST")).and(path("/deposit")).respond_with(response).mount(server).await;
}

/// The keys of the requests that have come.
async fn keys(server: &MockServer) -> Vec<Option<String>> {
    let requests = server.received_requests().await.expect("they are recorded");
    let key = |request: &wiremock::Request| {
        let value = request.headers.get("idempotency-key")?;
        value.to_str().ok().map(str::to_owned)
    };
    requests.iter().map(key).collect()
}

#[tokio::test]
async fn what_is_refused_for_a_reason_that_passes_is_sent_again_with_the_same_key() {
    for (status, code) in
        [(503, "OWNED_BY_OTHER_INSTANCE"), (409, "FENCED"), (503, "OUTCOME_UNKNOWN")]
    {
        let server = MockServer::start().await;
        Mock::given(method("POST"))
            .respond_with(error(status, code))
            .up_to_n_times(2)
            .mount(&server)
            .await;
        answer(&server, ResponseTemplate::new(200).set_body_json(7)).await;
        assert_eq!(account(&server).call(&DEPOSIT).await.expect("at last"), 7, "{code}");
        let keys = keys(&server).await;
        assert_eq!(keys.len(), 3, "{code}");
        assert!(keys[0].is_some() && keys.iter().all(|key| *key == keys[0]), "{keys:?}");
        // Another call is another one.
        account(&server).call(&DEPOSIT).await.expect("at once");
        let again = self::keys(&server).await;
        assert_ne!(again[3], keys[0]);
    }
}

#[tokio::test]
async fn an_error_keeps_its_kind_code_and_details_and_is_final() {
    for (status, code, kind) in [
        (409, "NEGATIVE", ErrorKind::Conflict),
        (404, "UNKNOWN_CLASS", ErrorKind::NotFound),
        (410, "CLASS_DELETED", ErrorKind::Gone),
        (422, "IDEMPOTENCY_KEY_REUSED", ErrorKind::KeyReused),
        (500, "HANDLER_PANICKED", ErrorKind::Handler),
        (500, "CORRUPT", ErrorKind::Corrupt),
        (504, "TIMED_OUT", ErrorKind::TimedOut),
        (507, "OBJECT_FULL", ErrorKind::Full),
    ] {
        let server = MockServer::start().await;
        answer(&server, error(status, code)).await;
        let error = account(&server).call(&DEPOSIT).await.expect_err(code);
        assert_eq!((error.kind(), error.code(), error.message()), (kind, code, "why"));
        assert_eq!(error.details(), Some(&serde_json::json!({ "cents": 3 })));
        assert_eq!(keys(&server).await.len(), 1, "{code}");
    }
}

#[tokio::test]
async fn a_status_that_the_class_has_chosen_is_a_response_and_for_a_call_an_error() {
    let server = MockServer::start().await;
    answer(&server, ResponseTemplate::new(409).set_body_json(serde_json::json!({ "left": 2 })))
        .await;
    let account = account(&server);
    let request = http::Request::post("/deposit").body(Body::empty()).expect("a request");
    assert_eq!(account.fetch(request).await.expect("a response").status(), 409);
    let error = account.call(&DEPOSIT).await.expect_err("no answer");
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(error.details(), Some(&serde_json::json!({ "left": 2 })));
}

/// The URL of a server that takes requests, and says nothing.
async fn silent() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            // The connection is closed when something has come.
            let _ = connection.read(&mut [0; 1024]).await;
        }
    });
    format!("http://{address}")
}

#[tokio::test]
async fn a_lost_answer_is_unknown_and_tells_the_key() {
    let client = client(&silent().await).with_timeout(Duration::from_millis(400));
    let account: ClientStub<Account> = client.stub("ada").expect("an id");
    let error = account.call(&DEPOSIT).await.expect_err("nobody answers");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Unknown, "OUTCOME_UNKNOWN"));
    assert!(error.details().is_some_and(|details| details["idempotencyKey"].is_string()));
    for key in ["invoice-1", r#"the "first" one"#, r#"ends with ""#] {
        let error = account.call_once(key, &DEPOSIT).await.expect_err("nobody answers");
        assert_eq!(error.details(), Some(&serde_json::json!({ "idempotencyKey": key })));
    }
    // What changes nothing has no outcome.
    let error = account.ask(&DEPOSIT).await.expect_err("nobody answers");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, "SERVER_UNREACHABLE"));
    let once: ClientStub<Account> = client.without_retries().stub("ada").expect("an id");
    let error = once.call(&DEPOSIT).await.expect_err("nobody answers");
    assert_eq!((error.kind(), error.details()), (ErrorKind::Unknown, None));
}

#[tokio::test]
async fn a_server_that_is_not_there_has_executed_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    drop(listener);
    let client = client(&format!("http://{address}")).with_timeout(Duration::from_millis(300));
    let account: ClientStub<Account> = client.stub("ada").expect("an id");
    let error = account.call(&DEPOSIT).await.expect_err("nobody is there");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, "SERVER_UNREACHABLE"));
}

#[tokio::test]
async fn a_message_that_changes_nothing_has_no_key_and_a_token_goes_with_each() {
    let server = MockServer::start().await;
    Mock::given(header("authorization", "Bearer t0ken"))
        .and(header("x-do-type", "Account"))
        .and(header_exists("x-do-id"))
        .respond_with(ResponseTemplate::new(200).set_body_json(7))
        .mount(&server)
        .await;
    let client = client(&server.uri()).with_token("t0ken").expect("this machine");
    let account: ClientStub<Account> = client.stub("ada").expect("an id");
    assert_eq!(account.ask(&DEPOSIT).await.expect("it answers"), 7);
    assert_eq!(keys(&server).await, [None]);
    assert!(!format!("{client:?} {account:?}").contains("t0ken"));
}

#[test]
fn a_token_is_sent_to_nobody_else() {
    for (url, is_good) in [
        ("https://objects.example.com", true),
        ("http://127.0.0.1:8787", true),
        ("http://objects.example.com", false),
    ] {
        let client = Client::new(url).expect("a URL");
        assert_eq!(client.with_token("t").is_ok(), is_good, "{url}");
    }
    for bad in ["objects.example.com", "https://me:secret@host", "https://host?x", "ftp://host"] {
        let error = Client::new(bad).expect_err(bad);
        assert!(!error.message().contains("secret"), "{error}");
    }
}
