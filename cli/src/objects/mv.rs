//! `dotdo mv`.

use clap::Args;
use serde_json::{Value, json};

use super::absent::explained;
use super::client::{Ask, Client};
use super::clone::Copy;
use super::confirm::confirm;
use super::diff::are_equal;
use super::files::incoming::as_state;
use super::ls::each;
use super::name::{Named, Object, Part};
use super::options::{Existing, Where};
use super::shapes::{Description, Replaced};
use super::snapshot::take;
use super::table::{counted, shown};
use crate::display::steps;
use crate::failure::{Failure, note, print};

/// What follows the options in its help.
pub(crate) const HELP: &str = "\
Examples:
  dotdo mv Counter/hello Counter/world
  dotdo mv --class Counter Tally        All objects of a class

Two steps: FROM is copied to TO, then FROM is removed, if it is still what was
copied; otherwise it is copied again, so that no write is lost. If it ends
between them, both exist, and the same command does what is missing. Messages
that FROM has not delivered would be lost: it is not moved while there are any,
unless with --force. With --json: {\"from\", \"to\", \"sequence\"}, a line for each
object.

Exit codes: 0 moved; 1 TO exists, or another failure; 2 wrong usage.";

/// How often an object is copied that changes meanwhile.
const COPIES_MAX: usize = 5;

/// The arguments of `dotdo mv`.
#[derive(Debug, Args)]
pub(crate) struct Mv {
    /// Object to move; the first slash separates class and id
    #[arg(value_name = "FROM")]
    from: String,
    /// Its new name
    #[arg(value_name = "TO")]
    to: String,
    /// FROM and TO are classes: move all objects of one to the other
    #[arg(long)]
    class: bool,
    /// Replace the state of TO if it exists, and lose messages that wait
    #[arg(long)]
    force: bool,
    /// Do not ask before moving a class
    #[arg(long, short)]
    yes: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Where,
}

impl Mv {
    /// Moves an object, or all of a class.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        if self.class {
            return self.move_class();
        }
        let named = |text: &str| text.parse::<Named>().map_err(Failure::Usage);
        let (from, to) = (named(&self.from)?, named(&self.to)?);
        let (client, place) = self.place.open()?;
        let (from, to) = (place.object(&from), place.object(&to));
        let done = self.move_one(&client, &from, &to)?;
        if self.json {
            print(&done.to_string());
        } else {
            print(&format!("moved {} to {}", shown(&from.to_string()), shown(&to.to_string())));
        }
        Ok(())
    }

    /// Copies, and removes what was copied if it is still that; otherwise again.
    fn move_one(&self, client: &Client, from: &Object, to: &Object) -> Result<Value, Failure> {
        let mut copied = None;
        for _ in 0..COPIES_MAX {
            let record = self.newest(client, from)?;
            let sequence = self.copy(client, (from, record), (to, copied))?;
            let removal = Ask::delete(&["objects", &from.class, &from.id]);
            match client.json::<Value>(&removal.unchanged_after(record)) {
                Ok(_) => {
                    return Ok(
                        json!({ "from": { "class": from.class, "id": from.id }, "to": { "class": to.class, "id": to.id }, "sequence": sequence }),
                    );
                }
                Err(Failure::Refused { code, .. }) if code == "OBJECT_CHANGED" => {}
                Err(why) => {
                    return Err(Failure::Failed(format!(
                        "{from} was copied to {to} and may still be there: {}; the same command again does what is missing",
                        why.message()
                    )));
                }
            }
            copied = Some(sequence);
        }
        Err(Failure::Later(format!(
            "{from} is written all the time, so it is kept, and {to} is a copy of it; stop its writers and repeat the command with --force"
        )))
    }

    /// The newest record of an object that has nothing to deliver.
    fn newest(&self, client: &Client, from: &Object) -> Result<u64, Failure> {
        let ask = Ask::get(&["objects", &from.class, &from.id]);
        let found: Description = client.json(&ask).map_err(|why| explained(client, from, why))?;
        let waiting = found.messages.as_ref().map_or(0, |messages| messages.waiting);
        if waiting > 0 && !self.force {
            return Err(Failure::Failed(format!(
                "{from} has {} to deliver, which would be lost; wait until it is delivered, or use --force",
                counted(waiting, "message")
            )));
        }
        Ok(found.log.head)
    }

    /// Copies the state of `from` after a record, and says with which record `to` has it. What a copy
    /// of before has left there is replaced, unless somebody else has written it since.
    fn copy(
        &self,
        client: &Client,
        (from, record): (&Object, u64),
        (to, copied): (&Object, Option<u64>),
    ) -> Result<u64, Failure> {
        let at = record.to_string();
        let ask = Copy { from, to, at: Some(&at) }.ask()?;
        let ask = match copied {
            Some(copied) => ask.unchanged_after(copied),
            None => ask.over(Existing::when_forced(self.force)),
        };
        match client.json::<Replaced>(&ask) {
            Ok(done) => Ok(done.sequence),
            // A command that was interrupted after its copy goes on from there.
            Err(Failure::Refused { code, message }) if code == "OBJECT_EXISTS" => {
                let hidden = indicatif::ProgressBar::hidden();
                let (ours, there) =
                    (take(client, from, Some(&at), &hidden)?, take(client, to, None, &hidden)?);
                match are_equal(&as_state(&ours.database)?, &as_state(&there.database)?)? {
                    true => Ok(there.origin.sequence),
                    false => Err(Failure::Refused { code, message }),
                }
            }
            Err(why) => Err(explained(client, from, why)),
        }
    }

    fn move_class(&self) -> Result<(), Failure> {
        let (client, _) = self.place.open()?;
        let part = Part { class: self.from.clone(), prefix: None };
        let mut ids = Vec::new();
        each(&client, Some(&part), |item| {
            ids.push(item.id);
            Ok(())
        })?;
        if ids.is_empty() {
            return Err(Failure::Failed(format!("the class {} has no objects", self.from)));
        }
        if !self.yes {
            let objects = counted(ids.len() as u64, "object");
            confirm(&format!("move {objects} of the class {} to {}?", self.from, self.to))?;
        }
        let progress = steps(ids.len() as u64);
        for id in &ids {
            client.check()?;
            let object = |class: &str| Object { class: class.to_owned(), id: id.clone() };
            let done = self.move_one(&client, &object(&self.from), &object(&self.to));
            let done = done.inspect_err(|_| {
                let moved = counted(progress.position(), "object");
                note(&format!("{moved} moved; repeat the command for the rest"));
            })?;
            progress.inc(1);
            if self.json {
                print(&done.to_string());
            }
        }
        progress.finish_and_clear();
        if !self.json {
            let objects = counted(ids.len() as u64, "object");
            print(&format!("moved {objects} from {} to {}", self.from, self.to));
        }
        Ok(())
    }
}
