//! `dotdo get`: the rows of a table with a key.

use clap::Args;
use serde_json::json;

use super::absent::{explained, with_table};
use super::client::Ask;
use super::name::Named;
use super::options::Where;
use super::shapes::Rows;
use super::sql::{Mode, render};
use super::table::shown;
use crate::display::Paint;
use crate::failure::{Failure, put};

/// What follows the options in its help.
pub(crate) const HELP: &str = "\
Examples:
  dotdo get hello things beetle main    The versions of the thing beetle
  dotdo get Shop/berlin orders 1717     An order, by its number
  dotdo get hello things beetle main --json

KEY is the primary key; of a table without one, the columns of its first
unique index, or else of its first index, or else the rowid. It is compared as
SQLite compares text with the column. Of a large object, only the pages with
the rows are read. The shape of --json is in docs/CLI.md.

Exit codes: 0 success; 1 no such row, or another failure; 2 wrong usage.";

/// The arguments of `dotdo get`.
#[derive(Debug, Args)]
pub(crate) struct Get {
    /// Object; the first slash separates class and id
    #[arg(value_name = "[CLASS/]ID")]
    object: Named,
    /// Table, as the schema calls it
    #[arg(value_name = "TABLE")]
    table: String,
    /// Value of each column of the key
    #[arg(value_name = "KEY", required = true, allow_negative_numbers = true)]
    key: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Where,
}

impl Get {
    /// Prints the rows.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let (client, place) = self.place.open()?;
        let object = place.object(&self.object);
        let body = json!({ "table": self.table, "key": self.key });
        let ask = Ask::post(&["objects", &object.class, &object.id, "rows"]).json(&body);
        let found = client
            .answer(&ask)
            .map_err(|why| with_table(&client, &object, explained(&client, &object, why)))?;
        let rows: Rows = found.read()?;
        if rows.rows.is_empty() {
            let key = self.key.join(" ");
            let (table, key) = (shown(&self.table), shown(&key));
            return Err(Failure::Failed(format!("{object} has no row {key} in the table {table}")));
        }
        match self.json {
            true => put(&format!("{}\n", found.text())),
            false => put(&render(&rows, Mode::Table, Paint::stdout())),
        }
    }
}
