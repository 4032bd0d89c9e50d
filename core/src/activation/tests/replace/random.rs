//! Random histories of statements, replacements and deletions: every state can be read and restored
//! as it was.

use proptest::prelude::*;

use super::*;
use crate::activation::{place_of_former, restore_at};
use crate::budget::Use;
use crate::snapshot::Digest;

/// Statements that are odd together with each other. Each may fail.
const STATEMENTS: [&str; 16] = [
    "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, a, b TEXT DEFAULT 'x')",
    "INSERT INTO t(a) VALUES (-0.0), (9223372036854775807), (x'00ff'), (NULL)",
    "CREATE TABLE w(k TEXT COLLATE NOCASE, n INT, PRIMARY KEY (k, n)) WITHOUT ROWID",
    "INSERT OR REPLACE INTO w VALUES ('a', 1), ('A', 1), ('b', 2)",
    "CREATE VIRTUAL TABLE f USING fts5(body)",
    "INSERT INTO f VALUES ('some words'), ('more words')",
    "CREATE INDEX i ON t(a) WHERE a IS NOT NULL",
    "CREATE TRIGGER r AFTER INSERT ON t BEGIN INSERT OR IGNORE INTO w VALUES (new.id, 0); END",
    "CREATE VIEW v AS SELECT a, b FROM t",
    "ALTER TABLE t ADD COLUMN c AS (id * 2)",
    "DELETE FROM t WHERE id % 2 = 0",
    "DROP TABLE w",
    "ALTER TABLE t RENAME TO u",
    "PRAGMA user_version = 7",
    "CREATE TABLE \"from\"(\"order\" ANY, CHECK (\"order\" <> 5)) STRICT",
    "UPDATE t SET a = cast(x'ff' AS TEXT)",
];

#[derive(Debug, Clone)]
enum Step {
    Run(usize),
    BackTo(u64),
    Delete,
    Restart,
    Snapshot,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0..STATEMENTS.len()).prop_map(Step::Run),
        4 => (0_u64..40).prop_map(Step::BackTo),
        1 => Just(Step::Delete),
        2 => Just(Step::Restart),
        2 => Just(Step::Snapshot),
    ]
}

/// The state of the object after a record; `None` when there was none.
pub(super) async fn state(engine: &Engine, sequence: u64) -> Option<Digest> {
    let runtime = engine.runtime();
    let log = runtime.log(&object()).expect("a good id");
    let _place = place_of_former(runtime, &object()).await.expect("a place");
    let mut room = runtime.budget.count(Use::TimeTravel, &object(), 0);
    match restore_at(runtime, &log, At::Sequence(sequence), &mut room).await {
        Ok(former) => Some(Digest::of(&former.database).expect("it can be read")),
        Err(error) => {
            assert_eq!(error.code(), "NO_SUCH_STATE", "{error}");
            None
        }
    }
}

pub(super) fn same(expected: Option<&Digest>, found: Option<&Digest>, what: &str) {
    match (expected, found) {
        (None, None) => {}
        (Some(expected), Some(found)) => assert_eq!(expected.difference(found), None, "{what}"),
        _ => panic!("{what}: there is a state on one side only"),
    }
}

pub(super) async fn head(engine: &Engine) -> u64 {
    let log = engine.runtime().log(&object()).expect("a good id");
    crate::log::list_newest(&log, u64::MAX).await.expect("a listing").head
}

async fn run(steps: Vec<Step>, ownership: Ownership) {
    let world = World::of(App::new());
    let settings = Settings { ownership, ..Settings::default() };
    let mut engine = world.server_with(1, settings.clone()).await;
    let mut states: Vec<(u64, Option<Digest>)> = Vec::new();
    for (number, step) in steps.into_iter().enumerate() {
        match step {
            Step::Run(statement) => _ = sql(&engine, STATEMENTS[statement]).await,
            Step::BackTo(sequence) => {
                let expected = states.iter().find(|(known, _)| *known == sequence);
                match (back_to(&engine, sequence).await, expected) {
                    (Ok(replaced), Some((_, expected))) => {
                        let found = state(&engine, replaced.sequence).await;
                        same(expected.as_ref(), found.as_ref(), "the restored state");
                    }
                    (Err(error), _) => assert_eq!(error.kind(), ErrorKind::NotFound, "{error}"),
                    (Ok(_), None) => {}
                }
            }
            Step::Delete => {
                _ = engine.administration().delete_object(&object(), Precondition::Any).await
            }
            Step::Snapshot => _ = engine.administration().snapshot_now(&object()).await,
            Step::Restart => {
                engine.shutdown(Duration::from_secs(5)).await;
                world.clock.advance(LEASES_END);
                engine = world.server_with(2 + number as u128, settings.clone()).await;
            }
        }
        run_ready().await;
        let newest = head(&engine).await;
        states.push((newest, state(&engine, newest).await));
    }
    for (sequence, expected) in &states {
        let found = state(&engine, *sequence).await;
        same(expected.as_ref(), found.as_ref(), &format!("record {sequence}"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn every_state_of_a_random_history_can_be_read_and_restored(
        steps in prop::collection::vec(step(), 1..24),
        leased in any::<bool>(),
    ) {
        let ownership = if leased { Ownership::Leased } else { Ownership::PerRequest };
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(run(steps, ownership));
    }
}
