//! `dotdo rm`.

use clap::Args;
use serde_json::Value;

use super::client::{Ask, Client};
use super::confirm::confirm;
use super::name::Object;
use super::options::Where;
use super::several::{Chosen, with_object};
use super::table::{counted, shown, time};
use crate::failure::{Failure, print};

/// What follows the options in its help.
pub(crate) const HELP: &str = "\
Examples:
  dotdo rm Counter/hello
  dotdo rm Counter/hello --yes
  dotdo rm --class Counter       All objects of a class
  dotdo snapshot restore Counter/hello --at 2026-01-31T12:00:00Z   Bring it back

The object is gone at once: its next request finds it empty. What it had stays
in the bucket for the time of retention.duration_ms, and until then
`dotdo snapshot restore --at` brings it back. The output says until when. With
--json: {\"state\": \"deleted\", \"sequence\", \"restorableUntil\"}; of several objects
a line for each, with class and id.

Exit codes: 0 removed; 1 no such object, or another failure; 2 wrong usage, also
without --yes where no terminal is.";

/// The arguments of `dotdo rm`.
#[derive(Debug, Args)]
pub(crate) struct Rm {
    #[command(flatten)]
    chosen: Chosen,
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
    /// Removes objects.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let (client, place) = self.place.open()?;
        let several = self.chosen.of(&client, &place)?.required()?;
        if !self.yes {
            confirm(&match self.chosen.whole() {
                Some(whole) => {
                    let objects = counted(several.count(), "object");
                    format!("remove {objects} of {whole} and all they have?")
                }
                None => format!("remove {} and all it has?", shown(&several.first())),
            })?;
        }
        several.each(&client, |object, progress| {
            let line = self.remove(&client, object)?;
            let is_of_several = self.json && !several.is_named();
            let line = if is_of_several { with_object(&line, object) } else { line };
            progress.suspend(|| print(&line));
            Ok(())
        })?;
        Ok(())
    }

    /// Removes an object, and says what to print.
    fn remove(&self, client: &Client, object: &Object) -> Result<String, Failure> {
        let answer = client.answer(&Ask::delete(&["objects", &object.class, &object.id]))?;
        if self.json {
            return Ok(answer.text().to_owned());
        }
        let (done, name): (Value, _) = (answer.read()?, shown(&object.to_string()));
        let until = done["restorableUntil"].as_str().map(|until| {
            let before = done["sequence"].as_u64().unwrap_or(1).saturating_sub(1);
            let until = time(until);
            format!("; until {until} `dotdo snapshot restore {name} --at {before}` brings it back")
        });
        Ok(format!("removed {name}{}", until.unwrap_or_default()))
    }
}
