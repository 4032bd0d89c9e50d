//! `dotdo snapshot`: states of objects, in the bucket and in files.

mod export;
mod list;

use clap::Subcommand;

use self::export::Export;
pub(super) use self::export::take;
use self::list::List;
use crate::failure::Failure;

/// The commands about states of objects.
#[derive(Debug, Subcommand)]
pub(crate) enum Snapshot {
    /// List the snapshots that the bucket has of an object
    #[command(after_help = list::HELP)]
    List(List),
    /// Take objects out, as SQLite, SQL text or tar.gz
    #[command(after_help = export::HELP)]
    Export(Export),
}

impl Snapshot {
    /// Does what was asked.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        match self {
            Self::List(list) => list.run(),
            Self::Export(export) => export.run(),
        }
    }
}
