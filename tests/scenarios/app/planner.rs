//! Planners, which do what they were told to at its time.
//!
//! `POST /plan?jobs=&within_ms=` schedules that many, `GET /ran` tells how often each has run.

use dotdo::schedules::Schedule;
use dotdo::{Context, DurableObject, Error, Request, Response, Result, json};

use crate::number;

pub(crate) struct Planner;

impl DurableObject for Planner {
    async fn start(&mut self, ctx: &mut Context) -> Result<()> {
        ctx.migrate(&["CREATE TABLE ran (job INTEGER PRIMARY KEY, times INTEGER NOT NULL)"])
    }

    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        let query = request.uri().query().unwrap_or_default();
        match (request.method().as_str(), request.uri().path()) {
            ("POST", "/plan") => {
                let jobs = number(query, "jobs")?.unwrap_or(1);
                let within_ms = number(query, "within_ms")?.unwrap_or(0);
                for job in 0..jobs {
                    let at_ms = ctx.now_ms() + within_ms * job / jobs;
                    ctx.schedule(&format!("job-{job}"), at_ms, &job)?;
                }
                json(&jobs)
            }
            ("GET", "/ran") => {
                let ran = "SELECT job, times FROM ran ORDER BY job";
                json(&ctx.sql().exec(ran, ())?.rows::<(i64, i64)>()?)
            }
            (method, path) => Err(Error::not_found(format!("a planner has no {method} {path}"))),
        }
    }

    async fn scheduled(&mut self, schedule: Schedule, ctx: &mut Context) -> Result<()> {
        let job: i64 = schedule.payload()?;
        let run = "INSERT INTO ran VALUES (?, 1) ON CONFLICT (job) DO UPDATE SET times = times + 1";
        ctx.sql().exec(run, (job,)).map(drop)
    }
}
