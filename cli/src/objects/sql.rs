//! `dotdo sql`: one statement, statements from standard input, or a prompt.

mod completion;
mod history;
mod prompt;
mod render;
mod statements;

use std::io::{self, IsTerminal as _, Read as _};

use clap::{Args, ValueEnum};
use serde_json::json;

pub(super) use self::render::render;
pub(super) use self::statements::split;
use super::absent::{explained, with_table};
use super::client::{Ask, Client};
use super::name::{Named, Object};
use super::options::Where;
use super::shapes::Rows;
use super::table::{counted, shown};
use crate::display::Paint;
use crate::failure::{Failure, note, put};

/// What follows the options in its help.
pub(crate) const HELP: &str = "\
Examples:
  dotdo sql hello 'SELECT * FROM things'
  dotdo sql Counter/hello --write 'UPDATE n SET value = 0'
  dotdo sql hello --at 42 --csv 'SELECT id, name FROM things' > things.csv
  dotdo sql hello < report.sql
  dotdo sql hello                       A prompt; .help lists its commands

Reads what the bucket has, without disturbing the object. With --write, the
statements are a transaction of the object in its turn, through its owner.
The shape of --json is in docs/CLI.md.

Exit codes: 0 success, 1 the statement or the connection failed, 2 wrong usage.";

/// Maximum size of statements from standard input, in bytes: what a request may have.
const STDIN_BYTES_MAX: u64 = 64 << 20;

/// The arguments of `dotdo sql`.
#[derive(Debug, Args)]
pub(crate) struct Sql {
    /// Object; the first slash separates class and id
    #[arg(value_name = "[CLASS/]ID")]
    object: Named,
    /// SQL to run [default: standard input, or a prompt on a terminal]
    #[arg(value_name = "STATEMENT")]
    statement: Option<String>,
    /// Allow statements that change the object
    #[arg(long, conflicts_with = "at")]
    write: bool,
    /// Number of a record, or a time: the object as it was then
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Show at most this number of rows
    #[arg(long, value_name = "ROWS", default_value_t = 1000)]
    limit: u64,
    /// How rows are printed [default: table]
    #[arg(long, value_name = "MODE", group = "output")]
    mode: Option<Mode>,
    /// Print JSON; the same as --mode json
    #[arg(long, group = "output")]
    json: bool,
    /// Print comma-separated values; the same as --mode csv
    #[arg(long, group = "output")]
    csv: bool,
    #[command(flatten)]
    place: Where,
}

/// How rows are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Mode {
    // Columns for people.
    Table,
    // The response of the server, a line for each statement.
    Json,
    // RFC 4180, with a line of names first.
    Csv,
}

/// The object that statements run on, and how.
struct Desk {
    client: Client,
    object: Object,
    writes: bool,
    at: Option<String>,
    limit: u64,
    mode: Mode,
}

impl Sql {
    /// Runs statements, or a prompt.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let text = self.text()?;
        let (client, place) = self.place.open()?;
        let desk = Desk {
            object: place.object(&self.object),
            client,
            writes: self.write,
            at: self.at.clone(),
            limit: self.limit,
            mode: self.mode(),
        };
        match text {
            Some(text) => desk.run_all(&text),
            None => prompt::run(desk),
        }
    }

    fn mode(&self) -> Mode {
        match (self.mode, self.json, self.csv) {
            (Some(mode), _, _) => mode,
            (None, true, _) => Mode::Json,
            (None, false, true) => Mode::Csv,
            (None, false, false) => Mode::Table,
        }
    }

    /// The statements of the argument or of standard input; `None` for a prompt.
    fn text(&self) -> Result<Option<String>, Failure> {
        if let Some(statement) = &self.statement {
            return Ok(Some(statement.clone()));
        }
        if io::stdin().is_terminal() {
            return match io::stdout().is_terminal() {
                true => Ok(None),
                false => Err(Failure::Usage(
                    "the prompt needs a terminal; give a STATEMENT, or statements on standard input"
                        .to_owned(),
                )),
            };
        }
        let mut text = String::new();
        io::stdin()
            .take(STDIN_BYTES_MAX + 1)
            .read_to_string(&mut text)
            .map_err(|cause| Failure::of("cannot read standard input", cause))?;
        if text.len() as u64 > STDIN_BYTES_MAX {
            return Err(Failure::Failed(format!(
                "expected at most {STDIN_BYTES_MAX} bytes of statements, got more; nothing was run (`dotdo snapshot import` takes larger SQL text)"
            )));
        }
        if text.trim().is_empty() {
            return Err(Failure::Usage(
                "standard input has no statement; give one as an argument".to_owned(),
            ));
        }
        Ok(Some(text))
    }
}

impl Desk {
    /// Runs all statements of a text: in one transaction when they may write, else one by one.
    fn run_all(&self, text: &str) -> Result<(), Failure> {
        if self.writes {
            return self.run_one(text);
        }
        split(text).into_iter().try_for_each(|statement| self.run_one(statement))
    }

    /// Runs one statement and prints what it gives.
    fn run_one(&self, statement: &str) -> Result<(), Failure> {
        let mut body = json!({ "sql": statement, "write": self.writes, "limit": self.limit });
        if let Some(at) = &self.at {
            body["at"] = json!(at);
        }
        let ask = Ask::post(&["objects", &self.object.class, &self.object.id, "sql"]).json(&body);
        let ask = if self.writes { ask.changing() } else { ask };
        let found = self.client.answer(&ask).map_err(|why| {
            with_table(&self.client, &self.object, explained(&self.client, &self.object, why))
        })?;
        if self.mode == Mode::Json {
            return put(&format!("{}\n", found.text()));
        }
        let rows: Rows = found.read()?;
        put(&render(&rows, self.mode, Paint::stdout()))?;
        if rows.truncated {
            let limit = counted(self.limit, "row");
            note(&format!("only the first {limit} are shown; use --limit for more"));
        }
        if self.writes && rows.columns.is_empty() {
            note(&format!("{} written", counted(rows.rows_written, "row")));
        }
        Ok(())
    }

    /// The statements that made the schema, or those of one table.
    fn schema(&self, table: Option<&str>) -> Result<Vec<String>, Failure> {
        let sql = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND (?1 IS NULL OR tbl_name = ?1 COLLATE NOCASE) \
                   ORDER BY rowid";
        let mut body = json!({ "sql": sql, "params": [table] });
        if let Some(at) = &self.at {
            body["at"] = json!(at);
        }
        let ask = Ask::post(&["objects", &self.object.class, &self.object.id, "sql"]).json(&body);
        let found: Rows = self.client.json(&ask)?;
        let texts = found.rows.into_iter().filter_map(|row| row.first()?.as_str().map(clean));
        Ok(texts.collect())
    }
}

/// Text of several lines, without other control characters.
fn clean(text: &str) -> String {
    text.lines().map(shown).collect::<Vec<_>>().join("\n")
}
