//! `dotdo snapshot import`.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::export::folder::{Entry, LIST, entries, inside, is_whole};
use super::export::take;
use crate::display::{spinner, steps};
use crate::failure::{Failure, note, print};
use crate::objects::client::{Ask, Client};
use crate::objects::diff::are_equal;
use crate::objects::files::incoming::{self, Incoming, as_state};
use crate::objects::files::{cloudflare, tables};
use crate::objects::inspect::contents;
use crate::objects::name::{Named, Object};
use crate::objects::options::{Existing, Where};
use crate::objects::shapes::Replaced;
use crate::objects::table::shown;

/// What follows the options in its help.
pub(super) const HELP: &str = "\
Examples:
  dotdo snapshot import backup.tar.gz               Into its object
  dotdo snapshot import notes.db Notes/ada          Any SQLite file
  dotdo snapshot import dump.sql Notes/ada          SQL text, also D1's exports
  dotdo snapshot import .wrangler/state/v3/do/app-Counter   Of Cloudflare
  dotdo snapshot import everything --tenant acme/shop       A folder of exports

The file becomes the newest state of the object, in one record; what the object
had before can be brought back. A -wal file beside a SQLite file is applied.
Dotdo's own tables of messages and retries in it are left out. A folder goes on
where it ended. Of Cloudflare's local state the class is taken from the folder,
and the id is the object's name, else its hash. With --json: {\"sequence\",
\"tables\", \"rows\"}.

Exit codes: 0 imported; 1 the object exists, or another failure; 2 wrong usage.";

/// The arguments of `dotdo snapshot import`.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// SQLite file, SQL text, backup (.tar.gz), or folder of exports or local state
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// Object to make [default: that which the file names]
    #[arg(value_name = "[CLASS/]ID")]
    object: Option<Named>,
    /// Replace the state of an object that exists
    #[arg(long)]
    force: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Where,
}

impl Import {
    /// Puts files into objects.
    pub(super) fn run(&self) -> Result<(), Failure> {
        if self.path.is_dir() {
            return self.import_folder();
        }
        let Incoming { database, origin } = incoming::read(&self.path)?;
        let of_backup = || origin.map(|origin| Object { class: origin.class, id: origin.id });
        let is_named = self.object.is_some();
        let backup = if is_named { None } else { of_backup() };
        if !is_named && backup.is_none() {
            return Err(Failure::Usage(format!(
                "{} does not say which object it is of; name one: dotdo snapshot import PATH CLASS/ID",
                self.path.display()
            )));
        }
        let (client, place) = self.place.open()?;
        let named = self.object.as_ref().map(|named| place.object(named));
        let object = named.or(backup).expect("one of them was checked to be there");
        let progress = spinner();
        progress.set_message(shown(&object.to_string()));
        let ask = put(&object, database, Existing::when_forced(self.force));
        let done = client.answer(&ask)?;
        progress.finish_and_clear();
        if self.json {
            print(done.text());
            return Ok(());
        }
        let done: Replaced = done.read()?;
        let with = contents(done.tables, done.rows);
        let (object, path) = (shown(&object.to_string()), self.path.display());
        print(&format!("{object} is {path}{with} (record {})", done.sequence));
        Ok(())
    }

    fn import_folder(&self) -> Result<(), Failure> {
        if self.object.is_some() {
            return Err(Failure::Usage(
                "a folder has many objects, which have the names of its list; name a file in it to choose one".to_owned(),
            ));
        }
        let sources = self.sources()?;
        let (client, _) = self.place.open()?;
        let progress = steps(sources.len() as u64);
        let mut done = Done::default();
        for source in &sources {
            progress.set_message(shown(&source.path(&self.path).display().to_string()));
            let imported = client.check().and_then(|()| self.import_source(&client, source));
            let imported = imported.inspect_err(|_| {
                progress.suspend(|| note(&format!("{done}; repeat the command for the rest")));
            })?;
            match imported {
                (object, Some(Replaced { sequence, tables, rows })) => {
                    done.imported += 1;
                    let line = json!({ "class": object.class, "id": object.id, "sequence": sequence, "tables": tables, "rows": rows });
                    progress.suspend(|| self.tell(&line));
                }
                (_, None) => done.unchanged += 1,
            }
            progress.inc(1);
        }
        progress.finish_and_clear();
        self.tell(&json!({ "imported": done.imported, "unchanged": done.unchanged }));
        if !self.json {
            print(&done.to_string());
        }
        Ok(())
    }

    /// Prints a line of JSON if that is asked for.
    fn tell(&self, line: &Value) {
        if self.json {
            print(&line.to_string());
        }
    }

    /// The files of a folder that objects are made of.
    fn sources(&self) -> Result<Vec<Source>, Failure> {
        let path = &self.path;
        let listed = entries(path)?;
        let sources: Vec<Source> = match listed.is_empty() {
            false => listed.into_iter().map(Source::Listed).collect(),
            true => cloudflare::files(path).into_iter().map(Source::Local).collect(),
        };
        if !sources.is_empty() {
            return Ok(sources);
        }
        let path = path.display();
        Err(Failure::Failed(match tables::is_folder(&self.path) {
            true => format!(
                "{path} has Parquet files, which are for other programs; export the object again, with --format sqlite"
            ),
            false => format!(
                "{path} has no {LIST} with the names of objects, and is no local state of Cloudflare; name a file, and the object that it becomes"
            ),
        }))
    }

    /// Imports a file of a folder: the object, and what it has now; `None` when the object has its
    /// content already.
    fn import_source(
        &self,
        client: &Client,
        source: &Source,
    ) -> Result<(Object, Option<Replaced>), Failure> {
        let (object, database) = source.read(&self.path)?;
        let ask = put(&object, database.clone(), Existing::when_forced(self.force));
        // Repeated, it finds its own state at worst.
        match client.json(&ask.repeatable()) {
            Ok(done) => Ok((object, Some(done))),
            Err(Failure::Refused { code, message }) if code == "OBJECT_EXISTS" => {
                let there = take(client, &object, None, &indicatif::ProgressBar::hidden())?;
                match are_equal(&as_state(&there.database)?, &as_state(&database)?)? {
                    true => Ok((object, None)),
                    false => {
                        Err(Failure::Failed(format!("{object} has another content: {message}")))
                    }
                }
            }
            Err(why) => Err(why),
        }
    }
}

/// A file of a folder.
enum Source {
    /// In the list of an export.
    Listed(Entry),
    /// Of Cloudflare's local state.
    Local(PathBuf),
}

impl Source {
    /// Where it is.
    fn path(&self, folder: &Path) -> PathBuf {
        match self {
            Self::Listed(entry) => folder.join(&entry.file.name),
            Self::Local(path) => path.clone(),
        }
    }

    /// The object and its database.
    fn read(&self, folder: &Path) -> Result<(Object, Vec<u8>), Failure> {
        match self {
            Self::Listed(Entry { origin, file, .. }) => {
                let path = inside(folder, file)
                    .filter(|_| is_whole(folder, file))
                    .ok_or_else(|| damaged(folder, &file.name))?;
                let object = Object { class: origin.class.clone(), id: origin.id.clone() };
                Ok((object, incoming::read(&path)?.database))
            }
            Self::Local(path) => {
                let Incoming { database, origin } = incoming::read(path)?;
                let origin = origin.ok_or_else(|| {
                    Failure::Failed(format!("{} is no longer there", path.display()))
                })?;
                Ok((Object { class: origin.class, id: origin.id }, database))
            }
        }
    }
}

/// The request that makes the database the newest state of the object.
fn put(object: &Object, database: Vec<u8>, existing: Existing) -> Ask {
    let ask = Ask::put(&["objects", &object.class, &object.id, "database"]);
    ask.database(database).over(existing)
}

/// What was done with a folder.
#[derive(Debug, Default)]
struct Done {
    imported: u64,
    unchanged: u64,
}

impl std::fmt::Display for Done {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} imported, {} there already", self.imported, self.unchanged)
    }
}

fn damaged(folder: &Path, name: &str) -> Failure {
    Failure::Failed(format!(
        "{} is not as {LIST} says; export it again",
        folder.join(shown(name)).display()
    ))
}
