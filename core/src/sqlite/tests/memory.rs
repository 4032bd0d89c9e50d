//! A database's memory is counted to the byte and bounded, and when it runs out nothing is half
//! done.

mod reserved;

use super::super::memory::injection::{Shortage, fail_after, stop};
use super::super::{Database, Limits, Mode};
use super::{LIMITS, assert_kind, assert_same, dump, integer, query, reload, rows};
use crate::change::Changes;
use crate::{ErrorKind, Result};

const FILL: &str = "CREATE TABLE t(a INTEGER PRIMARY KEY, b); CREATE INDEX i ON t(b); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 \
     FROM n WHERE i < 2000) INSERT INTO t SELECT i, hex(randomblob(100)) FROM n";

/// A database of its own, so that nothing of a replica's is counted.
fn database(sql: &str) -> Database {
    let mut database = Database::new(&LIMITS).expect("a database opens");
    database.begin(Mode::ReadWrite).expect("a transaction begins");
    rows(&mut database, sql, Vec::new()).expect("the statements run");
    database.commit().expect("it commits");
    database
}

#[test]
fn a_database_counts_what_sqlite_holds_for_it_and_nothing_is_left_of_one_that_is_closed() {
    let mut small = database("CREATE TABLE t(a); INSERT INTO t VALUES (1)");
    small.relax();
    let account = small.handle.account().clone();
    let bytes = account.bytes().expect("SQLite allocates here");
    assert_eq!(small.bytes(), bytes);
    assert!(bytes > small.page_bytes() && bytes < 256 << 10, "{bytes} bytes for one row");
    drop(small);
    assert_eq!(account.bytes(), Some(0));

    let mut large = database(FILL);
    let full = large.bytes();
    assert!(
        full > large.page_bytes() && full < 2 * large.page_bytes() + (256 << 10),
        "{full} bytes for {}",
        large.page_bytes()
    );
    large.begin(Mode::ReadWrite).expect("a transaction begins");
    rows(&mut large, "UPDATE t SET b = hex(randomblob(100))", Vec::new()).expect("it runs");
    assert!(
        large.bytes() > full + (200 << 10),
        "what a rollback needs is counted: {full}, then {}",
        large.bytes()
    );
    large.rollback();
    large.relax();
    assert!(
        large.bytes() <= full + (64 << 10),
        "and is given back: {full}, then {}",
        large.bytes()
    );
}

#[test]
fn memory_is_on_the_account_of_its_database_whichever_thread_frees_it() {
    let (mut here, there) = (database(FILL), database("CREATE TABLE t(a)"));
    let (before, account) = (there.bytes(), there.handle.account().clone());
    query(&mut here, "SELECT b FROM t ORDER BY b || a");
    assert_eq!(there.bytes(), before, "another database's work is not on this account");
    std::thread::spawn(move || drop(there)).join().expect("it is closed on another thread");
    assert_eq!(account.bytes(), Some(0));
}

/// What takes much memory besides the database, each in its way.
const HUNGRY: [&str; 11] = [
    "SELECT b FROM t ORDER BY b || a || hex(zeroblob(500))",
    "SELECT DISTINCT b || hex(zeroblob(500)) FROM t",
    "SELECT b || hex(zeroblob(500)) AS c, count(*) FROM t GROUP BY c",
    "SELECT * FROM (SELECT a, b || hex(zeroblob(500)) AS c FROM t LIMIT 100000) JOIN t USING (a) WHERE c > 'A' ORDER BY c",
    "WITH RECURSIVE n(i, s) AS (SELECT 1, '' UNION SELECT i + 1, hex(zeroblob(500)) || i FROM n WHERE i < 100000) SELECT max(i) FROM n",
    "SELECT group_concat(c, ',') OVER (ORDER BY a) FROM (SELECT a, b || hex(zeroblob(200)) AS c FROM t)",
    "SELECT lag(c, 1500) OVER (ORDER BY a) FROM (SELECT a, b || hex(zeroblob(1000)) AS c FROM t)",
    "WITH m AS MATERIALIZED (SELECT b || hex(zeroblob(1000)) AS c FROM t) SELECT count(*) FROM m AS x, m AS y WHERE x.c = y.c",
    "SELECT a FROM t WHERE b || hex(zeroblob(500)) IN (SELECT b || hex(zeroblob(500)) FROM t)",
    "CREATE INDEX j ON t(b || hex(zeroblob(500)))",
    "UPDATE t SET b = b || 'x'",
];

#[test]
fn what_takes_more_memory_than_it_may_is_refused_and_the_object_goes_on() {
    let limits = Limits { temporary_bytes_max: 400 << 10, ..LIMITS };
    for sql in HUNGRY {
        let mut database = Database::new(&limits).expect("a database opens");
        fill(&mut database);
        let (before, bytes) = (dump(&mut database), database.bytes());
        database.begin(Mode::ReadWrite).expect("a transaction begins");
        rows(&mut database, "INSERT INTO t VALUES (-1, 'lost')", Vec::new()).expect("it runs");
        let error = rows(&mut database, sql, Vec::new()).expect_err(sql);
        assert_kind(&error, ErrorKind::TooLarge, "409600 bytes");
        assert_eq!(error.code(), "SQL_MEMORY_EXCEEDED");
        database.rollback();
        database.relax();
        assert!(
            database.bytes() < bytes + (200 << 10),
            "{sql}: {bytes} bytes, then {}",
            database.bytes()
        );
        assert_same(&before, &dump(&mut database), sql);
        database.begin(Mode::ReadWrite).expect("a transaction begins");
        rows(&mut database, "INSERT INTO t VALUES (-1, 'kept')", Vec::new()).expect("it runs");
        database.commit().expect("it commits");
        assert_eq!(
            query(&mut database, "SELECT count(*) FROM t WHERE a = -1"),
            vec![vec![integer(1)]]
        );
    }
}

/// 2,000 rows in transactions that stay within any allowance.
fn fill(database: &mut Database) {
    let mut run = |sql: &str| {
        database.begin(Mode::ReadWrite).expect("a transaction begins");
        rows(database, sql, Vec::new()).expect("the statements run");
        database.commit().expect("it commits");
    };
    run("CREATE TABLE t(a INTEGER PRIMARY KEY, b)");
    for start in (0..2000).step_by(100) {
        run(&format!(
            "WITH RECURSIVE n(i) AS (SELECT {start} UNION ALL SELECT i + 1 FROM n WHERE i < {start} + 99) \
             INSERT INTO t SELECT i, hex(randomblob(200)) FROM n"
        ));
    }
}

#[test]
fn a_database_that_grows_is_not_temporary_memory() {
    let limits = Limits { temporary_bytes_max: 8 << 20, ..LIMITS };
    let mut database = Database::new(&limits).expect("a database opens");
    database.begin(Mode::ReadWrite).expect("a transaction begins");
    let sql = "CREATE TABLE t(a); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 16) \
               INSERT INTO t SELECT zeroblob(1000000) FROM n";
    rows(&mut database, sql, Vec::new()).expect("16 MB of rows are 16 MB of pages");
    database.commit().expect("it commits");
    assert!(database.page_bytes() > 16_000_000);
}

/// What a database has when the memory of [`WORK`] becomes short.
const BEFORE: &str = "CREATE TABLE t(a INTEGER PRIMARY KEY, b, c TEXT COLLATE NOCASE UNIQUE);
    INSERT INTO t VALUES (1, 'one', 'x'), (2, 2.5, 'y'), (3, x'0003', 'z');
    CREATE TABLE w(k TEXT, n INT, v, PRIMARY KEY (k, n)) WITHOUT ROWID;
    INSERT INTO w VALUES ('a long key that takes an allocation of its own', 1, 'v'), ('b', 2, NULL);
    CREATE TABLE counted(i INTEGER PRIMARY KEY AUTOINCREMENT, v);
    INSERT INTO counted(v) VALUES ('first');
    CREATE TRIGGER follow AFTER UPDATE ON t BEGIN INSERT INTO counted(v) VALUES (new.b); END;
    CREATE VIRTUAL TABLE words USING fts5(body);
    INSERT INTO words VALUES ('some words'), ('some more words');
    CREATE VIRTUAL TABLE boxes USING rtree(id, x0, x1);
    INSERT INTO boxes VALUES (1, 0, 1);";

/// Transactions of statements, each with something else that may fail.
const WORK: [&[&str]; 6] = [
    &[
        "INSERT INTO t VALUES (4, zeroblob(5000), 'u'), (5, 'five', 'v')",
        "DELETE FROM t WHERE a = 1",
        "UPDATE t SET b = 'two' WHERE a = 2",
    ],
    &[
        "INSERT INTO w VALUES ('another long key that takes an allocation of its own', 3, 'v') ON CONFLICT DO NOTHING",
        "UPDATE w SET k = k || ' that has become longer' WHERE n = 1",
        "DELETE FROM w WHERE n = 2",
    ],
    &[
        "SAVEPOINT s",
        "INSERT INTO counted(v) SELECT json_group_array(b) FROM t WHERE typeof(b) <> 'blob'",
        "ROLLBACK TO s",
        "INSERT INTO counted(v) SELECT group_concat(c) FROM (SELECT c FROM t ORDER BY c || a DESC)",
        "RELEASE s",
    ],
    &[
        "INSERT INTO words VALUES ('words about words')",
        "DELETE FROM words WHERE rowid = 1",
        "INSERT INTO boxes VALUES (2, 5, 6)",
    ],
    &[
        "CREATE TABLE fresh(a, b UNIQUE)",
        "INSERT INTO fresh SELECT a, c FROM t",
        "CREATE INDEX by_a ON fresh(a)",
        "DROP TABLE counted",
    ],
    &[
        "ALTER TABLE t RENAME TO u",
        "ALTER TABLE u ADD COLUMN d DEFAULT 'd'",
        "PRAGMA user_version = 7",
    ],
];

/// Runs a transaction to its end, or back.
fn transact(database: &mut Database, statements: &[&str]) -> Result<Changes> {
    database.begin(Mode::ReadWrite)?;
    let run = |database: &mut Database| {
        for sql in statements {
            rows(database, sql, Vec::new())?;
        }
        let changes = database.prepare_commit()?;
        database.commit()?;
        Ok(changes)
    };
    let outcome = run(database);
    if outcome.is_err() {
        database.rollback();
    }
    outcome
}

/// The first so many allocations fail each, and then every so manyth: a change of the schema is
/// rehearsed in databases of its own, which takes thousands.
const EACH: u64 = 400;
const STRIDE: usize = 13;

/// Lets allocations of `run` fail in turn, with what `prepare` makes; `check` is called when there
/// is memory again, and may give it back as it was. How many there were.
fn every_failure<P, T>(
    shortage: Shortage,
    prepare: impl Fn() -> P,
    run: impl Fn(&mut P) -> T,
    check: impl Fn(P, T, u64) -> Option<P>,
) -> u64 {
    let mut kept = None;
    for succeeding in (0..EACH).chain((EACH..).step_by(STRIDE)) {
        let mut prepared = kept.take().unwrap_or_else(&prepare);
        fail_after(succeeding, shortage);
        let outcome = run(&mut prepared);
        let failed = stop();
        kept = check(prepared, outcome, succeeding);
        if !failed {
            return succeeding;
        }
    }
    unreachable!("some number is enough")
}

/// Lets each allocation of a transaction fail.
fn starve_transaction(statements: &[&str], shortage: Shortage) {
    let before = dump(&mut database(BEFORE));
    let replayed = |changes: &Changes| {
        let mut replica = database(BEFORE);
        replica.apply(changes).expect("what was committed is replayed");
        dump(&mut replica)
    };
    let check = |mut database: Database, outcome: Result<Changes>, turn: u64| {
        let error = match outcome {
            Ok(changes) => {
                assert_same(&replayed(&changes), &dump(&mut database), "what the changes say");
                return None;
            }
            Err(error) => error,
        };
        assert_eq!(error.code(), "OUT_OF_MEMORY", "{error:?}");
        // Its memory is void otherwise, and whoever has it restores it from the log.
        database.check().ok()?;
        assert_same(&before, &dump(&mut database), "a refused transaction");
        database.relax();
        if !turn.is_multiple_of(8) {
            return Some(database);
        }
        let changes = transact(&mut database, statements).expect("there is memory again");
        assert_same(&replayed(&changes), &dump(&mut database), "the second try");
        None
    };
    let failures = every_failure(
        shortage,
        || database(BEFORE),
        |database| transact(database, statements),
        check,
    );
    assert!(failures > 100, "{failures} allocations for {statements:?}");
}

#[test]
fn wherever_an_allocation_fails_a_transaction_leaves_the_state_before_or_what_its_changes_say() {
    WORK.iter().for_each(|statements| starve_transaction(statements, Shortage::Once));
}

#[test]
fn wherever_memory_runs_out_for_good_a_transaction_leaves_the_state_before_or_what_its_changes_say()
{
    WORK.iter().for_each(|statements| starve_transaction(statements, Shortage::Lasting));
}

#[test]
fn wherever_an_allocation_fails_a_replay_leaves_the_state_before_or_after() {
    let before = dump(&mut database(BEFORE));
    for statements in WORK {
        let mut source = database(BEFORE);
        let changes = transact(&mut source, statements).expect("the statements run");
        let after = dump(&mut source);
        let check = |mut database: Database, outcome: Result<()>, turn: u64| {
            let Err(error) = outcome else {
                assert_same(&after, &dump(&mut database), "what was replayed");
                return None;
            };
            assert_eq!(error.code(), "OUT_OF_MEMORY", "{error:?}");
            database.check().ok()?;
            assert_same(&before, &dump(&mut database), "a replay that failed");
            database.relax();
            if !turn.is_multiple_of(8) {
                return Some(database);
            }
            database.apply(&changes).expect("there is memory again");
            assert_same(&after, &dump(&mut database), "the second try");
            None
        };
        every_failure(
            Shortage::Once,
            || database(BEFORE),
            |database| database.apply(&changes),
            check,
        );
    }
}

#[test]
fn wherever_an_allocation_fails_a_restore_is_whole_or_an_error() {
    let mut source = database(BEFORE);
    let expected = dump(&mut source);
    let check = |(), outcome: Result<Database>, _| {
        match outcome {
            Ok(mut loaded) => assert_same(&expected, &dump(&mut loaded), "what was restored"),
            Err(error) => assert_eq!(error.code(), "OUT_OF_MEMORY", "{error:?}"),
        }
        Some(())
    };
    let failures = every_failure(Shortage::Once, || (), |()| reload(&source), check);
    assert!(failures > 1000, "{failures} allocations");
}
