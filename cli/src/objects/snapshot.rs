//! `dotdo snapshot`: states of objects, in the bucket and in files.

mod create;
mod export;
mod import;
mod list;
mod restore;

use clap::Subcommand;

use self::create::Create;
use self::export::Export;
pub(super) use self::export::take;
use self::import::Import;
use self::list::List;
use self::restore::Restore;
use crate::failure::Failure;

/// The commands about states of objects.
#[derive(Debug, Subcommand)]
pub(crate) enum Snapshot {
    /// List the snapshots that the bucket has of an object
    #[command(after_help = list::HELP)]
    List(List),
    /// Put the newest state of an object into a snapshot now
    #[command(after_help = create::HELP)]
    Create(Create),
    /// Take objects out, as SQLite, SQL text, tar.gz or Parquet
    #[command(after_help = export::HELP)]
    Export(Export),
    /// Put a file into an object: SQLite, SQL text or tar.gz
    #[command(after_help = import::HELP)]
    Import(Import),
    /// Bring an earlier state of an object back
    #[command(after_help = restore::HELP)]
    Restore(Restore),
}

impl Snapshot {
    /// Does what was asked.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        match self {
            Self::List(list) => list.run(),
            Self::Create(create) => create.run(),
            Self::Export(export) => export.run(),
            Self::Import(import) => import.run(),
            Self::Restore(restore) => restore.run(),
        }
    }
}
