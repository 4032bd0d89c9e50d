//! `dotdo config list`: every setting with its value and where that comes from.

use clap::Args;
use dotdo::ServeOptions;
use dotdo::commands::{EffectiveSetting, EffectiveSettings, Origin};
use serde_json::{Value, json};

use super::HIDDEN;
use crate::failure::{Failure, note, print};

#[derive(Debug, Args)]
pub(super) struct List {
    /// List the settings without a value of their own, too
    #[arg(long)]
    all: bool,
    /// Print {"platform", "settings": [{"key", "value", "isSet", "isSecret", "origin"}], "problem"}
    #[arg(long)]
    json: bool,
}

impl List {
    /// Prints the list.
    ///
    /// # Errors
    ///
    /// `Usage` when a program would not start with these settings; the list is printed anyway.
    pub(super) fn run(&self) -> Result<(), Failure> {
        let found = EffectiveSettings::of(ServeOptions::default())?;
        if self.json {
            print(&as_json(&found).to_string());
        } else {
            self.print_lines(&found);
        }
        for warning in &found.warnings {
            note(&format!("warning: {warning}"));
        }
        match found.problem {
            Some(problem) => Err(problem.into()),
            None => Ok(()),
        }
    }

    fn print_lines(&self, found: &EffectiveSettings) {
        let shown: Vec<&EffectiveSetting> = found
            .settings
            .iter()
            .filter(|setting| self.all || setting.origin != Origin::Default)
            .collect();
        if shown.is_empty() {
            print("every setting has its default; `dotdo config list --all` lists them");
            return;
        }
        shown.into_iter().for_each(|setting| print(&line(setting)));
    }
}

/// A setting with its value and where that comes from, on a line.
pub(crate) fn line(setting: &EffectiveSetting) -> String {
    /// The width of a name and its value, in characters, that origins are aligned after.
    const WIDTH: usize = 44;
    let text = format!("{} = {}", setting.key, value(setting));
    format!("{text:<WIDTH$}  {}", origin_for_people(&setting.origin))
}

fn value(setting: &EffectiveSetting) -> &str {
    match (&setting.value, setting.is_set) {
        (Some(value), _) => value,
        (None, true) => HIDDEN,
        (None, false) => "(not set)",
    }
}

/// Where a value comes from, for people.
pub(super) fn origin_for_people(origin: &Origin) -> String {
    match origin {
        Origin::Flag(name) => format!("the flag {name}"),
        Origin::Environment(name) => format!("the variable {name}"),
        Origin::Project(path) => format!("./{path}"),
        Origin::User(path) => path.clone(),
        Origin::Platform(name) => format!("the platform, {name}"),
        _ => "default".to_owned(),
    }
}

/// A setting as JSON.
pub(crate) fn entry(setting: &EffectiveSetting) -> Value {
    json!({
        "key": setting.key,
        "value": setting.value,
        "isSet": setting.is_set,
        "isSecret": setting.is_secret,
        "origin": origin_for_programs(&setting.origin),
    })
}

fn origin_for_programs(origin: &Origin) -> Value {
    let (kind, name) = match origin {
        Origin::Flag(name) => ("flag", Some(name)),
        Origin::Environment(name) => ("environment", Some(name)),
        Origin::Project(name) => ("project", Some(name)),
        Origin::User(name) => ("user", Some(name)),
        Origin::Platform(name) => ("platform", Some(name)),
        _ => ("default", None),
    };
    json!({ "kind": kind, "name": name })
}

fn as_json(found: &EffectiveSettings) -> Value {
    let settings: Vec<Value> = found.settings.iter().map(entry).collect();
    let problem = found.problem.as_ref().map(|problem| problem.message());
    json!({ "platform": found.platform, "settings": settings, "problem": problem })
}
