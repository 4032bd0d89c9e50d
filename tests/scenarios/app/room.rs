//! A room of sockets: each message is an entry, and everybody is told of it.

use dotdo::sockets::{SocketClose, SocketMessage, WebSocket};
use dotdo::{Context, DurableObject, Error, Request, RequestExt, Response, Result, json};

/// A room. `GET /` is the handshake, with the name of who comes as `?name=`; a message is a number,
/// and everybody is told its entry as `position name number`. `GET /said`, `/there`, `/left`.
pub(crate) struct Room;

const STEPS: [&str; 2] = [
    "CREATE TABLE said (position INTEGER PRIMARY KEY, name TEXT NOT NULL, n INTEGER NOT NULL)",
    "CREATE TABLE gone (number INTEGER PRIMARY KEY, name TEXT NOT NULL, code INTEGER NOT NULL)",
];

impl DurableObject for Room {
    async fn start(&mut self, ctx: &mut Context) -> Result<()> {
        ctx.migrate(&STEPS)
    }

    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        match request.uri().path() {
            "/said" => {
                let query = "SELECT position, name, n FROM said ORDER BY position";
                let said: Vec<(i64, String, i64)> = ctx.sql().exec(query, ())?.rows()?;
                return json(&said);
            }
            "/there" => {
                let names: Vec<Option<String>> =
                    ctx.sockets(None)?.iter().map(WebSocket::attachment).collect::<Result<_>>()?;
                let mut names: Vec<String> = names.into_iter().flatten().collect();
                names.sort();
                return json(&names);
            }
            "/left" => {
                let query = "SELECT name, code FROM gone ORDER BY number";
                let gone: Vec<(String, i64)> = ctx.sql().exec(query, ())?.rows()?;
                return json(&gone);
            }
            "/events" => {
                let (_, response) = ctx.accept_events(&["listeners"])?;
                return Ok(response);
            }
            _ => {}
        }
        let mut socket = request.websocket()?;
        let name = request.query("name").unwrap_or_default();
        ctx.accept(&mut socket, &[&name])?;
        socket.set_attachment(ctx, &name)?;
        socket.send(ctx, "welcome")?;
        Ok(socket.upgraded())
    }

    async fn websocket_message(
        &mut self,
        socket: WebSocket,
        message: SocketMessage,
        ctx: &mut Context,
    ) -> Result<()> {
        let name: String = socket.attachment()?.unwrap_or_default();
        let number = message.text().and_then(|text| text.parse::<i64>().ok());
        let number = number.ok_or_else(|| Error::invalid("expected a number"))?;
        let insert = "INSERT INTO said (name, n) VALUES (?, ?) RETURNING position";
        let position: i64 = ctx.sql().exec(insert, (&name, number))?.one()?;
        ctx.broadcast(None, format!("{position} {name} {number}"))
    }

    async fn websocket_close(
        &mut self,
        socket: WebSocket,
        close: SocketClose,
        ctx: &mut Context,
    ) -> Result<()> {
        let name: String = socket.attachment()?.unwrap_or_default();
        let insert = "INSERT INTO gone (name, code) VALUES (?, ?)";
        ctx.sql().exec(insert, (name, i64::from(close.code))).map(drop)
    }
}
