//! The project's files, and Rust text without what is not code.

use std::fs;
use std::path::{Path, PathBuf};

/// A file of the project.
pub(crate) struct Source {
    /// Relative to the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the workspace").to_owned()
}

/// Every file whose name ends with `suffix`, outside of build folders and hidden ones.
pub(crate) fn files(suffix: &str) -> Vec<Source> {
    let mut found = Vec::new();
    collect(&root(), suffix, &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!found.is_empty(), "there are no files that end with {suffix}");
    found
}

fn collect(folder: &Path, suffix: &str, found: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).expect("the project can be read") {
        let path = entry.expect("the project can be read").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("names are UTF-8");
        if path.is_dir() {
            if !name.starts_with('.') && !matches!(name, "target" | "node_modules" | "__pycache__")
            {
                collect(&path, suffix, found);
            }
        } else if name.ends_with(suffix) {
            let text = fs::read_to_string(&path)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let relative = path
                .strip_prefix(root())
                .expect("it is below the root")
                .to_str()
                .expect("names are UTF-8");
            found.push(Source { path: relative.replace('\\', "/"), text });
        }
    }
}

impl Source {
    /// Whether the whole file is a test: it may use the real clock, print, and so on.
    pub(crate) fn is_test(&self) -> bool {
        let folders = ["tests/", "benches/", "examples/"];
        let inside = ["/tests/", "/simulation/"].iter().any(|folder| self.path.contains(folder));
        inside
            || self.path.ends_with("/tests.rs")
            || folders.iter().any(|folder| self.path.starts_with(folder))
    }

    /// The lines of code: comments, texts and characters are blank. Line numbers stay.
    pub(crate) fn code(&self) -> String {
        blank(&self.text)
    }

    /// The lines of code before the file's own tests, which come last.
    pub(crate) fn product_code(&self) -> String {
        let code = self.code();
        code.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned()
    }
}

/// Where `word` stands by itself: not inside a longer name.
pub(crate) fn word_at(line: &str, word: &str) -> Option<usize> {
    let is_name =
        |char: Option<char>| char.is_some_and(|char| char.is_alphanumeric() || char == '_');
    let word_begins = is_name(word.chars().next());
    let word_ends = is_name(word.chars().next_back());
    line.match_indices(word).map(|(at, _)| at).find(|at| {
        let joined_before = word_begins && is_name(line[..*at].chars().next_back());
        let joined_after = word_ends && is_name(line[at + word.len()..].chars().next());
        !joined_before && !joined_after
    })
}

/// Replaces comments, string and character literals by spaces.
fn blank(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let taken = literal_length(rest, out.chars().next_back()).unwrap_or(0);
        if taken == 0 {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            out.extend(rest[..taken].chars().map(|char| if char == '\n' { '\n' } else { ' ' }));
            rest = &rest[taken..];
        }
    }
    out
}

/// How many bytes of `rest` are a comment or a literal that begins right here.
fn literal_length(rest: &str, before: Option<char>) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(rest.find("*/").map_or(rest.len(), |end| end + 2));
    }
    if rest.starts_with('"') {
        return Some(quoted(rest, '"'));
    }
    let in_name = before.is_some_and(|char| char.is_alphanumeric() || char == '_');
    if !in_name && let Some(raw) = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r')) {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let close = format!("\"{}", "#".repeat(hashes));
            let open = rest.len() - raw.len() + hashes + 1;
            return Some(
                rest[open..].find(&close).map_or(rest.len(), |end| open + end + close.len()),
            );
        }
    }
    if let Some(inner) = rest.strip_prefix('\'') {
        // A character, not a lifetime: closed after one character or an escape.
        let is_escape = inner.starts_with('\\');
        let is_char = inner.chars().nth(1) == Some('\'');
        return (is_escape || is_char).then(|| quoted(rest, '\''));
    }
    None
}

/// The length of the literal that `rest` begins with, quotes included.
fn quoted(rest: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, char) in rest.char_indices().skip(1) {
        match char {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            _ if char == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

#[test]
fn only_code_is_left_of_code() {
    let text = "a(\"x // y\\\"\", 'b', '\\'', r#\"c\"d\"#) // e\n/* f */ fn g<'h>(i: &'h str)";
    assert_eq!(blank(text).split_whitespace().collect::<String>(), "a(,,,)fng<'h>(i:&'hstr)");
}

#[test]
fn a_word_is_no_part_of_a_name() {
    assert_eq!(word_at("use RowKey, Key;", "Key"), Some(12));
    assert_eq!(word_at("RowKey", "Key"), None);
    assert_eq!(word_at("x.unwrap_or(1)", ".unwrap()"), None);
}
