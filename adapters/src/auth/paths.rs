//! Paths that need no token.

use http::{HeaderMap, request};

/// Headers that name an object. With one of them the path does not say where a request goes.
const NAMES_OBJECT: [&str; 4] = ["x-do-id", "x-dotdo-id", "x-do-type", "x-dotdo-type"];

/// Patterns that would let everybody to every object.
const EVERYTHING: [&str; 2] = ["/*", "/do/*"];

/// The paths that need no token.
pub(super) struct SkipPaths(Vec<String>);

/// Whether `text` is a path, such as `/health`, or with `/*` at its end everything below one, such as `/do/Public/*`.
pub(crate) fn is_skip_path(text: &str) -> bool {
    let path = text.strip_suffix("/*").unwrap_or(text);
    path.starts_with('/') && !EVERYTHING.contains(&text) && path.bytes().all(|byte| byte.is_ascii_graphic() && !b"*?#,".contains(&byte))
}

impl SkipPaths {
    pub(super) fn new(patterns: &[String]) -> Self {
        Self(patterns.to_vec())
    }

    /// Whether a request needs no token. The path is compared as it is written, which is how the router reads it: `/Health`, `//health` and
    /// `/%68ealth` are other paths, and lead nowhere.
    pub(super) fn is_skipped(&self, head: &request::Parts) -> bool {
        !names_object(&head.headers) && self.0.iter().any(|pattern| matches(pattern, head.uri.path()))
    }
}

fn names_object(headers: &HeaderMap) -> bool {
    NAMES_OBJECT.iter().any(|name| headers.contains_key(*name))
}

fn matches(pattern: &str, path: &str) -> bool {
    match pattern.strip_suffix("/*") {
        Some(above) => path.strip_prefix(above).is_some_and(|rest| rest.starts_with('/')),
        None => path == pattern,
    }
}
