//! Virtual tables are exact because their shadow tables are.

use super::{Rig, assert_kind, integer, query, refusal};
use crate::ErrorKind;

#[test]
fn full_text_is_searchable_in_a_replica_after_every_commit() {
    let mut rig = Rig::with(
        "CREATE VIRTUAL TABLE ft USING fts5(a, b); INSERT INTO ft VALUES ('hello world', 'x'), ('world', 'y')",
    );
    rig.commit("INSERT INTO ft VALUES ('another world', 'z'); DELETE FROM ft WHERE b = 'x'");
    rig.commit("UPDATE ft SET a = 'earth' WHERE b = 'y'; SAVEPOINT s; INSERT INTO ft VALUES ('gone', 'w'); ROLLBACK TO s; RELEASE s");
    for database in [&mut rig.database, &mut rig.replica] {
        assert_eq!(
            query(database, "SELECT count(*) FROM ft WHERE ft MATCH 'world'"),
            vec![vec![integer(1)]]
        );
        assert_eq!(
            query(database, "SELECT count(*) FROM ft WHERE ft MATCH 'gone'"),
            vec![vec![integer(0)]]
        );
    }
    rig.commit(
        "INSERT INTO ft(ft) VALUES ('optimize'); INSERT INTO ft(ft) VALUES ('integrity-check')",
    );
    let changes =
        rig.commit("ALTER TABLE ft RENAME TO \"f t\"; INSERT INTO \"f t\" VALUES ('renamed', '')");
    assert_eq!(
        changes.renames.len(),
        5,
        "the shadow tables, not the virtual one: {:?}",
        changes.renames
    );
    rig.commit("INSERT INTO \"f t\"(\"f t\") VALUES ('rebuild')");
    rig.commit("DROP TABLE \"f t\"");
}

#[test]
fn a_replica_may_take_over_after_its_modules_have_looked_at_the_tables() {
    let mut rig = Rig::with("CREATE VIRTUAL TABLE ft USING fts5(a); INSERT INTO ft VALUES ('one')");
    for round in 0..5 {
        assert_eq!(
            query(&mut rig.replica, "SELECT count(*) FROM ft WHERE ft MATCH 'one OR two'"),
            vec![vec![integer(round + 1)]]
        );
        std::mem::swap(&mut rig.database, &mut rig.replica);
        rig.commit("INSERT INTO ft VALUES ('two')");
        rig.commit("INSERT INTO ft(ft) VALUES ('integrity-check')");
    }
}

#[test]
fn nothing_is_left_for_the_commit_itself() {
    let mut rig = Rig::with(
        "CREATE VIRTUAL TABLE ft USING fts5(a, content=''); CREATE VIRTUAL TABLE g USING fts5(a, detail=none)",
    );
    for word in ["alpha", "beta", "gamma"] {
        let changes =
            rig.commit(&format!("INSERT INTO ft(rowid, a) VALUES (abs(random() % 1000000), '{word}'); INSERT INTO g VALUES ('{word}')"));
        assert!(changes.tables.iter().any(|table| table.table == "ft_data"), "{changes:?}");
    }
}

#[test]
fn external_content_and_vocabulary_come_back() {
    let mut rig = Rig::with(
        "CREATE TABLE doc(id INTEGER PRIMARY KEY, body); CREATE VIRTUAL TABLE ft USING fts5(body, content='doc', content_rowid='id', tokenize='porter');
         CREATE VIRTUAL TABLE v USING fts5vocab(ft, row);
         CREATE TRIGGER ai AFTER INSERT ON doc BEGIN INSERT INTO ft(rowid, body) VALUES (new.id, new.body); END;
         INSERT INTO doc(body) VALUES ('running runs'), ('ran')",
    );
    rig.commit("INSERT INTO doc(body) VALUES ('run')");
    assert_eq!(
        query(&mut rig.replica, "SELECT doc FROM v WHERE term = 'run'"),
        vec![vec![integer(2)]]
    );
}

#[test]
fn r_trees_come_back() {
    let mut rig = Rig::with(
        "CREATE VIRTUAL TABLE r USING rtree(id, x0, x1); INSERT INTO r VALUES (1, 0, 1), (2, 5, 6)",
    );
    rig.commit("WITH RECURSIVE n(i) AS (SELECT 3 UNION ALL SELECT i + 1 FROM n WHERE i < 200) INSERT INTO r SELECT i, i, i + 1 FROM n");
    rig.commit("DELETE FROM r WHERE id % 3 = 0; UPDATE r SET x0 = x0 - 1 WHERE id < 50");
    assert_eq!(
        query(&mut rig.replica, "SELECT rtreecheck('r')"),
        query(&mut rig.database, "SELECT rtreecheck('r')")
    );
    rig.commit("ALTER TABLE r RENAME TO q; DELETE FROM q");
}

#[test]
fn shadow_tables_can_not_be_written_by_hand() {
    let mut rig = Rig::with("CREATE VIRTUAL TABLE ft USING fts5(a)");
    assert_kind(&refusal(&mut rig.database, "DELETE FROM ft_data"), ErrorKind::Handler, "ft_data");
    assert_kind(
        &refusal(&mut rig.database, "CREATE VIRTUAL TABLE x USING fts4(a)"),
        ErrorKind::Handler,
        "fts4",
    );
}
