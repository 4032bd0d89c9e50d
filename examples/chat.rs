//! A chat room: durable messages, and a list of present users that is not durable.
//!
//! ```sh
//! curl -d '{"from": "ada", "text": "hello"}' http://127.0.0.1:8787/do/lobby/messages
//! curl 'http://127.0.0.1:8787/do/lobby/messages?after=0&as=bob'    # what is new, again and again
//! curl http://127.0.0.1:8787/do/lobby/here                         # ["ada","bob"]
//! ```

use std::collections::BTreeMap;
use std::process::ExitCode;

use dotdo::{
    App, Class, Context, DurableObject, Error, IntoResponse, Json, Matcher, Request, RequestExt,
    Response, Result, ResultExt,
};
use serde::{Deserialize, Serialize};

/// How long a user counts as present after their last request.
const HERE_MS: i64 = 30_000;
/// Maximum number of messages in a response.
const PAGE: u32 = 100;

const SCHEMA: &str = "CREATE TABLE messages (
    id INTEGER PRIMARY KEY, sender TEXT NOT NULL, text TEXT NOT NULL, at_ms INTEGER NOT NULL)";

/// A room. The time when a user was last seen is in memory only, because it has no value after a
/// restart. A room exists from its first message on; a room that was only read keeps nothing, not
/// even in memory.
#[derive(Default)]
struct Room {
    seen_ms: BTreeMap<String, i64>,
}

impl Class for Room {
    const NAME: &'static str = "Room";
}

#[derive(Deserialize)]
struct Post {
    from: String,
    text: String,
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
        if let Some([]) = on.post("/messages") {
            Json(self.say(request.json().await?, ctx)?).into_response()
        } else if let Some([]) = on.get("/messages") {
            if let Some(name) = request.query("as") {
                self.seen_ms.insert(name, ctx.now_ms());
            }
            let after = request.query("after").unwrap_or_else(|| "0".into());
            let after = after.parse().or_invalid("`after`: expected the id of a message")?;
            Json(history(after, ctx)?).into_response()
        } else if let Some([]) = on.get("/here") {
            Json(self.here(ctx)).into_response()
        } else {
            on.otherwise()
        }
    }
}

impl Room {
    fn say(&mut self, post: Post, ctx: &mut Context) -> Result<Message> {
        if post.text.is_empty() {
            return Err(Error::invalid("expected a message with a text"));
        }
        let now_ms = ctx.now_ms();
        let insert = "INSERT INTO messages (sender, text, at_ms) VALUES (?, ?, ?) RETURNING *";
        let message: Message = ctx.sql().exec(insert, (&post.from, &post.text, now_ms))?.one()?;
        self.seen_ms.insert(post.from, now_ms);
        Ok(message)
    }

    fn here(&mut self, ctx: &Context) -> Vec<&String> {
        let since_ms = ctx.now_ms() - HERE_MS;
        self.seen_ms.retain(|_, seen_ms| *seen_ms >= since_ms);
        self.seen_ms.keys().collect()
    }
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
