//! A setting: its names, the values it accepts, the field that stores the value, and its
//! documentation.

use std::ops::RangeInclusive;
use std::time::Duration;

use dotdo_core::Secret;

use super::Config;

/// Tables of settings whose environment variables belong to other tools and have no prefix `DOTDO_`.
const FOREIGN: [&str; 6] = ["r2.", "aws.", "google.", "azure.", "otel.", "turso."];

/// One setting.
pub(super) struct Setting {
    /// The name in files, with a dot for each table.
    pub(super) key: &'static str,
    /// Further environment variables. The one that is made from the key wins over them.
    pub(super) aliases: &'static [&'static str],
    /// The values it accepts, and the field that stores them.
    pub(super) kind: Kind,
    /// Documentation for users, one to three sentences.
    pub(super) about: &'static str,
}

/// The values that a setting accepts, and the field that stores them.
pub(super) enum Kind {
    /// A number of milliseconds.
    Millis(RangeInclusive<u64>, fn(&mut Config) -> &mut Duration),
    /// A number with a unit.
    Number {
        unit: &'static str,
        range: RangeInclusive<u64>,
        get: fn(&Config) -> u64,
        set: fn(&mut Config, u64),
    },
    /// `true` or `false`.
    Switch(fn(&mut Config) -> &mut bool),
    /// One of these words.
    OneOf { words: &'static [&'static str], get: fn(&Config) -> usize, set: fn(&mut Config, usize) },
    /// Text that passes a check; `accepts` describes the check.
    Text {
        accepts: &'static str,
        check: fn(&str) -> bool,
        field: fn(&mut Config) -> &mut Option<String>,
    },
    /// A list of texts that each pass a check; `accepts` describes the check. In the environment
    /// commas separate them.
    List {
        accepts: &'static str,
        check: fn(&str) -> bool,
        field: fn(&mut Config) -> &mut Vec<String>,
    },
    /// Text that is never shown.
    Secret(fn(&mut Config) -> &mut Option<Secret>),
}

/// The value for an empty list, because an empty value counts as not set.
pub(super) const EMPTY_LIST: &str = "none";

impl Setting {
    pub(super) const fn new(key: &'static str, kind: Kind, about: &'static str) -> Self {
        Self { key, aliases: &[], kind, about }
    }

    pub(super) const fn with_aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    /// The main environment variable.
    pub(super) fn variable(&self) -> String {
        let prefix =
            if FOREIGN.iter().any(|table| self.key.starts_with(table)) { "" } else { "DOTDO_" };
        format!("{prefix}{}", self.key.replace('.', "_").to_uppercase())
    }

    /// All environment variables, in ascending precedence.
    pub(super) fn variables(&self) -> impl Iterator<Item = String> {
        self.aliases.iter().map(|alias| (*alias).to_owned()).chain([self.variable()])
    }
}

impl Kind {
    /// The accepted values, as the object of the sentence "expected …".
    pub(super) fn accepts(&self) -> String {
        match self {
            Self::Millis(range, _) => {
                format!("a whole number of milliseconds from {} to {}", range.start(), range.end())
            }
            Self::Number { unit, range, .. } => {
                format!("a whole number{unit} from {} to {}", range.start(), range.end())
            }
            Self::Switch(_) => "true, false, 1 or 0".to_owned(),
            Self::OneOf { words, .. } => match words.split_last() {
                Some((only, [])) => (*only).to_owned(),
                Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
                None => "nothing".to_owned(),
            },
            Self::Text { accepts, .. } => (*accepts).to_owned(),
            Self::List { accepts, .. } => {
                format!("{EMPTY_LIST} or a comma-separated list of {accepts}")
            }
            Self::Secret(_) => "text (never shown)".to_owned(),
        }
    }

    /// Stores `text` in `config`; `false` if it is not an accepted value.
    pub(super) fn set(&self, config: &mut Config, text: &str) -> bool {
        match self {
            Self::Millis(range, field) => {
                in_range(text, range).map(|ms| *field(config) = Duration::from_millis(ms)).is_some()
            }
            Self::Number { range, set, .. } => {
                in_range(text, range).map(|value| set(config, value)).is_some()
            }
            Self::Switch(field) => switch(text).map(|on| *field(config) = on).is_some(),
            Self::OneOf { words, set, .. } => {
                words.iter().position(|word| *word == text).map(|at| set(config, at)).is_some()
            }
            Self::Text { check, field, .. } => {
                check(text).then(|| *field(config) = Some(text.to_owned())).is_some()
            }
            Self::List { check, field, .. } => {
                items(text, *check).map(|items| *field(config) = items).is_some()
            }
            Self::Secret(field) => {
                *field(config) = Some(Secret::new(text));
                true
            }
        }
    }

    /// The value in `config` as text; empty if there is none.
    pub(super) fn shown(&self, config: &mut Config) -> String {
        match self {
            Self::Millis(_, field) => field(config).as_millis().to_string(),
            Self::Number { get, .. } => get(config).to_string(),
            Self::Switch(field) => field(config).to_string(),
            Self::OneOf { words, get, .. } => words[get(config)].to_owned(),
            Self::Text { field, .. } => field(config).clone().unwrap_or_default(),
            Self::List { field, .. } => match field(config).join(",") {
                items if items.is_empty() => EMPTY_LIST.to_owned(),
                items => items,
            },
            Self::Secret(_) => String::new(),
        }
    }
}

fn in_range(text: &str, range: &RangeInclusive<u64>) -> Option<u64> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|value| plain && range.contains(value))
}

fn items(text: &str, check: fn(&str) -> bool) -> Option<Vec<String>> {
    if text == EMPTY_LIST {
        return Some(Vec::new());
    }
    let items = text.split(',').map(str::trim);
    items.map(|item| check(item).then(|| item.to_owned())).collect()
}

fn switch(text: &str) -> Option<bool> {
    match text {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

macro_rules! number {
    ($unit:literal, $range:expr, $($field:ident).+) => {
        Kind::Number {
            unit: $unit,
            range: $range,
            get: |config| u64::try_from(config.$($field).+).unwrap_or(u64::MAX),
            // The range lies within the field's type.
            set: |config, value| config.$($field).+ = value.try_into().unwrap_or(config.$($field).+),
        }
    };
}

macro_rules! text {
    ($accepts:literal, $check:expr, $($field:ident).+) => {
        Kind::Text { accepts: $accepts, check: $check, field: |config| &mut config.$($field).+ }
    };
}

macro_rules! list {
    ($accepts:literal, $check:expr, $($field:ident).+) => {
        Kind::List { accepts: $accepts, check: $check, field: |config| &mut config.$($field).+ }
    };
}

macro_rules! secret {
    ($($field:ident).+) => {
        Kind::Secret(|config| &mut config.$($field).+)
    };
}

pub(super) use {list, number, secret, text};
