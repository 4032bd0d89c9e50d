//! Where the author wrote what a stack names: positions of a bundle as positions of its sources, by
//! its source map (ECMA-426).
//!
//! Promises: a map that can't be read leaves the text as it is; nothing is read before the first
//! stack is shown.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;

/// What the comment at the end of a module begins with.
const COMMENT: &str = "//# sourceMappingURL=";
/// The beginning of an address that has the map in itself.
const INLINE: &str = "data:application/json";

/// A source map, decoded.
#[derive(Debug, PartialEq)]
pub(crate) struct SourceMap {
    sources: Vec<String>,
    names: Vec<String>,
    /// The segments of each line, by their columns.
    lines: Vec<Vec<Segment>>,
}

/// From this column on it is that place.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Segment {
    column: u32,
    origin: Option<Origin>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Origin {
    source: u32,
    line: u32,
    column: u32,
    name: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    version: u32,
    #[serde(default)]
    source_root: Option<String>,
    sources: Vec<Option<String>>,
    #[serde(default)]
    names: Vec<String>,
    mappings: String,
}

/// A place in a source.
#[derive(Debug, PartialEq)]
pub(crate) struct Place<'a> {
    pub(crate) source: &'a str,
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) name: Option<&'a str>,
}

/// The address of the map in a module's text.
pub(crate) fn address_in(text: &str) -> Option<&str> {
    let last = text.trim_end().rsplit('\n').next()?;
    Some(last.trim().strip_prefix(COMMENT)?.trim()).filter(|address| !address.is_empty())
}

/// The map that an address has in itself.
pub(crate) fn inline(address: &str) -> Option<Vec<u8>> {
    let (parameters, data) = address.strip_prefix(INLINE)?.split_once(',')?;
    parameters.ends_with(";base64").then(|| BASE64_STANDARD.decode(data).ok())?
}

impl SourceMap {
    /// The map in a file; `None` if it is none of version 3.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let file: File = serde_json::from_slice(bytes).ok()?;
        let root = file.source_root.unwrap_or_default();
        let root = if root.is_empty() || root.ends_with('/') { root } else { root + "/" };
        let sources =
            file.sources.into_iter().map(|source| root.clone() + &source.unwrap_or_default());
        let lines = decode(&file.mappings)?;
        (file.version == 3).then(|| Self { sources: sources.collect(), names: file.names, lines })
    }

    /// The place in the sources of a line and a column, which are counted from 1 like those of the
    /// result.
    pub(crate) fn place(&self, line: u32, column: u32) -> Option<Place<'_>> {
        let segments = self.lines.get(usize::try_from(line.checked_sub(1)?).ok()?)?;
        let after = segments.partition_point(|segment| segment.column < column);
        let origin = segments.get(after.checked_sub(1)?)?.origin?;
        let source = self.sources.get(usize::try_from(origin.source).ok()?)?;
        let name = origin.name.and_then(|name| self.names.get(usize::try_from(name).ok()?));
        let (line, column) = (origin.line + 1, origin.column + 1);
        Some(Place { source, line, column, name: name.map(String::as_str) })
    }
}

/// The lines of segments of `mappings`: numbers in base 64, each relative to the one before.
fn decode(mappings: &str) -> Option<Vec<Vec<Segment>>> {
    let mut last = [0_i64; 5];
    let line = |line: &str| {
        last[0] = 0;
        let segments = line.split(',').filter(|segment| !segment.is_empty());
        segments.map(|segment| one(segment, &mut last)).collect()
    };
    mappings.split(';').map(line).collect()
}

fn one(segment: &str, last: &mut [i64; 5]) -> Option<Segment> {
    let mut digits = segment.bytes();
    let mut count = 0;
    while let Some(number) = number(&mut digits)? {
        *last.get_mut(count)? = last.get(count)?.checked_add(number)?;
        count += 1;
    }
    let at = |place: usize| u32::try_from(last[place]).ok();
    let origin = match count {
        1 => None,
        4 | 5 => {
            let name = if count == 5 { Some(at(4)?) } else { None };
            Some(Origin { source: at(1)?, line: at(2)?, column: at(3)?, name })
        }
        _ => return None,
    };
    Some(Segment { column: at(0)?, origin })
}

/// The next number, of which each digit has five bits; `Some(None)` at the end, `None` when it is
/// no number.
fn number(digits: &mut std::str::Bytes<'_>) -> Option<Option<i64>> {
    let Some(mut digit) = digits.next() else { return Some(None) };
    let (mut value, mut shift) = (0_i64, 0_u32);
    loop {
        let bits = i64::from(value_of(digit)?);
        if shift > 30 {
            return None;
        }
        value |= (bits & 31) << shift;
        shift += 5;
        if bits & 32 == 0 {
            let number = value >> 1;
            return Some(Some(if value & 1 == 1 { -number } else { number }));
        }
        digit = digits.next()?;
    }
}

fn value_of(digit: u8) -> Option<u8> {
    match digit {
        b'A'..=b'Z' => Some(digit - b'A'),
        b'a'..=b'z' => Some(digit - b'a' + 26),
        b'0'..=b'9' => Some(digit - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

/// A text in which each frame of a stack (`at f (module:line:column)`) is where `place` says it was
/// written. Other lines stay.
pub(crate) fn at_sources<'a>(
    text: &str,
    place: impl Fn(&str, u32, u32) -> Option<Place<'a>>,
) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let (frame, end) = line.split_at(line.trim_end_matches('\n').len());
        let found = frame_in(frame)
            .and_then(|frame| Some((place(frame.module, frame.line, frame.column)?, frame)));
        match found {
            Some((Place { source, line, column, .. }, frame)) => {
                let Frame { before, after, .. } = frame;
                // Into a text it never fails.
                let _ = write!(out, "{before}{source}:{line}:{column}{after}");
            }
            None => out.push_str(frame),
        }
        out.push_str(end);
    }
    out
}

/// The modules that frames in a text name, each once.
pub(crate) fn modules_in(text: &str) -> Vec<&str> {
    let frames = text.lines().filter_map(frame_in);
    let mut modules: Vec<&str> = frames.map(|frame| frame.module).collect();
    modules.sort_unstable();
    modules.dedup();
    modules
}

/// A frame of a stack.
struct Frame<'a> {
    before: &'a str,
    module: &'a str,
    line: u32,
    column: u32,
    after: &'a str,
}

/// The frame in a line, as QuickJS writes it.
fn frame_in(text: &str) -> Option<Frame<'_>> {
    let is_frame = text.trim_start().starts_with("at ");
    let inside = text.strip_suffix(')').filter(|_| is_frame);
    let (rest, after) = inside.map_or((text, ""), |inside| (inside, ")"));
    let start = match after {
        "" => text.find("at ").filter(|_| is_frame)? + "at ".len(),
        _ => rest.rfind('(')? + 1,
    };
    let (before, place) = rest.split_at(start);
    let mut parts = place.rsplitn(3, ':');
    let column = parts.next()?.parse().ok()?;
    let line = parts.next()?.parse().ok()?;
    Some(Frame { before, module: parts.next()?, line, column, after })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `const a = 1;\nthrow` of a.ts and b.ts, in one line of a bundle.
    const MAP: &str = r#"{"version":3,"sourceRoot":"src","sources":["a.ts","b.ts"],"names":["fail"],"mappings":";AAAA,UCECA,I"}"#;

    #[test]
    fn places_of_a_bundle_are_places_of_its_sources() {
        let map = SourceMap::read(MAP.as_bytes()).expect("a map");
        let place = |line, column| {
            map.place(line, column)
                .map(|place| (place.source, place.line, place.column, place.name))
        };
        assert_eq!(place(2, 1), Some(("src/a.ts", 1, 1, None)));
        assert_eq!(place(2, 10), Some(("src/a.ts", 1, 1, None)));
        assert_eq!(place(2, 11), Some(("src/b.ts", 3, 2, Some("fail"))));
        assert_eq!(place(2, 15), None, "a part without a source");
        assert_eq!((place(1, 1), place(3, 1), place(0, 0)), (None, None, None));
    }

    #[test]
    fn what_is_no_map_is_none() {
        for text in [
            "",
            "{}",
            r#"{"version":2,"sources":[],"mappings":""}"#,
            r#"{"version":3,"sources":[],"mappings":"A?"}"#,
            r#"{"version":3,"sources":[],"mappings":"g"}"#,
            r#"{"version":3,"sources":[],"mappings":"AA"}"#,
            r#"{"version":3,"sources":[],"mappings":"D"}"#,
            r#"{"version":3,"sources":[],"mappings":"ggggggggggggB"}"#,
        ] {
            assert_eq!(SourceMap::read(text.as_bytes()), None, "{text}");
        }
        let beyond = SourceMap::read(br#"{"version":3,"sources":[],"mappings":"AAAA"}"#);
        assert_eq!(beyond.expect("a map").place(1, 1), None);
    }

    #[test]
    fn the_comment_at_the_end_names_the_map() {
        assert_eq!(address_in("code\n//# sourceMappingURL=worker.js.map\n"), Some("worker.js.map"));
        for none in ["", "code", "//# sourceMappingURL=a.map\ncode", "//# sourceMappingURL="] {
            assert_eq!(address_in(none), None, "{none}");
        }
        let address = "data:application/json;charset=utf-8;base64,e30=";
        assert_eq!(inline(address).as_deref(), Some(&b"{}"[..]));
        assert_eq!(inline("worker.js.map"), None);
    }

    #[test]
    fn frames_of_a_stack_are_shown_where_they_were_written() {
        let map = SourceMap::read(MAP.as_bytes()).expect("a map");
        let place = |module: &str, line, column| {
            (module == "worker.js").then(|| map.place(line, column))?
        };
        let stack = "Error: no (worker.js:2:11)\n    at fail (worker.js:2:11)\n    at worker.js:2:1\n    at call (native)\n    at x (other.js:2:1)\n    at (worker.js:9:9)\n";
        let shown = "Error: no (worker.js:2:11)\n    at fail (src/b.ts:3:2)\n    at src/a.ts:1:1\n    at call (native)\n    at x (other.js:2:1)\n    at (worker.js:9:9)\n";
        assert_eq!(at_sources(stack, place), shown);
    }
}
