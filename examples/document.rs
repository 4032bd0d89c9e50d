//! A text that several people edit at the same time, over WebSockets.
//!
//! The object puts all edits in one order. Whoever edits says which version she has seen; the object
//! moves her edit over what others have done since, applies it, and tells everybody, her too. So all
//! copies are the same once they have the same version. An edit that is sent again after a broken
//! connection is applied once.
//!
//! In a browser: `new WebSocket("ws://127.0.0.1:8787/do/notes/edit?as=ada")`. It gets
//! `{"text": "…", "version": 7}` first, and then each edit as
//! `{"applied": {"version": 8, "at": 3, "remove": 0, "insert": "x", "author": "ada", "n": 1}}`. It sends
//! `{"base": 7, "n": 1, "at": 3, "remove": 0, "insert": "x"}`; `n` counts its edits.
//!
//! ```sh
//! curl http://127.0.0.1:8787/do/notes                      # {"text":"…","version":8}
//! ```

use std::process::ExitCode;

use dotdo::sockets::{SocketMessage, WebSocket};
use dotdo::{
    App, Context, DurableObject, Error, IntoResponse, Json, Matcher, Request, RequestExt, Response,
    Result, ResultExt,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Maximum length of a text, in characters.
const CHARS_MAX: usize = 100_000;

const SCHEMA: &str = "
    CREATE TABLE document (text TEXT NOT NULL, version INTEGER NOT NULL);
    INSERT INTO document VALUES ('', 0);
    CREATE TABLE edits (version INTEGER PRIMARY KEY, at INTEGER NOT NULL, remove INTEGER NOT NULL,
        \"insert\" TEXT NOT NULL, author TEXT NOT NULL, n INTEGER NOT NULL);
    CREATE INDEX by_author ON edits (author, n)";

struct Document;

/// What a client sends.
#[derive(Deserialize)]
struct Wanted {
    base: u64,
    n: u64,
    #[serde(flatten)]
    splice: Splice,
}

/// A change at one place: positions and lengths are in characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Splice {
    pub(crate) at: usize,
    pub(crate) remove: usize,
    pub(crate) insert: String,
}

#[derive(Serialize, Deserialize)]
struct Text {
    text: String,
    version: u64,
}

impl Splice {
    /// This change after `before` was made, which its author had not seen: one change, or two where
    /// something was inserted into what it removes. They are applied in order.
    pub(crate) fn over(self, before: &Self) -> Vec<Self> {
        let (inserted, end) = (before.insert.chars().count(), before.at + before.remove);
        if end <= self.at {
            return vec![Self { at: self.at + inserted - before.remove, ..self }];
        }
        if self.at + self.remove <= before.at {
            return vec![self];
        }
        let left = before.at.saturating_sub(self.at);
        let right = (self.at + self.remove).saturating_sub(end);
        let at = self.at.min(before.at);
        let after = Self { at: before.at + inserted, remove: right, insert: String::new() };
        let here = Self { at, remove: left, insert: self.insert };
        [after, here].into_iter().filter(Self::changes).collect()
    }

    fn changes(&self) -> bool {
        self.remove > 0 || !self.insert.is_empty()
    }

    /// The text after this change; `None` when the text is too short for it.
    pub(crate) fn apply(&self, text: &str) -> Option<String> {
        let letters: Vec<char> = text.chars().collect();
        let end = self.at.checked_add(self.remove).filter(|end| *end <= letters.len())?;
        let kept = letters[..self.at].iter().copied().chain(self.insert.chars());
        Some(kept.chain(letters[end..].iter().copied()).collect())
    }
}

impl DurableObject for Document {
    async fn start(&mut self, ctx: &mut Context) -> Result<()> {
        ctx.migrate(&[SCHEMA])
    }

    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        let mut on = Matcher::of(&request);
        if let Some([]) = on.get("/") {
            Json(current(ctx)?).into_response()
        } else if let Some([]) = on.get("/edit") {
            let author = request.query("as").or_invalid("`as`: expected a name")?;
            let mut socket = request.websocket()?;
            ctx.accept(&mut socket, &[])?;
            socket.set_attachment(ctx, &author)?;
            let text = serde_json::to_string(&current(ctx)?)?;
            socket.send(ctx, text)?;
            Ok(socket.upgraded())
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
        let author: String = socket.attachment()?.unwrap_or_default();
        let wanted = serde_json::from_str::<Wanted>(message.text().unwrap_or_default());
        let edited = wanted
            .or_invalid("expected an edit: base, n, at, remove, insert")
            .and_then(|wanted| ctx.transaction(|ctx| edit(&author, wanted, ctx)));
        match edited {
            Ok(()) => Ok(()),
            // Its copy is not what it should be: it begins anew.
            Err(error) => {
                let current = current(ctx)?;
                let answer = json!({
                    "error": error.public_message(), "text": current.text, "version": current.version,
                });
                socket.send(ctx, answer.to_string())
            }
        }
    }
}

/// Applies what `author` wants, and tells everybody.
fn edit(author: &str, wanted: Wanted, ctx: &mut Context) -> Result<()> {
    let known = "SELECT count(*) FROM edits WHERE author = ? AND n = ?";
    if ctx.sql().exec(known, (author, wanted.n))?.one::<u64>()? > 0 {
        return Ok(());
    }
    let since = "SELECT at, remove, \"insert\" FROM edits WHERE version > ? ORDER BY version";
    let since: Vec<Splice> = ctx.sql().exec(since, (wanted.base,))?.rows()?;
    let mut splices = vec![wanted.splice];
    for before in &since {
        splices = splices.into_iter().flat_map(|splice| splice.over(before)).collect();
    }
    let Text { mut text, mut version } = current(ctx)?;
    for splice in splices {
        text = splice.apply(&text).or_invalid("the text is too short for this edit")?;
        version += 1;
        let Splice { at, remove, insert } = splice;
        let row = (version, at, remove, insert.as_str(), author, wanted.n);
        ctx.sql().exec("INSERT INTO edits VALUES (?, ?, ?, ?, ?, ?)", row)?;
        let applied = json!({
            "version": version, "at": at, "remove": remove, "insert": insert, "author": author,
            "n": wanted.n,
        });
        ctx.broadcast(None, json!({ "applied": applied }).to_string())?;
    }
    if text.chars().count() > CHARS_MAX {
        return Err(Error::invalid("the text is longer than 100,000 characters"));
    }
    ctx.sql().exec("UPDATE document SET text = ?, version = ?", (text, version)).map(drop)
}

fn current(ctx: &mut Context) -> Result<Text> {
    ctx.sql().exec("SELECT text, version FROM document", ())?.one()
}

/// The classes of this program.
pub(crate) fn app() -> App {
    App::new().class("Document", || Document)
}

fn main() -> ExitCode {
    dotdo::run(app())
}
