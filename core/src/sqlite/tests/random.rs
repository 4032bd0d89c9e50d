//! Random schemas and statements: the replica and the loaded copy never differ from the database.

use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, any, proptest};

use super::super::Mode;
use super::Rig;
use crate::Error;
use crate::testing::random_sql;

/// Some hundred cases, or as many as PROPTEST_CASES says.
fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, max_shrink_iters: 300, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn replicas_and_copies_are_the_same_after_random_transactions(choices in vec(any::<u32>(), 0..random_sql::CHOICES_MAX)) {
        run(&random_sql::script(&choices));
    }
}

fn run(script: &[Vec<String>]) {
    let mut rig = Rig::new();
    for (index, transaction) in script.iter().enumerate() {
        if index % 4 == 1 {
            run_in_vain(&mut rig, transaction);
        }
        // An empty statement at the end makes errors of the only one ignored too.
        let statements: Vec<&str> = transaction.iter().map(String::as_str).chain([""]).collect();
        if let Err(error) = rig.try_commit(&statements) {
            assert!(is_expected(&error), "{error:?} in {statements:#?}");
        }
    }
}

/// Runs statements and rolls them back: nothing of them is left.
fn run_in_vain(rig: &mut Rig, transaction: &[String]) {
    rig.database.begin(Mode::ReadWrite).expect("a transaction begins");
    for sql in transaction {
        let _may_fail = rig.run(sql);
    }
    let _may_be_lost = rig.database.prepare_commit();
    rig.database.rollback();
    rig.check();
}

/// What may end a transaction: deferred foreign keys, a table that has used its largest rowid, and
/// what can not be recorded.
fn is_expected(error: &Error) -> bool {
    [
        "FOREIGN KEY",
        "largest rowid",
        "rowid, _rowid_ and oid",
        "sqlite_sequence must have",
        "too many columns",
    ]
    .iter()
    .any(|part| error.message().contains(part))
}

#[test]
fn most_random_statements_do_something() {
    let mut seed = 1_u32;
    let mut next = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        seed >> 8
    };
    let (mut done, mut failed) = (0, 0);
    for _ in 0..20 {
        let choices: Vec<u32> = (0..random_sql::CHOICES_MAX).map(|_| next()).collect();
        let mut rig = Rig::new();
        for transaction in random_sql::script(&choices) {
            rig.database.begin(Mode::ReadWrite).expect("a transaction begins");
            for sql in &transaction {
                match rig.run(sql) {
                    Ok(_) => done += 1,
                    Err(_) => failed += 1,
                }
            }
            if rig.database.commit().is_err() {
                rig.database.rollback();
            }
        }
    }
    assert!(done > failed, "{done} statements ran and {failed} failed");
}
