//! `dotdo snapshot create`.

use clap::Args;
use serde_json::Value;

use crate::failure::{Failure, print};
use crate::objects::absent::explained;
use crate::objects::client::Ask;
use crate::objects::name::Named;
use crate::objects::options::Where;
use crate::objects::table::shown;

/// What follows the options in its help.
pub(super) const HELP: &str = "\
Snapshots are written by themselves; this one is written now, for example before
an Iceberg engine reads it. With --json: {\"name\", \"sequence\"}.

Exit codes: 0 success; 1 no such object, or another failure; 2 wrong usage.";

/// The arguments of `dotdo snapshot create`.
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Object; the first slash separates class and id
    #[arg(value_name = "[CLASS/]ID")]
    object: Named,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Where,
}

impl Create {
    /// Makes a snapshot.
    pub(super) fn run(&self) -> Result<(), Failure> {
        let (client, place) = self.place.open()?;
        let object = place.object(&self.object);
        let ask = Ask::post(&["objects", &object.class, &object.id, "snapshots"]).changing();
        let answer = client.answer(&ask).map_err(|why| explained(&client, &object, why))?;
        if self.json {
            print(answer.text());
            return Ok(());
        }
        let made: Value = answer.read()?;
        let name = shown(made["name"].as_str().unwrap_or_default());
        let object = shown(&object.to_string());
        print(&format!("{object} at {} is in the snapshot {name}", made["sequence"]));
        Ok(())
    }
}
