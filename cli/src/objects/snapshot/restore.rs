//! `dotdo snapshot restore`.

use clap::Args;
use serde_json::json;

use crate::failure::{Failure, print};
use crate::objects::absent::explained;
use crate::objects::client::Ask;
use crate::objects::inspect::contents;
use crate::objects::name::Named;
use crate::objects::options::Where;
use crate::objects::shapes::Replaced;
use crate::objects::table::shown;

/// What follows the options in its help.
pub(super) const HELP: &str = "\
Examples:
  dotdo snapshot restore Counter/hello --at 2026-01-31T12:00:00Z
  dotdo snapshot restore Counter/hello --at 42

The earlier state becomes the newest one, as one more record: the past is not
rewritten, and another restore undoes it. How far back it goes is the setting
retention.duration_ms. With --json: {\"sequence\", \"tables\", \"rows\"}.

Exit codes: 0 restored; 1 no such object or state, or another failure; 2 wrong
usage.";

/// The arguments of `dotdo snapshot restore`.
#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// Object; the first slash separates class and id
    #[arg(value_name = "[CLASS/]ID")]
    object: Named,
    /// Number of a record, or a time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    at: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Where,
}

impl Restore {
    /// Brings a state back.
    pub(super) fn run(&self) -> Result<(), Failure> {
        let (client, place) = self.place.open()?;
        let object = place.object(&self.object);
        let name = shown(&object.to_string());
        let ask = Ask::post(&["objects", &object.class, &object.id, "restore"]);
        let ask = ask.json(&json!({ "at": self.at })).changing();
        let done = client.answer(&ask).map_err(|why| explained(&client, &object, why))?;
        if self.json {
            print(done.text());
            return Ok(());
        }
        let done: Replaced = done.read()?;
        let with = contents(done.tables, done.rows);
        print(&format!(
            "{name} is as it was at {}{with} (record {})",
            shown(&self.at),
            done.sequence
        ));
        Ok(())
    }
}
