//! Words that the project has replaced: they must not come back.

use std::collections::BTreeMap;

use crate::source::{Source, files};

/// A word that must not be used, in lower case and in the singular, and what to use instead.
type Word = (&'static str, &'static str);

const WORDS: &[Word] = &[
    ("dressed", "negotiated, finished"),
    ("ear", "listener, announcements"),
    ("errand", "delivery"),
    ("hearsay", "owner cache"),
    ("journey", "request context"),
    ("knob", "setting"),
    ("mail", "messages"),
    ("misery", "fault, isolation"),
    ("shore", "store, bucket"),
    ("stray", "leftover"),
    ("whereabouts", "owner, owner cache"),
];

/// The words of a text, in lower case: names are split at underscores and capital letters.
fn words(text: &str) -> impl Iterator<Item = String> {
    let mut all = Vec::new();
    let mut word = String::new();
    let mut was_lower = false;
    for char in text.chars() {
        if !char.is_alphabetic() || (char.is_uppercase() && was_lower) {
            all.push(std::mem::take(&mut word));
        }
        if char.is_alphabetic() {
            word.extend(char.to_lowercase());
        }
        was_lower = char.is_lowercase();
    }
    all.push(word);
    all.into_iter().filter(|word| !word.is_empty())
}

/// How often each unwanted word is used, with the first place.
fn uses(sources: &[Source]) -> BTreeMap<&'static str, (usize, String)> {
    let mut found = BTreeMap::new();
    for source in sources {
        for (number, line) in source.text.lines().enumerate() {
            for used in words(line) {
                let singular = used.strip_suffix('s').unwrap_or(&used);
                let unwanted = WORDS.iter().find(|(word, _)| [&*used, singular].contains(word));
                if let Some((word, _)) = unwanted {
                    let place = || (0, format!("{}:{}", source.path, number + 1));
                    found.entry(*word).or_insert_with(place).0 += 1;
                }
            }
        }
    }
    found
}

#[test]
fn replaced_words_do_not_come_back() {
    let mut sources: Vec<Source> = [".rs", ".md"].into_iter().flat_map(files).collect();
    sources.retain(|source| source.path != "tests/tidy/words.rs");
    let used = uses(&sources);
    let mut found = Vec::new();
    for (word, instead) in WORDS {
        if let Some((count, first)) = used.get(word) {
            found.push(format!("{first}: `{word}`, {count} times; use {instead}"));
        }
    }
    assert!(found.is_empty(), "use the words of the glossary:\n{}", found.join("\n"));
}

#[test]
fn words_are_found_in_names_and_in_prose() {
    let text =
        "struct OwnerHearsay; fn hear_whereabouts() {} // Knobs, not doorknobs or KNOB_COUNT.";
    let source = Source { path: "x.rs".into(), text: text.into() };
    let used = uses(&[source]);
    let counts: Vec<_> =
        used.iter().map(|(word, (count, place))| (*word, *count, &**place)).collect();
    assert_eq!(
        counts,
        [("hearsay", 1, "x.rs:1"), ("knob", 2, "x.rs:1"), ("whereabouts", 1, "x.rs:1")]
    );
}
