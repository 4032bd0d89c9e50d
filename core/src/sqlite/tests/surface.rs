//! All that SQL can say, one by one: allowed, and the same after every way of restoring it, or
//! refused with a sentence. Nothing else.

use super::super::value::quote;
use super::{LIMITS, Rig, assert_kind, integer, query, refusal, rows, text};
use crate::change::Value;
use crate::sqlite::{Database, Mode};
use crate::{ErrorKind, Result};

/// What every statement finds.
const BEFORE: &str = "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT COLLATE NOCASE, c DEFAULT (1 + 1)); INSERT INTO t(b) VALUES ('x'), ('y');
    CREATE TABLE w(k, l, PRIMARY KEY(l, k)) WITHOUT ROWID; INSERT INTO w VALUES (1, 2);
    CREATE TABLE n(i INTEGER PRIMARY KEY AUTOINCREMENT, x); INSERT INTO n(x) VALUES (1);
    CREATE INDEX i ON t(b); CREATE VIEW v AS SELECT a, b FROM t; CREATE TRIGGER g AFTER DELETE ON t BEGIN INSERT INTO w VALUES (old.a, 9); END;
    CREATE VIRTUAL TABLE ft USING fts5(x); INSERT INTO ft VALUES ('one two'); CREATE VIRTUAL TABLE rt USING rtree(id, lo, hi)";

const ALLOWED: &[&str] = &[
    "ALTER TABLE t RENAME TO u",
    "ALTER TABLE t RENAME COLUMN b TO d",
    "ALTER TABLE t ADD COLUMN d NOT NULL DEFAULT 'new'",
    "ALTER TABLE t ADD COLUMN d AS (a * 2)",
    "ALTER TABLE t DROP COLUMN c",
    "ALTER TABLE ft RENAME TO ft2",
    "ANALYZE",
    "ANALYZE main",
    "ANALYZE sqlite_schema",
    "ANALYZE; INSERT INTO t(b) VALUES ('z'); ANALYZE",
    "ANALYZE t; ALTER TABLE t RENAME TO u; DROP TABLE w",
    "ANALYZE; DELETE FROM sqlite_stat1 WHERE tbl = 't'; UPDATE sqlite_stat4 SET neq = '7'",
    "ANALYZE; DROP TABLE sqlite_stat4",
    "ANALYZE; DROP TABLE sqlite_stat1; DELETE FROM sqlite_stat4; INSERT INTO t(b) VALUES ('z'); ANALYZE",
    "SAVEPOINT s; ANALYZE; ROLLBACK TO s; RELEASE s",
    "PRAGMA optimize",
    "PRAGMA optimize(-1)",
    "PRAGMA optimize(0x10002)",
    "CREATE TABLE u AS SELECT * FROM t",
    "CREATE TABLE u(a, b AS (a || 'x') STORED, CHECK (a > 0)); INSERT INTO u VALUES (1)",
    "CREATE TABLE u(a ANY, b INT) STRICT; INSERT INTO u VALUES ('x', 1)",
    "CREATE TABLE \"select\"(\"from\" PRIMARY KEY, \"a\"\"b\"); INSERT INTO \"select\" VALUES (1, 2)",
    "CREATE TABLE [a b](`c d`, 'e f')",
    "CREATE TABLE ü(ß); INSERT INTO ü VALUES (x'00')",
    "CREATE TABLE u(a REFERENCES t ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED)",
    "CREATE TABLE u(a REFERENCES nowhere(x))",
    "CREATE TABLE u(\"\")",
    "CREATE UNIQUE INDEX j ON t(lower(b)) WHERE a IS NOT NULL",
    "CREATE INDEX j ON t(b COLLATE RTRIM DESC, a)",
    "CREATE VIEW x AS SELECT * FROM nowhere",
    "CREATE VIEW x(y) AS WITH RECURSIVE r(z) AS (SELECT 1 UNION ALL SELECT z + 1 FROM r LIMIT 3) SELECT z FROM r",
    "CREATE TRIGGER h INSTEAD OF UPDATE ON v BEGIN UPDATE t SET b = new.b WHERE a = old.a; END; UPDATE v SET b = 'z'",
    "CREATE TRIGGER h BEFORE INSERT ON t WHEN new.a > 9 BEGIN SELECT raise(ABORT, 'no'); END",
    "CREATE TRIGGER h AFTER INSERT ON t BEGIN INSERT INTO nowhere VALUES (1); END",
    "CREATE VIRTUAL TABLE x USING fts5(a, b UNINDEXED, tokenize = 'porter', prefix = '2 3', content = '', contentless_delete = 1)",
    "CREATE VIRTUAL TABLE x USING fts5(b, content = 't', content_rowid = 'a'); INSERT INTO x(x) VALUES ('rebuild')",
    "CREATE VIRTUAL TABLE x USING fts5vocab('ft', 'row')",
    "CREATE VIRTUAL TABLE x USING fts5vocab('nowhere', 'instance')",
    "CREATE VIRTUAL TABLE x USING rtree(id, a, b, +c); INSERT INTO x VALUES (1, 2, 3, 'c')",
    "CREATE VIRTUAL TABLE x USING rtree_i32(id, a, b); INSERT INTO x VALUES (1, 2, 3)",
    "DELETE FROM t",
    "DELETE FROM sqlite_sequence",
    "UPDATE sqlite_sequence SET seq = 40 WHERE name = 'n'; INSERT INTO n(x) VALUES (2)",
    "DROP INDEX i",
    "DROP TABLE t",
    "DROP TABLE n",
    "DROP TABLE ft",
    "DROP TABLE rt",
    "DROP TRIGGER g",
    "DROP VIEW v",
    "EXPLAIN DROP TABLE t",
    "INSERT INTO t(a, b) VALUES (1, 'z') ON CONFLICT (a) DO UPDATE SET b = excluded.b RETURNING *",
    "INSERT INTO ft(ft) VALUES ('optimize')",
    "REINDEX",
    "REINDEX t",
    "REPLACE INTO t(a) VALUES (1)",
    "SAVEPOINT s; DELETE FROM t; ROLLBACK TO s; RELEASE s",
    "SELECT * FROM json_each('[1]'), json_tree('{}'), pragma_table_info('t')",
    "SELECT rtreecheck('rt'), fts5_source_id()",
    "UPDATE t SET b = u.x FROM n AS u WHERE u.i = t.a",
    "VALUES (1)",
    "PRAGMA user_version = 7",
    "PRAGMA application_id = 7",
];

const REFUSED: &[(&str, &str)] = &[
    ("ANALYZE nowhere", "nowhere"),
    ("ATTACH ':memory:' AS x", "ATTACH"),
    ("BEGIN IMMEDIATE", "BEGIN"),
    ("COMMIT", "COMMIT"),
    ("CREATE TABLE sqlite_stat1(a, b, c)", "sqlite_stat1"),
    ("CREATE TABLE u(a, b AS (random()))", "non-deterministic"),
    ("CREATE TABLE u(a CHECK (a > (SELECT 1)))", "subqueries"),
    ("CREATE INDEX j ON t(random())", "non-deterministic"),
    ("CREATE INDEX j ON t(\"no such column\")", "no such column"),
    ("CREATE TABLE u(a, CHECK (\"no such column\" = a))", "no such column"),
    ("CREATE VIRTUAL TABLE x USING geopoly(a)", "geopoly"),
    ("CREATE VIRTUAL TABLE x USING fts3(a)", "fts3"),
    ("CREATE VIRTUAL TABLE x USING fts4(a)", "fts4"),
    ("CREATE VIRTUAL TABLE x USING fts4aux(ft)", "fts4aux"),
    ("CREATE VIRTUAL TABLE x USING fts3tokenize('simple')", "fts3tokenize"),
    ("CREATE VIRTUAL TABLE x USING json_each", "json_each"),
    ("CREATE VIRTUAL TABLE temp.x USING fts5(a)", "temporary object x"),
    ("DELETE FROM sqlite_schema", "may not be modified"),
    ("DELETE FROM ft_data", "ft_data"),
    ("DROP TABLE ft_data", "ft_data"),
    ("DROP TABLE sqlite_sequence", "sqlite_sequence"),
    ("DROP INDEX sqlite_autoindex_w_1", "cannot be dropped"),
    ("VACUUM", "VACUUM"),
    ("SELECT load_extension('x')", "load_extension"),
];

#[test]
fn what_is_allowed_is_the_same_after_a_restore() {
    for sql in ALLOWED {
        let mut rig = Rig::with(BEFORE);
        rig.try_commit(&[sql]).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        rig.commit("CREATE TABLE IF NOT EXISTS later(a); INSERT INTO later VALUES (1)");
    }
}

#[test]
fn what_is_not_allowed_is_refused_with_a_sentence() {
    for (sql, part) in REFUSED {
        let mut rig = Rig::with(BEFORE);
        assert_kind(&refusal(&mut rig.database, sql), ErrorKind::Handler, part);
        rig.commit("INSERT INTO t(b) VALUES ('z')");
    }
}

#[test]
fn statistics_are_restored_and_kept_up_to_date_and_the_planner_reads_them() {
    let mut rig =
        Rig::with("CREATE TABLE t(a, b); CREATE INDEX ia ON t(a); CREATE INDEX ib ON t(b)");
    let fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 500) INSERT INTO t SELECT 1, i FROM n";
    rig.commit(fill);
    for sql in ["ANALYZE", "DELETE FROM t WHERE b > 400; ANALYZE", "PRAGMA optimize(0x10002)"] {
        rig.commit(sql);
    }
    let statistics = "SELECT idx, stat FROM sqlite_stat1 ORDER BY idx";
    let found = query(&mut rig.database, statistics);
    assert_eq!(found, [[text("ia"), text("400 400")], [text("ib"), text("400 1")]]);
    assert_eq!(query(&mut rig.replica, statistics), found);
    let plan = "EXPLAIN QUERY PLAN SELECT * FROM t WHERE a = 1 AND b = 7";
    for database in [&mut rig.database, &mut rig.replica] {
        let planned = query(database, plan);
        assert_eq!(planned[0][3], text("SEARCH t USING INDEX ib (b=?)"), "it finds fewer rows");
    }
    rig.commit("DROP TABLE t");
    assert_eq!(query(&mut rig.replica, statistics).len(), 0, "those of a table go with it");
    // Where there is no table yet.
    Rig::new().commit("ANALYZE; CREATE TABLE t(a); INSERT INTO t VALUES (1); ANALYZE");
}

/// A statement that may fail, in a transaction of its own whose outcome must be restored. Says
/// whether it ran.
fn runs_or_is_refused(rig: &mut Rig, sql: &str) -> bool {
    let outcome: Result<_> = rig.try_commit(&[sql]);
    match outcome {
        Ok(_) => true,
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::Handler), "{sql}: {error:?}");
            false
        }
    }
}

fn names(sql: &str) -> Vec<String> {
    let mut database = Database::new(&LIMITS).expect("a database opens");
    let found = query(&mut database, sql);
    found.into_iter().map(|row| String::from_utf8_lossy(&row_text(&row)).into_owned()).collect()
}

fn row_text(row: &[Value]) -> Vec<u8> {
    match row {
        [Value::Text(text)] => text.clone(),
        other => panic!("one text, got {other:?}"),
    }
}

#[test]
fn every_pragma_there_is_answers_or_is_refused() {
    let pragmas = names("SELECT name FROM pragma_pragma_list ORDER BY name");
    assert!(pragmas.len() > 40, "{pragmas:?}");
    let mut answering = Vec::new();
    let mut rig = Rig::with(BEFORE);
    for name in pragmas {
        for sql in [
            format!("PRAGMA {name}"),
            format!("PRAGMA main.{name}"),
            format!("PRAGMA {name} = 1"),
            format!("PRAGMA {name}(t)"),
        ] {
            if runs_or_is_refused(&mut rig, &sql) && sql.ends_with("= 1") {
                answering.push(name.clone());
            }
        }
    }
    let setting = ["application_id", "defer_foreign_keys", "optimize", "user_version"];
    for name in setting {
        assert!(answering.iter().any(|known| known == name), "{name} can be set");
    }
    for never in [
        "encoding",
        "foreign_keys",
        "journal_mode",
        "legacy_alter_table",
        "page_size",
        "schema_version",
        "writable_schema",
    ] {
        assert!(!answering.iter().any(|known| known == never), "{never} can't be set");
    }
}

#[test]
fn every_module_there_is_is_allowed_or_refused() {
    let modules = names("SELECT name FROM pragma_module_list ORDER BY name");
    assert!(modules.len() > 5, "{modules:?}");
    let mut allowed = Vec::new();
    for name in &modules {
        let mut rig = Rig::with(BEFORE);
        let quoted = quote(name);
        for arguments in ["", "(a)", "(a, b, c)", "('ft', 'row')"] {
            if runs_or_is_refused(
                &mut rig,
                &format!("CREATE VIRTUAL TABLE x USING {quoted}{arguments}"),
            ) && !allowed.contains(name)
            {
                allowed.push(name.clone());
            }
            rig.commit("DROP TABLE IF EXISTS x");
        }
        runs_or_is_refused(&mut rig, &format!("SELECT * FROM {quoted}"));
        runs_or_is_refused(&mut rig, &format!("SELECT * FROM {quoted}('ft')"));
        runs_or_is_refused(&mut rig, &format!("CREATE TABLE u AS SELECT * FROM {quoted}"));
        runs_or_is_refused(&mut rig, &format!("DELETE FROM {quoted}"));
    }
    assert_eq!(allowed, ["fts5", "fts5vocab", "rtree", "rtree_i32"]);
}

#[test]
fn a_table_whose_statements_are_longer_than_a_user_may_write_is_restored() {
    let names: Vec<String> = (0..1900).map(|n| format!("c{n:0>546}")).collect();
    let mut rig = Rig::with(&format!("CREATE TABLE wide({})", names.join(",")));
    rig.commit("INSERT INTO wide DEFAULT VALUES");
    rig.commit(&format!("UPDATE wide SET {} = 5", names[1899]));
    let quoted: Vec<String> = (0..1000).map(|n| format!("\"{}{n}\"", "\"".repeat(1000))).collect();
    let mut rig =
        Rig::with(&format!("CREATE TABLE wide({}) STRICT", quoted.join(" ANY,") + " ANY"));
    rig.commit("INSERT INTO wide DEFAULT VALUES");
}

#[test]
fn the_widest_table_and_the_longest_key_are_restored() {
    let list = |count: usize| (0..count).map(|n| format!("c{n}")).collect::<Vec<_>>().join(",");
    let mut rig = Rig::with(&format!("CREATE TABLE t({})", list(1999)));
    rig.commit("INSERT INTO t(c0, c1998) VALUES (1, 2)");
    rig.commit("UPDATE t SET c5 = 7");
    assert_kind(
        &refusal(&mut rig.database, "ALTER TABLE t ADD COLUMN more"),
        ErrorKind::Handler,
        "too many columns",
    );
    assert_kind(
        &refusal(&mut rig.database, &format!("CREATE TABLE u({})", list(2000))),
        ErrorKind::Handler,
        "too many columns",
    );
    let mut rig =
        Rig::with(&format!("CREATE TABLE k({0}, v, PRIMARY KEY({0})) WITHOUT ROWID", list(900)));
    let values = vec!["1"; 900].join(",");
    rig.commit(&format!("INSERT INTO k VALUES ({values}, 2)"));
    rig.commit("UPDATE k SET v = 3");
    rig.commit("UPDATE k SET c7 = 8");
    rig.commit("DELETE FROM k");
}

#[test]
fn a_text_at_the_limits_of_a_user_is_restored() {
    let deep = format!("{}a{}", "(1 + ".repeat(300), ")".repeat(300));
    let compound = (0..200).map(|n| format!("SELECT {n}")).collect::<Vec<_>>().join(" UNION ALL ");
    let mut rig = Rig::new();
    rig.commit(&format!("CREATE TABLE d(a, b AS ({deep}), CHECK ({deep} > 0)); CREATE INDEX i ON d({deep}); INSERT INTO d VALUES (1)"));
    rig.commit(&format!("CREATE VIEW c AS {compound}"));
    rig.commit(&format!("CREATE TABLE long(a DEFAULT '{}')", "x".repeat(1_000_000)));
    rig.commit("ALTER TABLE d RENAME TO e; INSERT INTO e VALUES (2)");
    assert_eq!(query(&mut rig.database, "SELECT count(*) FROM c"), vec![vec![integer(200)]]);
}

#[test]
fn a_row_at_the_limit_and_a_database_that_is_full_are_restored_and_can_be_emptied() {
    let limits = crate::sqlite::Limits {
        database_bytes_max: 256 << 10,
        row_bytes_max: 60_000,
        temporary_bytes_max: 64 << 20,
    };
    let mut database = Database::new(&limits).expect("a database opens");
    let mut replica = Database::new(&limits).expect("a database opens");
    let mut run = |sql: &str| -> Result<()> {
        database.begin(Mode::ReadWrite).expect("a transaction begins");
        let outcome = rows(&mut database, sql, Vec::new())
            .and_then(|_| database.prepare_commit())
            .and_then(|changes| {
                database.commit()?;
                Ok(changes)
            });
        let changes = outcome.inspect_err(|_| database.rollback())?;
        replica.apply(&changes).expect("what commits is applied");
        let mut loader =
            Database::load(&limits, database.header().clone()).expect("loading begins");
        for shape in database.shapes() {
            let mut table = loader.table(&shape.name).expect("there is the table");
            database
                .scan(&shape.name, &mut |rowid, values| table.row(rowid, values))
                .expect("the rows go in");
        }
        let mut loaded = loader.finish().expect("loading ends");
        assert_eq!(
            query(&mut loaded, "SELECT count(*), sum(length(a)) FROM t"),
            query(&mut database, "SELECT count(*), sum(length(a)) FROM t")
        );
        Ok(())
    };
    run("CREATE TABLE t(a, b); CREATE INDEX i ON t(a)").expect("there is room");
    run("INSERT INTO t VALUES (zeroblob(1), zeroblob(59000))").expect("there is room");
    let full = (0..500)
        .find_map(|n| run(&format!("INSERT INTO t VALUES (zeroblob({}), {n})", 900 + n)).err())
        .expect("it becomes full");
    assert_kind(&full, ErrorKind::Full, "size limit");
    run("DELETE FROM t").expect("it can be emptied");
    assert_eq!(query(&mut replica, "SELECT count(*) FROM t"), vec![vec![integer(0)]]);
}

#[test]
fn texts_with_nul_are_compared_and_kept_whole() {
    let mut rig = Rig::with("CREATE TABLE t(k TEXT PRIMARY KEY, v) WITHOUT ROWID");
    rig.commit("INSERT INTO t VALUES ('a' || char(0) || 'b', 1), ('a', 2), ('a' || char(0), 3), (char(0), 4), ('', 5)");
    rig.commit("DELETE FROM t WHERE k = 'a' || char(0)");
    rig.commit("UPDATE t SET v = 6 WHERE k = 'a'");
    let found = query(&mut rig.replica, "SELECT k FROM t WHERE v = 1");
    assert_eq!(found, vec![vec![text("a\0b")]]);
}
