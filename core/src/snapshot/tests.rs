//! An object's database, its tracker and a bucket in memory: after every snapshot a restore gives
//! the same database back.

mod content;
mod damage;
mod folders;
mod history;
mod names;
mod random;
mod size;
mod stale;
mod untrusted;

use std::future::Future;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use uuid::Uuid;

use super::reference::latest_key;
use super::*;
use crate::budget::Budget;
use crate::change::{Changes, Value, ValueRef};
use crate::clock::Clock;
use crate::error::Result;
use crate::executor::Inline;
use crate::id::{ObjectId, Tenant};
use crate::limits::REQUEST_IN_FLIGHT_MAX;
use crate::sqlite::{Database, Limits, Mode};
use crate::store::{Bucket, Key, Moment, Part};
use crate::testing::{ManualClock, Operation, TestStore};

const LIMITS: Limits =
    Limits { database_bytes_max: 1 << 30, row_bytes_max: 16 << 20, temporary_bytes_max: 64 << 20 };
const RETENTION: Duration = Duration::from_secs(3 * 24 * 3600);

/// The snapshots of `object` in `bucket`.
fn source<'a>(bucket: &'a dyn Bucket, prefix: &'a Key, object: &'a ObjectId) -> Source<'a> {
    static BUDGET: LazyLock<Budget> =
        LazyLock::new(|| Budget::new(1 << 30, Arc::new(ManualClock::new())));
    Source { bucket, executor: &Inline, budget: &BUDGET, prefix, object }
}

struct Rig {
    database: Database,
    tracker: Tracker,
    bucket: Arc<TestStore>,
    clock: Arc<ManualClock>,
    object: ObjectId,
    location: String,
    sequence: u64,
    uuids: u128,
}

impl Rig {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::default());
        let bucket = Arc::new(TestStore::new(clock.of_store()));
        let location = bucket.location().to_owned();
        let object =
            Tenant::new("org", "tenant").expect("a tenant").object("Thing", "one").expect("an id");
        let database = Database::new(&LIMITS).expect("a database");
        Self {
            database,
            tracker: Tracker::new(),
            bucket,
            clock,
            object,
            location,
            sequence: 0,
            uuids: 0,
        }
    }

    fn with(sql: &str) -> Self {
        let mut rig = Self::new();
        rig.commit(sql);
        rig
    }

    fn prefix(&self) -> Key {
        self.object.prefix()
    }

    fn commit(&mut self, sql: &str) {
        self.try_commit(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    /// Runs statements in one transaction, all of which must succeed.
    fn try_commit(&mut self, sql: &str) -> Result<()> {
        self.database.begin(Mode::ReadWrite)?;
        match self.run(sql) {
            Ok(changes) => self.observe(&changes),
            Err(error) => {
                self.database.rollback();
                return Err(error);
            }
        }
        Ok(())
    }

    fn run(&mut self, sql: &str) -> Result<Changes> {
        rows(&mut self.database, sql)?;
        let changes = self.database.prepare_commit()?;
        self.database.commit()?;
        Ok(changes)
    }

    fn observe(&mut self, changes: &Changes) {
        if !changes.is_empty() {
            self.sequence += 1;
        }
        self.tracker.observe(changes, self.database.shapes());
    }

    fn plan(&mut self) -> Plan {
        self.secure_base();
        self.plan_carelessly()
    }

    /// A plan, without checking whether its base still exists.
    fn plan_carelessly(&mut self) -> Plan {
        self.uuids += 1;
        let prefix = self.prefix();
        let context = PlanContext {
            object: &self.object,
            prefix: &prefix,
            location: &self.location,
            sequence: self.sequence,
            now_ms: self.clock.wall_ms(),
            changed_ms: self.clock.wall_ms(),
            uuid: Uuid::from_u128(self.uuids),
            retention: RETENTION,
        };
        self.tracker.plan(&self.database, &context).expect("a plan")
    }

    fn publish(&mut self, plan: Plan) -> SnapshotRef {
        let begun = Moment::now(Part::Files, &*self.bucket, &*self.clock);
        self.try_publish(plan, begun).expect("a published snapshot")
    }

    /// Publishes a plan whose upload began at `begun`.
    fn try_publish(&mut self, plan: Plan, begun: Moment) -> Result<SnapshotRef> {
        let bucket = Arc::clone(&self.bucket);
        let reference = plan.reference();
        let published = block_on(async {
            upload(&*bucket, &plan).await?;
            let target = Target { bucket: &*bucket, clock: &*self.clock, executor: &Inline };
            publish(&target, &plan, [7; 32], begun).await
        });
        match published {
            Ok(()) => self.tracker.complete(plan.completed()),
            Err(error) => {
                self.tracker.abandon(plan);
                return Err(error);
            }
        }
        Ok(reference)
    }

    /// Makes sure that the base exists for a while, as a writer does before it makes a plan.
    fn secure_base(&mut self) {
        if let Some(base) = self.tracker.base() {
            let kept = block_on(Kept::look(&*self.bucket, &*self.clock, &self.prefix(), base))
                .expect("a listing");
            let kept =
                kept.filter(|kept| kept.holds(REQUEST_IN_FLIGHT_MAX, &*self.bucket, &*self.clock));
            self.tracker.found(base, kept);
        }
    }

    fn snapshot(&mut self) -> SnapshotRef {
        self.pass(Duration::from_secs(1));
        let plan = self.plan();
        self.publish(plan)
    }

    fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }

    fn latest(&self) -> Document {
        let key = latest_key(&self.prefix());
        let stored = block_on(self.bucket.get(&key)).expect("an answer").expect("a hint");
        Document::decode(&key, &stored.bytes, &self.object).expect("a description")
    }

    fn restore(&self, document: Document) -> Result<(Database, Tracker)> {
        block_on(fetch(&*self.bucket, &self.prefix(), document))?.decode(&LIMITS, None)
    }

    /// Continues with the restored newest snapshot, after checking that it equals the database.
    fn restart(&mut self) {
        let (mut database, tracker) = self.restore(self.latest()).expect("a restored database");
        assert_same(&dump(&mut self.database), &dump(&mut database));
        assert_eq!(tracker.base(), self.tracker.base());
        (self.database, self.tracker) = (database, tracker);
    }

    /// A snapshot, and a restore of it beside the running database.
    fn check(&mut self) {
        self.snapshot();
        let (mut database, _) = self.restore(self.latest()).expect("a restored database");
        assert_same(&dump(&mut self.database), &dump(&mut database));
    }

    fn keys(&self) -> Vec<String> {
        let entries =
            block_on(self.bucket.list(&self.prefix(), None, usize::MAX)).expect("a listing");
        entries.into_iter().map(|entry| entry.key.as_str().to_owned()).collect()
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

fn rows(database: &mut Database, sql: &str) -> Result<Vec<Vec<Value>>> {
    let mut cursor = database.exec(sql, Vec::new())?;
    let mut rows = Vec::new();
    while let Some(row) = cursor.next()? {
        rows.push((0..row.len()).map(|index| row.value(index).to_owned()).collect());
    }
    Ok(rows)
}

fn query(database: &mut Database, sql: &str) -> Vec<Vec<Value>> {
    database.begin(Mode::ReadOnly).expect("a transaction");
    let found = rows(database, sql);
    database.rollback();
    found.unwrap_or_else(|error| panic!("{sql}: {error:?}"))
}

/// Everything in the database, one fact a line.
fn dump(database: &mut Database) -> Vec<String> {
    let mut lines = vec![format!("{:?}", database.header())];
    for shape in database.shapes() {
        lines.push(format!("{shape:?}"));
        let mut add = |rowid: Option<i64>, values: &[ValueRef<'_>]| {
            let values: Vec<String> =
                values.iter().map(|value| show(ValueRef::to_owned(*value))).collect();
            lines.push(format!("{} {rowid:?} {}", shape.name, values.join(" | ")));
            Ok(())
        };
        database.scan(&shape.name, &mut add).expect("a table can be read");
    }
    let tables: Vec<String> = database
        .shapes()
        .iter()
        .map(|shape| format!("\"{}\"", shape.name.replace('"', "\"\"")))
        .collect();
    for table in tables {
        for row in query(database, &format!("SELECT * FROM {table}")) {
            lines.push(format!(
                "{table} * {}",
                row.into_iter().map(show).collect::<Vec<_>>().join(" | ")
            ));
        }
    }
    for row in query(database, "PRAGMA integrity_check") {
        lines.push(row.into_iter().map(show).collect());
    }
    lines
}

fn show(value: Value) -> String {
    match value {
        Value::Real(real) => format!("Real({:x} {real})", real.to_bits()),
        Value::Text(bytes) => format!("Text({})", bytes.escape_ascii()),
        other => format!("{other:?}"),
    }
}

fn assert_same(expected: &[String], found: &[String]) {
    for (expected, found) in expected.iter().zip(found) {
        assert_eq!(expected, found);
    }
    assert_eq!(expected.len(), found.len(), "another number of facts");
}
