//! Requests made to hurt, against a whole server: they get their error, leave no trace, and nobody
//! else suffers.

use std::path::Path;

use dotdo_tests::{Server, scratch};
use serde_json::Value as Json;
use tokio::net::TcpStream;

use crate::process::{dump, post, raw, sql, start};

const LIMITS: [(&str, &str); 4] = [
    ("DOTDO_HANDLER_TIME_MAX_MS", "2500"),
    ("DOTDO_LIMITS_ROW_BYTES_MAX", "65536"),
    ("DOTDO_LIMITS_OBJECT_BYTES_MAX", "1048576"),
    ("DOTDO_LIMITS_BODY_BYTES_MAX", "2097152"),
];

/// A server with an object that must stay what it is.
async fn server(folder: &Path) -> (Server, Json) {
    let server = start(folder, &LIMITS).await;
    assert_eq!(
        sql(&server, "good", &["CREATE TABLE t(a)", "INSERT INTO t VALUES ('here')"]).await.0,
        200
    );
    let state = dump(&server, "good").await;
    (server, state)
}

/// Names of tables and columns, and pieces of statements, are the class's own affair.
#[tokio::test(flavor = "multi_thread")]
async fn what_sqlite_says_is_not_told_to_a_client() {
    let folder = scratch();
    let (server, state) = server(&folder.path().join("state")).await;
    for (statement, code) in [
        ("SELECT secret FROM t", "SQL_ERROR"),
        ("SELECT * FROM secret", "SQL_ERROR"),
        ("CREATE TABLE secret(a PRIMARY KEY); INSERT INTO secret VALUES (1), (1)", "SQL_ERROR"),
        ("SELECT raise_secret()", "SQL_ERROR"),
        ("CREATE TEMP TABLE secret(a)", "SQL_REFUSED"),
        ("CREATE TABLE _dotdo_secret(a)", "SQL_REFUSED"),
    ] {
        let (status, answer) = sql(&server, "good", &[statement]).await;
        assert_eq!((status, answer["code"].as_str()), (500, Some(code)), "{statement}: {answer}");
        let text = answer.to_string();
        assert!(
            !text.contains("secret") && !text.contains("SQLite") && answer["details"].is_null(),
            "{statement}: {answer}"
        );
    }
    assert_eq!(dump(&server, "good").await, state);
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_at_the_limits_is_refused_and_undone() {
    let folder = scratch();
    let (server, state) = server(&folder.path().join("state")).await;
    let endless =
        "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";
    let fill = "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 100) INSERT INTO t SELECT randomblob(40000) FROM n";
    let deep = format!("SELECT {}1{}", "(".repeat(100_000), ")".repeat(100_000));
    for (statement, status, code) in [
        (endless, 504, "TIMED_OUT"),
        ("INSERT INTO t VALUES (zeroblob(70000))", 413, "TOO_LARGE"),
        (fill, 507, "FULL"),
        (deep.as_str(), 500, "SQL_ERROR"),
    ] {
        let (found, answer) =
            sql(&server, "good", &["INSERT INTO t VALUES ('must go')", statement]).await;
        let start: String = statement.chars().take(60).collect();
        assert_eq!(found, status, "{start}: {answer}");
        assert!(
            answer["code"].as_str().is_some_and(|found| found.contains(code)),
            "{start}: {answer}"
        );
        assert_eq!(dump(&server, "good").await, state, "{start} leaves nothing");
    }
    assert!(server.terminate().success());
    let again = start(&folder.path().join("state"), &LIMITS).await;
    assert_eq!(dump(&again, "good").await, state);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_object_s_endless_query_does_not_stop_another() {
    let folder = scratch();
    let (server, state) = server(&folder.path().join("state")).await;
    let endless =
        ["WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"];
    let ids: Vec<String> = (0..8).map(|number| format!("slow{number}")).collect();
    let slow = futures_util::future::join_all(ids.iter().map(|id| sql(&server, id, &endless)));
    let (slow, good) = futures_util::future::join(slow, dump(&server, "good")).await;
    assert_eq!(good, state);
    assert!(slow.iter().all(|(status, _)| *status == 504), "{slow:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_made_to_hurt_are_objects_of_their_own_inside_the_folder() {
    let folder = scratch();
    let state = folder.path().join("a/b/state");
    let (server, good) = server(&state).await;
    let long = "%F0%9F%92%A5".repeat(128);
    let ids = [
        "..%2f..%2fescape",
        "%2e%2e",
        "%2e",
        "a%00b",
        "a%2fb",
        "a%5cb",
        "Good",
        "GOOD",
        "log",
        "lock",
        "%2fetc%2fpasswd",
        "con",
        "%EF%BC%8F",
        &long,
    ];
    for id in ids {
        let insert = format!("INSERT INTO t VALUES ('{id}')");
        assert_eq!(sql(&server, id, &["CREATE TABLE t(a)", &insert]).await.0, 200, "{id}");
    }
    assert!(server.terminate().success());
    let server = start(&state, &LIMITS).await;
    for id in ids {
        let (status, answer) = sql(&server, id, &["SELECT a FROM t"]).await;
        assert_eq!((status, &answer[0]["rows"][0][0]["text"]), (200, &Json::from(id)));
    }
    assert_eq!(dump(&server, "good").await, good);
    for (outer, only) in [
        (folder.path().to_owned(), "a"),
        (folder.path().join("a"), "b"),
        (folder.path().join("a/b"), "state"),
    ] {
        let names: Vec<_> = std::fs::read_dir(outer)
            .expect("a folder")
            .map(|entry| entry.expect("a name").file_name())
            .collect();
        assert_eq!(names, [only], "nothing has left the folder");
    }
    let names: Vec<_> = std::fs::read_dir(&state)
        .expect("a folder")
        .map(|entry| entry.expect("a name").file_name())
        .collect();
    assert!(
        names
            .iter()
            .all(|name| [".dotdo", ".instances", "local"].iter().any(|known| name == known)),
        "{names:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_made_to_hurt_are_refused() {
    let folder = scratch();
    let (server, state) = server(&folder.path().join("state")).await;
    let deep = "[".repeat(100_000);
    let deep_objects = "{\"a\":".repeat(100_000);
    for body in [
        &b"[[\"SELECT 1\", \"\xff\xfe\"]]"[..],
        deep.as_bytes(),
        deep_objects.as_bytes(),
        b"",
        b"[[\"SELECT 1\"]",
        b"\0",
        b"[[1e999999]]",
    ] {
        let (status, answer) = post(&server, "good", body).await;
        assert_eq!(status, 400, "{}: {answer}", body[..body.len().min(40)].escape_ascii());
    }
    let (status, answer) = post(&server, "good", &vec![b' '; (2 << 20) + 1]).await;
    assert_eq!(status, 413, "{answer}");
    assert_eq!(dump(&server, "good").await, state);
}

/// What one server takes for the body, another might take for a request of somebody else's.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_smuggled() {
    let folder = scratch();
    let (server, state) = server(&folder.path().join("state")).await;
    let body = "[[\"INSERT INTO t VALUES ('smuggled')\"]]";
    let smuggled = format!(
        "POST /do/good/ HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    for head in [
        "content-length: 0\r\ncontent-length: 500\r\n\r\n".to_owned(),
        "transfer-encoding: xchunked\r\n\r\n".to_owned(),
        "transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n".to_owned(),
        "transfer-encoding : chunked\r\n\r\n0\r\n\r\n".to_owned(),
        "content-length: +0\r\n\r\n".to_owned(),
        "content-length: 0x0\r\n\r\n".to_owned(),
        "transfer-encoding: chunked\r\n\r\n0x0\r\n\r\n".to_owned(),
        "transfer-encoding: chunked\r\n\r\n-1\r\n\r\n".to_owned(),
        "transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n\r\n".to_owned(),
        format!(
            "content-length: {}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            smuggled.len() + 5
        ),
        "x-folded: a\r\n content-length: 5\r\n\r\n".to_owned(),
    ] {
        let request = format!("POST /do/other/ HTTP/1.1\r\nhost: localhost\r\n{head}{smuggled}");
        let answer = raw(&server, request.as_bytes()).await;
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{head:?} is one request: {answer}");
        assert!(answer.starts_with("HTTP/1.1 400"), "{head:?}: {answer}");
        assert_eq!(dump(&server, "good").await, state, "{head:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_headers_and_many_idle_connections_are_handled() {
    let folder = scratch();
    let (server, state) = server(&folder.path().join("state")).await;
    let lines = "x-line: 1\r\n".repeat(5000);
    let answer = raw(
        &server,
        format!(
            "GET /do/good/dump HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{lines}\r\n"
        )
        .as_bytes(),
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    let url = server.url("");
    let mut silent = Vec::new();
    for _ in 0..300 {
        silent.push(
            TcpStream::connect(url.trim_start_matches("http://"))
                .await
                .expect("the server listens"),
        );
    }
    assert_eq!(dump(&server, "good").await, state);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_object_is_500_with_its_key_and_another_is_served() {
    let folder = scratch();
    let storage = folder.path().join("state");
    let (server, state) = server(&storage).await;
    assert_eq!(sql(&server, "bad", &["CREATE TABLE t(a)"]).await.0, 200);
    assert!(server.terminate().success());
    let log = storage.join("local/local/do/sql/bad/log");
    let newest = std::fs::read_dir(&log)
        .expect("a log")
        .map(|entry| entry.expect("a name").path())
        .min()
        .expect("a record");
    let mut bytes = std::fs::read(&newest).expect("a record");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&newest, bytes).expect("a write");
    let server = start(&storage, &LIMITS).await;
    let (status, answer) = sql(&server, "bad", &["SELECT 1"]).await;
    let key = newest.strip_prefix(&storage).expect("a path below").to_str().expect("UTF-8");
    assert_eq!(
        (status, &answer["code"], &answer["details"]["key"]),
        (500, &Json::from("CORRUPT"), &Json::from(key)),
        "{answer}"
    );
    assert!(answer["error"].as_str().is_some_and(|text| text.contains(key)), "{answer}");
    assert_eq!(dump(&server, "good").await, state);
}
