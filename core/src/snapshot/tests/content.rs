//! What is in a database comes back, whatever it is and however it changed.

use super::*;

#[test]
fn every_kind_of_table_and_object_comes_back() {
    let mut rig = Rig::with(
        r#"CREATE TABLE things("from" INTEGER, "order" REAL, "to ""x""" TEXT, b BLOB, untyped, price DECIMAL(10,2), at DATETIME, done BOOLEAN);
           INSERT INTO things VALUES (1, 0.5, 'a', x'00ff', 'u', 9.99, '2026-01-01', 1),
             ('text', 'text', x'01', 'text', 5, 9007199254740993, 12, 'maybe'),
             (9223372036854775807, -0.0, CAST(x'fffe' AS TEXT), NULL, 1e999, -1e999, -9223372036854775808, 0.5);
           CREATE TABLE aliased(id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT COLLATE NOCASE UNIQUE) STRICT;
           INSERT INTO aliased(v) VALUES ('x'), ('y'); DELETE FROM aliased WHERE v = 'y';
           CREATE TABLE pairs(a TEXT COLLATE NOCASE, b, c ANY, PRIMARY KEY (b DESC, a)) WITHOUT ROWID;
           INSERT INTO pairs VALUES ('k', 1, 1.5), ('K', 2, x'aa'), ('l', 2.5, NULL);
           CREATE TABLE made(a INTEGER, v INTEGER AS (a * 2) VIRTUAL, s TEXT AS (a || '!') STORED);
           INSERT INTO made(a) VALUES (1), (2);
           CREATE INDEX by_order ON things("order" DESC) WHERE done;
           CREATE VIEW seen AS SELECT * FROM things;
           CREATE TRIGGER touched AFTER INSERT ON aliased BEGIN INSERT INTO things("from") VALUES (new.id); END;
           CREATE VIRTUAL TABLE search USING fts5(title, body);
           INSERT INTO search VALUES ('hello', 'world of rows'), ('bye', 'nothing');
           PRAGMA user_version = 42; PRAGMA application_id = -7"#,
    );
    rig.check();
    rig.commit("INSERT INTO aliased(v) VALUES ('z'); DELETE FROM search WHERE title = 'bye'; UPDATE pairs SET a = 'M' WHERE a = 'l'");
    rig.check();
    rig.restart();
    rig.commit("INSERT INTO aliased(v) VALUES ('after')");
    assert_eq!(query(&mut rig.database, "SELECT max(id) FROM aliased"), [[Value::Integer(4)]]);
    assert_eq!(
        query(&mut rig.database, "SELECT count(*) FROM search('world')"),
        [[Value::Integer(1)]]
    );
    rig.check();
}

#[test]
fn an_empty_database_and_an_empty_table_come_back() {
    let mut rig = Rig::new();
    rig.check();
    rig.commit("CREATE TABLE empty(a)");
    rig.check();
    rig.commit("INSERT INTO empty VALUES (1)");
    rig.check();
    rig.commit("DELETE FROM empty");
    rig.check();
    rig.restart();
}

/// A table too large to be written whole with every change.
fn large(rig: &mut Rig, rows: u32) {
    rig.commit(&format!(
        "CREATE TABLE large(id INTEGER PRIMARY KEY, data TEXT);
         WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
         INSERT INTO large SELECT i * 7, hex(i * 2654435761 % 4294967296) || hex(i * 40503) FROM n"
    ));
    rig.snapshot();
}

#[test]
fn a_changed_row_of_a_large_table_is_a_small_file_and_a_delete() {
    let mut rig = Rig::new();
    large(&mut rig, 5000);
    rig.commit("UPDATE large SET data = 'new' WHERE id = 700; DELETE FROM large WHERE id = 7; INSERT INTO large VALUES (8, 'eight')");
    rig.check();
    let document = rig.latest();
    let [table] = &document.tables[..] else { panic!("one table") };
    let rows = |index: usize| table.data[index].file.rows;
    assert_eq!((table.data.len(), rows(0), rows(1), table.deletes[0].file.rows), (2, 5000, 2, 2));
    rig.restart();
    rig.commit("UPDATE large SET data = 'newer' WHERE id IN (700, 8)");
    rig.check();
    let table = &rig.latest().tables[0];
    assert_eq!(
        table.data.iter().map(|data| data.file.rows).collect::<Vec<_>>(),
        [5000, 2],
        "the second file died and went"
    );
}

#[test]
fn files_that_pile_up_are_merged_and_stale_ones_written_again() {
    for key in ["id INTEGER PRIMARY KEY, data", "id PRIMARY KEY, data"] {
        let without = if key.starts_with("id I") { "" } else { "WITHOUT ROWID" };
        let mut rig = Rig::with(&format!(
            "CREATE TABLE t({key}) {without};
             WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 6000) INSERT INTO t SELECT i, hex(randomblob(8)) FROM n"
        ));
        rig.snapshot();
        for round in 0..40 {
            rig.commit(&format!(
                "UPDATE t SET data = 'round {round}' WHERE id % 1000 = {round}; DELETE FROM t WHERE id = {}",
                round * 3 + 1
            ));
            rig.check();
            let table = &rig.latest().tables[0];
            assert!(
                table.data.len() <= 8 && table.deletes.len() <= 5,
                "{} and {}",
                table.data.len(),
                table.deletes.len()
            );
            if round % 7 == 0 {
                rig.restart();
            }
        }
        rig.commit("DELETE FROM t WHERE id % 3 = 0");
        rig.check();
        let table = &rig.latest().tables[0];
        let live: i64 =
            query(&mut rig.database, "SELECT count(*) FROM t")[0][0].clone().into_integer();
        assert_eq!(
            table.data.iter().map(|data| data.file.rows).sum::<u64>(),
            live.unsigned_abs(),
            "no file with dead rows stays"
        );
    }
}

impl Value {
    fn into_integer(self) -> i64 {
        match self {
            Self::Integer(value) => value,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn keys_that_only_sqlite_takes_for_equal_leave_no_second_row() {
    for collation in ["NOCASE", "BINARY"] {
        let mut rig = Rig::with(&format!(
            "CREATE TABLE t(k TEXT COLLATE {collation} PRIMARY KEY, v TEXT) WITHOUT ROWID;
             WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 4000) INSERT INTO t SELECT 'key' || i, hex(randomblob(9)) FROM n"
        ));
        rig.snapshot();
        rig.commit("UPDATE t SET k = 'KEY5' WHERE k = 'key5'");
        rig.check();
        rig.commit("REPLACE INTO t VALUES ('KEY6', 'replaced'), ('Key5', 'again')");
        rig.check();
        rig.restart();
        rig.commit(
            "DELETE FROM t WHERE k = 'key6'; INSERT OR IGNORE INTO t VALUES ('kEY7', 'ignored')",
        );
        rig.check();
    }
}

#[test]
fn a_key_that_was_replaced_by_an_equal_one_goes_although_nobody_reports_it() {
    let mut rig = Rig::with(
        "CREATE TABLE t(k TEXT COLLATE NOCASE PRIMARY KEY, v TEXT) WITHOUT ROWID;
         WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 4000) INSERT INTO t SELECT 'key' || i, hex(randomblob(9)) FROM n",
    );
    rig.snapshot();
    rig.database.begin(Mode::ReadWrite).expect("a transaction");
    let mut changes = rig.run("UPDATE t SET k = 'KEY5' WHERE k = 'key5'").expect("a change");
    changes.tables[0].deletes.clear();
    rig.observe(&changes);
    rig.check();
    assert_eq!(rig.latest().tables[0].data.len(), 1, "what is not certain is written whole");
}

#[test]
fn an_unchanged_table_is_shared_and_a_dropped_one_forgotten() {
    let mut rig = Rig::with(
        "CREATE TABLE a(x); CREATE TABLE b(x); INSERT INTO a VALUES (1); INSERT INTO b VALUES (1)",
    );
    rig.snapshot();
    let first = rig.latest();
    rig.commit("INSERT INTO a VALUES (2)");
    let plan = rig.plan();
    assert!(
        plan.files().iter().all(|(key, _)| !key.as_str().contains("/b/")),
        "nothing of b is uploaded"
    );
    rig.publish(plan);
    let second = rig.latest();
    assert_eq!(second.tables[1].metadata, first.tables[1].metadata);
    rig.commit("DROP TABLE a; CREATE TABLE a(x, y); INSERT INTO a VALUES (3, 4)");
    rig.check();
    assert_ne!(
        rig.latest().tables.iter().find(|table| table.shape.name == "a").map(|table| table.uuid),
        Some(first.tables[0].uuid)
    );
    rig.restart();
}

#[test]
fn added_and_renamed_columns_keep_files_and_ids() {
    let mut rig = Rig::new();
    large(&mut rig, 4000);
    let before = rig.latest();
    rig.commit("ALTER TABLE large ADD COLUMN note TEXT; ALTER TABLE large RENAME COLUMN data TO \"data \"\"2\"\"\"; ALTER TABLE large RENAME TO \"Big one\"");
    rig.check();
    let after = rig.latest();
    assert_eq!(after.tables[0].data[0].file, before.tables[0].data[0].file);
    assert_eq!(
        (after.tables[0].uuid, after.tables[0].ids.clone()),
        (before.tables[0].uuid, vec![3, 4, 5])
    );
    rig.commit("UPDATE \"Big one\" SET note = 'x' WHERE id = 7");
    rig.check();
    rig.restart();
    rig.commit("ALTER TABLE \"Big one\" ADD COLUMN count INTEGER NOT NULL DEFAULT 5; UPDATE \"Big one\" SET count = 6 WHERE id = 14");
    rig.check();
    assert_eq!(
        rig.latest().tables[0].data.len(),
        1,
        "Iceberg V2 has no defaults, so all rows are written again"
    );
    rig.commit("ALTER TABLE \"Big one\" DROP COLUMN note");
    rig.check();
    rig.restart();
}

#[test]
fn an_abandoned_plan_loses_nothing() {
    let mut rig = Rig::new();
    large(&mut rig, 4000);
    rig.commit("UPDATE large SET data = 'a' WHERE id = 7; CREATE TABLE other(x); INSERT INTO other VALUES (1)");
    let plan = rig.plan();
    rig.commit("UPDATE large SET data = 'b' WHERE id = 14; ALTER TABLE other RENAME TO another; INSERT INTO another VALUES (2)");
    rig.tracker.abandon(plan);
    rig.check();
    rig.restart();
}

#[test]
fn what_changes_during_an_upload_belongs_to_the_next_snapshot() {
    let mut rig = Rig::new();
    large(&mut rig, 4000);
    rig.commit("UPDATE large SET data = 'a' WHERE id = 7; CREATE TABLE other(x); INSERT INTO other VALUES (1)");
    let expected = dump(&mut rig.database);
    let plan = rig.plan();
    rig.commit("UPDATE large SET data = 'b' WHERE id IN (7, 14); ALTER TABLE large RENAME TO bigger; DROP TABLE other");
    rig.publish(plan);
    let (mut then, _) = rig.restore(rig.latest()).expect("the planned state");
    assert_same(&expected, &dump(&mut then));
    rig.check();
    rig.restart();
}

#[test]
fn a_folder_that_was_moved_restores_and_goes_on() {
    let mut rig = Rig::new();
    large(&mut rig, 4000);
    rig.commit("DELETE FROM large WHERE id = 7");
    rig.snapshot();
    rig.location = "file:///moved".to_owned();
    rig.restart();
    rig.check();
    let document = rig.latest();
    assert!(document.location.starts_with("file:///moved/"));
    assert_eq!(
        (document.tables[0].versions.len(), document.tables[0].data.len()),
        (1, 1),
        "the rows stay, old states do not"
    );
    rig.restart();
}
