//! How objects and parts of a tenant are named in one word.

use std::fmt;
use std::str::FromStr;

/// The class of objects that are named without one, unless a setting says otherwise.
const BUILT_IN_CLASS: &str = "DO";

/// An object on the command line: `Class/id`, or `id` of the default class. The first slash
/// separates, so an id may have more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    class: Option<String>,
    id: String,
}

/// An object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) class: String,
    pub(crate) id: String,
}

/// A class, or the objects of a class whose id begins with a prefix: `Class`, `Class/prefix`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) class: String,
    pub(crate) prefix: Option<String>,
}

impl Named {
    /// The object that is meant where `default_class` is the default class.
    pub(crate) fn of(&self, default_class: Option<&str>) -> Object {
        let default = default_class.unwrap_or(BUILT_IN_CLASS);
        let class = self.class.clone().unwrap_or_else(|| default.to_owned());
        Object { class, id: self.id.clone() }
    }
}

impl FromStr for Named {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (class, id) = match text.split_once('/') {
            Some((class, id)) => (Some(class), id),
            None => (None, text),
        };
        if id.is_empty() || class.is_some_and(str::is_empty) {
            return Err("expected CLASS/ID, such as Counter/hello, or the ID of an object of the default class".to_owned());
        }
        Ok(Self { class: class.map(str::to_owned), id: id.to_owned() })
    }
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (class, prefix) = match text.split_once('/') {
            Some((class, prefix)) => (class, Some(prefix).filter(|prefix| !prefix.is_empty())),
            None => (text, None),
        };
        if class.is_empty() {
            return Err("expected CLASS or CLASS/PREFIX, such as Counter or Counter/he".to_owned());
        }
        Ok(Self { class: class.to_owned(), prefix: prefix.map(str::to_owned) })
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.class, self.id)
    }
}

/// The one of `names` that is nearest to a mistyped name, if any is near.
pub(crate) fn nearest<'a>(
    typed: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    /// A suggestion shares at least two thirds of its letters with what was typed.
    const NEAR: f64 = 0.66;
    let near = |name: &'a str| {
        let likeness =
            strsim::normalized_damerau_levenshtein(&typed.to_lowercase(), &name.to_lowercase());
        (likeness >= NEAR && name != typed).then_some((name, likeness))
    };
    let best = names.into_iter().filter_map(near).max_by(|(_, a), (_, b)| a.total_cmp(b));
    best.map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str, default: Option<&str>) -> String {
        let Object { class, id } = text.parse::<Named>().expect("it names an object").of(default);
        format!("{class} {id}")
    }

    #[test]
    fn the_first_slash_separates_class_and_id() {
        assert_eq!(object("Counter/hello", None), "Counter hello");
        assert_eq!(object("Counter/a/b/", None), "Counter a/b/");
        assert_eq!(object("hello", None), "DO hello");
        assert_eq!(object("hello", Some("Counter")), "Counter hello");
        for wrong in ["", "/a", "Counter/"] {
            assert!(wrong.parse::<Named>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_part_is_a_class_and_perhaps_a_prefix() {
        let part = |text: &str| text.parse::<Part>().expect("it names a part");
        assert_eq!(part("Counter"), Part { class: "Counter".to_owned(), prefix: None });
        assert_eq!(part("Counter/"), part("Counter"));
        assert_eq!(part("Counter/a/b").prefix.as_deref(), Some("a/b"));
        assert!("/a".parse::<Part>().is_err());
    }

    #[test]
    fn a_typo_has_a_nearest_name_and_another_word_has_none() {
        let names = ["Counter", "Room", "things"];
        assert_eq!(nearest("counter", names), Some("Counter"));
        assert_eq!(nearest("Conuter", names), Some("Counter"));
        assert_eq!(nearest("thing", names), Some("things"));
        assert_eq!(nearest("Invoice", names), None);
    }
}
