//! A configuration that is being built: the settings so far, and the source of each.

use std::collections::HashMap;

use dotdo_core::{Error, Result};

use super::Config;
use super::setting::{Kind, Setting};

/// Maximum number of characters of an invalid value that an error repeats.
const SHOWN_CHARS_MAX: usize = 80;

/// The precedence of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Strength {
    /// Not set anywhere.
    Default,
    /// The user's file.
    User,
    /// The project's file.
    Project,
    /// The environment.
    Environment,
    /// A flag.
    Flag,
}

/// A configuration that is being built.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) config: Config,
    /// Where each setting comes from, and its name there.
    said: HashMap<&'static str, (Strength, String)>,
}

impl Draft {
    /// The precedence of the source of a setting.
    pub(super) fn strength(&self, key: &str) -> Strength {
        self.said.get(key).map_or(Strength::Default, |(strength, _)| *strength)
    }

    /// The name under which a setting was given; `None` if it was not.
    pub(super) fn name(&self, key: &str) -> Option<&str> {
        self.said.get(key).map(|(_, name)| &**name)
    }

    /// The name of a setting that was given in the project's file; `None` for any other.
    pub(super) fn of_project(&self, key: &str) -> Option<&str> {
        self.name(key).filter(|_| self.strength(key) == Strength::Project)
    }

    /// Applies one setting that was given as `name`.
    pub(super) fn put(
        &mut self,
        strength: Strength,
        setting: &'static Setting,
        name: &str,
        value: &str,
    ) -> Result<()> {
        if !setting.kind.set(&mut self.config, value) {
            return Err(unacceptable(setting, name, value));
        }
        self.said.insert(setting.key, (strength, name.to_owned()));
        Ok(())
    }
}

/// Refuses a configuration.
pub(super) fn wrong(message: String) -> Error {
    Error::invalid(message).with_code("BAD_CONFIG")
}

/// Refuses the value of a setting that was given as `name`.
pub(super) fn unacceptable(setting: &Setting, name: &str, value: &str) -> Error {
    let accepts = setting.kind.accepts();
    let hidden = matches!(setting.kind, Kind::Secret(_)) || value.contains('@');
    if hidden {
        return wrong(format!(
            "{name}: expected {accepts}, got another value (not shown, it may contain a secret)"
        ));
    }
    let shown: String = value.chars().take(SHOWN_CHARS_MAX).collect();
    wrong(format!("{name}: expected {accepts}, got {shown:?}"))
}

/// Refuses a TOML value of the type `kind` for a setting that was given as `name`.
pub(super) fn wrong_type(setting: &Setting, name: &str, kind: &str) -> Error {
    wrong(format!("{name}: expected {}, got a TOML {kind}", setting.kind.accepts()))
}
