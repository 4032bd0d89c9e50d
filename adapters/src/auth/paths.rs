//! Paths that need no token.

use dotdo_core::names_object;
use http::request;

/// Patterns that would open every object to everyone.
const EVERYTHING: [&str; 2] = ["/*", "/do/*"];

/// Paths that say nothing about an object or a class.
const HARMLESS: [&str; 2] = ["/health", "/ready"];

/// Whether these paths need no token where callers have tenants. Any other path could be an
/// object's, whose tenant only a token determines.
pub(super) fn are_harmless(paths: &[String]) -> bool {
    paths.iter().all(|path| HARMLESS.contains(&path.as_str()))
}

/// The paths that need no token.
pub(super) struct SkipPaths(Vec<String>);

/// Whether `text` is a path, such as `/health`, or with `/*` at its end everything below one, such
/// as `/do/Public/*`.
pub(crate) fn is_skip_path(text: &str) -> bool {
    let path = text.strip_suffix("/*").unwrap_or(text);
    path.starts_with('/')
        && !EVERYTHING.contains(&text)
        && path.bytes().all(|byte| byte.is_ascii_graphic() && !b"*?#,".contains(&byte))
}

impl SkipPaths {
    pub(super) fn new(patterns: &[String]) -> Self {
        Self(patterns.to_vec())
    }

    /// Whether a request needs no token. With a header that names an object, the path does not
    /// determine the object. The path is compared as it is written, as the router does: `/Health`,
    /// `//health` and `/%68ealth` are different paths.
    pub(super) fn is_skipped(&self, head: &request::Parts) -> bool {
        !names_object(&head.headers)
            && self.0.iter().any(|pattern| matches(pattern, head.uri.path()))
    }
}

fn matches(pattern: &str, path: &str) -> bool {
    match pattern.strip_suffix("/*") {
        Some(above) => path.strip_prefix(above).is_some_and(|rest| rest.starts_with('/')),
        None => path == pattern,
    }
}
