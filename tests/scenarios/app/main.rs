//! The program that the scenarios serve: ledgers that number what they take, and handlers that
//! misbehave on request.
//!
//! `POST /append?client=&n=[&bytes=]` takes one entry and answers with its position, without a
//! gap from 1. `GET /count` and `GET /all` tell what is there. The built-in class and one that runs any SQL
//! are there as well. `POST /wake` has it take entries of client 0
//! by itself from then on. `POST /endless` and `POST /compute?ms=` write something and then never, or
//! not for so long, come to an end.

mod account;
mod mirror;
mod outside;
mod planner;
mod room;
mod witness;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use dotdo::{
    AlarmInfo, App, Context, DurableObject, Error, Request, Response, Result, Serve, json,
};
use dotdo_builtin::Graph;
use dotdo_tests::sql_object::SqlObject;
use serde_json::{Value, json};

use crate::account::Account;

struct Ledger;

/// Time between two alarms of a ledger.
const BETWEEN_ALARMS_MS: i64 = 50;

/// Several steps, so that a ledger which has had some of them and not the others would be seen.
const STEPS: [&str; 3] = [
    "CREATE TABLE entries (position INTEGER PRIMARY KEY, client INTEGER NOT NULL, n INTEGER NOT NULL)",
    "CREATE TABLE clients (client INTEGER PRIMARY KEY, entries INTEGER NOT NULL, last INTEGER NOT NULL)",
    "ALTER TABLE entries ADD COLUMN padding BLOB",
];

impl DurableObject for Ledger {
    async fn start(&mut self, ctx: &mut Context) -> Result<()> {
        ctx.migrate(&STEPS)
    }

    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        let (head, _) = request.into_parts();
        let query = head.uri.query().unwrap_or_default();
        let answer = match (head.method.as_str(), head.uri.path()) {
            ("POST", "/append") => append(ctx, query)?,
            ("GET", "/count") => count(ctx)?,
            ("GET", "/all") => all(ctx)?,
            ("POST", "/endless") => endless(ctx)?,
            ("POST", "/compute") => compute(ctx, query)?,
            ("POST", "/wake") => wake(ctx)?,
            ("POST", "/panic") => panic!("as the test asks"),
            ("POST", "/ask") => return outside::ask(ctx, query),
            ("POST", "/wait") => return outside::wait(ctx, query),
            (method, path) => {
                return Err(Error::not_found(format!("a ledger has no {method} {path}")));
            }
        };
        json(&answer)
    }

    async fn alarm(&mut self, _: AlarmInfo, ctx: &mut Context) -> Result<()> {
        let taken = "SELECT coalesce(max(entries), 0) FROM clients WHERE client = 0";
        let taken: i64 = ctx.sql().exec(taken, ())?.one()?;
        append(ctx, &format!("client=0&n={}", taken + 1))?;
        wake(ctx).map(drop)
    }
}

/// Has the ledger take an entry of client 0 by itself in a moment, and so on.
fn wake(ctx: &mut Context) -> Result<Value> {
    ctx.set_alarm(ctx.now_ms() + BETWEEN_ALARMS_MS)?;
    Ok(json!({}))
}

/// A text from the query.
fn text<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query
        .split('&')
        .find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name))
        .map(|(_, text)| text)
}

/// A number from the query.
fn number(query: &str, name: &str) -> Result<Option<i64>> {
    text(query, name)
        .map(|text| {
            text.parse().map_err(|_| Error::invalid(format!("{name} is a number, not {text:?}")))
        })
        .transpose()
}

fn append(ctx: &mut Context, query: &str) -> Result<Value> {
    let given =
        |name| number(query, name)?.ok_or_else(|| Error::invalid(format!("{name} is missing")));
    let (client, n, bytes) = (given("client")?, given("n")?, number(query, "bytes")?.unwrap_or(0));
    let mut sql = ctx.sql();
    let padding = if bytes > 0 { "randomblob(?3)" } else { "nullif(?3, 0)" };
    let insert = format!(
        "INSERT INTO entries SELECT coalesce(max(position), 0) + 1, ?1, ?2, {padding} FROM entries RETURNING position"
    );
    let position: i64 = sql.reborrow().exec(&insert, (client, n, bytes))?.one()?;
    sql.exec(
        "INSERT INTO clients VALUES (?1, 1, ?2) ON CONFLICT (client) DO UPDATE SET entries = entries + 1, last = excluded.last",
        (client, n),
    )?;
    Ok(json!({ "position": position }))
}

fn count(ctx: &mut Context) -> Result<Value> {
    let count: i64 = ctx.sql().exec("SELECT count(*) FROM entries", ())?.one()?;
    Ok(json!({ "count": count }))
}

fn all(ctx: &mut Context) -> Result<Value> {
    let entries: Vec<(i64, i64, i64)> =
        ctx.sql().exec("SELECT position, client, n FROM entries ORDER BY position", ())?.rows()?;
    let clients: Vec<(i64, i64, i64)> =
        ctx.sql().exec("SELECT client, entries, last FROM clients ORDER BY client", ())?.rows()?;
    Ok(json!({ "entries": entries, "clients": clients }))
}

/// Writes something that must not remain, and tells the test that it has.
#[expect(clippy::print_stderr, reason = "the test reads it there")]
fn begin_fault(ctx: &mut Context) -> Result<()> {
    append(ctx, "client=666&n=1")?;
    eprintln!("fault begins");
    Ok(())
}

/// Queries without an end.
fn endless(ctx: &mut Context) -> Result<Value> {
    begin_fault(ctx)?;
    let endless = "WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number) SELECT count(*) FROM number";
    let count: i64 = ctx.sql().exec(endless, ())?.one()?;
    Ok(json!({ "count": count }))
}

/// Computes without ever giving way, as a handler with a bug would.
fn compute(ctx: &mut Context, query: &str) -> Result<Value> {
    begin_fault(ctx)?;
    let time =
        Duration::from_millis(number(query, "ms")?.and_then(|ms| ms.try_into().ok()).unwrap_or(0));
    let (begin, mut rounds) = (Instant::now(), 0_u64);
    while begin.elapsed() < time {
        rounds = std::hint::black_box(rounds + 1);
    }
    Ok(json!({ "rounds": rounds }))
}

fn main() -> ExitCode {
    let app = App::new().class("Ledger", || Ledger);
    // A later version of the program has no accounts any more.
    let app = match std::env::var_os("SCENARIO_WITHOUT_ACCOUNTS") {
        Some(_) => app.deleted("Account"),
        None => app.class("Account", || Account),
    };
    let app = app
        .class("Planner", || planner::Planner)
        .class("Mirror", || mirror::Mirror)
        .class("Room", || room::Room)
        .class("Witness", || witness::Witness);
    let serve = Serve::new(app.register::<Graph>().class("Sql", || SqlObject));
    // Only the scenarios about callers ask for tokens that anyone can spell.
    match std::env::var_os("SCENARIO_SPELLED_TOKENS") {
        Some(_) => serve.authenticate(witness::Spelled).run(),
        None => serve.run(),
    }
}
