//! `dotdo clone`.

use clap::Args;
use serde_json::json;

use super::absent::explained;
use super::client::Ask;
use super::inspect::contents;
use super::name::{Named, Object};
use super::options::{Existing, Where};
use super::shapes::Replaced;
use super::table::shown;
use crate::failure::{Failure, print};

/// What follows the options in its help.
pub(crate) const HELP: &str = "\
Examples:
  dotdo clone Counter/hello Counter/copy
  dotdo clone hello before-the-change --at 2026-01-31T12:00:00Z

The state of FROM becomes the newest state of TO; messages that FROM has not
delivered yet are not copied. To another tenant or bucket, use
`dotdo snapshot export` and `import`. With --json: {\"sequence\", \"tables\", \"rows\"}.

Exit codes: 0 copied; 1 TO exists, or another failure; 2 wrong usage.";

/// The arguments of `dotdo clone`.
#[derive(Debug, Args)]
pub(crate) struct Clone {
    /// Object to copy; the first slash separates class and id
    #[arg(value_name = "FROM")]
    from: Named,
    /// Object to make
    #[arg(value_name = "TO")]
    to: Named,
    /// Number of a record, or a time: FROM as it was then
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Replace the state of TO if it exists
    #[arg(long)]
    force: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Where,
}

impl Clone {
    /// Copies an object.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let (client, place) = self.place.open()?;
        let (from, to) = (place.object(&self.from), place.object(&self.to));
        let copy = Copy { from: &from, to: &to, at: self.at.as_deref() };
        let ask = copy.ask()?.over(Existing::when_forced(self.force));
        let done = client.answer(&ask).map_err(|why| explained(&client, &from, why))?;
        if self.json {
            print(done.text());
            return Ok(());
        }
        let done: Replaced = done.read()?;
        let with = contents(done.tables, done.rows);
        let (from, to) = (shown(&from.to_string()), shown(&to.to_string()));
        print(&format!("copied {from} to {to}{with}"));
        Ok(())
    }
}

/// A copy to make.
pub(super) struct Copy<'a> {
    pub(super) from: &'a Object,
    pub(super) to: &'a Object,
    pub(super) at: Option<&'a str>,
}

impl Copy<'_> {
    /// The request that makes the copy.
    ///
    /// # Errors
    ///
    /// `Usage` for an object that would be its own copy.
    pub(super) fn ask(&self) -> Result<Ask, Failure> {
        let Self { from, to, at } = self;
        if from == to {
            return Err(Failure::Usage(
                "FROM and TO are the same object; `dotdo snapshot restore` brings an earlier state back"
                    .to_owned(),
            ));
        }
        let mut body = json!({ "from": { "class": from.class, "id": from.id } });
        if let Some(at) = at {
            body["at"] = json!(at);
        }
        let ask = Ask::post(&["objects", &to.class, &to.id, "restore"]);
        Ok(ask.json(&body).changing())
    }
}
