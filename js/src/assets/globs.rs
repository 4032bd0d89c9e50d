//! Paths with placeholders: `:name` stands for what has no slash, and one `*` for anything.

/// A path, or the beginning of one with a scheme and a host, with placeholders.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Glob {
    parts: Vec<Part>,
    is_absolute: bool,
}

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Text(String),
    Named(String),
    Splat,
}

/// What placeholders stand for.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Found(Vec<(String, String)>);

impl Glob {
    /// Reads one.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(super) fn of(text: &str) -> Result<Self, String> {
        if text.matches('*').count() > 1 {
            return Err(format!("expected one * at most, got {text:?}"));
        }
        let (is_absolute, mut rest) = (text.starts_with("https://"), text);
        let mut parts = Vec::new();
        if let (true, Some(after)) = (is_absolute, text.strip_prefix("https://")) {
            parts.push(Part::Text("https://".to_owned()));
            rest = after;
        }
        while let Some(at) = rest.find(['*', ':']) {
            let (before, from) = rest.split_at(at);
            let name = &from[1..];
            let end = name.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
            let name = &name[..end.unwrap_or(name.len())];
            let is_name = name.starts_with(|letter: char| letter.is_ascii_alphabetic());
            let (part, length) = match from.starts_with('*') {
                true => (Part::Splat, 1),
                false if is_name => (Part::Named(name.to_owned()), 1 + name.len()),
                false => (Part::Text(":".to_owned()), 1),
            };
            parts.extend([Part::Text(before.to_owned()), part]);
            rest = &from[length..];
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self { parts, is_absolute })
    }

    /// Whether it has no placeholders.
    pub(super) fn is_static(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Text(_)))
    }

    /// Whether it begins with a scheme and a host.
    pub(super) fn is_absolute(&self) -> bool {
        self.is_absolute
    }

    /// What the placeholders stand for in `path`, if it is one of these.
    pub(super) fn matches(&self, path: &str) -> Option<Found> {
        let mut found = Vec::new();
        matches(&self.parts, path, &mut found).then_some(Found(found))
    }
}

/// Whether all of `path` is what `parts` say. A placeholder stands for as much as it can.
fn matches(parts: &[Part], path: &str, found: &mut Vec<(String, String)>) -> bool {
    let Some((part, rest)) = parts.split_first() else { return path.is_empty() };
    let (name, longest) = match part {
        Part::Text(text) => {
            return path.strip_prefix(text.as_str()).is_some_and(|path| matches(rest, path, found));
        }
        Part::Named(name) => (name.as_str(), path.find('/').unwrap_or(path.len())),
        Part::Splat => ("splat", path.len()),
    };
    let shortest = usize::from(matches!(part, Part::Named(_)));
    for length in (shortest..=longest).rev().filter(|length| path.is_char_boundary(*length)) {
        let count = found.len();
        found.push((name.to_owned(), path[..length].to_owned()));
        if matches(rest, &path[length..], found) {
            return true;
        }
        found.truncate(count);
    }
    false
}

impl Found {
    /// `text` with what placeholders stand for in their place; others stay as they are.
    pub(super) fn fill(&self, text: &str) -> String {
        let mut names: Vec<&(String, String)> = self.0.iter().collect();
        // A name may begin with another one.
        names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        let (mut filled, mut rest) = (String::new(), text);
        while let Some(at) = rest.find(':') {
            filled.push_str(&rest[..at]);
            let after = &rest[at + 1..];
            match names.iter().find(|(name, _)| after.starts_with(name.as_str())) {
                Some((name, value)) => {
                    filled.push_str(value);
                    rest = &after[name.len()..];
                }
                None => {
                    filled.push(':');
                    rest = after;
                }
            }
        }
        filled + rest
    }
}
