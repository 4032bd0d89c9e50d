//! A history on the engine and on the model, compared wherever a server starts and at the end.

use std::sync::Arc;
use std::time::Duration;

use dotdo_core::testing::{
    CountingRandom, CutBucket, Ended, Fault, FaultyBucket, ManualClock, Operation,
};
use dotdo_core::{
    App, Clock, Components, Engine, Error, Inline, Key, Memory, ObjectId, Random, Settings,
    SharedBucket, Tenant,
};
use dotdo_tests::sql_object::{SqlObject, ask, decode, difference, dump_of};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::model::Model;
use crate::steps::{Restart, Step};

/// How far a history was followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Followed {
    ToItsEnd,
    /// Until SQLite did, or might have done, what it does not do twice.
    InPart,
}

/// Runs the history; the error says where the engine and the model differ.
pub(crate) fn run(steps: &[Step]) -> Result<Followed, String> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().build().map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let mut run = Run::new();
        for step in steps {
            match step {
                Step::Request(statements) => run.request(statements).await?,
                Step::Restart(restart) => run.restart(restart).await?,
                Step::Pause => run.clock.advance(Duration::from_secs(24 * 3600)),
            }
            if run.is_over {
                return Ok(Followed::InPart);
            }
        }
        run.check("at the end").await?;
        let last = Restart {
            crash_after: None,
            checkpoint: dotdo_core::Checkpoint::default(),
            takes_snapshots: true,
        };
        run.restart(&last).await.map(|()| Followed::ToItsEnd)
    })
}

struct Run {
    clock: Arc<ManualClock>,
    random: Arc<CountingRandom>,
    memory: Arc<Memory>,
    ended: Ended,
    object: ObjectId,
    server: Option<Server>,
    /// How the running server will end.
    crash_after: Option<u32>,
    model: Model,
    /// SQLite has done, or may do, what it would not do twice.
    is_over: bool,
}

struct Server {
    engine: Engine,
    instance: Uuid,
    access: Arc<CutBucket>,
}

impl Run {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::new());
        let memory = Arc::new(Memory::new(clock.clone()));
        let object = Tenant::local().object("Sql", "one").expect("these are names");
        Self {
            clock,
            random: Arc::new(CountingRandom::starting_at(1)),
            memory,
            ended: Ended::default(),
            object,
            server: None,
            crash_after: None,
            model: Model::new(),
            is_over: false,
        }
    }

    /// Ends the server as it was meant to, starts the next one, and looks at what it has.
    async fn restart(&mut self, restart: &Restart) -> Result<(), String> {
        if let Some(Server { engine, instance, access }) = self.server.take() {
            match self.crash_after {
                None => engine.shutdown(Duration::from_secs(9)).await,
                Some(turns) => {
                    for _ in 0..turns {
                        tokio::task::yield_now().await;
                    }
                }
            }
            access.cut();
            self.ended.add(instance);
        }
        self.crash_after = restart.crash_after;
        let instance = Uuid::from_bytes(self.random.bytes16());
        let access = self.access(restart.takes_snapshots);
        let settings = Settings {
            checkpoint: restart.checkpoint.clone(),
            retention: Duration::from_secs(3600),
            ..Settings::default()
        };
        let components = Components {
            buckets: Arc::new(SharedBucket(access.clone())),
            clock: self.clock.clone() as Arc<dyn Clock>,
            random: self.random.clone(),
            executor: Arc::new(Inline),
            peers: None,
            directory: None,
            transport: None,
            instance,
        };
        let engine =
            Engine::start(App::new().class("Sql", || SqlObject), settings, components).await;
        let engine = engine.map_err(|error| format!("a server does not start: {error:?}"))?;
        self.server = Some(Server { engine, instance, access });
        self.check("after a restart").await
    }

    /// A new server's access to the store, which a dead one does not have any more.
    fn access(&self, takes_snapshots: bool) -> Arc<CutBucket> {
        let faulty = FaultyBucket::around(self.memory.clone());
        if !takes_snapshots {
            // For good: a passing failure would be tried again after a pause, and the clock stands
            // still.
            faulty.fail_while(is_of_a_snapshot, Fault::Refused);
        }
        Arc::new(CutBucket::that_tells(Arc::new(faulty), self.ended.clone()))
    }

    fn engine(&self) -> &Engine {
        &self.server.as_ref().expect("every history begins with a start").engine
    }

    async fn check(&mut self, when: &str) -> Result<(), String> {
        let found = dump_of(self.engine(), &self.object, None)
            .await
            .map_err(|error| format!("{when}: {error:?}"))?;
        difference(&self.model.dump(), &found)
            .map_or(Ok(()), |difference| Err(format!("{when}: {difference}")))
    }

    /// A request to the engine, then the same in the model. What the engine refuses by a rule of
    /// its own is left out there.
    async fn request(&mut self, statements: &[String]) -> Result<(), String> {
        let body: Vec<Json> = statements.iter().map(|sql| json!([sql])).collect();
        let answer = ask(self.engine(), &self.object, "/lenient", &Json::from(body)).await;
        self.model.begin();
        let same = match answer {
            Ok(answers) => self.answered(statements, &answers),
            Err(error) => self.refused(statements, &error),
        };
        self.is_over = self.model.is_unpredictable();
        if self.is_over { Ok(()) } else { same }
    }

    fn answered(&mut self, statements: &[String], answers: &Json) -> Result<(), String> {
        for (sql, answer) in statements.iter().zip(answers.as_array().into_iter().flatten()) {
            if answer["code"] == "SQL_REFUSED" {
                continue;
            }
            let expected = self.model.run(sql);
            let found = rows(answer);
            // What SQLite would do depends on the pages that tables lie in, which a restore may
            // choose anew.
            let is_explained = sql.starts_with("EXPLAIN") && expected.is_ok() == found.is_some();
            if !is_explained && expected.as_ref().ok() != found.as_ref() {
                return Err(format!("{sql}\n  expected {expected:?}\n  found {answer}"));
            }
        }
        self.model
            .commit()
            .map_err(|error| format!("a request was answered that SQLite does not commit: {error}"))
    }

    /// The engine has undone the whole request: so must the model, for a reason that is known.
    fn refused(&mut self, statements: &[String], error: &Error) -> Result<(), String> {
        let known = ["rowid, _rowid_ and oid", "sqlite_sequence must have"]
            .iter()
            .any(|part| error.message().contains(part));
        if !known {
            statements.iter().for_each(|sql| drop(self.model.run(sql)));
            if self.model.commit().is_ok() {
                return Err(format!("the engine failed where SQLite does not: {error:?}"));
            }
        }
        self.model.rollback();
        Ok(())
    }
}

/// Whether a request writes a part of a snapshot.
fn is_of_a_snapshot(operation: Operation, key: &Key) -> bool {
    matches!(operation, Operation::Create | Operation::Put) && key.as_str().contains("/snapshots/")
}

fn rows(answer: &Json) -> Option<Vec<Vec<dotdo_core::Value>>> {
    let rows = answer["rows"].as_array()?;
    rows.iter().map(|row| row.as_array()?.iter().map(decode).collect()).collect()
}
