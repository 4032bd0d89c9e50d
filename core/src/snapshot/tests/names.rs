//! Names that come to belong to other tables: what a snapshot shares with its base belongs to a
//! table, not to its name.

use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, any, proptest};

use super::*;
use crate::planted::{Bug, plant};
use crate::testing::random_sql;

/// Three tables in a snapshot, with rows that tell them apart, and one that no snapshot has.
fn known() -> Rig {
    let mut rig = Rig::with(
        "CREATE TABLE a(x, y); CREATE TABLE b(x, y); CREATE TABLE w(x PRIMARY KEY, y) WITHOUT ROWID;
         INSERT INTO a VALUES ('a', 1), ('a', 2); INSERT INTO b VALUES ('b', 1), ('b', 2), ('b', 3); INSERT INTO w VALUES ('w', 1)",
    );
    rig.snapshot();
    rig.commit("CREATE TABLE n(x, y); INSERT INTO n VALUES ('n', 1)");
    rig
}

/// What is done to names, in the order of the statements.
const SEQUENCES: [&[&str]; 12] = [
    // The way of SQLite's documentation to rebuild a table.
    &["DROP TABLE a", "ALTER TABLE n RENAME TO a"],
    &[
        "CREATE TABLE a_new(x, y)",
        "INSERT INTO a_new SELECT x, y FROM a",
        "DROP TABLE a",
        "ALTER TABLE a_new RENAME TO a",
    ],
    &["ALTER TABLE a RENAME TO t", "ALTER TABLE b RENAME TO a", "ALTER TABLE t RENAME TO b"],
    &["ALTER TABLE a RENAME TO t", "ALTER TABLE n RENAME TO a", "ALTER TABLE t RENAME TO n"],
    &["DROP TABLE w", "ALTER TABLE n RENAME TO w", "INSERT INTO w VALUES ('w', 2)"],
    &["DROP TABLE a", "ALTER TABLE w RENAME TO a", "INSERT INTO a VALUES ('new', 2)"],
    &["ALTER TABLE w RENAME TO t", "ALTER TABLE n RENAME TO w", "DELETE FROM w", "DROP TABLE t"],
    &[
        "ALTER TABLE a RENAME TO t",
        "CREATE TABLE a(x, y)",
        "INSERT INTO a VALUES ('new', 1)",
        "DROP TABLE t",
    ],
    &[
        "DROP TABLE a",
        "CREATE TABLE a(x, y)",
        "INSERT INTO a VALUES ('new', 1)",
        "ALTER TABLE a RENAME TO c",
        "ALTER TABLE b RENAME TO a",
    ],
    &[
        "ALTER TABLE a RENAME TO c",
        "DROP TABLE c",
        "ALTER TABLE b RENAME TO a",
        "ALTER TABLE n RENAME TO b",
    ],
    &[
        "DROP TABLE b",
        "ALTER TABLE a RENAME TO b",
        "ALTER TABLE n RENAME TO a",
        "DROP TABLE b",
        "ALTER TABLE w RENAME TO b",
    ],
    &[
        "ALTER TABLE n RENAME TO t",
        "DROP TABLE a",
        "DROP TABLE b",
        "ALTER TABLE t RENAME TO b",
        "ALTER TABLE w RENAME TO a",
    ],
];

#[test]
fn a_snapshot_after_any_change_of_names_has_the_tables_that_are_there() {
    for statements in SEQUENCES {
        for planned_at in 0..=statements.len() {
            each_alone(statements, planned_at);
        }
        let mut rig = known();
        rig.commit(&statements.join("; "));
        rig.check();
        rig.restart();
        rig.check();
    }
}

/// Every statement in a transaction of its own; a snapshot is on its way from before the statement
/// `planned_at`, and fails.
fn each_alone(statements: &[&str], planned_at: usize) {
    let mut rig = known();
    let mut plan = None;
    for (index, statement) in statements.iter().enumerate() {
        if index == planned_at {
            plan = Some(rig.plan());
        }
        rig.commit(statement);
    }
    if let Some(plan) = plan {
        rig.tracker.abandon(plan);
    }
    rig.check();
    rig.restart();
    rig.check();
}

#[test]
fn a_snapshot_that_succeeds_while_names_change_is_the_base_of_the_tables_that_it_has() {
    for statements in SEQUENCES {
        for planned_at in 0..statements.len() {
            let mut rig = known();
            rig.commit(&statements[..planned_at].join("; "));
            let plan = rig.plan();
            rig.commit(&statements[planned_at..].join("; "));
            rig.publish(plan);
            rig.check();
            rig.restart();
            rig.check();
        }
    }
}

#[test]
fn a_tracker_that_knows_tables_by_their_names_is_found() {
    let mut rig = known();
    plant(Some(Bug::TablesByName));
    rig.commit("DROP TABLE a; ALTER TABLE n RENAME TO a");
    rig.snapshot();
    plant(None);
    let (mut restored, _) = rig.restore(rig.latest()).expect("a restored database");
    assert_ne!(dump(&mut rig.database), dump(&mut restored));
}

/// A few dozen cases, or as many as PROPTEST_CASES says.
fn config() -> ProptestConfig {
    let usual = ProptestConfig::default();
    let cases = if usual.cases == 256 { 64 } else { usual.cases };
    ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 200, ..usual }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn snapshots_of_random_scripts_are_what_was_there(choices in vec(any::<u32>(), 0..random_sql::CHOICES_MAX)) {
        run(&choices);
    }
}

fn run(choices: &[u32]) {
    let mut rig = Rig::new();
    for (index, transaction) in random_sql::script(choices).iter().enumerate() {
        rig.database.begin(Mode::ReadWrite).expect("a transaction");
        for sql in transaction {
            let _may_fail = rows(&mut rig.database, sql);
        }
        let prepared = rig.database.prepare_commit();
        match prepared.and_then(|changes| rig.database.commit().map(|()| changes)) {
            Ok(changes) => rig.observe(&changes),
            Err(_) => rig.database.rollback(),
        }
        match choices[index % choices.len()] % 5 {
            0 => _ = rig.snapshot(),
            1 if rig.tracker.base().is_some() => rig.check(),
            2 => {
                let plan = rig.plan();
                rig.tracker.abandon(plan);
            }
            3 => {
                rig.snapshot();
                rig.restart();
            }
            _ => {}
        }
    }
    rig.check();
}
