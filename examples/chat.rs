//! A chat room: messages that last, and a list of who is here that does not.
//!
//! ```sh
//! curl -d '{"from": "ada", "text": "hello"}' http://127.0.0.1:8787/do/lobby/messages
//! curl 'http://127.0.0.1:8787/do/lobby/messages?after=0&as=bob'    # what is new, again and again
//! curl http://127.0.0.1:8787/do/lobby/here                         # ["ada","bob"]
//! ```

use std::collections::BTreeMap;
use std::process::ExitCode;

use dotdo::{App, Context, DurableObject, Error, Request, Response, Result};
use serde::{Deserialize, Serialize};

/// How long somebody counts as here after their last request.
const HERE_MS: i64 = 30_000;
/// How many messages one request gets at most.
const PAGE: u32 = 100;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY, sender TEXT NOT NULL, text TEXT NOT NULL, at_ms INTEGER NOT NULL)";

/// A room. When somebody was last seen is in memory only: it is worth nothing after a restart.
#[derive(Default)]
struct Room {
    seen_ms: BTreeMap<String, i64>,
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
    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        ctx.sql().exec(SCHEMA, ())?;
        match (request.method().as_str(), request.uri().path()) {
            ("POST", "/messages") => {
                let post: Post = request.into_body().json().await?;
                self.say(post, ctx)
            }
            ("GET", "/messages") => {
                let query = request.uri().query().unwrap_or_default();
                if let Some(name) = parameter(query, "as") {
                    self.seen_ms.insert(name.to_owned(), ctx.now_ms());
                }
                let after = parameter(query, "after").unwrap_or("0");
                let after = after.parse().map_err(|_| {
                    Error::invalid(format!("`after`: expected the id of a message, got {after:?}"))
                })?;
                history(after, ctx)
            }
            ("GET", "/here") => self.here(ctx),
            (method, path) => Err(Error::not_found(format!(
                "expected POST or GET /messages, or GET /here, got {method} {path}"
            ))),
        }
    }
}

impl Room {
    fn say(&mut self, post: Post, ctx: &mut Context) -> Result<Response> {
        if post.text.is_empty() {
            return Err(Error::invalid("expected a message with a text"));
        }
        let now_ms = ctx.now_ms();
        let insert = "INSERT INTO messages (sender, text, at_ms) VALUES (?, ?, ?) RETURNING *";
        let message: Message = ctx.sql().exec(insert, (&post.from, &post.text, now_ms))?.one()?;
        self.seen_ms.insert(post.from, now_ms);
        dotdo::json(&message)
    }

    fn here(&mut self, ctx: &Context) -> Result<Response> {
        let since_ms = ctx.now_ms() - HERE_MS;
        self.seen_ms.retain(|_, seen_ms| *seen_ms >= since_ms);
        dotdo::json(&self.seen_ms.keys().collect::<Vec<_>>())
    }
}

/// The messages after the one with this id, oldest first.
fn history(after: i64, ctx: &mut Context) -> Result<Response> {
    let select = "SELECT * FROM messages WHERE id > ? ORDER BY id LIMIT ?";
    let messages: Vec<Message> = ctx.sql().exec(select, (after, PAGE))?.rows()?;
    dotdo::json(&messages)
}

fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

/// The classes of this program.
pub(crate) fn app() -> App {
    App::new().class("Room", Room::default)
}

fn main() -> ExitCode {
    dotdo::run(app())
}
