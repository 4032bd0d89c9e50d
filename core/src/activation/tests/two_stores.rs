//! Objects whose log is in another store than their files, with another clock.

use super::deletion::{DAYS, OBJECT, now};
use super::*;
use crate::activation::Precondition;
use crate::inspection::{Finding, Inspection, ObjectQuery, Totals};
use crate::store::{Files, Memory};
use crate::tenants::with_log;

/// When clocks of tests begin: 2026-01-01T00:00:00Z.
const BEGINNING_MS: i64 = 1_767_225_600_000;
const MINUTE: Duration = Duration::from_secs(60);

/// A world whose files are in a store of their own.
struct Split {
    world: World,
    files: Arc<Memory>,
    clock_of_files: Arc<ManualClock>,
}

impl Split {
    /// The clock of the files is so many milliseconds ahead of all others.
    fn new(ahead_ms: i64) -> Self {
        let clock_of_files = Arc::new(ManualClock::starting_at(BEGINNING_MS + ahead_ms));
        let files = Arc::new(Memory::new(clock_of_files.clone()));
        Self { world: World::new(), files, clock_of_files }
    }

    fn bucket(&self) -> Arc<dyn Bucket> {
        let files = Files { bucket: self.files.clone(), once: self.files.clone() };
        with_log(files, self.world.bucket.clone())
    }

    async fn server(&self, instance: u128) -> Engine {
        let buckets = Arc::new(SharedBucket(self.bucket()));
        let components = Components { buckets, ..self.world.components(instance) };
        self.world.server_of(components, Settings::default()).await
    }

    async fn pass(&self, duration: Duration) {
        self.world.clock.advance(duration);
        self.clock_of_files.advance(duration);
        run_ready().await;
    }

    /// Lets servers look for markers for a while.
    async fn look_around(&self) {
        for _ in 0..30 {
            self.pass(MINUTE).await;
        }
    }

    fn of_files(&self) -> Vec<Key> {
        let entries = now(self.files.list(&Key::new(OBJECT), None, usize::MAX));
        entries.into_iter().map(|entry| entry.key).collect()
    }

    fn of_log(&self) -> Vec<Key> {
        let entries = now(self.world.bucket.memory.list(&Key::new(OBJECT), None, usize::MAX));
        entries.into_iter().map(|entry| entry.key).collect()
    }
}

#[tokio::test]
async fn each_store_has_its_part_and_a_cold_server_reads_both() {
    let split = Split::new(0);
    let engine = split.server(1).await;
    for expected in ["1", "2"] {
        assert_eq!(get(&engine, "/add").await.expect("it counts"), expected);
        run_ready().await;
    }
    engine.shutdown(Duration::from_secs(5)).await;
    let is_file = |key: &Key| key.as_str().contains("/snapshots/");
    assert!(!split.of_files().is_empty() && split.of_files().iter().all(is_file));
    assert!(!split.of_log().is_empty() && !split.of_log().iter().any(is_file));
    let engine = split.server(2).await;
    assert_eq!(get(&engine, "/get").await.expect("both are there"), "2");
    let inspection = engine.inspection();
    let classes = inspection.classes(&Tenant::local()).await.expect("it answers");
    let query = ObjectQuery { size: true, limit: 10, ..ObjectQuery::default() };
    let found = inspection.objects(&Tenant::local(), &query).await.expect("both answer").items;
    assert_eq!((classes.len(), found.len()), (1, 1), "{classes:?} {found:?}");
    let keys = split.of_files().len() + split.of_log().len();
    assert_eq!(found[0].keys, Some(keys as u64), "of both");
    assert!(!inspection.snapshots(&object()).await.expect("they are there").is_empty());
    let whole = totals(&inspection).await;
    assert!(whole.faults == 0 && whole.records > 0 && whole.files > 0, "{whole:?}");
    let data = split.of_files().into_iter().find(|key| key.as_str().ends_with(".parquet"));
    now(split.files.delete(&[data.expect("a snapshot has files")]));
    assert!(totals(&inspection).await.faults > 0, "a file that is missing is a fault");
}

async fn totals(inspection: &Inspection) -> Totals {
    let mut verification = inspection.verify(&object()).await.expect("it is there");
    loop {
        match verification.next().await.expect("the totals come last") {
            Finding::Done { done } => return done,
            Finding::Checked { .. } | Finding::Fault { .. } => {}
        }
    }
}

/// The files of an upload that is under way belong to nobody yet. By a clock that is behind they
/// would look old, and by one that is ahead what the object has left would stay for ever.
#[tokio::test]
async fn a_deleted_object_is_swept_by_the_clock_of_each_store() {
    let days_ms = 4 * 24 * 3_600_000;
    for ahead_ms in [-2 * days_ms, -3_600_000, 0, 3_600_000, days_ms / 4] {
        let split = Split::new(ahead_ms);
        let engine = split.server(1).await;
        get(&engine, "/add").await.expect("it counts");
        let deleted = engine.administration().delete_object(&object(), Precondition::Any).await;
        deleted.expect("it is there");
        engine.shutdown(Duration::from_secs(5)).await;
        let old = split.of_files();
        assert!(!old.is_empty(), "a first snapshot");
        split.pass(DAYS).await;
        let upload = Key::new(format!(
            "{OBJECT}/snapshots/iceberg/t/data/0000000009-00000000-0000-0000-0000-000000000009-0.parquet"
        ));
        now(split.files.put(&upload, "new".into()));
        let _engine = split.server(2).await;
        split.look_around().await;
        assert_eq!(split.of_files(), [upload], "{ahead_ms} ms ahead: {old:?} was old");
        split.pass(DAYS).await;
        split.look_around().await;
        assert_eq!(split.of_files(), [], "{ahead_ms} ms ahead");
        assert_eq!(split.of_log().len(), 1, "{:?}", split.of_log());
    }
}
