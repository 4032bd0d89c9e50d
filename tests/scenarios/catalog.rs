//! The server as an Iceberg catalog: engines attach it, and see every acknowledged write at once.

use dotdo_tests::{Catalog, Reader, Seaweed, Server, Setup, scratch, unique};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

/// A token of the server's own list.
const TOKEN: &str = "a-token-for-the-catalog-in-tests";

/// The catalog of a server, for engines that reach the store as `environment` says.
fn catalog(server: &Server, token: Option<&str>, environment: &[(&str, String)]) -> Catalog {
    Catalog {
        endpoint: server.url("/iceberg"),
        token: token.map(str::to_owned),
        environment: environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect(),
    }
}

/// Sends a request, and returns the status and the JSON of the answer, if it has any.
async fn ask(
    server: &Server,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> (StatusCode, Value) {
    let mut request = Client::new().request(method, server.url(path)).bearer_auth(TOKEN);
    if let Some(body) = body {
        request = request.json(&body);
    }
    let response = request.send().await.expect("an answer");
    let (status, bytes) = (response.status(), response.bytes().await.expect("a body"));
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

async fn get(server: &Server, path: &str) -> Value {
    let (status, answer) = ask(server, Method::GET, path, None).await;
    assert_eq!(status, StatusCode::OK, "{path}: {answer}");
    answer
}

/// An object whose id has what separates levels and segments elsewhere.
const OBJECT: &str = "b.c/d";

async fn add(server: &Server, object: &str, id: &str) {
    let thing = json!({ "id": id, "type": "Note", "name": format!("{id} of {object}") });
    let (status, answer) = ask(
        server,
        Method::POST,
        &format!("/do/{}/things", object.replace('/', "%2F")),
        Some(thing),
    )
    .await;
    assert!(status.is_success(), "{answer}");
}

/// The ids of the things of an object, as an engine sees them through the catalog.
fn ids(reader: Reader, catalog: &Catalog, object: &str, snapshot: &Value) -> Vec<String> {
    let seen = reader.through(catalog, &["DO", object], "things", snapshot);
    let columns = seen["columns"].as_array().expect("columns");
    let id = columns.iter().position(|column| column == "id").expect("a column");
    let rows = seen["rows"].as_array().expect("rows").iter();
    let mut ids: Vec<String> =
        rows.map(|row| row[id].as_str().expect("a text").to_owned()).collect();
    ids.sort();
    ids
}

/// Each engine sees what was acknowledged before it asked, and the state before.
async fn engines_see_everything(server: &Server, catalog: &Catalog) {
    let mut expected = Vec::new();
    for (round, reader) in Reader::ALL.into_iter().enumerate() {
        let id = format!("n{round}");
        add(server, OBJECT, &id).await;
        expected.push(id);
        assert_eq!(ids(reader, catalog, OBJECT, &Value::Null), expected, "{reader:?}");
    }
    let table = get(server, "/iceberg/v1/namespaces/DO%1Fb.c%2Fd/tables/things").await;
    let first = &table["metadata"]["snapshots"][0]["snapshot-id"];
    for reader in Reader::ALL {
        assert_eq!(ids(reader, catalog, OBJECT, first), expected[..1], "{reader:?}");
    }
    let refs = table["metadata"]["refs"].as_object().expect("refs");
    let today = refs.keys().filter(|name| name.starts_with("day-")).max().expect("a day");
    assert_eq!(refs[today]["snapshot-id"], refs["main"]["snapshot-id"], "{refs:?}");
    // DuckDB takes numbers and times, and no names.
    for reader in [Reader::PyIceberg, Reader::Polars] {
        assert_eq!(ids(reader, catalog, OBJECT, &json!(today)), expected, "{reader:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn engines_attach_a_server_on_a_folder() {
    let folder = scratch();
    let setup = Setup::new(&folder.path().join("state").display().to_string());
    let server = setup.start().await;
    let catalog = catalog(&server, None, &[]);
    engines_see_everything(&server, &catalog).await;
    the_catalog_answers_as_specified(&server).await;
    nothing_is_written_for_what_is_known(server, &setup, folder.path()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn engines_attach_a_server_on_s3_with_a_token() {
    let seaweed = Seaweed::shared();
    let storage = format!("s3://{}/catalog-{}", seaweed.bucket(), unique().simple());
    let mut setup = Setup::new(&storage).env("DOTDO_AUTH_TOKENS", TOKEN);
    for (name, value) in seaweed.environment() {
        setup = setup.env(name, value);
    }
    let server = setup.start().await;
    let catalog = catalog(&server, Some(TOKEN), &seaweed.environment());
    engines_see_everything(&server, &catalog).await;
    let refused = Client::new().get(server.url("/iceberg/v1/namespaces")).send().await;
    let refused = refused.expect("an answer");
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    let error: Value = refused.json().await.expect("JSON");
    assert_eq!(error["error"]["type"], "NotAuthorizedException", "{error}");
    assert_eq!(error["error"]["code"], 401, "{error}");
}

/// Each engine reads the things of all objects of a class as one table, as the last changes left them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn engines_read_all_objects_of_a_class_as_one_table() {
    let folder = scratch();
    let state = folder.path().join("state").display().to_string();
    let setup = Setup::new(&state).env("DOTDO_ANALYTICS", "DO.things,DO.events");
    let server = setup.start().await;
    let catalog = catalog(&server, None, &[]);
    let mut expected = Vec::new();
    for (round, reader) in Reader::ALL.into_iter().enumerate() {
        for object in ["alice", OBJECT] {
            let id = format!("n{round}");
            add(&server, object, &id).await;
            expected.push((object.to_owned(), id));
        }
        expected.sort();
        assert_eq!(all_ids(reader, &catalog), expected, "{reader:?}");
    }
    let tables = get(&server, "/iceberg/v1/namespaces/DO/tables").await;
    let events = json!({ "namespace": ["DO"], "name": "events" });
    assert!(tables["identifiers"].as_array().expect("a list").contains(&events), "{tables}");
    assert_eq!(get(&server, "/iceberg/v1/namespaces").await["namespaces"], json!([["DO"]]));
    let (status, gone) = ask(&server, Method::DELETE, "/objects/DO/alice", None).await;
    assert!(status.is_success(), "{gone}");
    expected.retain(|(object, _)| object == OBJECT);
    assert_eq!(all_ids(Reader::DuckDb, &catalog), expected);
    let (status, done) = ask(&server, Method::POST, "/classes/DO/rollup", None).await;
    assert_eq!(status, StatusCode::OK, "{done}");
    let nothing = json!({ "objects": 1, "changed": 0, "copied": 0, "removed": 0, "failed": 0 });
    assert_eq!(done, nothing, "all is there already");
}

/// The things of all objects, as an engine sees them through the catalog.
fn all_ids(reader: Reader, catalog: &Catalog) -> Vec<(String, String)> {
    let seen = reader.through(catalog, &["DO"], "things", &Value::Null);
    let columns = seen["columns"].as_array().expect("columns");
    let place = |name: &str| columns.iter().position(|column| column == name).expect("a column");
    let (object, id) = (place("_dotdo_object"), place("id"));
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let rows = seen["rows"].as_array().expect("rows").iter();
    let mut ids: Vec<_> = rows.map(|row| (text(&row[object]), text(&row[id]))).collect();
    ids.sort();
    ids
}

/// What no engine of the tests asks for.
async fn the_catalog_answers_as_specified(server: &Server) {
    let path = |rest: &str| format!("/iceberg/v1/{rest}");
    assert!(
        get(server, &path("config")).await["endpoints"].as_array().is_some_and(|all| all.len() > 4)
    );
    assert_eq!(get(server, &path("namespaces")).await["namespaces"], json!([["DO"]]));
    add(server, "alice", "x").await;
    let mut objects = Vec::new();
    let mut page = path("namespaces?parent=DO&pageSize=1&pageToken=");
    loop {
        let answer = get(server, &page).await;
        objects.extend(answer["namespaces"].as_array().expect("a list").clone());
        let Some(next) = answer["next-page-token"].as_str() else { break };
        page = path(&format!(
            "namespaces?parent=DO&pageSize=1&pageToken={}",
            next.replace('/', "%2F")
        ));
    }
    objects.sort_by_key(Value::to_string);
    assert_eq!(json!(objects), json!([["DO", "alice"], ["DO", OBJECT]]));
    assert_eq!(
        get(server, &path("namespaces?parent=DO")).await["namespaces"].as_array().map(Vec::len),
        Some(2)
    );
    let tables = get(server, &path("namespaces/DO%1Falice/tables")).await;
    let things = json!({ "namespace": ["DO", "alice"], "name": "things" });
    assert!(tables["identifiers"].as_array().expect("a list").contains(&things), "{tables}");
    let table = path("namespaces/DO%1Falice/tables/things");
    let refs = get(server, &format!("{table}?snapshots=refs")).await;
    assert_eq!(refs["metadata"]["snapshots"].as_array().map(Vec::len), Some(1), "{refs}");
    for (known, method, path, status, kind) in [
        (true, Method::HEAD, table.clone(), 204, ""),
        (true, Method::HEAD, path("namespaces/DO"), 204, ""),
        (false, Method::HEAD, path("namespaces/DO%1Fnobody"), 404, ""),
        (
            false,
            Method::GET,
            path("namespaces/DO%1Fnobody/tables"),
            404,
            "NoSuchNamespaceException",
        ),
        (false, Method::GET, path("namespaces/None"), 404, "NoSuchNamespaceException"),
        (
            false,
            Method::GET,
            path("namespaces/DO%1Falice/tables/none"),
            404,
            "NoSuchTableException",
        ),
        (false, Method::POST, table.clone(), 403, "ForbiddenException"),
        (false, Method::DELETE, path("namespaces/DO"), 403, "ForbiddenException"),
        (false, Method::POST, path("transactions/commit"), 403, "ForbiddenException"),
    ] {
        let (found, answer) = ask(server, method.clone(), &path, None).await;
        assert_eq!(found.as_u16(), status, "{method} {path}: {answer}");
        if !known && method != Method::HEAD {
            assert_eq!(answer["error"]["type"], kind, "{method} {path}: {answer}");
            assert_eq!(answer["error"]["code"], status, "{method} {path}: {answer}");
        }
    }
}

/// The number of snapshots of the object `alice`.
fn snapshots(folder: &std::path::Path) -> usize {
    let snapshots = folder.join("state/local/local/do/d-o/alice/snapshots");
    let entries = std::fs::read_dir(snapshots).expect("the object has snapshots");
    let is_snapshot = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with("seq-");
    entries.filter(|entry| is_snapshot(&entry.as_ref().expect("an entry").file_name())).count()
}

/// An object at rest stays at rest: a table that has not changed costs reads only, whoever owned the
/// object in between.
async fn nothing_is_written_for_what_is_known(
    server: Server,
    setup: &Setup,
    folder: &std::path::Path,
) {
    let table = "/iceberg/v1/namespaces/DO%1Falice/tables/things";
    let before = get(&server, table).await;
    assert!(server.terminate().success());
    let written = snapshots(folder);
    let server = setup.start().await;
    for _ in 0..3 {
        let (status, _) = ask(&server, Method::GET, "/do/alice/things/x", None).await;
        assert!(status.is_success(), "{status}");
        let after = get(&server, table).await;
        assert_eq!(after["metadata-location"], before["metadata-location"]);
    }
    assert_eq!(snapshots(folder), written);
    let known = before["metadata-location"].as_str().and_then(|uri| uri.rsplit('/').next());
    let request = Client::new().get(server.url(table));
    let tag = format!("\"{}\"", known.expect("a file"));
    let answer = request.header("if-none-match", tag).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::NOT_MODIFIED);
}
