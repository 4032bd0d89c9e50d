//! A real server of the class that runs any SQL, and a client that sends bytes as they are.

use std::path::Path;
use std::time::Duration;

use dotdo_tests::{Server, Setup};
use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long an answer may take before it counts as none.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// Starts the server with its state in `folder` and these environment variables.
pub(crate) async fn start(folder: &Path, environment: &[(&str, &str)]) -> Server {
    let storage = folder.display().to_string();
    let setup = Setup::of(env!("CARGO_BIN_EXE_dotdo-test-sql"), &storage);
    environment.iter().fold(setup, |setup, (name, value)| setup.env(*name, *value)).start().await
}

/// What the server answers to these bytes until it closes the connection.
pub(crate) async fn raw(server: &Server, bytes: &[u8]) -> String {
    let url = server.url("");
    let mut stream =
        TcpStream::connect(url.trim_start_matches("http://")).await.expect("the server listens");
    let mut answer = Vec::new();
    let talk = async {
        // The server may close, or answer, before all of it was sent.
        let (mut input, mut output) = stream.split();
        let _ = futures_util::future::join(output.write_all(bytes), input.read_to_end(&mut answer))
            .await;
    };
    let is_answered = tokio::time::timeout(ANSWER_MAX, talk).await.is_ok();
    assert!(is_answered, "no end of the answer: {:?}", String::from_utf8_lossy(&answer));
    String::from_utf8_lossy(&answer).into_owned()
}

/// Runs statements on an object whose id is written as it stands in the path: the status and the
/// answer.
pub(crate) async fn sql(server: &Server, id: &str, statements: &[&str]) -> (u16, Json) {
    let body =
        Json::from(statements.iter().map(|sql| json!([sql])).collect::<Vec<_>>()).to_string();
    post(server, id, body.as_bytes()).await
}

/// Posts a body to an object.
pub(crate) async fn post(server: &Server, id: &str, body: &[u8]) -> (u16, Json) {
    let head = format!(
        "POST /do/{id}/ HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let answer = raw(server, &[head.as_bytes(), body].concat()).await;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let json = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, serde_json::from_str(json).unwrap_or(Json::Null))
}

/// The whole database of an object.
pub(crate) async fn dump(server: &Server, id: &str) -> Json {
    let answer = raw(
        server,
        format!("GET /do/{id}/dump HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            .as_bytes(),
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    serde_json::from_str(answer.split_once("\r\n\r\n").map_or("", |(_, body)| body))
        .expect("a dump is JSON")
}
