//! The names that classes have in a program, and the ones under which their objects are stored. The
//! design is in docs/design/0037.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::error::{Error, ErrorKind, Result};
use crate::id::{ObjectId, is_class_name};

/// The code of the error for a class that has ended.
pub(crate) const CLASS_DELETED: &str = "CLASS_DELETED";

/// What a program says about names that its classes have had, and about classes that have ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ClassNames {
    /// Each later name, with the one before it.
    former: BTreeMap<String, String>,
    /// Each former name, with the one after it.
    later: BTreeMap<String, String>,
    ended: BTreeSet<String>,
    /// The first sentence that contradicts another.
    contradiction: Option<String>,
}

impl ClassNames {
    /// The class `from` is now called `to`.
    pub(crate) fn rename(&mut self, from: &str, to: &str) {
        self.later.insert(from.to_owned(), to.to_owned()).inspect(|other| {
            self.contradiction.get_or_insert(format!(
                "the class {from:?} is renamed to {other:?} and to {to:?}; a class has one name"
            ));
        });
        self.former.insert(to.to_owned(), from.to_owned()).inspect(|other| {
            self.contradiction.get_or_insert(format!(
                "{other:?} and {from:?} are renamed to {to:?}; their objects can't be merged"
            ));
        });
    }

    /// The class has ended.
    pub(crate) fn end(&mut self, class: &str) {
        self.ended.insert(class.to_owned());
    }

    /// The name under which the objects of `class` are stored: the first one that it had.
    pub(crate) fn stored<'a>(&'a self, class: &'a str) -> &'a str {
        follow(&self.former, class)
    }

    /// The object that is meant by `object`, whose class may have one of its later names.
    pub(crate) fn object<'a>(&self, object: &'a ObjectId) -> Cow<'a, ObjectId> {
        if self.former.contains_key(object.class()) {
            Cow::Owned(object.of_class(self.stored(object.class())))
        } else {
            Cow::Borrowed(object)
        }
    }

    /// The newest name of `class`.
    pub(crate) fn newest<'a>(&'a self, class: &'a str) -> &'a str {
        follow(&self.later, class)
    }

    /// Whether the class, by any of its names, has ended.
    pub(crate) fn has_ended(&self, class: &str) -> bool {
        !self.ended.is_empty()
            && (self.ended.contains(class) || self.ended.contains(self.newest(class)))
    }

    /// Checks that `class` has not ended.
    ///
    /// # Errors
    ///
    /// `Gone` (code `CLASS_DELETED`).
    pub(crate) fn check_alive(&self, class: &str) -> Result<()> {
        if !self.has_ended(class) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Gone, format!("the class {class:?} was deleted"))
            .with_code(CLASS_DELETED))
    }

    /// The stored names of the classes that have ended.
    pub(crate) fn ended(&self) -> impl Iterator<Item = &str> {
        self.ended.iter().map(|class| self.stored(class))
    }

    /// Checks that the names make sense for a program with these `classes`.
    ///
    /// # Errors
    ///
    /// `Invalid` (code `BAD_CLASSES`) for what does not, with what to do.
    pub(crate) fn check(&self, classes: &BTreeSet<&str>) -> Result<()> {
        match self.contradiction.clone().or_else(|| self.fault(classes)) {
            Some(text) => Err(Error::invalid(text).with_code("BAD_CLASSES")),
            None => Ok(()),
        }
    }

    fn fault(&self, classes: &BTreeSet<&str>) -> Option<String> {
        for name in self.later.keys().chain(self.later.values()).chain(&self.ended) {
            if !is_class_name(name) {
                return Some(format!("expected the name of a class, got {name:?}"));
            }
        }
        for from in self.later.keys() {
            if classes.contains(from.as_str()) {
                return Some(format!(
                    "the class {from:?} is renamed and still in the program; a new class needs a name that none has had, and for a name that is given back, remove its renaming"
                ));
            }
            let newest = self.newest(from);
            if !classes.contains(newest) && !self.ended.contains(newest) {
                return Some(format!(
                    "the class {from:?} is renamed to {newest:?}, which is no class of the program; add it, or declare its end"
                ));
            }
        }
        let alive = self.ended.iter().find(|ended| classes.contains(ended.as_str()));
        alive.map(|class| {
            format!(
                "the class {class:?} is deleted and still in the program; remove one of the two"
            )
        })
    }
}

/// The end of the chain of names that begins with `name`. A chain in a circle, which the check
/// refuses, ends somewhere in it.
fn follow<'a>(next: &'a BTreeMap<String, String>, name: &'a str) -> &'a str {
    let mut name = name;
    for _ in 0..=next.len() {
        match next.get(name) {
            Some(other) => name = other,
            None => break,
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(renames: &[(&str, &str)], ended: &[&str]) -> ClassNames {
        let mut names = ClassNames::default();
        renames.iter().for_each(|(from, to)| names.rename(from, to));
        ended.iter().for_each(|class| names.end(class));
        names
    }

    #[test]
    fn all_names_of_a_class_lead_to_the_first_and_to_the_newest() {
        let names = names(&[("Chat", "Room"), ("Room", "Hall")], &[]);
        for name in ["Chat", "Room", "Hall"] {
            assert_eq!((names.stored(name), names.newest(name)), ("Chat", "Hall"), "{name}");
        }
        assert_eq!((names.stored("Other"), names.newest("Other")), ("Other", "Other"));
        names.check(&BTreeSet::from(["Hall", "Other"])).expect("it makes sense");
    }

    #[test]
    fn a_class_that_was_renamed_and_then_ended_is_known_by_all_its_names() {
        let names = names(&[("Chat", "Room")], &["Room"]);
        names.check(&BTreeSet::new()).expect("it makes sense");
        assert!(names.has_ended("Chat") && names.has_ended("Room") && !names.has_ended("Hall"));
        assert_eq!(names.ended().collect::<Vec<_>>(), ["Chat"]);
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_what_to_do() {
        for (renames, ended, classes, expected) in [
            (&[("Chat", "Room")][..], &[][..], &["Chat", "Room"][..], "still in the program"),
            (&[("Chat", "Room")], &[], &["Hall"], "no class of the program"),
            (&[("A", "B"), ("A", "C")], &[], &["B", "C"], "a class has one name"),
            (&[("A", "C"), ("B", "C")], &[], &["C"], "can't be merged"),
            (&[("A", "B"), ("B", "A")], &[], &[], "no class of the program"),
            (&[("A", "B"), ("B", "A")], &[], &["A"], "still in the program"),
            (&[("A b", "B")], &[], &["B"], "expected the name of a class"),
            (&[], &["Old"], &["Old"], "is deleted and still in the program"),
            (&[], &["a/b"], &[], "expected the name of a class"),
        ] {
            let classes = classes.iter().copied().collect();
            let error = names(renames, ended).check(&classes).expect_err(expected);
            assert_eq!(error.code(), "BAD_CLASSES");
            assert!(error.message().contains(expected), "{error}");
        }
    }
}
