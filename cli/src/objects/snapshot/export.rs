//! `dotdo snapshot export`.

pub(super) mod folder;

use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::ProgressBar;
use serde_json::json;

use self::folder::Folder;
use crate::display::spinner;
use crate::failure::{Failure, print};
use crate::objects::absent::explained;
use crate::objects::client::{Ask, Client};
use crate::objects::files::outgoing::{Outgoing, no_stream};
use crate::objects::files::{Format, Origin};
use crate::objects::name::{Named, Object, Part};
use crate::objects::options::{Existing, Where};
use crate::objects::table::{bytes, shown};

/// What follows the options in its help.
pub(super) const HELP: &str = "\
Examples:
  dotdo snapshot export hello                       To backup.tar.gz
  dotdo snapshot export hello -o hello.sqlite       A database for sqlite3
  dotdo snapshot export hello -o - --format sql | sqlite3 copy.db
  dotdo snapshot export hello -o hello.parquet      A file for each table
  dotdo snapshot export --class Counter -o counters A file for each object
  dotdo snapshot export --all -o everything         Continues where it ended

The end of the name says the format: .sqlite or .db, .sql, .tar.gz (both, with a
manifest of sizes and BLAKE3 checksums), .parquet (for other programs; it can't
be imported). A file has its name only when it is whole. A folder of objects has
dotdo-export.jsonl; what is in it and unchanged is not taken out again.

Exit codes: 0 success; 1 no such object, or another failure; 2 wrong usage.";

/// The name that the file has unless another is given, without its end; also that of the folder.
const DEFAULT_NAME: &str = "backup";

/// The arguments of `dotdo snapshot export`.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Object; the first slash separates class and id
    #[arg(value_name = "[CLASS/]ID", required_unless_present_any = ["class", "all"])]
    object: Option<Named>,
    /// All objects of this class, into a folder
    #[arg(long, value_name = "CLASS", conflicts_with_all = ["object", "all"])]
    class: Option<String>,
    /// All objects of the tenant, into a folder
    #[arg(long, conflicts_with = "object")]
    all: bool,
    /// File or folder to write; - is standard output [default: backup.tar.gz; for
    /// several objects backup]
    #[arg(long, short, value_name = "PATH")]
    output: Option<PathBuf>,
    /// Format [default: by the name of the file; sqlite in a folder]
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    /// Number of a record, or a time: the objects as they were then
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Replace a file that exists
    #[arg(long)]
    force: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Where,
}

impl Export {
    /// Takes objects out.
    pub(super) fn run(&self) -> Result<(), Failure> {
        match &self.object {
            Some(named) => self.export_one(named),
            None => self.export_all(),
        }
    }

    fn export_one(&self, named: &Named) -> Result<(), Failure> {
        let path = self.output.clone().unwrap_or_else(|| {
            let format = self.format.unwrap_or(Format::TarGz);
            format!("{DEFAULT_NAME}.{}", format.extension()).into()
        });
        let format = self.format_of(&path)?;
        let is_stdout = path == Path::new("-");
        if is_stdout && format == Format::Parquet {
            return Err(no_stream());
        }
        if is_stdout && format != Format::Sql && io::stdout().is_terminal() {
            return Err(Failure::Usage(
                "a terminal can't show a database; send the output to a file, or use --format sql"
                    .to_owned(),
            ));
        }
        let (client, place) = self.place.open()?;
        let object = place.object(named);
        let progress = spinner();
        progress.set_message(shown(&object.to_string()));
        let taken = take(&client, &object, self.at.as_deref(), &progress)
            .map_err(|why| explained(&client, &object, why))?;
        if is_stdout {
            progress.finish_and_clear();
            let mut out = io::stdout().lock();
            taken.write(format, &mut out)?;
            return out.flush().map_err(|_| Failure::Unread);
        }
        client.check()?;
        let existing = Existing::when_forced(self.force);
        let sum = taken.save(&path, format, existing)?;
        progress.finish_and_clear();
        let Origin { sequence, .. } = taken.origin;
        if self.json {
            let line = json!({
                "class": object.class, "id": object.id, "sequence": sequence,
                "file": sum.name, "bytes": sum.bytes, "blake3": sum.blake3,
            });
            print(&line.to_string());
        } else {
            let (object, size) = (shown(&object.to_string()), bytes(sum.bytes));
            print(&format!("{object} at {sequence} is in {} ({size})", sum.name));
        }
        Ok(())
    }

    fn export_all(&self) -> Result<(), Failure> {
        let path = self.output.clone().unwrap_or_else(|| DEFAULT_NAME.into());
        if path == Path::new("-") {
            return Err(Failure::Usage("several objects need a folder; use -o FOLDER".to_owned()));
        }
        let (client, _) = self.place.open()?;
        let format = self.format.unwrap_or(Format::Sqlite);
        let mut folder = Folder::open(&path, format, self.at.as_deref())?;
        let part = self.class.clone().map(|class| Part { class, prefix: None });
        let done = folder.fill(&client, part.as_ref())?;
        if self.json {
            print(&json!({ "written": done.written, "unchanged": done.unchanged }).to_string());
        } else {
            let path = path.display();
            print(&format!("{} written to {path}, {} there already", done.written, done.unchanged));
        }
        Ok(())
    }

    fn format_of(&self, path: &Path) -> Result<Format, Failure> {
        let name = path.to_string_lossy();
        self.format.or_else(|| Format::of_name(&name)).ok_or_else(|| {
            Failure::Usage(format!(
                "the format of {name}: expected a name that ends with .sqlite, .db, .sql, .tar.gz or .parquet, or --format"
            ))
        })
    }
}

/// Takes the database of an object out.
pub(in crate::objects) fn take(
    client: &Client,
    object: &Object,
    at: Option<&str>,
    progress: &ProgressBar,
) -> Result<Outgoing, Failure> {
    let ask = Ask::get(&["objects", &object.class, &object.id, "database"]).query("at", at);
    let (headers, database) = client.bytes(&ask, progress)?;
    let sequence =
        headers.get("dotdo-sequence").and_then(|value| value.to_str().ok()?.parse().ok());
    let sequence = sequence.ok_or_else(|| {
        Failure::Failed("the answer does not say which record the database is of".to_owned())
    })?;
    let origin = Origin { class: object.class.clone(), id: object.id.clone(), sequence };
    Ok(Outgoing { database, origin })
}
