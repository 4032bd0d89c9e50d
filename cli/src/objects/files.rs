//! Databases of objects in files: SQLite, SQL text, tar.gz with both, and folders of Parquet.
//!
//! Promises: a file that is written has its name only when it is whole; what is read was checked as
//! far as its form has checksums.
//! Must not know: servers, buckets.

pub(super) mod archive;
pub(super) mod cloudflare;
pub(super) mod dump;
pub(super) mod incoming;
pub(super) mod outgoing;
pub(super) mod script;
pub(super) mod tables;
pub(super) mod wal;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// The form of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Sqlite,
    Sql,
    // SQLite, SQL text and a manifest.
    #[value(name = "tar.gz")]
    TarGz,
    // A folder with a file for each table.
    Parquet,
}

impl Format {
    /// The form that the end of a file's name asks for.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
        if ends(&[".tar.gz", ".tgz"]) {
            Some(Self::TarGz)
        } else if ends(&[".sqlite", ".sqlite3", ".db"]) {
            Some(Self::Sqlite)
        } else if ends(&[".sql"]) {
            Some(Self::Sql)
        } else if ends(&[".parquet"]) {
            Some(Self::Parquet)
        } else {
            None
        }
    }

    /// The usual end of a file's name.
    pub(super) fn extension(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Sql => "sql",
            Self::TarGz => "tar.gz",
            Self::Parquet => "parquet",
        }
    }
}

/// The object that a file was taken from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Origin {
    pub(super) class: String,
    pub(super) id: String,
    pub(super) sequence: u64,
}

/// A file in an archive or in a folder of exports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sum {
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) blake3: String,
}
