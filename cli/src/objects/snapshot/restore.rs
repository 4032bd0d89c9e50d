//! `dotdo snapshot restore`.

use clap::Args;
use serde_json::json;

use crate::failure::{Failure, note, print};
use crate::objects::client::{Ask, Client};
use crate::objects::confirm::confirm;
use crate::objects::inspect::contents;
use crate::objects::name::Object;
use crate::objects::options::Where;
use crate::objects::several::{Chosen, with_object};
use crate::objects::shapes::Replaced;
use crate::objects::table::{counted, shown};

/// What follows the options in its help.
pub(super) const HELP: &str = "\
Examples:
  dotdo snapshot restore Counter/hello --at 2026-01-31T12:00:00Z
  dotdo snapshot restore Counter/hello --at 42
  dotdo snapshot restore --all --at 2026-01-31T12:00:00Z   The whole tenant

The earlier state becomes the newest one, as one more record: the past is not
rewritten, and another restore undoes it. How far back it goes is the setting
retention.duration_ms. Of several objects, those that have no state of that time
stay as they are, and those that were removed since are not in the list: name
them. With --json: {\"sequence\", \"tables\", \"rows\"}; of several objects a line for
each, with class and id.

Exit codes: 0 restored; 1 no such object or state, or another failure; 2 wrong
usage.";

/// The arguments of `dotdo snapshot restore`.
#[derive(Debug, Args)]
pub(crate) struct Restore {
    #[command(flatten)]
    chosen: Chosen,
    /// Number of a record, or a time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    at: String,
    /// Do not ask before bringing all objects of a class or of the tenant back
    #[arg(long, short)]
    yes: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Where,
}

impl Restore {
    /// Brings states back.
    pub(super) fn run(&self) -> Result<(), Failure> {
        let (client, place) = self.place.open()?;
        let several = self.chosen.of(&client, &place)?.required()?;
        if let Some(whole) = self.chosen.whole().filter(|_| !self.yes) {
            let objects = counted(several.count(), "object");
            let at = shown(&self.at);
            confirm(&format!("bring {objects} of {whole} back to {at}?"))?;
        }
        let mut restored = 0_u64;
        several.each(&client, |object, progress| {
            match self.restore(&client, object) {
                Ok(line) if self.json && !several.is_named() => {
                    progress.suspend(|| print(&with_object(&line, object)));
                }
                Ok(line) => progress.suspend(|| print(&line)),
                Err(Failure::Refused { code, .. })
                    if code == "NO_SUCH_STATE" && !several.is_named() =>
                {
                    let name = shown(&object.to_string());
                    let line = format!("{name} has no state of that time, and stays as it is");
                    progress.suspend(|| note(&line));
                    return Ok(());
                }
                Err(why) => return Err(why),
            }
            restored += 1;
            Ok(())
        })?;
        if restored == 0 {
            return Err(Failure::Failed(format!("no object has a state at {}", shown(&self.at))));
        }
        Ok(())
    }

    /// Brings a state back, and says what to print.
    fn restore(&self, client: &Client, object: &Object) -> Result<String, Failure> {
        let ask = Ask::post(&["objects", &object.class, &object.id, "restore"]);
        let done = client.answer(&ask.json(&json!({ "at": self.at })).changing())?;
        if self.json {
            return Ok(done.text().to_owned());
        }
        let done: Replaced = done.read()?;
        let with = contents(done.tables, done.rows);
        let (name, at) = (shown(&object.to_string()), shown(&self.at));
        Ok(format!("{name} is as it was at {at}{with} (record {})", done.sequence))
    }
}
