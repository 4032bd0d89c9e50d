//! A chat room over WebSockets, with presence: who is there is in the list of sockets, so it is
//! right after a restart, and a room with silent people costs no memory.
//!
//! In a browser: `new WebSocket("ws://127.0.0.1:8787/do/lobby/join?as=ada")`. What the server sends
//! is JSON: `{"said": …}`, `{"joined": "bob"}`, `{"left": "bob"}`; what a client sends is a text.
//!
//! ```sh
//! curl http://127.0.0.1:8787/do/lobby/here                 # ["ada","bob"]
//! curl http://127.0.0.1:8787/do/lobby/messages?after=0     # what was said
//! curl -N http://127.0.0.1:8787/do/lobby/listen            # the same, as server-sent events
//! ```

use std::process::ExitCode;

use dotdo::sockets::{SocketClose, SocketMessage, WebSocket};
use dotdo::{
    App, Class, Context, DurableObject, Error, IntoResponse, Json, Matcher, Request, RequestExt,
    Response, Result, ResultExt,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Maximum number of messages in a response, and of those that somebody gets who joins.
const PAGE: u32 = 100;
/// Maximum length of a name, in characters.
const NAME_CHARS_MAX: usize = 40;
/// The tag of people; those who only listen have another.
const GUESTS: &str = "guests";

const SCHEMA: &str = "CREATE TABLE messages (
    id INTEGER PRIMARY KEY, sender TEXT NOT NULL, text TEXT NOT NULL, at_ms INTEGER NOT NULL)";

#[derive(Default)]
struct Room;

impl Class for Room {
    const NAME: &'static str = "Room";
}

/// What a socket keeps while its room sleeps.
#[derive(Serialize, Deserialize)]
struct Guest {
    name: String,
}

#[derive(Serialize, Deserialize)]
struct Message {
    id: i64,
    sender: String,
    text: String,
    at_ms: i64,
}

impl DurableObject for Room {
    async fn start(&mut self, ctx: &mut Context) -> Result<()> {
        ctx.migrate(&[SCHEMA])
    }

    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        let mut on = Matcher::of(&request);
        if let Some([]) = on.get("/join") {
            let name = request.query("as").or_invalid("`as`: expected a name")?;
            join(&request, name, ctx)
        } else if let Some([]) = on.get("/listen") {
            let (_, response) = ctx.accept_events(&["listeners"])?;
            Ok(response)
        } else if let Some([]) = on.get("/here") {
            Json(here(ctx)?).into_response()
        } else if let Some([]) = on.get("/messages") {
            let after = request.query("after").unwrap_or_else(|| "0".into());
            let after = after.parse().or_invalid("`after`: expected the id of a message")?;
            Json(history(after, ctx)?).into_response()
        } else {
            on.otherwise()
        }
    }

    async fn websocket_message(
        &mut self,
        socket: WebSocket,
        message: SocketMessage,
        ctx: &mut Context,
    ) -> Result<()> {
        let Some(text) = message.text().filter(|text| !text.is_empty()) else {
            return socket.send(ctx, json!({ "error": "expected a text" }).to_string());
        };
        let (name, now_ms) = (name_of(&socket)?, ctx.now_ms());
        let insert = "INSERT INTO messages (sender, text, at_ms) VALUES (?, ?, ?) RETURNING *";
        let said: Message = ctx.sql().exec(insert, (&name, text, now_ms))?.one()?;
        ctx.broadcast(None, json!({ "said": said }).to_string())
    }

    async fn websocket_close(
        &mut self,
        socket: WebSocket,
        _: SocketClose,
        ctx: &mut Context,
    ) -> Result<()> {
        let is_guest = socket.tags().iter().any(|tag| tag == GUESTS);
        let name = name_of(&socket)?;
        // Somebody may be there twice.
        if is_guest && !here(ctx)?.contains(&name) {
            ctx.broadcast(None, json!({ "left": name }).to_string())?;
        }
        Ok(())
    }
}

fn join(request: &Request, name: String, ctx: &mut Context) -> Result<Response> {
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX {
        return Err(Error::invalid("`as`: expected a name of at most 40 characters"));
    }
    let mut socket = request.websocket()?;
    if !here(ctx)?.contains(&name) {
        ctx.broadcast(None, json!({ "joined": name }).to_string())?;
    }
    ctx.accept(&mut socket, &[GUESTS])?;
    socket.set_attachment(ctx, &Guest { name })?;
    for said in history(0, ctx)? {
        socket.send(ctx, json!({ "said": said }).to_string())?;
    }
    Ok(socket.upgraded())
}

/// Who is in the room, each once.
fn here(ctx: &mut Context) -> Result<Vec<String>> {
    let sockets = ctx.sockets(Some(GUESTS))?;
    let mut names: Vec<String> = sockets.iter().map(name_of).collect::<Result<_>>()?;
    names.sort();
    names.dedup();
    Ok(names)
}

fn name_of(socket: &WebSocket) -> Result<String> {
    Ok(socket.attachment::<Guest>()?.map(|guest| guest.name).unwrap_or_default())
}

/// The messages after the one with this id, oldest first.
fn history(after: i64, ctx: &mut Context) -> Result<Vec<Message>> {
    let select = "SELECT * FROM messages WHERE id > ? ORDER BY id LIMIT ?";
    ctx.sql().exec(select, (after, PAGE))?.rows()
}

/// The classes of this program.
pub(crate) fn app() -> App {
    App::new().register::<Room>()
}

fn main() -> ExitCode {
    dotdo::run(app())
}
