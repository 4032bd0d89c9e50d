//! `dotdo config`: reads and writes settings in the files that the program reads.
//!
//! Promises: a value is checked before it is written; a file is replaced as a whole, with its
//! comments and its order; a secret is never printed.
//! Must not know: what a setting does.

mod document;
mod input;
mod list;
mod place;

use clap::{Args, Subcommand};
use dotdo::ServeOptions;
use dotdo::commands::{EffectiveSettings, KnownSetting};
use serde_json::json;

use self::document::Document;
pub(crate) use self::list::{entry, line};
use self::place::{File, Target};
use crate::failure::{Failure, note, print};

/// What is shown of a secret.
const HIDDEN: &str = "set (hidden)";

/// Text below the help of `dotdo config`.
pub(crate) const HELP: &str = "\
NAME is a setting as in a file (checkpoint.interval_ms or checkpoint.intervalMs)
or its environment variable. For a bucket of S3 there are storage.endpoint,
storage.bucket, storage.region, storage.accessKeyId and storage.secretAccessKey.

Examples:
  dotdo config set storage.bucket my-bucket
  dotdo config set storage.secretAccessKey < secret.txt
  dotdo config list

Exit codes: 0 success; 1 the setting has no value, or the file can't be written;
2 wrong usage or settings.";

/// The arguments of `dotdo config`.
#[derive(Debug, Args)]
pub(crate) struct Config {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print the value of a setting
    Get(Get),
    /// Write a setting into the user's or the project's file
    Set(Set),
    /// Remove a setting from the user's or the project's file
    Unset(Unset),
    /// List the settings that have a value, and where each value comes from
    List(list::List),
}

#[derive(Debug, Args)]
struct Get {
    /// Name of the setting
    name: String,
    #[command(flatten)]
    target: Target,
    /// Print {"key", "value", "isSet", "isSecret", "origin": {"kind", "name"}}
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Set {
    /// Name of the setting
    name: String,
    /// Value; without one it is read from standard input, or asked for on a terminal
    #[arg(allow_hyphen_values = true)]
    value: Option<String>,
    #[command(flatten)]
    target: Target,
    /// Print {"key", "file", "value"}, without the value of a secret
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Unset {
    /// Name of the setting
    name: String,
    #[command(flatten)]
    target: Target,
    /// Print {"key", "file", "removed"}
    #[arg(long)]
    json: bool,
}

impl Config {
    /// Does what was asked.
    ///
    /// # Errors
    ///
    /// Why it can't be done, with what to do.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        match &self.what {
            What::Get(get) => get.run(),
            What::Set(set) => set.run(),
            What::Unset(unset) => unset.run(),
            What::List(list) => list.run(),
        }
    }
}

impl Get {
    fn run(&self) -> Result<(), Failure> {
        let known = KnownSetting::named(&self.name)?;
        if let Some(file) = self.target.chosen()? {
            return self.of_file(&known, &file);
        }
        let all = EffectiveSettings::of(ServeOptions::default())?;
        let found = all.setting(known.key()).ok_or_else(|| self.absent(&known, "anywhere"))?;
        if self.json {
            print(&entry(found).to_string());
            return Ok(());
        }
        match (&found.value, found.is_set) {
            (Some(value), _) => print(known.shown(value)),
            (None, true) => print(HIDDEN),
            (None, false) => return Err(self.absent(&known, "anywhere")),
        }
        Ok(())
    }

    /// The value in one file, whatever wins over it.
    fn of_file(&self, known: &KnownSetting, file: &File) -> Result<(), Failure> {
        let document = Document::read(file)?;
        let value = document.get(known.key());
        if self.json {
            let shown = value.as_ref().filter(|_| !known.is_secret());
            let origin = json!({ "kind": file.kind(), "name": file.name() });
            let said = json!({
                "key": known.key(), "value": shown, "isSet": value.is_some(),
                "isSecret": known.is_secret(), "origin": origin,
            });
            print(&said.to_string());
            return Ok(());
        }
        let value = value.ok_or_else(|| self.absent(known, &format!("in {}", file.name())))?;
        print(if known.is_secret() { HIDDEN } else { known.shown(&value) });
        Ok(())
    }

    fn absent(&self, known: &KnownSetting, place: &str) -> Failure {
        let key = known.key();
        Failure::Failed(format!(
            "{key} is not set {place}; to set it, run `dotdo config set {} VALUE`",
            self.name
        ))
    }
}

impl Set {
    fn run(&self) -> Result<(), Failure> {
        let known = KnownSetting::named(&self.name)?;
        let file = self.target.to_write()?;
        let value = known.stored(&input::value(&known, &self.name, self.value.as_deref())?);
        known.check(&value)?;
        let mut document = Document::read(&file)?;
        document.set(known.key(), &value, known.shape())?;
        document.write(&file, document.has_secret())?;
        let (key, shown) = (known.key(), if known.is_secret() { HIDDEN } else { &*value });
        if self.json {
            print(
                &json!({ "key": key, "file": file.name(), "value": shown_value(&known, &value) })
                    .to_string(),
            );
        } else {
            print(&format!("{key} = {shown}   in {}", file.name()));
        }
        self.tell_what_follows(&known, &file)
    }

    /// Says what else the user should know of the new value.
    fn tell_what_follows(&self, known: &KnownSetting, file: &File) -> Result<(), Failure> {
        if known.is_secret() && file.is_of_project() {
            note(&format!(
                "note: {} now has a secret in it: keep it out of version control, or use --user",
                file.name()
            ));
        }
        let all = EffectiveSettings::of(ServeOptions::default())?;
        if let Some(found) = all.setting(known.key())
            && !file.is_origin(&found.origin)
        {
            let by = list::origin_for_people(&found.origin);
            note(&format!("note: here {by} still wins over it"));
        }
        if let Some(problem) = &all.problem {
            note(&format!("note: the settings are not complete: {}", problem.message()));
        }
        Ok(())
    }
}

/// The value for JSON, unless it is a secret.
fn shown_value(known: &KnownSetting, value: &str) -> serde_json::Value {
    if known.is_secret() { serde_json::Value::Null } else { value.into() }
}

impl Unset {
    fn run(&self) -> Result<(), Failure> {
        let known = KnownSetting::named(&self.name)?;
        let file = self.target.to_write()?;
        let mut document = Document::read(&file)?;
        let removed = document.remove(known.key());
        if removed {
            document.write(&file, document.has_secret())?;
        }
        let key = known.key();
        if self.json {
            print(&json!({ "key": key, "file": file.name(), "removed": removed }).to_string());
        } else if removed {
            print(&format!("{key} removed from {}", file.name()));
        } else {
            print(&format!("{key} is not in {}; nothing changed", file.name()));
        }
        Ok(())
    }
}
