//! The class that is measured: small enough that the product's own cost shows.

use dotdo::sockets::{SocketMessage, WebSocket};
use dotdo::{
    AlarmInfo, App, Context, DurableObject, Error, IntoResponse, Request, RequestExt, Response,
    Result,
};

/// Answers `/create` (the first write), `/value` (a read), `/add` (a write of one row), `/fill?n` (n
/// rows of about 104 bytes), `/touch` (changes one of them), `/scan` (reads all of them, sorted),
/// `/column?n` (adds a column), `/socket` (a WebSocket, each message on which is a write of one row),
/// `/wake?ms` (sets an alarm), `/late` (by how many milliseconds it came too late).
struct Measured;

const STEPS: [&str; 1] = ["CREATE TABLE counter (id INTEGER PRIMARY KEY, value INTEGER NOT NULL);
    CREATE TABLE rows (id TEXT PRIMARY KEY, type TEXT NOT NULL, data TEXT NOT NULL)"];

pub(crate) const FILL: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
    INSERT INTO rows SELECT printf('%016x', (i * 2654435761) & 4294967295), 'type' || (i % 8),
    json_object('number', i, 'text', hex(i * 7919) || '-and-some-more-text-so-that-a-row-has-its-size', 'flag', i % 2) FROM n";

impl DurableObject for Measured {
    async fn start(&mut self, ctx: &mut Context) -> Result<()> {
        ctx.migrate(&STEPS)
    }

    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        if request.uri().path() == "/socket" {
            let mut socket = request.websocket()?;
            ctx.accept(&mut socket, &[])?;
            return Ok(socket.upgraded());
        }
        let number = request.uri().query().and_then(|query| query.parse().ok()).unwrap_or(1_i64);
        let answer: i64 = match request.uri().path() {
            "/value" => ctx.sql().exec("SELECT value FROM counter", ())?.one()?,
            "/count" => ctx.sql().exec("SELECT count(*) FROM rows", ())?.one()?,
            "/scan" => {
                let mut rows =
                    ctx.sql().exec("SELECT id, type FROM rows ORDER BY data || id", ())?;
                let mut count = 0;
                while rows.next::<(String, String)>()?.is_some() {
                    count += 1;
                }
                count
            }
            "/column" => {
                ctx.sql().exec(&format!("ALTER TABLE counter ADD COLUMN c{number}"), ())?;
                number
            }
            "/create" => {
                ctx.sql().exec("INSERT OR IGNORE INTO counter VALUES (1, 0)", ())?;
                0
            }
            "/add" => {
                ctx.sql().exec("UPDATE counter SET value = value + 1 RETURNING value", ())?.one()?
            }
            "/fill" => ctx.sql().exec(FILL, (number,)).map(|_| number)?,
            "/wake" => {
                ctx.set_alarm(ctx.now_ms() + number)?;
                number
            }
            "/late" => {
                let late: Option<i64> = ctx.storage().get("late")?;
                return late.map_or_else(String::new, |ms| ms.to_string()).into_response();
            }
            "/touch" => {
                ctx.sql().exec("UPDATE rows SET type = 'touched' WHERE rowid = ?", (number,))?;
                number
            }
            path => return Err(Error::not_found(format!("nothing is measured at {path}"))),
        };
        Ok(Response::new(answer.to_string().into()))
    }

    async fn alarm(&mut self, alarm: AlarmInfo, ctx: &mut Context) -> Result<()> {
        let late_ms = ctx.now_ms() - alarm.scheduled_ms;
        ctx.storage().put("late", &late_ms)
    }

    async fn websocket_message(
        &mut self,
        socket: WebSocket,
        _: SocketMessage,
        ctx: &mut Context,
    ) -> Result<()> {
        let add = "UPDATE counter SET value = value + 1 RETURNING value";
        let value: i64 = ctx.sql().exec(add, ())?.one()?;
        socket.send(ctx, value.to_string())
    }
}

/// The app that is measured.
pub fn app() -> App {
    App::new().class("Measured", || Measured)
}
