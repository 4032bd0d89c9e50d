//! A configuration in the making: what has been said so far, and by which source.

use std::collections::HashMap;

use dotdo_core::{Error, Result};

use super::Config;
use super::setting::{Kind, Setting};

/// How much of a wrong value an error repeats.
const SHOWN_CHARS_MAX: usize = 80;

/// How strong a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Strength {
    /// Nobody said anything.
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

/// A configuration in the making.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) config: Config,
    /// Which source set each setting, and under which name.
    said: HashMap<&'static str, (Strength, String)>,
}

impl Draft {
    /// How strong the source of a setting is.
    pub(super) fn strength(&self, key: &str) -> Strength {
        self.said.get(key).map_or(Strength::Default, |(strength, _)| *strength)
    }

    /// What a setting was called where it was set; `None` where it was not.
    pub(super) fn name(&self, key: &str) -> Option<&str> {
        self.said.get(key).map(|(_, name)| &**name)
    }

    /// The same, when the project's file has set it.
    pub(super) fn of_project(&self, key: &str) -> Option<&str> {
        self.name(key).filter(|_| self.strength(key) == Strength::Project)
    }

    /// Sets one setting, which was called `name` where it was written.
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

/// Refuses the value of a setting, which was called `name` where it was written.
pub(super) fn unacceptable(setting: &Setting, name: &str, value: &str) -> Error {
    let accepts = setting.kind.accepts();
    let hidden = matches!(setting.kind, Kind::Secret(_)) || value.contains('@');
    if hidden {
        return wrong(format!(
            "{name} has a value that can't be used (not shown, it may hold a secret); it takes {accepts}"
        ));
    }
    let shown: String = value.chars().take(SHOWN_CHARS_MAX).collect();
    wrong(format!("{name} is {shown:?}; it takes {accepts}"))
}
