//! Google's and Microsoft's token services, after their documentation: the real ones can't be
//! reached from tests.

use dotdo_core::testing::{CountingRandom, ManualClock};
use dotdo_core::{
    AccessKeysError, AzureConfig, Bucket, Clock, GcsConfig, Key, StoreConfig, StoreError, open,
};
use serde_json::json;
use wiremock::matchers::{body_string_contains, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::credentials::cache::KeySource;
use crate::credentials::entra::Entra;
use crate::credentials::google::Google;
use crate::credentials::plan::{EntraSettings, Federation, GoogleSettings, TokenFrom, Trusted};
use crate::credentials::{Storage, Tokens, connect};

fn clock() -> Arc<dyn Clock> {
    Arc::new(ManualClock::new())
}

fn google(url: &str, is_for_account: bool) -> GoogleSettings {
    GoogleSettings {
        audience: "//iam.googleapis.com/projects/1/providers/p".to_owned(),
        token_type: "urn:ietf:params:oauth:token-type:jwt".to_owned(),
        token_url: format!("{url}/v1/token"),
        account_url: is_for_account.then(|| format!("{url}/account:generateAccessToken")),
    }
}

fn entra(url: &str) -> EntraSettings {
    EntraSettings {
        authority: url.to_owned(),
        tenant_id: "directory".to_owned(),
        client_id: "application".to_owned(),
    }
}

async fn answers(server: &MockServer, at: &str, answer: ResponseTemplate) {
    Mock::given(method("POST")).and(path(at)).respond_with(answer).mount(server).await;
}

fn access(token: &str, seconds: u32) -> ResponseTemplate {
    let body = json!({ "access_token": token, "token_type": "Bearer", "expires_in": seconds });
    ResponseTemplate::new(200).set_body_json(body)
}

#[tokio::test]
async fn google_is_asked_for_a_token_and_then_for_one_of_the_account() {
    let server = MockServer::start().await;
    let form = token("{}").reveal().to_owned();
    Mock::given(method("POST"))
        .and(path("/v1/token"))
        .and(header("content-type", "application/x-www-form-urlencoded"))
        .and(body_string_contains(
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange",
        ))
        .and(body_string_contains(
            "audience=%2F%2Fiam.googleapis.com%2Fprojects%2F1%2Fproviders%2Fp",
        ))
        .and(body_string_contains(format!("subject_token={form}")))
        .respond_with(access("federated", 3600))
        .mount(&server)
        .await;
    let alone = Google::new(google(&server.uri(), false), fixed("{}"), clock());
    let fresh = alone.expect("a URL on this machine").fetch().await.expect("a token");
    assert_eq!(fresh.keys.secret_access_key.reveal(), "federated");
    assert_eq!(fresh.ends_ms, clock().wall_ms() + 3_600_000);

    Mock::given(method("POST"))
        .and(path("/account:generateAccessToken"))
        .and(header("authorization", "Bearer federated"))
        .respond_with(ResponseTemplate::new(200).set_body_json(
            json!({ "accessToken": "of-the-account", "expireTime": "2099-01-01T00:00:00Z" }),
        ))
        .mount(&server)
        .await;
    let account = Google::new(google(&server.uri(), true), fixed("{}"), clock());
    let fresh = account.expect("URLs on this machine").fetch().await.expect("a token");
    assert_eq!(fresh.keys.secret_access_key.reveal(), "of-the-account");
    assert_eq!(fresh.ends_ms, 4_070_908_800_000);
    assert_eq!(fresh.keys.session_token, None);
}

#[tokio::test]
async fn entra_is_asked_with_the_token_as_an_assertion() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/directory/oauth2/v2.0/token"))
        .and(body_string_contains("grant_type=client_credentials&client_id=application"))
        .and(body_string_contains("scope=https%3A%2F%2Fstorage.azure.com%2F.default"))
        .and(body_string_contains(format!("client_assertion={}", token("{}").reveal())))
        .respond_with(access("of-azure", 3599))
        .expect(1)
        .mount(&server)
        .await;
    let entra = Entra::new(&entra(&server.uri()), fixed("{}"), clock());
    let fresh = entra.expect("a URL on this machine").fetch().await.expect("a token");
    assert_eq!(fresh.keys.secret_access_key.reveal(), "of-azure");
}

#[tokio::test]
async fn each_refusal_is_told_without_the_token() {
    let repeated = token("{}").reveal().to_owned();
    let oauth = json!({ "error": "invalid_grant", "error_description": format!("no {repeated}") });
    let of_google =
        json!({ "error": { "code": 403, "status": "PERMISSION_DENIED", "message": "no" } });
    for (answer, expected) in [
        (
            ResponseTemplate::new(400).set_body_json(oauth),
            "400 Bad Request, invalid_grant: no (token)",
        ),
        (
            ResponseTemplate::new(403).set_body_json(of_google),
            "403 Forbidden, PERMISSION_DENIED: no",
        ),
        (ResponseTemplate::new(200).set_body_string("<html>"), "without an access token"),
        (access("", 1), "without an access token"),
        (access("a b", 1), "without an access token"),
        (ResponseTemplate::new(503), "answers 503"),
        (ResponseTemplate::new(302).insert_header("location", "http://127.0.0.1:1/"), "redirects"),
    ] {
        let server = MockServer::start().await;
        answers(&server, "/v1/token", answer.clone()).await;
        answers(&server, "/directory/oauth2/v2.0/token", answer).await;
        let google = Google::new(google(&server.uri(), false), fixed("{}"), clock());
        let entra = Entra::new(&entra(&server.uri()), fixed("{}"), clock());
        let sources: [&dyn KeySource; 2] = [&google.expect("a URL"), &entra.expect("a URL")];
        for source in sources {
            let error = source.fetch().await.map(|_| ()).expect_err("no token");
            let (AccessKeysError::Refused(text) | AccessKeysError::Unavailable(text)) = error;
            assert!(text.contains(expected) && !text.contains(&repeated), "{expected}: {text}");
        }
    }
}

/// A store of Google or Azure, whose first token has ended and whose second is good.
async fn stored(federation: impl Fn(&str) -> Federation) -> (MockServer, Arc<dyn Bucket>) {
    let server = MockServer::start().await;
    let object = ResponseTemplate::new(200)
        .insert_header("etag", "\"1\"")
        .insert_header("last-modified", "Tue, 15 Nov 1994 08:12:31 GMT")
        .set_body_string("content");
    let get = || Mock::given(method("GET"));
    get()
        .and(header("authorization", "Bearer first"))
        .respond_with(ResponseTemplate::new(401).set_body_string("<Error>hunter2</Error>"))
        .mount(&server)
        .await;
    get().and(header("authorization", "Bearer second")).respond_with(object).mount(&server).await;
    for at in ["/v1/token", "/directory/oauth2/v2.0/token"] {
        let post = || Mock::given(method("POST")).and(path(at));
        post().respond_with(access("first", 3600)).up_to_n_times(1).mount(&server).await;
        post().respond_with(access("second", 3600)).mount(&server).await;
    }
    let storage = Storage::Federated(federation(&server.uri()));
    let tokens = Tokens::new(&storage, Some(fixed("{}")));
    let connected = connect(&storage, &tokens, clock()).await.expect("settings that fit");
    let random = Arc::new(CountingRandom::starting_at(1));
    let bucket = open(&connected.store, uuid::Uuid::nil(), clock(), random).expect("a store");
    (server, bucket)
}

#[tokio::test]
async fn a_request_whose_access_token_has_ended_is_sent_again_once_with_another() {
    let of_google = |url: &str| Federation {
        store: StoreConfig::Gcs(GcsConfig {
            bucket: "objects".to_owned(),
            endpoint: Some(url.to_owned()),
            ..GcsConfig::default()
        }),
        token: TokenFrom::Login,
        trusted: Trusted::Google(google(url, false)),
    };
    let of_azure = |url: &str| Federation {
        store: StoreConfig::Azure(AzureConfig {
            account: "acc".to_owned(),
            container: "objects".to_owned(),
            endpoint: Some(url.to_owned()),
            ..AzureConfig::default()
        }),
        token: TokenFrom::Login,
        trusted: Trusted::Entra(entra(url)),
    };
    let count = async |server: &MockServer, wanted: &str| {
        let requests = server.received_requests().await.expect("it records");
        requests.iter().filter(|request| request.method.as_str() == wanted).count()
    };
    let stores = [stored(of_google).await, stored(of_azure).await];
    for (server, bucket) in stores {
        let key = Key::new("a");
        let read = bucket.get(&key).await.expect("the second token is good");
        assert_eq!(read.map(|stored| stored.bytes), Some("content".into()));
        assert_eq!((count(&server, "POST").await, count(&server, "GET").await), (2, 2));
        let denied = ResponseTemplate::new(403)
            .set_body_string("<Error><Code>AuthorizationPermissionMismatch</Code></Error>");
        server.reset().await;
        Mock::given(method("GET")).respond_with(denied).mount(&server).await;
        let error = bucket.get(&key).await.map(drop).expect_err("it may not");
        assert!(matches!(error, StoreError::Refused { .. }), "{error}");
        assert_eq!((count(&server, "POST").await, count(&server, "GET").await), (0, 1));
    }
}

/// The settings of a file of Google's tools, or why it can't be used.
fn of_file(text: &str) -> Result<Option<GoogleSettings>> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("credentials.json");
    std::fs::write(&file, text).expect("written");
    let found = crate::credentials::google::external_account(&file)?;
    Ok(found.map(|(settings, _)| settings))
}

#[test]
fn a_file_of_google_s_tools_says_who_exchanges_a_token_but_not_to_anybody() {
    let with = |change: serde_json::Value| {
        let mut file = json!({
            "type": "external_account",
            "audience": "//iam.googleapis.com/projects/1/providers/p",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": "https://sts.googleapis.com/v1/token",
            "service_account_impersonation_url": "https://iamcredentials.googleapis.com/v1/x:generateAccessToken",
            "credential_source": { "file": "/token", "format": { "type": "text" } },
        });
        if let (Some(file), Some(change)) = (file.as_object_mut(), change.as_object()) {
            file.extend(change.clone());
        }
        of_file(&file.to_string())
    };
    let settings = with(json!({})).expect("a good file").expect("of this type");
    assert_eq!(settings.token_url, "https://sts.googleapis.com/v1/token");
    assert!(settings.account_url.is_some());
    assert_eq!(of_file("{\"type\": \"service_account\"}").expect("another type"), None);
    for (change, expected) in [
        (
            json!({ "token_url": "https://evil.example/v1/token" }),
            "expected URLs of googleapis.com",
        ),
        (json!({ "token_url": "https://sts.googleapis.com.evil.example/" }), "expected URLs"),
        (json!({ "token_url": "http://sts.googleapis.com/v1/token" }), "expected URLs"),
        (json!({ "service_account_impersonation_url": "https://evil.example/" }), "expected URLs"),
        (json!({ "credential_source": { "url": "http://169.254.169.254/" } }), "credential_source"),
        (json!({ "credential_source": { "file": "/t", "format": { "type": "xml" } } }), "format"),
        (json!({ "audience": 1 }), "expected audience"),
    ] {
        let error = with(change).map(drop).expect_err(expected);
        assert!(error.message().contains(expected), "{error}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn fly_gives_a_token_for_an_audience_and_what_else_it_says_is_told() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("api");
    let source = crate::credentials::fly::OfFly {
        socket: socket.clone(),
        audience: "https://broker.example".to_owned(),
    };
    let absent = source.token().await.expect_err("nobody listens there");
    assert!(absent.message().contains("gives no token"), "{absent}");
    let listener = tokio::net::UnixListener::bind(&socket).expect("a socket");
    for (answer, expected) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n e30.e30.e30", Ok("e30.e30.e30")),
        ("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno", Err("status 403")),
        ("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nshort", Err("gives no token")),
    ] {
        let serving = async {
            let (mut stream, _) = listener.accept().await.expect("it connects");
            let mut asked = Vec::new();
            while !asked.ends_with(b"}") {
                assert!(stream.read_buf(&mut asked).await.expect("a request") > 0);
            }
            stream.write_all(answer.as_bytes()).await.expect("it reads");
            String::from_utf8(asked).expect("text")
        };
        let (told, asked) = tokio::join!(source.token(), serving);
        assert!(asked.starts_with("POST /v1/tokens/oidc HTTP/1.1"), "{asked}");
        assert!(asked.contains("{\"aud\":\"https://broker.example\"}"), "{asked}");
        match (told, expected) {
            (Ok(token), Ok(expected)) => assert_eq!(token.reveal(), expected),
            (Err(error), Err(expected)) => assert!(error.message().contains(expected), "{error}"),
            (told, expected) => panic!("expected {expected:?}, got {told:?}"),
        }
    }
}
