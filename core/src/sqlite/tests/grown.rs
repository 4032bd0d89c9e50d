//! Schemas that pass a limit after they were made: what would not restore does not commit.

use super::{Rig, assert_kind, query, refusal};
use crate::ErrorKind;

/// The names of so many columns.
fn columns(count: usize) -> String {
    (0..count).map(|n| format!("c{n}")).collect::<Vec<_>>().join(", ")
}

/// What there is before, and the statement that changes it.
fn changes() -> Vec<(String, String)> {
    let wide = |count| format!("CREATE TABLE t({})", columns(count));
    let long = "x".repeat(900_000);
    let many = |text: &str, count: usize| vec![text; count].join(", ");
    let view = format!("CREATE TABLE t(a); CREATE VIEW v AS SELECT {} FROM t", many("t.a", 1500));
    let check = format!("CREATE TABLE t(a, CHECK (a NOT IN ({})))", many("t.a", 1500));
    let trigger = format!(
        "CREATE TABLE t(a); CREATE TRIGGER r AFTER INSERT ON t BEGIN UPDATE t SET a = max({}); END",
        many("new.a", 100)
    );
    let keyed = format!("CREATE TABLE t({0}, PRIMARY KEY ({0})) WITHOUT ROWID", columns(1900));
    let mut found: Vec<(String, String)> = Vec::new();
    let mut add = |before: &str, change: String| found.push((before.to_owned(), change));
    add(&wide(1999), "ALTER TABLE t ADD COLUMN more".into());
    add(&wide(1998), "ALTER TABLE t ADD COLUMN more".into());
    add(&wide(1998), "ALTER TABLE t ADD COLUMN more AS (c0 + 1) STORED".into());
    add(&wide(1998), "ALTER TABLE t ADD COLUMN more AS (c0 + 1)".into());
    add(&wide(1999), format!("CREATE INDEX i ON t({})", columns(1999)));
    add(&wide(1999), format!("CREATE UNIQUE INDEX i ON t({})", columns(1999)));
    add(&wide(1999), format!("CREATE INDEX i ON t({}, c0 + 1)", columns(1999)));
    add(&keyed, format!("CREATE INDEX i ON t({})", columns(1900)));
    add(&keyed, format!("ALTER TABLE t ADD COLUMN more DEFAULT '{long}'"));
    add("CREATE TABLE t(a)", format!("ALTER TABLE t ADD COLUMN b DEFAULT '{long}'"));
    add(
        "CREATE TABLE t(a)",
        format!("ALTER TABLE t ADD COLUMN b DEFAULT ({}1{})", "(".repeat(390), ")".repeat(390)),
    );
    add("CREATE TABLE t(a)", format!("ALTER TABLE t ADD COLUMN b AS ({}a)", "- ".repeat(390)));
    for before in [&view, &check, &trigger, &keyed, "CREATE TABLE t(a); CREATE INDEX i ON t(a)"] {
        add(before, format!("ALTER TABLE t RENAME TO \"{}\"", "n".repeat(700)));
        add(before, format!("ALTER TABLE t RENAME TO \"{long}\""));
    }
    for (before, column) in [(&view, "a"), (&check, "a"), (&trigger, "a"), (&keyed, "c7")] {
        add(before, format!("ALTER TABLE t RENAME COLUMN {column} TO \"{}\"", "n".repeat(700)));
        add(before, format!("ALTER TABLE t RENAME COLUMN {column} TO \"{long}\""));
    }
    found
}

#[test]
fn whatever_a_change_of_the_schema_leads_to_restores_or_does_not_commit() {
    let (mut committed, mut refused) = (0, 0);
    for (before, change) in changes() {
        let what = format!("{:.60} … {:.80}", before, change);
        let mut rig = Rig::with(&before);
        // Compares the database with its replica and with a loaded copy, whatever comes of it.
        match rig.try_commit(&[&change]) {
            Ok(_) => committed += 1,
            Err(error) => {
                let is_refusal = matches!(error.kind(), ErrorKind::Handler | ErrorKind::TooLarge);
                assert!(is_refusal, "{what}: {error:?}");
                refused += 1;
            }
        }
        rig.commit("CREATE TABLE after(a); INSERT INTO after VALUES (1)");
    }
    assert!(committed >= 10 && refused >= 5, "{committed} committed, {refused} were refused");
}

#[test]
fn the_widest_table_is_asked_for_its_columns_or_for_its_rowid_and_not_for_both() {
    let mut rig = Rig::with(&format!("CREATE TABLE t({})", columns(1999)));
    rig.commit("INSERT INTO t(c0) VALUES ('a')");
    assert_eq!(query(&mut rig.database, "SELECT * FROM t")[0].len(), 1999);
    assert_eq!(query(&mut rig.database, "SELECT rowid FROM t").len(), 1);
    let error = refusal(&mut rig.database, "SELECT rowid, * FROM t");
    assert_kind(&error, ErrorKind::Handler, "too many columns");
    rig.commit("ALTER TABLE t DROP COLUMN c1998");
    assert_eq!(query(&mut rig.database, "SELECT rowid, * FROM t")[0].len(), 1999);
}
