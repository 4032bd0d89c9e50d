//! What is written: new states, earlier ones, copies, statements, the end; and who may.

use std::time::Duration;

use dotdo_tests::Deadline;

use super::*;
use crate::world::{ENDLESS_LEASE_MS, PATIENCE_SECONDS};

/// A server that keeps what it has, so that nobody else gets it meanwhile.
async fn keeper(world: &World) -> Server {
    let setup = world.setup().env("DOTDO_LEASE_DURATION_MS", ENDLESS_LEASE_MS);
    let small = setup.env("DOTDO_LIMITS_OBJECT_BYTES_MAX", "1048576");
    small.env("DOTDO_LIMITS_ROW_BYTES_MAX", "65536").start().await
}

async fn told(request: RequestBuilder) -> (u16, Value) {
    let (status, body) = answer(request).await;
    (status.as_u16(), body)
}

/// The status and the code of a refusal.
async fn refused(request: RequestBuilder) -> (u16, String) {
    let (status, body) = told(request).await;
    (status, body["code"].as_str().unwrap_or_default().to_owned())
}

async fn texts(server: &Server, id: &str) -> Value {
    let path = format!("/objects/Sql/{id}/sql");
    let query = statement("SELECT text FROM note ORDER BY id");
    told(asked(server, None, Method::POST, &path).json(&query)).await.1["rows"].clone()
}

const ONE: &str = "/objects/Sql/one";

fn put(server: &Server, path: &str, file: impl Into<reqwest::Body>) -> RequestBuilder {
    asked(server, None, Method::PUT, &format!("{path}/database")).body(file)
}

fn restore(server: &Server, path: &str, body: &Value) -> RequestBuilder {
    asked(server, None, Method::POST, &format!("{path}/restore")).json(body)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn databases_go_out_come_in_go_back_and_end() {
    let (world, empty) = (World::folder(), World::folder());
    let server = keeper(&world).await;
    run(&server, None, "one", &SCHEMA).await;
    for round in 0..40 {
        let change = format!("UPDATE note SET text = 'round {round}' WHERE id = 1");
        run(&server, None, "one", &[&change, "INSERT INTO words VALUES('more words')"]).await;
    }
    let file = file_of(&server, None, ONE).await;
    goes_to(&empty, &file).await;
    statements_write(&server).await;
    states_come_back(&server).await;
    objects_end(&server).await;
    what_is_wrong_is_refused(&server).await;
    others_are_kept_away(&world, &server).await;
}

/// Makes the file an object of an empty bucket.
async fn goes_to(empty: &World, file: &[u8]) {
    let other = empty.setup().start().await;
    let only_new = || put(&other, ONE, file.to_vec()).header("if-none-match", "*");
    let (status, made) = told(only_new()).await;
    assert_eq!(status, 201, "{made}");
    assert_eq!(made["sequence"].as_u64().map(|sequence| sequence > 0), Some(true), "{made}");
    assert_eq!(refused(only_new()).await, (412, "OBJECT_EXISTS".to_owned()));
    let there = file_of(&other, None, ONE).await;
    assert_eq!(content(file), content(&there));
    run(&other, None, "one", &["INSERT INTO note(text) VALUES('four')"]).await;
    let count = statement("SELECT count(*), (SELECT max(id) FROM note) FROM words('more')");
    let count = told(asked(&other, None, Method::POST, &format!("{ONE}/sql")).json(&count)).await.1;
    assert_eq!(count["rows"], json!([[40, 4]]), "the index of words and the counter go on");
    let (status, made) = told(put(&other, ONE, file.to_vec())).await;
    assert_eq!(status, 200, "a state that is there is replaced: {made}");
    // A server that has not seen it finds the same, and all of it whole.
    other.terminate();
    let other = empty.setup().start().await;
    assert_eq!(content(file), content(&file_of(&other, None, ONE).await));
    let verified = asked(&other, None, Method::GET, &format!("{ONE}/verify"));
    let verified = verified.send().await.expect("an answer").text().await.expect("text");
    assert_eq!(lines(&verified).last().expect("a line")["done"]["faults"], 0, "{verified}");
}

async fn statements_write(server: &Server) {
    let path = format!("{ONE}/sql");
    let write = |sql: &str| {
        let body = json!({ "sql": sql, "params": ["new"], "write": true });
        asked(server, None, Method::POST, &path).json(&body)
    };
    let two = "DELETE FROM note WHERE id = 3; INSERT INTO note(text) VALUES(?) RETURNING id";
    let (status, done) = told(write(two)).await;
    assert_eq!((status, &done["rows"], &done["rowsWritten"]), (200, &json!([[4]]), &json!(1)));
    let undone = "DELETE FROM note; INSERT INTO nowhere VALUES(?)";
    assert_eq!(refused(write(undone)).await, (400, "SQL_ERROR".to_owned()));
    assert_eq!(refused(write("ATTACH ? AS x")).await, (400, "SQL_REFUSED".to_owned()));
    assert_eq!(texts(server, "one").await, json!([["round 39"], [null], ["new"]]));
    let past = json!({ "sql": "DELETE FROM note", "write": true, "at": 1 });
    let past = asked(server, None, Method::POST, &path).json(&past);
    assert_eq!(refused(past).await, (400, "BAD_REQUEST".to_owned()));
}

async fn states_come_back(server: &Server) {
    let now = file_of(server, None, ONE).await;
    let (status, done) = told(restore(server, ONE, &json!({ "at": 10 }))).await;
    assert!(status == 200 && done["tables"].as_u64() >= Some(3), "{done}");
    let sequence = done["sequence"].as_u64().expect("a number");
    let then = asked(server, None, Method::GET, &format!("{ONE}/database?at=10"));
    let then = then.send().await.expect("an answer").bytes().await.expect("a file");
    assert_eq!(content(&then), content(&file_of(server, None, ONE).await));
    // The past is what it was, so that the restore can be undone.
    let undone = restore(server, ONE, &json!({ "at": sequence - 1 }));
    let (status, done) = told(undone).await;
    assert_eq!(status, 200, "{done}");
    assert_eq!(content(&now), content(&file_of(server, None, ONE).await));
    // A copy, and one of an earlier time.
    let two = "/objects/Sql/two";
    let from = json!({ "from": { "class": "Sql", "id": "one" } });
    let only_new = |path| restore(server, path, &from).header("if-none-match", "*");
    assert_eq!(told(only_new(two)).await.0, 201);
    assert_eq!(refused(only_new(two)).await, (412, "OBJECT_EXISTS".to_owned()));
    assert_eq!(content(&now), content(&file_of(server, None, two).await));
    let from = json!({ "from": { "class": "Sql", "id": "one" }, "at": 10 });
    assert_eq!(told(restore(server, two, &from)).await.0, 200);
    assert_eq!(content(&then), content(&file_of(server, None, two).await));
    run(server, None, "two", &["DELETE FROM note"]).await;
    assert_eq!(content(&now), content(&file_of(server, None, ONE).await), "each has its own");
    for (body, code) in [
        (json!({ "at": 9999 }), (404, "NO_SUCH_STATE")),
        (json!({ "from": { "class": "Sql", "id": "nobody" } }), (404, "NO_SUCH_OBJECT")),
        (json!({}), (400, "BAD_REQUEST")),
        (json!({ "at": 1, "nothing": 1 }), (400, "BAD_REQUEST")),
    ] {
        let refusal = refused(restore(server, ONE, &body)).await;
        assert_eq!((refusal.0, &*refusal.1), code, "{body}");
    }
}

async fn objects_end(server: &Server) {
    let snapshots = format!("{ONE}/snapshots");
    let (status, made) = told(asked(server, None, Method::POST, &snapshots)).await;
    let listed = told(asked(server, None, Method::GET, &snapshots)).await.1;
    assert_eq!((status, &listed["items"][0]["name"]), (201, &made["name"]), "{listed}");
    let described = told(asked(server, None, Method::GET, ONE)).await.1;
    let head = described["log"]["head"].as_u64().expect("a number");
    let before = file_of(server, None, ONE).await;
    let delete = || asked(server, None, Method::DELETE, ONE);
    let stale = delete().header("if-match", format!("\"{}\"", head - 3));
    assert_eq!(refused(stale).await, (412, "OBJECT_CHANGED".to_owned()));
    let (status, ended) = told(delete().header("if-match", format!("\"{head}\""))).await;
    assert_eq!((status, ended["state"].as_str()), (200, Some("deleted")), "{ended}");
    assert!(ended["restorableUntil"].as_str().is_some_and(|until| until.ends_with('Z')), "{ended}");
    for gone in [
        delete(),
        asked(server, None, Method::GET, ONE),
        asked(server, None, Method::POST, &snapshots),
    ] {
        assert_eq!(refused(gone).await, (404, "NO_SUCH_OBJECT".to_owned()));
    }
    let listed = told(asked(server, None, Method::GET, "/objects")).await.1;
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1), "{listed}");
    // Within the retention it comes back as it was.
    let (status, done) = told(restore(server, ONE, &json!({ "at": head }))).await;
    assert_eq!(status, 201, "{done}");
    assert_eq!(content(&before), content(&file_of(server, None, ONE).await));
}

async fn what_is_wrong_is_refused(server: &Server) {
    let before = file_of(server, None, ONE).await;
    let whole = foreign_file("CREATE TABLE note(id INTEGER PRIMARY KEY, text)");
    let large = foreign_file("CREATE TABLE t(a); INSERT INTO t VALUES(zeroblob(1200000))");
    let half = whole[..whole.len() / 2].to_vec();
    let reserved = foreign_file("CREATE TABLE _dotdo_mine(a)");
    let stream = |file: Vec<u8>| {
        let parts = file.chunks(100_000).map(|part| Ok::<_, std::io::Error>(part.to_vec()));
        reqwest::Body::wrap_stream(futures_util::stream::iter(parts.collect::<Vec<_>>()))
    };
    for (request, expected) in [
        (put(server, ONE, "hello"), (400, "BAD_DATABASE_FILE")),
        (put(server, ONE, Vec::new()), (400, "BAD_DATABASE_FILE")),
        (put(server, ONE, half), (400, "BAD_DATABASE_FILE")),
        (put(server, ONE, reserved), (400, "RESERVED_NAME")),
        (put(server, ONE, large.clone()), (413, "TOO_LARGE")),
        (put(server, ONE, stream(large)), (413, "TOO_LARGE")),
        (put(server, ONE, whole.clone()).header("if-match", "5"), (400, "BAD_REQUEST")),
        (put(server, ONE, whole.clone()).header("if-none-match", "\"5\""), (400, "BAD_REQUEST")),
    ] {
        let refusal = refused(request).await;
        assert_eq!((refusal.0, &*refusal.1), expected);
    }
    for (method, path) in [
        (Method::PUT, ONE.to_owned()),
        (Method::DELETE, format!("{ONE}/database")),
        (Method::GET, format!("{ONE}/restore")),
    ] {
        let refusal = refused(asked(server, None, method, &path)).await;
        assert_eq!(refusal, (404, "NO_ENDPOINT".to_owned()), "{path}");
    }
    assert_eq!(content(&before), content(&file_of(server, None, ONE).await), "it is as it was");
    // Without a length, and in the mode of a write-ahead log.
    let mut logged = whole.clone();
    logged[18..20].fill(2);
    assert_eq!(told(put(server, ONE, stream(logged))).await.0, 200);
    assert_eq!(content(&whole), content(&file_of(server, None, ONE).await));
}

/// While a server has an object, nobody else writes it.
async fn others_are_kept_away(world: &World, server: &Server) {
    run(server, None, "one", &["INSERT INTO note(text) VALUES('mine')"]).await;
    let mine = file_of(server, None, ONE).await;
    let rival = world.setup().start().await;
    let mounted = Mounted::on(world).await;
    let write = json!({ "sql": "DELETE FROM note", "write": true });
    let (status, error) = told(put(&rival, ONE, mine.clone())).await;
    assert_eq!((status, error["code"].as_str()), (503, Some("OWNED_BY_OTHER_INSTANCE")), "{error}");
    assert!(error["details"]["holder"].is_string(), "it says who: {error}");
    for refusal in [
        refused(restore(&rival, ONE, &json!({ "at": 1 }))).await,
        refused(asked(&rival, None, Method::DELETE, ONE)).await,
        refused(asked(&rival, None, Method::POST, &format!("{ONE}/snapshots"))).await,
        refused(asked(&rival, None, Method::POST, &format!("{ONE}/sql")).json(&write)).await,
    ] {
        assert_eq!(refusal, (503, "OWNED_BY_OTHER_INSTANCE".to_owned()));
    }
    for (method, path, body) in [
        (Method::PUT, format!("{ONE}/database"), Body::from(mine.clone())),
        (Method::POST, format!("{ONE}/restore"), json!({ "at": 1 }).into()),
        (Method::DELETE, ONE.to_owned(), Body::empty()),
        (Method::POST, format!("{ONE}/snapshots"), Body::empty()),
        (Method::POST, format!("{ONE}/sql"), write.into()),
    ] {
        let (status, error) = mounted.answer(method, &path, body).await;
        let code = error["code"].as_str();
        assert_eq!((status.as_u16(), code), (503, Some("OWNED_BY_OTHER_INSTANCE")), "{path}");
    }
    assert_eq!(content(&mine), content(&file_of(server, None, ONE).await), "it is as it was");
    // Once the server has ended, the bucket's keys are enough.
    server.terminate();
    let path = format!("{ONE}/database");
    let (status, done) = mounted.answer(Method::PUT, &path, mine.clone().into()).await;
    assert_eq!(status, StatusCode::OK, "{done}");
    mounted.handle.shutdown().await;
    assert_eq!(content(&mine), content(&file_of(&rival, None, ONE).await));
}

/// Every route that writes.
const WRITES: [(&str, &str); 5] = [
    ("PUT", "/database"),
    ("POST", "/restore"),
    ("POST", "/snapshots"),
    ("POST", "/sql"),
    ("DELETE", ""),
];

/// A request to such a route that would succeed.
fn writing(server: &Server, who: Option<&str>, route: (&str, &str), below: &str) -> RequestBuilder {
    let (method, rest) = route;
    let path = format!("{below}{ONE}{rest}");
    let request = asked(server, who, method.parse().expect("a method"), &path);
    match rest {
        "/database" => request.body(foreign_file("CREATE TABLE t(a); INSERT INTO t VALUES('put')")),
        "/restore" => request.json(&json!({ "at": 1 })),
        "/sql" => request.json(&json!({ "sql": "UPDATE t SET a = 'sql'", "write": true })),
        _ => request,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn administrators_write_their_own_tenant_operators_all_and_each_deed_is_told() {
    let world = World::folder();
    let setup = world.setup().env("SCENARIO_SPELLED_TOKENS", "1").env("DOTDO_LOG_FORMAT", "json");
    let server = setup.start().await;
    let schema = ["CREATE TABLE t(a)", "INSERT INTO t VALUES('mine')"];
    run(&server, Some("a~acme~rw"), "one", &schema).await;
    run(&server, Some("g~globex~rw"), "one", &schema).await;
    let globex = file_of(&server, Some("x~globex~a"), ONE).await;
    let (named, missing) = ("/tenants/acme/shop", (403, "MISSING_SCOPE".to_owned()));
    for route in WRITES {
        assert_eq!(refused(writing(&server, None, route, "")).await.0, 401, "{route:?}");
        for (who, below) in [("x~acme~rwh", ""), ("x~acme~a", named), ("x~globex~a", named)] {
            assert_eq!(refused(writing(&server, Some(who), route, below)).await, missing);
        }
    }
    for (who, below) in [("x~acme~a", ""), ("x~globex~o", named)] {
        for route in WRITES {
            let (status, body) = told(writing(&server, Some(who), route, below)).await;
            assert!((200..202).contains(&status), "{who} {route:?}: {status} {body}");
        }
    }
    let untouched = file_of(&server, Some("x~globex~a"), ONE).await;
    assert_eq!(content(&globex), content(&untouched), "another tenant's object of the same name");
    // A name means an object of the tenant, and there is no way to name another's.
    let clone = json!({ "from": { "class": "Sql", "id": "one", "tenant": "globex" } });
    let clone =
        asked(&server, Some("x~acme~a"), Method::POST, "/objects/Sql/two/restore").json(&clone);
    assert_eq!(refused(clone).await, (400, "BAD_REQUEST".to_owned()));
    let clone = json!({ "from": { "class": "Sql", "id": "one" } });
    let clone =
        asked(&server, Some("x~acme~a"), Method::POST, "/objects/Sql/two/restore").json(&clone);
    assert_eq!(refused(clone).await, (404, "NO_SUCH_OBJECT".to_owned()), "acme's was deleted");
    let log = server.stderr();
    let audited = |parts: &[&str]| {
        log.lines()
            .any(|line| line.contains("audit") && parts.iter().all(|part| line.contains(part)))
    };
    for action in
        ["put_database", "restore_object", "create_snapshot", "execute_sql", "delete_object"]
    {
        assert!(audited(&[action, "\"allowed\"", "\"by_org\":\"acme\""]), "{action}: {log}");
        assert!(audited(&[action, "\"allowed\"", "\"by_org\":\"globex\""]), "{action}: {log}");
    }
    assert!(audited(&["restore_object", "\"denied\"", "NO_SUCH_OBJECT"]), "{log}");
    assert!(audited(&["administer", "\"denied\"", "MISSING_SCOPE"]), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_leaves_is_in_the_audit_log() {
    use std::io::Write as _;

    let world = World::folder();
    let server = world.setup().env("DOTDO_LOG_FORMAT", "json").start().await;
    let address = server.url("").trim_start_matches("http://").to_owned();
    let file = foreign_file("CREATE TABLE t(a)");
    let head = format!(
        "PUT {ONE}/database HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n",
        file.len()
    );
    // A client that leaves before its request was even looked at has done nothing, so another comes.
    let leave = || async {
        let mut connection = std::net::TcpStream::connect(&*address).expect("it listens");
        connection.write_all(head.as_bytes()).expect("it is read");
        connection.write_all(&file[..100]).expect("it is read");
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop(connection);
        let log = server.stderr();
        let told = log.lines().find(|line| line.contains("put_database"));
        told.map(str::to_owned)
    };
    let told = Deadline::in_seconds(PATIENCE_SECONDS).until(leave).await;
    let told = told.unwrap_or_else(|| panic!("{}", server.stderr()));
    assert!(told.contains("CLIENT_LEFT") || told.contains("BODY_BROKEN"), "{told}");
}
