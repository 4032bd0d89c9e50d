//! Alarms: once, in time, one at a time, and whatever crashes in between.

mod administered;
mod crashes;
mod found;
mod left;
mod schedules;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::post::{Post, Server};
use crate::alarms::AlarmInfo;
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{ObjectId, Tenant};
use crate::object::{App, Body, Context, DurableObject, Request, Response};
use crate::settings::Ownership;
use crate::testing::{ManualClock, Operation};

const SCHEMA: &str = "CREATE TABLE rung (n INTEGER PRIMARY KEY, line TEXT NOT NULL);
    CREATE TABLE plan (fails INTEGER NOT NULL, again_s INTEGER NOT NULL, slow_s INTEGER NOT NULL);
    INSERT INTO plan VALUES (0, 0, 0)";

/// Where the markers of alarms are.
const MARKERS: &str = "local/local/alarms";

/// How many handlers of alarms run at the same time, and how many ever did.
#[derive(Default)]
struct Running {
    now: AtomicUsize,
    most: AtomicUsize,
    begun: AtomicUsize,
}

/// Writes down when it rings.
struct Bell {
    clock: Arc<ManualClock>,
    running: Arc<Running>,
}

impl DurableObject for Bell {
    async fn start(&mut self, ctx: &mut Context) -> Result<()> {
        ctx.migrate(&[SCHEMA])
    }

    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        let query = request.uri().query().unwrap_or_default();
        let number = query.parse::<i64>().unwrap_or(0);
        let (now_ms, path) = (ctx.now_ms(), request.uri().path());
        match path {
            "/set" => ctx.set_alarm(now_ms + number * 1000)?,
            "/set-and-fail" => {
                ctx.set_alarm(now_ms + number * 1000)?;
                return Err(Error::handler("on purpose"));
            }
            "/set-at" => ctx.set_alarm(number)?,
            "/touch" => ctx.storage().put("touched", &now_ms)?,
            "/delete" => ctx.delete_alarm()?,
            "/fails" => ctx.sql().exec("UPDATE plan SET fails = ?", (number,)).map(drop)?,
            "/again" => ctx.sql().exec("UPDATE plan SET again_s = ?", (number,)).map(drop)?,
            "/slow" => ctx.sql().exec("UPDATE plan SET slow_s = ?", (number,)).map(drop)?,
            "/alarm" => return Ok(Response::new(format!("{:?}", ctx.alarm()?).into())),
            "/error" => {
                let query = "SELECT retries || ' ' || coalesce(error, '-') FROM _dotdo_alarm";
                let text: Option<String> = ctx.sql().exec(query, ())?.first()?;
                return Ok(Response::new(text.unwrap_or_default().into()));
            }
            _ => {
                let lines: Vec<String> =
                    ctx.sql().exec("SELECT line FROM rung ORDER BY n", ())?.rows()?;
                return Ok(Response::new(lines.join("\n").into()));
            }
        }
        Ok(Response::new(Body::empty()))
    }

    async fn alarm(&mut self, info: AlarmInfo, ctx: &mut Context) -> Result<()> {
        assert_eq!(ctx.alarm()?, None, "none is set while it runs");
        assert_eq!(ctx.caller().object(), Some(ctx.id()), "it acts for itself");
        self.running.begun.fetch_add(1, Ordering::SeqCst);
        let now = self.running.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.running.most.fetch_max(now, Ordering::SeqCst);
        let (fails, again_s, slow_s): (i64, i64, i64) =
            ctx.sql().exec("SELECT * FROM plan", ())?.one()?;
        if slow_s > 0 {
            self.clock.sleep(Duration::from_secs(slow_s.unsigned_abs())).await;
        }
        let late_s = (ctx.now_ms() - info.scheduled_ms) / 1000;
        let line = format!("late {late_s} retries {}", info.retry_count);
        let count: i64 = ctx.sql().exec("SELECT count(*) FROM rung", ())?.one()?;
        ctx.sql().exec("INSERT INTO rung (line) VALUES (?)", (line,))?;
        if again_s > 0 && count < 4 {
            ctx.set_alarm(ctx.now_ms() + again_s * 1000)?;
        }
        self.running.now.fetch_sub(1, Ordering::SeqCst);
        if i64::from(info.retry_count) < fails {
            return Err(Error::conflict("not yet"));
        }
        Ok(())
    }
}

/// A class without a handler.
struct Deaf;

impl DurableObject for Deaf {
    async fn fetch(&mut self, _: Request, ctx: &mut Context) -> Result<Response> {
        ctx.set_alarm(ctx.now_ms())?;
        Ok(Response::new(Body::empty()))
    }
}

struct Bells {
    post: Post,
    running: Arc<Running>,
}

impl Bells {
    fn new() -> Self {
        let (clock, running) = (Arc::new(ManualClock::default()), Arc::new(Running::default()));
        let (of_bell, counted) = (clock.clone(), running.clone());
        let bell = move || Bell { clock: of_bell.clone(), running: counted.clone() };
        let app = App::new().class("Bell", bell).class("Deaf", || Deaf);
        Self { post: Post::of(app, clock), running }
    }

    async fn ask(&self, server: &Server, id: &str, uri: &str) -> Result<String> {
        let request = http::Request::post(uri).body(Body::empty()).expect("a request");
        self.post.fetch(server, bell(id), request).await
    }

    async fn get(&self, server: &Server, id: &str, uri: &str) -> String {
        self.ask(server, id, uri).await.expect("it answers")
    }

    /// Lets so many seconds pass, one after the other.
    async fn pass(&self, seconds: u64) {
        for _ in 0..seconds {
            self.post.pass(Duration::from_secs(1)).await;
        }
    }

    async fn markers(&self) -> usize {
        self.post.keys(MARKERS).await.len()
    }
}

fn bell(id: &str) -> ObjectId {
    Tenant::local().object("Bell", id).expect("a good id")
}

const BOTH: [Ownership; 2] = [Ownership::Leased, Ownership::PerRequest];

#[tokio::test]
async fn an_alarm_runs_at_its_time_and_once() {
    for ownership in BOTH {
        let bells = Bells::new();
        let server = bells.post.server_with(ownership).await;
        let records = bells.post.bucket.creates_of("/log/");
        bells.get(&server, "a", "/set?60").await;
        assert_eq!(bells.post.bucket.creates_of("/log/") - records, 1, "it is in one record");
        assert_eq!(bells.markers().await, 1);
        assert_ne!(bells.get(&server, "a", "/alarm").await, "None");
        bells.pass(58).await;
        assert_eq!(bells.running.begun.load(Ordering::SeqCst), 0, "it is not time yet");
        let records = bells.post.bucket.creates_of("/log/");
        bells.pass(30).await;
        assert_eq!(bells.post.bucket.creates_of("/log/") - records, 2, "a claim and its record");
        assert_eq!(bells.markers().await, 0);
        assert_eq!(bells.get(&server, "a", "/rung").await, "late 0 retries 0");
        assert_eq!(bells.get(&server, "a", "/alarm").await, "None");
        bells.pass(300).await;
        assert_eq!(bells.get(&server, "a", "/rung").await, "late 0 retries 0", "{ownership:?}");
    }
}

#[tokio::test]
async fn an_alarm_in_the_past_runs_at_once() {
    for ownership in BOTH {
        let bells = Bells::new();
        let server = bells.post.server_with(ownership).await;
        bells.get(&server, "a", "/set?-5").await;
        bells.pass(1).await;
        assert_eq!(bells.get(&server, "a", "/rung").await, "late 5 retries 0");
        let error = bells.ask(&server, "a", "/set-at?-1").await.expect_err("before 1970");
        assert_eq!((error.kind(), error.code()), (ErrorKind::Invalid, "BAD_ALARM_TIME"));
    }
}

#[tokio::test]
async fn an_alarm_can_be_moved_and_deleted() {
    for ownership in BOTH {
        let bells = Bells::new();
        let server = bells.post.server_with(ownership).await;
        bells.get(&server, "a", "/set?10").await;
        bells.get(&server, "a", "/set?40").await;
        bells.pass(30).await;
        assert_eq!(bells.get(&server, "a", "/rung").await, "", "it was moved");
        bells.get(&server, "a", "/set?2").await;
        bells.pass(4).await;
        assert_eq!(bells.get(&server, "a", "/rung").await, "late 0 retries 0", "and back");
        bells.get(&server, "a", "/set?5").await;
        bells.get(&server, "a", "/delete").await;
        assert_eq!(bells.get(&server, "a", "/alarm").await, "None");
        bells.pass(60).await;
        assert_eq!(bells.get(&server, "a", "/rung").await, "late 0 retries 0");
        assert_eq!(bells.markers().await, 0, "nothing is left of it");
        bells.ask(&server, "a", "/set-and-fail?1").await.expect_err("on purpose");
        bells.pass(10).await;
        assert_eq!(bells.get(&server, "a", "/rung").await, "late 0 retries 0");
    }
}

#[tokio::test]
async fn an_alarm_that_is_moved_all_the_time_costs_one_marker_for_its_time() {
    let bells = Bells::new();
    let server = bells.post.server().await;
    for _ in 0..50 {
        bells.get(&server, "a", "/set?20").await;
        bells.pass(1).await;
    }
    let written = bells.post.bucket.record().count(Operation::Put, MARKERS);
    assert!((2..=4).contains(&written), "one in twenty seconds: {written}");
    bells.pass(30).await;
    assert_eq!(bells.get(&server, "a", "/rung").await, "late 0 retries 0");
}

#[tokio::test]
async fn an_alarm_that_fails_runs_again_after_growing_pauses() {
    for ownership in BOTH {
        let bells = Bells::new();
        let server = bells.post.server_with(ownership).await;
        bells.get(&server, "a", "/fails?4").await;
        bells.get(&server, "a", "/set?5").await;
        bells.pass(8).await;
        assert_eq!(bells.get(&server, "a", "/rung").await, "", "what failed is rolled back");
        assert_eq!(bells.get(&server, "a", "/error").await, "2 CONFLICT: not yet");
        bells.pass(40).await;
        let rung = bells.get(&server, "a", "/rung").await;
        assert!(rung.starts_with("late 3") && rung.ends_with("retries 4"), "2+4+8+16 s: {rung}");
        assert_eq!(bells.markers().await, 0);
    }
}

#[tokio::test]
async fn an_alarm_of_a_class_without_a_handler_stays_and_says_so() {
    let bells = Bells::new();
    let server = bells.post.server().await;
    let deaf = Tenant::local().object("Deaf", "a").expect("a good id");
    bells.post.fetch(&server, deaf.clone(), Request::new(Body::empty())).await.expect("it is set");
    bells.pass(3).await;
    let inspection = server.engine.inspection();
    let description = bells.post.run(async move { inspection.describe(&deaf, None).await }).await;
    let alarm = description.expect("it is there").alarm.expect("it stays");
    assert!(alarm.retries >= 1);
    assert!(alarm.error.is_some_and(|error| error.starts_with("NO_ALARM_HANDLER")));
}

#[tokio::test]
async fn one_handler_of_an_alarm_runs_at_a_time_whoever_looks() {
    for ownership in BOTH {
        let bells = Bells::new();
        let servers =
            [bells.post.server_with(ownership).await, bells.post.server_with(ownership).await];
        bells.get(&servers[0], "a", "/slow?6").await;
        bells.get(&servers[0], "a", "/set?30").await;
        bells.pass(31).await;
        for server in &servers {
            let engine = server.engine.clone();
            tokio::spawn(async move { engine.tick().await });
        }
        bells.pass(60).await;
        assert_eq!(bells.running.begun.load(Ordering::SeqCst), 1, "{ownership:?}");
        assert_eq!(bells.running.most.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn a_repeated_alarm_is_set_by_its_own_record() {
    for ownership in BOTH {
        let bells = Bells::new();
        let server = bells.post.server_with(ownership).await;
        bells.get(&server, "a", "/again?20").await;
        bells.get(&server, "a", "/set?20").await;
        for rung in 1..=5 {
            bells.pass(21).await;
            assert_eq!(bells.get(&server, "a", "/rung").await.lines().count(), rung);
        }
        bells.pass(60).await;
        assert_eq!(bells.get(&server, "a", "/rung").await.lines().count(), 5);
        assert_eq!(bells.markers().await, 0);
    }
}
