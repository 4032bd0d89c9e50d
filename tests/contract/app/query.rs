//! Values from the query of a request.

use dotdo::{Error, Result};

/// The value of `name`, as it was written.
pub(crate) fn text<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

/// The number `name`.
pub(crate) fn number(query: &str, name: &str) -> Result<usize> {
    let text = text(query, name).ok_or_else(|| Error::invalid(format!("{name} is missing")))?;
    text.parse().map_err(|_| Error::invalid(format!("{name} is a number, not {text:?}")))
}
