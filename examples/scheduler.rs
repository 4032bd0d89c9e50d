//! A scheduler: jobs with a name that run once, or again and again by a cron expression, and a log of
//! what has run. Each owner has as many jobs as she likes.
//!
//! ```sh
//! curl -X PUT http://127.0.0.1:8787/do/ada/jobs/report -d '{"cron":"30 6 * * MON-FRI","note":"the report"}'
//! curl -X PUT http://127.0.0.1:8787/do/ada/jobs/call -d '{"in_s":3600,"note":"call bob"}'
//! curl http://127.0.0.1:8787/do/ada                        # the jobs, and when each runs
//! curl http://127.0.0.1:8787/do/ada/runs                   # what has run, and when
//! curl -X DELETE http://127.0.0.1:8787/do/ada/jobs/report
//! ```

use std::process::ExitCode;

use dotdo::schedules::{Schedule, When};
use dotdo::{
    AlarmInfo, App, Context, DurableObject, IntoResponse, Json, Matcher, Request, RequestExt,
    Response, Result, ResultExt,
};
use serde::{Deserialize, Serialize};

const SCHEMA: &str = "CREATE TABLE runs (id INTEGER PRIMARY KEY, job TEXT NOT NULL, note TEXT NOT NULL, due_ms INTEGER NOT NULL)";

/// How long what has run is remembered, in milliseconds.
pub(crate) const KEPT_MS: i64 = 24 * 3600 * 1000;

struct Scheduler;

/// When a job runs, and what for.
#[derive(Deserialize)]
struct Job {
    cron: Option<String>,
    in_s: Option<i64>,
    note: String,
}

#[derive(Serialize)]
struct Listed {
    job: String,
    next_ms: i64,
    cron: Option<String>,
    note: String,
}

#[derive(Serialize, Deserialize)]
struct Run {
    job: String,
    note: String,
    due_ms: i64,
}

impl DurableObject for Scheduler {
    async fn start(&mut self, ctx: &mut Context) -> Result<()> {
        ctx.migrate(&[SCHEMA])
    }

    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        let mut on = Matcher::of(&request);
        if let Some([]) = on.get("/") {
            Json(jobs(ctx)?).into_response()
        } else if let Some([]) = on.get("/runs") {
            Json(runs(ctx)?).into_response()
        } else if let Some([name]) = on.put("/jobs/{name}") {
            let job: Job = request.json().await?;
            let when = match (job.cron, job.in_s) {
                (Some(cron), None) => When::Cron(cron),
                (None, Some(seconds)) => When::At(ctx.now_ms() + seconds * 1000),
                _ => None.or_invalid("expected either `cron` or `in_s`")?,
            };
            ctx.schedule(&name, when, &job.note)?;
            Json(jobs(ctx)?).into_response()
        } else if let Some([name]) = on.delete("/jobs/{name}") {
            let cancelled = ctx.cancel_schedule(&name)?;
            cancelled.then_some(()).or_not_found("there is no such job")?;
            Json(jobs(ctx)?).into_response()
        } else {
            on.otherwise()
        }
    }

    /// A job runs: here it only writes down that it did.
    async fn scheduled(&mut self, schedule: Schedule, ctx: &mut Context) -> Result<()> {
        let note: String = schedule.payload()?;
        let insert = "INSERT INTO runs (job, note, due_ms) VALUES (?, ?, ?)";
        ctx.sql().exec(insert, (schedule.name, note, schedule.scheduled_ms))?;
        // The object's one alarm is for what it forgets.
        if ctx.alarm()?.is_none() {
            ctx.set_alarm(ctx.now_ms() + KEPT_MS)?;
        }
        Ok(())
    }

    async fn alarm(&mut self, _: AlarmInfo, ctx: &mut Context) -> Result<()> {
        let forgotten_ms = ctx.now_ms() - KEPT_MS;
        ctx.sql().exec("DELETE FROM runs WHERE due_ms <= ?", (forgotten_ms,))?;
        let oldest: Option<i64> = ctx.sql().exec("SELECT min(due_ms) FROM runs", ())?.one()?;
        match oldest {
            Some(oldest_ms) => ctx.set_alarm(oldest_ms + KEPT_MS),
            None => Ok(()),
        }
    }
}

fn jobs(ctx: &mut Context) -> Result<Vec<Listed>> {
    let listed = |job: Schedule| {
        let note = job.payload()?;
        Ok(Listed { next_ms: job.scheduled_ms, job: job.name, cron: job.cron, note })
    };
    ctx.schedules()?.into_iter().map(listed).collect()
}

fn runs(ctx: &mut Context) -> Result<Vec<Run>> {
    ctx.sql().exec("SELECT job, note, due_ms FROM runs ORDER BY id", ())?.rows()
}

/// The classes of this program.
pub(crate) fn app() -> App {
    App::new().class("Scheduler", || Scheduler)
}

fn main() -> ExitCode {
    dotdo::run(app())
}
