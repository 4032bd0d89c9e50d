//! Lists, descriptions, statements and files.

use uuid::Uuid;

use super::*;
use crate::change::Value;
use crate::error::ErrorKind;
use crate::inspection::Statement;
use crate::router::At;
use crate::sqlite::Limits;

fn wanted(limit: usize) -> ObjectQuery {
    ObjectQuery { limit, ..ObjectQuery::default() }
}

#[tokio::test]
async fn all_objects_of_a_tenant_are_listed_by_pages() {
    let world = World::new();
    let engine = world.server().await;
    let long = "Ä".repeat(200);
    let ids = ["a", "a-b", "a/b", "con", "-", "A", "é", &long, "nul.x", "b0", "b1", "b2"];
    for id in ids {
        run(&engine, &object("Runs", id), "CREATE TABLE t(a)").await;
    }
    run(&engine, &object("Other", "a"), "CREATE TABLE t(a)").await;
    let acme = Tenant::new("acme", "shop").expect("a good tenant");
    let theirs = acme.object("Runs", "theirs").expect("a good id");
    run(&engine, &theirs, "CREATE TABLE t(a)").await;
    // Keys that are nobody's.
    world.put("local/local/do/Upper/x/log/fffffffffffffffe-1", "?").await;
    world.put("local/local/do/runs/Upper/log/fffffffffffffffe-1", "?").await;
    world.put("local/local/do/runs/empty/lock", "?").await;
    world.put("local/local/do/runs/odd/log/x", "?").await;
    world.put("local/local/do/lone", "?").await;

    let inspection = world.inspection().await;
    let local = Tenant::local();
    let classes = inspection.classes(&local).await.expect("a list");
    let names: Vec<(&str, bool)> =
        classes.iter().map(|item| (item.class.as_str(), item.registered)).collect();
    assert_eq!(names, [("Other", false), ("Runs", false)]);
    let mut expected: Vec<String> = ids.iter().map(|id| format!("Runs/{id}")).collect();
    expected.push("Other/a".to_owned());
    expected.sort();
    for limit in [1, 2, 3, 5, 100] {
        let (mut found, pages) = listed(&inspection, &local, wanted(limit)).await;
        assert!(pages >= expected.len() / limit, "{pages} pages of {limit}");
        found.sort();
        assert_eq!(found, expected, "pages of {limit}");
    }
    for (prefix, count) in [("a", 3), ("b", 3), ("b1", 1), ("c", 1), ("Ä", 1), ("-", 1), ("x", 0)]
    {
        let query =
            ObjectQuery { class: Some("Runs".to_owned()), prefix: prefix.to_owned(), ..wanted(2) };
        assert_eq!(listed(&inspection, &local, query).await.0.len(), count, "{prefix}");
    }
    assert_eq!(listed(&inspection, &acme, wanted(9)).await.0, ["Runs/theirs"]);
    let sized = ObjectQuery { size: true, class: Some("Other".to_owned()), ..wanted(1) };
    let page = inspection.objects(&local, &sized).await.expect("a page");
    assert_eq!(page.items[0].keys, Some(world.keys(&object("Other", "a")).await.len() as u64));
    assert!(page.items[0].bytes.is_some_and(|bytes| bytes > 1000) && page.items[0].sequence == 1);
    for bad in ["x", "../x/y", "a/b/c"] {
        let query = ObjectQuery { after: Some(bad.to_owned()), ..wanted(1) };
        let error = inspection.objects(&local, &query).await.expect_err(bad);
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
}

#[tokio::test]
async fn ten_thousand_objects_take_a_page_at_a_time() {
    let world = World::new();
    for number in 0..10_000_u32 {
        world.put(&format!("local/local/do/runs/n{number:05}/log/fffffffffffffffe-1"), "?").await;
    }
    let inspection = world.inspection().await;
    let (found, pages) = listed(&inspection, &Tenant::local(), wanted(1000)).await;
    assert_eq!((found.len(), pages), (10_000, 11));
    assert!(found.is_sorted());
}

#[tokio::test]
async fn a_description_has_the_alarm_and_the_schedules() {
    let (world, one) = (World::new(), object("Runs", "one"));
    let engine = world.server().await;
    run(&engine, &one, "CREATE TABLE t(a)").await;
    let inspection = world.inspection().await;
    let found = inspection.describe(&one, None).await.expect("a description");
    assert_eq!((found.alarm, found.schedules), (None, None));
    let plan = http::Request::get("/plan").body(Body::empty()).expect("a request");
    engine.fetch(&one, None, plan).await.expect("it is planned");
    let found = inspection.describe(&one, None).await.expect("a description");
    assert_eq!(found.alarm.map(|alarm| alarm.at).as_deref(), Some("2026-01-01T00:01:00Z"));
    let schedules = found.schedules.expect("there are some");
    assert_eq!((schedules.count, schedules.failing, schedules.cron), (2, 0, None));
    assert_eq!((schedules.next, schedules.at), ("once".into(), "2026-01-01T00:30:00Z".into()));
    let before = inspection.describe(&one, Some(At::Sequence(1))).await.expect("a description");
    assert_eq!(before.schedules, None, "it had none then");
}

const SCHEMA: &str = "
    CREATE TABLE note(id INTEGER PRIMARY KEY, text TEXT, size INT AS (length(text)));
    CREATE TABLE pair(a TEXT, b BLOB, PRIMARY KEY(a, b)) WITHOUT ROWID;
    CREATE INDEX by_text ON note(text); CREATE VIEW texts AS SELECT text FROM note;
    CREATE TRIGGER follows AFTER INSERT ON pair BEGIN INSERT INTO note(text) VALUES(new.a); END;
    CREATE VIRTUAL TABLE words USING fts5(body);
    INSERT INTO note(text) VALUES('one'); INSERT INTO words VALUES('hello there'); PRAGMA user_version=3";

#[tokio::test]
async fn a_description_has_the_log_the_owner_the_snapshots_and_the_database() {
    let (world, one) = (World::new(), object("Runs", "one"));
    let engine = world.server().await;
    run(&engine, &one, SCHEMA).await;
    run(&engine, &one, "INSERT INTO pair VALUES('x', x'00')").await;
    let inspection = world.inspection().await;
    let found = inspection.describe(&one, None).await.expect("a description");
    assert_eq!((found.log.first, found.log.head), (1, 2));
    assert!(found.log.bytes > 100 && !found.owner.released && found.owner.epoch == 1);
    assert_eq!(found.owner.instance, Uuid::from_u128(1).to_string());
    assert_eq!(found.snapshots.count, 2);
    let newest = found.snapshots.newest.expect("a snapshot");
    assert_eq!((newest.sequence, newest.base.is_some()), (2, true));
    let rows = |name: &str| {
        let table = found.database.tables.iter().find(|table| table.name == name);
        table.unwrap_or_else(|| panic!("no table {name}")).rows
    };
    assert_eq!((rows("note"), rows("pair"), rows("words")), (Some(2), Some(1), Some(1)));
    let note = &found.database.tables[0];
    let columns: Vec<(&str, &str, bool)> = note
        .columns
        .iter()
        .map(|column| (column.name.as_str(), column.r#type.as_str(), column.primary_key))
        .collect();
    assert_eq!(columns, [("id", "INTEGER", true), ("text", "TEXT", false), ("size", "INT", false)]);
    assert_eq!(found.database.views, ["texts"]);
    assert_eq!(found.database.triggers, ["follows"]);
    assert_eq!(found.database.indexes, ["by_text"]);
    assert_eq!((found.database.user_version, found.messages.waiting), (3, 0));
    let before = inspection.describe(&one, Some(At::Sequence(1))).await.expect("a description");
    assert_eq!((before.log.head, before.database.sequence), (2, 1));
    assert_eq!(before.database.tables[0].rows, Some(1));
    let items = inspection.snapshots(&one).await.expect("a list");
    assert_eq!(items.iter().map(|item| item.sequence).collect::<Vec<_>>(), [2, 1]);
    for nobody in [object("Runs", "two"), object("Unknown", "one")] {
        for error in [
            inspection.describe(&nobody, None).await.map(drop),
            inspection.snapshots(&nobody).await.map(drop),
            inspection.verify(&nobody).await.map(drop),
            inspection.file(&nobody, None).await.map(drop),
            inspection.query(&nobody, None, Statement::default()).await.map(drop),
        ] {
            assert_eq!(error.expect_err("nobody").code(), "NO_SUCH_OBJECT");
        }
    }
}

fn statement(sql: &str, params: Vec<Value>) -> Statement {
    Statement { sql: sql.to_owned(), params, limit: 1000 }
}

#[tokio::test]
async fn a_statement_reads_any_state_and_changes_none() {
    let (world, one) = (World::new(), object("Runs", "one"));
    let engine = world.server().await;
    run(&engine, &one, SCHEMA).await;
    run(&engine, &one, "UPDATE note SET text = 'two'").await;
    let inspection = world.inspection().await;
    let ask = async |sql: &str, at: Option<At>| {
        inspection.query(&one, at, statement(sql, Vec::new())).await
    };
    let text = |text: &str| Value::Text(text.as_bytes().to_vec());
    let now = ask("SELECT text, size AS n FROM note", None).await.expect("an answer");
    assert_eq!(
        (now.columns, now.rows),
        (vec!["text".into(), "n".into()], vec![vec![text("two"), Value::Integer(3)]])
    );
    assert_eq!((now.sequence, now.truncated, now.rows_written), (2, false, 0));
    let before = ask("SELECT text FROM note", Some(At::Sequence(1))).await.expect("an answer");
    assert_eq!((before.rows, before.sequence), (vec![vec![text("one")]], 1));
    for (sql, code) in [
        ("DELETE FROM note", "READ_ONLY"),
        ("CREATE TABLE x(a)", "READ_ONLY"),
        ("INSERT INTO note(text) VALUES('x') RETURNING id", "READ_ONLY"),
        ("SELEC", "SQL_ERROR"),
        ("SELECT nothing FROM note", "SQL_ERROR"),
        ("SELECT ?", "SQL_ERROR"),
        ("ATTACH 'x' AS y", "SQL_REFUSED"),
        ("PRAGMA hard_heap_limit=1", "SQL_REFUSED"),
    ] {
        let error = ask(sql, None).await.expect_err(sql);
        assert_eq!((error.kind(), error.code()), (ErrorKind::Invalid, code), "{sql}: {error}");
    }
    let error = ask("SELECT nothing FROM note", None).await.expect_err("no column");
    assert!(error.public_message().contains("nothing"), "its author may read it: {error}");
    let params = vec![Value::Blob(vec![1]), Value::Real(0.5)];
    let given = inspection.query(&one, None, statement("SELECT ?, ?", params.clone())).await;
    assert_eq!(given.expect("an answer").rows, [params]);
    let numbers = "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 50) SELECT i FROM n";
    let few = Statement { limit: 7, ..statement(numbers, Vec::new()) };
    let few = inspection.query(&one, None, few).await.expect("an answer");
    assert_eq!((few.rows.len(), few.truncated), (7, true));
    let large = ask("SELECT zeroblob(5000000) UNION ALL SELECT zeroblob(5000000)", None).await;
    let large = large.expect("an answer");
    assert_eq!((large.rows.len(), large.truncated), (1, true));
    let error = ask("SELECT 1", Some(At::Sequence(3))).await.expect_err("no such state");
    assert_eq!(error.code(), "NO_SUCH_STATE");
}

#[tokio::test]
async fn a_file_is_the_whole_database_and_comes_back_as_one() {
    let (world, one) = (World::new(), object("Runs", "one"));
    let engine = world.server().await;
    run(&engine, &one, SCHEMA).await;
    run(&engine, &one, "INSERT INTO pair VALUES('x', x'00')").await;
    let inspection = world.inspection().await;
    let file = inspection.file(&one, None).await.expect("a file");
    assert_eq!(file.sequence, 2);
    let again = world.inspection().await.file(&one, None).await.expect("a file");
    assert_eq!(file.bytes, again.bytes, "the same state is the same file");
    let limits = Limits {
        database_bytes_max: 1 << 30,
        row_bytes_max: 1 << 20,
        temporary_bytes_max: 1 << 20,
    };
    let back = crate::image::import(file.bytes, &limits, crate::image::Bounds::default());
    let back = back.expect("it is a database");
    assert!(back.counts.0 > 2 && back.counts.1 > 4, "{:?}", back.counts);
    assert_eq!(back.database.header().user_version, 3);
    let before = inspection.file(&one, Some(At::Sequence(1))).await.expect("a file");
    assert_eq!(before.sequence, 1);
    assert_ne!(before.bytes, again.bytes);
    let chunks = before.into_body().bytes().await.expect("a body");
    assert!(chunks.starts_with(b"SQLite format 3\0"));
}
