//! `dotdo diff`.

mod compare;
mod print;

use std::process::ExitCode;

use clap::Args;
use dotdo::commands::SqliteFile;

use self::compare::{Difference, compare};
use self::print::Detail;
use super::absent::explained;
use super::client::Client;
use super::files::outgoing::Outgoing;
use super::name::{Named, Object};
use super::options::Where;
use super::snapshot::take;
use crate::display::spinner;
use crate::failure::{Failure, note};

/// What follows the options in its help.
pub(crate) const HELP: &str = "\
Examples:
  dotdo diff Counter/hello Counter/copy           Two objects
  dotdo diff Counter/hello --at 42                Record 42, and now
  dotdo diff Counter/hello --at 42 --to 50 --rows Two times, with every row

Compares the schema and the rows: by rowid, or by primary key without one. The
key-value storage is compared too; dotdo's own tables of messages and retries
are not. The shape of --json is in docs/CLI.md.

Exit codes, as of diff: 0 equal, 1 different, 2 a failure or wrong usage.";

/// The exit code of a failure, because 1 says that there are differences.
const TROUBLE: u8 = 2;

/// The arguments of `dotdo diff`.
#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// Object; the first slash separates class and id
    #[arg(value_name = "A")]
    a: Named,
    /// Object to compare it with [default: A, at another time]
    #[arg(value_name = "B", required_unless_present = "at")]
    b: Option<Named>,
    /// Number of a record, or a time: A as it was then
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// The same for B [default: now]
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Show every row that differs
    #[arg(long)]
    rows: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Where,
}

/// One side of a comparison.
struct Side {
    object: Object,
    sequence: u64,
    file: SqliteFile,
}

impl Diff {
    /// Compares two states and prints the differences.
    pub(crate) fn run(&self) -> ExitCode {
        match self.compare() {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::from(1),
            Err(Failure::Unread) => ExitCode::from(1),
            Err(why) => {
                note(&format!("dotdo: {}", why.message()));
                ExitCode::from(TROUBLE)
            }
        }
    }

    /// Whether both are equal.
    fn compare(&self) -> Result<bool, Failure> {
        let (client, place) = self.place.open()?;
        let a = place.object(&self.a);
        let b = self.b.as_ref().map_or_else(|| a.clone(), |named| place.object(named));
        let a = side(&client, a, self.at.as_deref())?;
        let b = side(&client, b, self.to.as_deref())?;
        client.check()?;
        let difference = compare(&a.file, &b.file)?;
        let detail = if self.rows { Detail::Rows } else { Detail::Counts };
        if self.json {
            print::json((&a, &b), &difference, detail)?;
        } else {
            print::people((&a, &b), &difference, detail)?;
        }
        Ok(difference.is_none())
    }
}

fn side(client: &Client, object: Object, at: Option<&str>) -> Result<Side, Failure> {
    let progress = spinner();
    let taken =
        take(client, &object, at, &progress).map_err(|why| explained(client, &object, why))?;
    progress.finish_and_clear();
    let Outgoing { database, origin } = taken;
    let file = SqliteFile::open(database)?;
    Ok(Side { object, sequence: origin.sequence, file })
}

/// Whether two SQLite files have the same schema and rows.
///
/// # Errors
///
/// `Failed` when one of them can't be read.
pub(super) fn are_equal(a: &[u8], b: &[u8]) -> Result<bool, Failure> {
    let open = |bytes: &[u8]| SqliteFile::open(bytes.to_vec()).map_err(Failure::from);
    Ok(compare(&open(a)?, &open(b)?)?.is_none())
}

impl Difference {
    /// Whether there is none.
    fn is_none(&self) -> bool {
        self.schema.is_empty() && self.tables.is_empty()
    }
}
