//! Random values into tables of every shape, snapshots and restarts at random points.

use proptest::prelude::*;

use super::*;

/// The tables; every one has the columns `k`, `a` and `b`.
const TABLES: [&str; 7] = [
    "CREATE TABLE t0(k, a INTEGER, b TEXT)",
    "CREATE TABLE t1(k INTEGER PRIMARY KEY, a REAL, b BLOB)",
    "CREATE TABLE t2(k PRIMARY KEY, a NUMERIC, b DATETIME) WITHOUT ROWID",
    "CREATE TABLE t3(k TEXT COLLATE NOCASE, a DECIMAL(5,2), b BOOLEAN, PRIMARY KEY (k, a)) WITHOUT ROWID",
    "CREATE TABLE t4(k INTEGER PRIMARY KEY AUTOINCREMENT, a ANY, b TEXT) STRICT",
    "CREATE TABLE t5(a VARCHAR(9), k NUMERIC UNIQUE, b DOUBLE, g AS (a || b) STORED)",
    "CREATE TABLE t6(k TEXT COLLATE RTRIM PRIMARY KEY, b, a INT) WITHOUT ROWID",
];

#[derive(Debug, Clone)]
enum Step {
    /// In the table: insert or replace, with values from these literals.
    Put(usize, [String; 3]),
    Update(usize, [String; 2]),
    Delete(usize, String),
    /// Rows enough for the table to be no longer small.
    Fill(usize, u32),
    Alter(usize, u8),
    Snapshot,
    /// A plan that fails to upload, with changes under way.
    Abandon,
    Restart,
}

fn literal() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => (-20..20_i64).prop_map(|value| value.to_string()),
        3 => "[a-cA-C]{1,2} {0,1}".prop_map(|text| format!("'{text}'")),
        1 => Just("NULL".to_owned()),
        1 => Just("9223372036854775807".to_owned()),
        1 => Just("-9223372036854775808".to_owned()),
        1 => Just("9007199254740993".to_owned()),
        1 => Just("-0.0".to_owned()),
        1 => Just("1e999".to_owned()),
        1 => Just("-1e999".to_owned()),
        1 => Just("2.5".to_owned()),
        1 => Just("3.0".to_owned()),
        1 => Just("1e300".to_owned()),
        1 => Just("x'00ff'".to_owned()),
        1 => Just("CAST(x'fffe41' AS TEXT)".to_owned()),
        1 => Just("CAST(x'6100' AS TEXT)".to_owned()),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let table = 0..TABLES.len();
    prop_oneof![
        8 => (table.clone(), [literal(), literal(), literal()]).prop_map(|(table, values)| Step::Put(table, values)),
        4 => (table.clone(), [literal(), literal()]).prop_map(|(table, values)| Step::Update(table, values)),
        4 => (table.clone(), literal()).prop_map(|(table, value)| Step::Delete(table, value)),
        1 => (table.clone(), 2500..3500_u32).prop_map(|(table, rows)| Step::Fill(table, rows)),
        1 => (table, 0..4_u8).prop_map(|(table, kind)| Step::Alter(table, kind)),
        5 => Just(Step::Snapshot),
        1 => Just(Step::Abandon),
        2 => Just(Step::Restart),
    ]
}

/// A statement; it may fail for reasons of its own, then nothing has changed.
fn sql(step: &Step, number: usize) -> Option<String> {
    Some(match step {
        Step::Put(t, [k, a, b]) => format!("INSERT OR REPLACE INTO t{t}(k, a, b) VALUES ({k}, {a}, {b})"),
        Step::Update(t, [a, b]) => format!("UPDATE OR REPLACE t{t} SET k = {a}, b = {b} WHERE k = {b} OR a = {a}"),
        Step::Delete(t, value) => format!("DELETE FROM t{t} WHERE k >= {value} AND abs(random()) % 3 > 0"),
        Step::Fill(t, rows) => format!(
            "WITH RECURSIVE n(i) AS (VALUES (1000) UNION ALL SELECT i + 1 FROM n WHERE i < {rows} + 1000)
             INSERT OR IGNORE INTO t{t}(k, a, b) SELECT i, i, NULL FROM n"
        ),
        Step::Alter(t, 0) => format!("ALTER TABLE t{t} ADD COLUMN c{number} TEXT"),
        Step::Alter(t, 1) => format!("ALTER TABLE t{t} ADD COLUMN d{number} INTEGER DEFAULT 7"),
        Step::Alter(t, 2) => format!(
            "CREATE TABLE IF NOT EXISTS copy AS SELECT * FROM t{t}; DROP TABLE copy; {}",
            TABLES[*t].replacen(&format!("t{t}"), "copy", 1)
        ),
        Step::Alter(t, _) => {
            format!("ALTER TABLE t{t} RENAME TO swapping; {}; DROP TABLE t{t}; ALTER TABLE swapping RENAME TO t{t}", TABLES[*t])
        }
        Step::Snapshot | Step::Abandon | Step::Restart => return None,
    })
}

fn run(steps: &[Step]) {
    let mut rig = Rig::with(&TABLES.join("; "));
    for (number, step) in steps.iter().enumerate() {
        match (sql(step, number), step) {
            (Some(sql), _) => _ = rig.try_commit(&sql),
            (None, Step::Abandon) => {
                let plan = rig.plan();
                let _ =
                    rig.try_commit("DELETE FROM t1 WHERE k = 1; INSERT INTO t2(k) VALUES ('late')");
                rig.tracker.abandon(plan);
            }
            (None, Step::Restart) => {
                rig.snapshot();
                rig.restart();
            }
            (None, _) => rig.check(),
        }
    }
    rig.check();
    rig.restart();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 300, ..ProptestConfig::default() })]

    #[test]
    fn any_history_comes_back(steps in prop::collection::vec(step(), 1..40)) {
        run(&steps);
    }
}
