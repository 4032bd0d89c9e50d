//! What is read: from a server, and from its folder.

use std::time::Duration;

use rusqlite::Connection;

use super::*;
use crate::world::PATIENCE_SECONDS;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_and_its_folder_give_the_same_answers() {
    let world = World::folder();
    let server = world.setup().start().await;
    run(&server, None, "one", &SCHEMA).await;
    run(&server, None, "one", &["UPDATE note SET text = 'two' WHERE id = 1"]).await;
    for id in ["a%2Fb", "Ä", "two"] {
        run(&server, None, id, &["CREATE TABLE t(a)"]).await;
    }
    // What a server writes behind its answers is there once it has stopped.
    server.terminate();
    let server = world.setup().start().await;
    let mounted = Mounted::on(&world).await;
    let gets = [
        "/objects",
        "/objects?class=Sql&limit=2&size=true",
        "/objects?prefix=t",
        "/objects/Sql/one",
        "/objects/Sql/one?at=1",
        "/objects/Sql/a%2Fb",
        "/objects/Sql/one/snapshots",
        "/objects/Sql/nobody",
        "/objects/Sql/one?at=99",
    ];
    for path in gets {
        let (status, mut from_server) = answer(asked(&server, None, Method::GET, path)).await;
        let (also, mut from_folder) = mounted.answer(Method::GET, path, Body::empty()).await;
        for body in [&mut from_server, &mut from_folder] {
            body.as_object_mut().expect("an object").remove("requestId");
        }
        assert_eq!((status, &from_server), (also, &from_folder), "{path}");
    }
    let page = answer(asked(&server, None, Method::GET, "/objects?limit=3")).await.1;
    let next = page["next"].as_str().expect("there is more");
    let rest = answer(asked(&server, None, Method::GET, &format!("/objects?after={next}"))).await.1;
    let ids = |page: &Value| page["items"].as_array().expect("a list").len();
    assert_eq!((ids(&page), ids(&rest), rest.get("next")), (3, 1, None));
    let description = answer(asked(&server, None, Method::GET, "/objects/Sql/one")).await.1;
    assert_eq!(description["database"]["tables"][0]["name"], "note");
    assert_eq!(description["database"]["tables"][0]["rows"], 3);

    statements(&server, &mounted).await;
    files(&server, &mounted).await;
    verification(&server, &mounted).await;
    mounted.handle.shutdown().await;
}

async fn statements(server: &Server, mounted: &Mounted) {
    let values = json!({ "sql": "SELECT text FROM note UNION ALL SELECT b FROM pair UNION ALL SELECT ?", "params": [{ "base64": "AQ==" }] });
    let expected = json!([
        ["two"], [null], [{ "textBase64": "/w==" }], [{ "base64": "AP8=" }], [9_223_372_036_854_775_807_i64], [{ "real": "inf" }], [{ "base64": "AQ==" }],
    ]);
    for (body, status, code) in [
        (values, 200, None),
        (statement("DELETE FROM note"), 400, Some("READ_ONLY")),
        (statement("SELECT nothing"), 400, Some("SQL_ERROR")),
        (json!({ "sql": "SELECT 1", "at": 99 }), 404, Some("NO_SUCH_STATE")),
        (json!({ "sql": "SELECT 1", "nothing": 1 }), 400, Some("BAD_REQUEST")),
    ] {
        let path = "/objects/Sql/one/sql";
        let from_server = answer(asked(server, None, Method::POST, path).json(&body)).await;
        let from_folder = mounted.answer(Method::POST, path, body.clone().into()).await;
        assert_eq!((from_server.0.as_u16(), from_folder.0.as_u16()), (status, status), "{body}");
        assert_eq!(from_server.1["code"].as_str(), code, "{}", from_server.1);
        if code.is_none() {
            assert_eq!(from_server, from_folder);
            assert_eq!(from_server.1["rows"], expected);
        }
    }
    for (body, status, answered) in [
        (json!({ "table": "note", "key": ["1"] }), 200, json!(1)),
        (json!({ "table": "note", "key": [99] }), 200, json!(0)),
        (json!({ "table": "none", "key": [1] }), 400, json!("NO_SUCH_TABLE")),
        (json!({ "table": "note", "key": [] }), 400, json!("BAD_REQUEST")),
        (json!({ "table": "note" }), 400, json!("BAD_REQUEST")),
    ] {
        let path = "/objects/Sql/one/rows";
        let from_server = answer(asked(server, None, Method::POST, path).json(&body)).await;
        let from_folder = mounted.answer(Method::POST, path, body.clone().into()).await;
        assert_eq!((from_server.0.as_u16(), from_folder.0.as_u16()), (status, status), "{body}");
        let found = from_server.1["rows"].as_array().map(|rows| json!(rows.len()));
        assert_eq!(found.unwrap_or_else(|| from_server.1["code"].clone()), answered, "{body}");
    }
    let before = json!({ "sql": "SELECT text FROM note WHERE id = 1", "at": 1 });
    let before = asked(server, None, Method::POST, "/objects/Sql/one/sql").json(&before);
    assert_eq!(answer(before).await.1["rows"], json!([["one"]]));
}

async fn files(server: &Server, mounted: &Mounted) {
    let path = "/objects/Sql/one/database";
    let response = asked(server, None, Method::GET, path).send().await.expect("an answer");
    assert_eq!(response.headers()["content-type"], "application/vnd.sqlite3");
    let sequence = response.headers()["dotdo-sequence"].to_str().expect("a number").to_owned();
    assert!(sequence.parse::<u64>().is_ok_and(|sequence| sequence >= 2), "{sequence}");
    let from_server = response.bytes().await.expect("a file");
    let (_, from_folder) = mounted.bytes(Method::GET, path, Body::empty()).await;
    assert!(from_server == from_folder, "the same state is the same file");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("one.db");
    std::fs::write(&file, &from_server).expect("a file");
    assert!(is_whole_for_python(&file));
    let database = Connection::open(&file).expect("SQLite opens it");
    let count = |sql: &str| database.query_row(sql, [], |row| row.get::<_, i64>(0)).expect(sql);
    assert_eq!(count("SELECT count(*) FROM words('hello')"), 1);
    assert_eq!(count("SELECT seq FROM sqlite_sequence"), 3);
    assert_eq!(count("SELECT b FROM pair WHERE a = 'y'"), i64::MAX);
    assert_eq!(count("SELECT length(CAST(text AS BLOB)) FROM note WHERE id = 3"), 1);
}

async fn verification(server: &Server, mounted: &Mounted) {
    let path = "/objects/Sql/one/verify";
    let text = asked(server, None, Method::GET, path).send().await.expect("an answer");
    let from_server = lines(&text.text().await.expect("text"));
    let (_, bytes) = mounted.bytes(Method::GET, path, Body::empty()).await;
    let from_folder = lines(std::str::from_utf8(&bytes).expect("text"));
    for found in [&from_server, &from_folder] {
        let done = &found.last().expect("a line")["done"];
        assert_eq!(done["faults"], 0, "{found:?}");
        assert!(
            done["records"].as_u64() >= Some(2) && done["snapshots"].as_u64() >= Some(1),
            "{done}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_are_seen_while_they_are_answered() {
    let world = World::folder();
    let server = world.setup().start().await;
    let mut all = asked(&server, None, Method::GET, "/requests").send().await.expect("an answer");
    let one = "/requests?class=Sql&id=one";
    let mut one = asked(&server, None, Method::GET, one).send().await.expect("an answer");
    assert_eq!(all.headers()["content-type"], "application/x-ndjson");
    run(&server, None, "two", &["SELECT 1"]).await;
    run(&server, None, "one", &["SELECT 1"]).await;
    let missing = asked(&server, None, Method::GET, "/do/Sql/one?x=secret").send().await;
    assert!(missing.expect("an answer").status().is_client_error());
    let seen = async |response: &mut reqwest::Response, count: usize| {
        let mut text = String::new();
        while text.lines().count() < count || !text.ends_with('\n') {
            let chunk = response.chunk().await.expect("a chunk").expect("it goes on");
            text.push_str(std::str::from_utf8(&chunk).expect("text"));
        }
        lines(&text)
    };
    let wait = async { (seen(&mut all, 3).await, seen(&mut one, 2).await) };
    let wait = tokio::time::timeout(Duration::from_secs(PATIENCE_SECONDS), wait);
    let (all, one) = wait.await.expect("lines arrive");
    assert_eq!((all[0]["id"].as_str(), all[1]["id"].as_str()), (Some("two"), Some("one")));
    assert_eq!((one[0]["method"].as_str(), one[0]["status"].as_u64()), (Some("POST"), Some(200)));
    assert_eq!(
        (one[1]["path"].as_str(), one[1]["class"].as_str()),
        (Some("/do/Sql/one"), Some("Sql"))
    );
    assert!(one[1]["code"].is_string() && one[0]["bytesIn"].as_u64() > Some(5), "{one:?}");
    assert!(!format!("{all:?}").contains("secret"), "queries are not shown");
}
