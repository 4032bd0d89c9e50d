//! `dotdo rm`.

use clap::Args;
use serde_json::Value;

use super::absent::explained;
use super::client::Ask;
use super::confirm::confirm;
use super::name::Named;
use super::options::Where;
use super::table::{shown, time};
use crate::failure::{Failure, print};

/// What follows the options in its help.
pub(crate) const HELP: &str = "\
Examples:
  dotdo rm Counter/hello
  dotdo rm Counter/hello --yes
  dotdo snapshot restore Counter/hello --at 2026-01-31T12:00:00Z   Bring it back

The object is gone at once: its next request finds it empty. What it had stays
in the bucket for the time of retention.duration_ms, and until then
`dotdo snapshot restore --at` brings it back. The output says until when. With
--json: {\"state\": \"deleted\", \"sequence\", \"restorableUntil\"}.

Exit codes: 0 removed; 1 no such object, or another failure; 2 wrong usage, also
without --yes where no terminal is.";

/// The arguments of `dotdo rm`.
#[derive(Debug, Args)]
pub(crate) struct Rm {
    /// Object; the first slash separates class and id
    #[arg(value_name = "[CLASS/]ID")]
    object: Named,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Where,
}

impl Rm {
    /// Removes an object.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let (client, place) = self.place.open()?;
        let object = place.object(&self.object);
        if !self.yes {
            confirm(&format!("remove {} and all it has?", shown(&object.to_string())))?;
        }
        let ask = Ask::delete(&["objects", &object.class, &object.id]);
        let answer = client.answer(&ask).map_err(|why| explained(&client, &object, why))?;
        if self.json {
            print(answer.text());
            return Ok(());
        }
        let done: Value = answer.read()?;
        let until = done["restorableUntil"].as_str().map(|until| {
            let before = done["sequence"].as_u64().unwrap_or(1).saturating_sub(1);
            format!(
                "; until {} `dotdo snapshot restore {} --at {before}` brings it back",
                time(until),
                shown(&object.to_string()),
            )
        });
        print(&format!("removed {}{}", shown(&object.to_string()), until.unwrap_or_default()));
        Ok(())
    }
}
