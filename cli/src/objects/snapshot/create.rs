//! `dotdo snapshot create`.

use clap::Args;
use serde_json::Value;

use crate::failure::{Failure, print};
use crate::objects::client::Ask;
use crate::objects::options::Where;
use crate::objects::several::{Chosen, with_object};
use crate::objects::table::shown;

/// What follows the options in its help.
pub(super) const HELP: &str = "\
Snapshots are written by themselves; this one is written now, for example before
an Iceberg engine reads it. With --json: {\"name\", \"sequence\"}; of several
objects a line for each, with class and id.

Exit codes: 0 success; 1 no such object, or another failure; 2 wrong usage.";

/// The arguments of `dotdo snapshot create`.
#[derive(Debug, Args)]
pub(crate) struct Create {
    #[command(flatten)]
    chosen: Chosen,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Where,
}

impl Create {
    /// Makes snapshots.
    pub(super) fn run(&self) -> Result<(), Failure> {
        let (client, place) = self.place.open()?;
        let several = self.chosen.of(&client, &place)?.required()?;
        several.each(&client, |object, progress| {
            let ask = Ask::post(&["objects", &object.class, &object.id, "snapshots"]).changing();
            let answer = client.answer(&ask)?;
            let line = match (self.json, several.is_named()) {
                (true, true) => answer.text().to_owned(),
                (true, false) => with_object(answer.text(), object),
                (false, _) => {
                    let made: Value = answer.read()?;
                    let name = shown(made["name"].as_str().unwrap_or_default());
                    let object = shown(&object.to_string());
                    format!("{object} at {} is in the snapshot {name}", made["sequence"])
                }
            };
            progress.suspend(|| print(&line));
            Ok(())
        })?;
        Ok(())
    }
}
