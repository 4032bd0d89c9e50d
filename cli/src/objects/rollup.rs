//! `dotdo rollup`.

use clap::Args;
use serde::Deserialize;

use super::client::Ask;
use super::options::Where;
use super::table::counted;
use crate::failure::{Failure, put};

/// What follows the options in its help.
pub(crate) const HELP: &str = "\
Examples:
  dotdo rollup DO            All objects of the class DO
  dotdo rollup DO --json     The counts as JSON

Which tables are rolled up is said by the setting analytics, and by the program
of a server (--server). A server rolls up what changes by itself; this finds
what was there before, and what nobody was there to roll up. It lists the
objects and reads those that have changed. With --json: {\"objects\", \"changed\",
\"copied\", \"removed\", \"failed\"}, in numbers of objects.

Exit codes: 0 success, 1 failure (also of an object), 2 wrong usage.";

/// The arguments of `dotdo rollup`.
#[derive(Debug, Args)]
pub(crate) struct Rollup {
    /// Class whose objects are rolled up
    #[arg(value_name = "CLASS")]
    class: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Where,
}

#[derive(Debug, Deserialize)]
struct RolledUp {
    objects: u64,
    changed: u64,
    copied: u64,
    removed: u64,
    failed: u64,
}

impl Rollup {
    /// Rolls the objects of a class up.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let (client, _) = self.place.open()?;
        let answer = client.answer(&Ask::post(&["classes", &self.class, "rollup"]))?;
        let done: RolledUp = answer.read()?;
        if self.json {
            put(&format!("{}\n", answer.text()))?;
        } else {
            let RolledUp { objects, changed, copied, removed, .. } = done;
            put(&format!(
                "{} of {}: {changed} changed, {copied} copied, {removed} removed\n",
                counted(objects, "object"),
                self.class
            ))?;
        }
        match done.failed {
            0 => Ok(()),
            failed => Err(Failure::Failed(format!(
                "{} could not be rolled up; the log says why",
                counted(failed, "object")
            ))),
        }
    }
}
