//! What the simulated program serves: lists that grow, and hand values on to each other, by calls
//! and by messages, which alarms may send; beside them tables that come and go; and handlers that panic, look on after
//! their answer, and write when they are asked to read.

use std::sync::Arc;

use crate::alarms::AlarmInfo;
use crate::error::{Error, Result};
use crate::object::{
    App, Body, Context, DurableObject, Request, RequestExt, Response, Sql, Turns, WebSocket,
};
use crate::simulation::history::Moment;
use crate::simulation::schemas;
use crate::sockets::SocketMessage;
use crate::sqlite::Database;

/// The header with what a handler does beside its work: the operation's number, and when to panic.
pub(super) const ANTICS: &str = "x-antics";

/// Called with the effects of an operation that are visible outside of the object.
pub(super) type Watcher = Arc<dyn Fn(usize, String) + Send + Sync>;

/// A list. Its answers are the whole list and what else is in the database, so that they say what
/// they have seen.
struct List {
    watcher: Watcher,
}

/// The program that all machines run.
pub(super) fn app(watcher: Watcher) -> App {
    App::new().class("List", move || List { watcher: watcher.clone() })
}

/// The steps of the class's schema. The last one shows how often it has run.
const STEPS: [&str; 2] = [
    "CREATE TABLE list (place INTEGER PRIMARY KEY, value INTEGER NOT NULL)",
    "CREATE TABLE steps (ran INTEGER NOT NULL); INSERT INTO steps VALUES (1)",
];

impl DurableObject for List {
    async fn start(&mut self, ctx: &mut Context) -> Result<()> {
        ctx.migrate(&STEPS)
    }

    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        let antics = request
            .headers()
            .get(ANTICS)
            .and_then(|value| value.to_str().ok())
            .map(ToOwned::to_owned);
        let (number, moment) =
            antics.as_deref().and_then(|text| text.split_once(' ')).unwrap_or_default();
        trip(moment, Moment::First);
        if request.uri().path() == "/socket" {
            let mut socket = request.websocket()?;
            ctx.accept(&mut socket, &[])?;
            return Ok(socket.upgraded());
        }
        let leaves = request.uri().path() == "/leave";
        let text = answer(request, ctx).await?;
        trip(moment, Moment::Last);
        if leaves {
            return self.leave(number.parse().ok(), text, ctx);
        }
        if let Ok(number) = number.parse::<usize>() {
            let (seen, watcher) = (text.clone(), self.watcher.clone());
            ctx.after_commit(move || watcher(number, seen));
        }
        for late in [Moment::Committed, Moment::Behind] {
            let moment = moment.to_owned();
            match late {
                Moment::Committed if moment == late.name() => {
                    ctx.after_commit(move || trip(&moment, late))
                }
                Moment::Behind if moment == late.name() => {
                    ctx.wait_until(async move { trip(&moment, late) })
                }
                _ => {}
            }
        }
        Ok(Response::new(text.into()))
    }

    async fn websocket_message(
        &mut self,
        socket: WebSocket,
        message: SocketMessage,
        ctx: &mut Context,
    ) -> Result<()> {
        let (number, uri) =
            message.text().and_then(|text| text.split_once(' ')).unwrap_or_default();
        let text = answer(http::Request::post(uri).body(Body::empty())?, ctx).await?;
        if let Ok(number) = number.parse::<usize>() {
            let (seen, watcher) = (text.clone(), self.watcher.clone());
            ctx.after_commit(move || watcher(number, seen));
        }
        socket.send(ctx, text)
    }

    async fn alarm(&mut self, _: AlarmInfo, ctx: &mut Context) -> Result<()> {
        let query = "SELECT value, receiver FROM pending ORDER BY place";
        let pending: Vec<(i64, String)> = ctx.sql().exec(query, ())?.rows()?;
        assert!(!pending.is_empty(), "an alarm runs that was not set, or ran before");
        ctx.sql().exec("DELETE FROM pending", ())?;
        for (value, receiver) in pending {
            send(ctx, value, &receiver)?;
        }
        Ok(())
    }
}

impl List {
    /// Tells what was done where everybody can see it, and looks at the list once more.
    fn leave(&self, number: Option<usize>, text: String, ctx: &mut Context) -> Result<Response> {
        let watcher = self.watcher.clone();
        ctx.leave_turn(move |object: Turns<Self>| async move {
            if let Some(number) = number {
                watcher(number, text.clone());
            }
            let now = object.turn(|_, ctx| content(ctx)).await?;
            let [then, now] = [&text, &now].map(|text| text.lines().next().unwrap_or_default());
            if !now.starts_with(then) {
                return Err(Error::internal(format!(
                    "{then} was recorded, and later it was {now}"
                )));
            }
            Ok(Response::new(text.into()))
        })
    }
}

fn send(ctx: &mut Context, value: i64, receiver: &str) -> Result<()> {
    ctx.send("List", receiver, http::Request::post(format!("/arrive?{value}")).body(Body::empty())?)
}

/// Leaves a value to an alarm, which is due at once by any clock.
fn ring(ctx: &mut Context, value: i64, receiver: &str) -> Result<()> {
    let create = "CREATE TABLE IF NOT EXISTS pending (place INTEGER PRIMARY KEY, value INTEGER NOT NULL, receiver TEXT NOT NULL)";
    ctx.sql().exec(create, ())?;
    ctx.sql().exec("INSERT INTO pending (value, receiver) VALUES (?, ?)", (value, receiver))?;
    ctx.set_alarm(0)
}

/// Panics if this is the moment for it.
fn trip(moment: &str, now: Moment) {
    assert!(moment != now.name(), "planned: a panic of a handler");
}

/// Appends a value to the list in a database that becomes an object's whole state.
pub(super) fn append(database: &mut Database, value: i64) -> Result<String> {
    Sql::new(database).exec("INSERT INTO list (value) VALUES (?1)", [value])?;
    schemas::change(Sql::new(database), value)?;
    content_of(database)
}

async fn answer(request: Request, ctx: &mut Context) -> Result<String> {
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    if path == "/read" {
        return content(ctx);
    }
    let (value, to) = query.split_once('&').unwrap_or((&query, ""));
    let value: i64 = value.parse().map_err(|_| Error::invalid("no value"))?;
    // A call may be made again, so what is called makes sure that it does it once; whatever else is
    // done twice can be seen.
    let unless =
        if path == "/take" { "WHERE NOT EXISTS (SELECT 1 FROM list WHERE value = ?1)" } else { "" };
    let written = ctx
        .sql()
        .exec(&format!("INSERT INTO list (value) SELECT ?1 {unless}"), [value])?
        .rows_written();
    if written > 0 {
        schemas::change(ctx.sql(), value)?;
    }
    if path == "/send" {
        send(ctx, value, to)?;
    }
    if path == "/ring" {
        ring(ctx, value, to)?;
    }
    if path == "/give" {
        let other = ctx.object("List", to)?;
        let uri = format!("/take?{value}");
        other.fetch(http::Request::get(uri).body(Body::empty())?).await?;
    }
    content(ctx)
}

/// The whole list in one line, and below it everything else.
fn content(ctx: &mut Context) -> Result<String> {
    content_of(&mut ctx.database)
}

fn content_of(database: &mut Database) -> Result<String> {
    let steps: Vec<i64> = Sql::new(database).exec("SELECT ran FROM steps", ())?.rows()?;
    if steps != [1] {
        return Err(Error::internal(format!("the steps of the schema have left {steps:?}")));
    }
    let values: Vec<i64> =
        Sql::new(database).exec("SELECT value FROM list ORDER BY place", ())?.rows()?;
    let text: Vec<String> = values.iter().map(ToString::to_string).collect();
    Ok(format!("{}\n{}", text.join(","), schemas::content(Sql::new(database))?))
}
