//! Which paths the worker answers before files are looked for.

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

/// `run_worker_first`: all paths, none, or those of patterns with `*`; such with `!` are exceptions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Patterns {
    All(bool),
    Of { included: Vec<String>, excluded: Vec<String> },
}

impl Default for Patterns {
    fn default() -> Self {
        Self::All(false)
    }
}

impl<'de> Deserialize<'de> for Patterns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Setting {
            All(bool),
            Of(Vec<String>),
        }
        let listed = match Setting::deserialize(deserializer)? {
            Setting::All(all) => return Ok(Self::All(all)),
            Setting::Of(listed) => listed,
        };
        let (mut included, mut excluded) = (Vec::new(), Vec::new());
        for pattern in listed {
            let (kind, path) = match pattern.strip_prefix('!') {
                Some(path) => (&mut excluded, path),
                None => (&mut included, pattern.as_str()),
            };
            if !path.starts_with('/') {
                let text = format!(
                    "run_worker_first: expected patterns that begin with / or !/, got {pattern:?}"
                );
                return Err(D::Error::custom(text));
            }
            kind.push(path.to_owned());
        }
        Ok(Self::Of { included, excluded })
    }
}

impl Patterns {
    /// Whether they say that the worker comes first for `path`.
    pub(super) fn includes(&self, path: &str) -> bool {
        let any = |patterns: &[String]| patterns.iter().any(|pattern| fits(pattern, path));
        match self {
            Self::All(all) => *all,
            Self::Of { included, excluded } => any(included) && !any(excluded),
        }
    }
}

/// Whether `path` fits a pattern in which `*` stands for anything.
fn fits(pattern: &str, path: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = path.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_as_they_say() {
        for (pattern, path, expected) in [
            ("/api/*", "/api/", true),
            ("/api/*", "/api/a/b", true),
            ("/api/*", "/apis", false),
            ("/a*c", "/abc", true),
            ("/a*c", "/ac", true),
            ("/a*c", "/acb", false),
            ("/a*b*c", "/a-b-b-c", true),
            ("/a*b*b", "/ab", false),
            ("/a", "/a", true),
            ("/a", "/ab", false),
            ("*", "/any", true),
        ] {
            assert_eq!(fits(pattern, path), expected, "{pattern} {path}");
        }
    }
}
