//! What commands print, one after the other, compared with a file.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::server::{dotdo, outcome};

/// Commands of a user, and what they printed.
pub(super) struct Session {
    folder: PathBuf,
    text: String,
}

impl Session {
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), text: String::new() }
    }

    /// Runs a command and writes down what it prints and its exit code.
    pub(super) fn run(&mut self, arguments: &[&str]) {
        let (code, stdout, stderr) = outcome(dotdo(&self.folder).args(arguments));
        let shown = arguments.iter().map(|argument| match argument.contains(' ') {
            true => format!("'{argument}'"),
            false => (*argument).to_owned(),
        });
        let shown = shown.collect::<Vec<_>>().join(" ");
        let code = code.map_or_else(|| "a signal".to_owned(), |code| code.to_string());
        let _ = write!(
            self.text,
            "$ dotdo {shown}\n{}{}[{code}]\n\n",
            masked(&stdout),
            masked(&stderr)
        );
    }

    /// Compares everything with a file of this folder; if it differs, writes it where it can be copied
    /// from.
    pub(super) fn is(&self, name: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/objects").join(name);
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        if self.text != expected {
            let new = std::env::temp_dir().join(name);
            std::fs::write(&new, &self.text)
                .expect("the folder for temporary files can be written");
            let text = &self.text;
            panic!(
                "{} differs; if it should, copy {} there\n{text}",
                path.display(),
                new.display()
            );
        }
    }
}

/// Text without what is different every time: times, sizes, identities, and the width of columns.
fn masked(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        if line.starts_with("  snapshots ") {
            // They are written in the background.
            out.push_str("  snapshots N\n");
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        let words: Vec<&str> = line.split_whitespace().collect();
        let shown = words.iter().enumerate().filter_map(|(at, word)| {
            let bare = word.trim_matches(|char: char| !char.is_alphanumeric());
            let next = words
                .get(at + 1)
                .map(|next| next.trim_matches(|char: char| !char.is_alphanumeric()));
            let is_size = |word: &str, unit: Option<&str>| {
                word.parse::<f64>().is_ok() && matches!(unit, Some("B" | "kB" | "MB"))
            };
            let before = at.checked_sub(1).map(|before| words[before].trim_start_matches('('));
            if before.is_some_and(|before| is_size(before, Some(bare))) {
                return None;
            }
            let mask = |name: &str| word.replace(bare, name);
            let is_counted = |word: &str| word.starts_with("snapshot") || word.starts_with("file");
            if next.is_some_and(is_counted) && bare.parse::<u64>().is_ok() {
                return Some(mask("N"));
            }
            if is_counted(bare) && before.is_some_and(|before| before.parse::<u64>().is_ok()) {
                return Some(mask(&format!("{}s", bare.trim_end_matches('s'))));
            }
            Some(if is_size(bare, next) {
                let unit = words[at + 1];
                format!(
                    "{}{}",
                    mask("SIZE"),
                    &unit[unit.find(|char: char| !char.is_alphanumeric()).unwrap_or(unit.len())..]
                )
            } else if is_date(bare) || is_clock(bare) {
                mask("TIME")
            } else if is_identity(bare) {
                mask("ID")
            } else {
                (*word).to_owned()
            })
        });
        let shown = shown.collect::<Vec<_>>().join(" ").replace("TIME TIME", "TIME");
        let _ = writeln!(out, "{}{shown}", " ".repeat(indent.min(2)));
    }
    out
}

/// Such as `2026-01-31`.
fn is_date(word: &str) -> bool {
    let bytes = word.as_bytes();
    word.len() >= 10
        && bytes[4] == b'-'
        && bytes[7] == b'-'
        && bytes[..4].iter().all(u8::is_ascii_digit)
}

/// Such as `12:00:00Z`.
fn is_clock(word: &str) -> bool {
    word.len() == 9 && word.ends_with('Z') && word.matches(':').count() == 2
}

/// A UUID, a checksum, or the name of a snapshot.
fn is_identity(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_hexdigit).count();
    word.starts_with("seq-")
        || (digits >= 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-'))
}
