//! What a request asks for in its query.

use dotdo_core::{At, Error, Result, parse_at};
use http::Uri;
use url::form_urlencoded;

/// A query, of which each name may occur once.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// # Errors
    ///
    /// `Invalid` for a name that is not one of `known`, or occurs twice.
    pub(super) fn of(uri: &Uri, known: &[&str]) -> Result<Self> {
        let pairs = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        let mut found: Vec<(String, String)> = Vec::new();
        for (name, value) in pairs.into_owned() {
            if !known.contains(&name.as_str()) {
                return Err(Error::invalid(format!(
                    "expected one of {} in the query, got {name:?}",
                    known.join(", ")
                )));
            }
            if found.iter().any(|(other, _)| *other == name) {
                return Err(Error::invalid(format!("expected {name:?} once in the query")));
            }
            found.push((name, value));
        }
        Ok(Self(found))
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// # Errors
    ///
    /// `Invalid` for anything but a number.
    pub(super) fn number(&self, name: &str) -> Result<Option<usize>> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let number = text.parse().map_err(|_| {
            Error::invalid(format!("expected a whole number for {name:?}, got {text:?}"))
        })?;
        Ok(Some(number))
    }

    /// # Errors
    ///
    /// `Invalid` for anything but `true` and `false`.
    pub(super) fn switch(&self, name: &str) -> Result<bool> {
        match self.text(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => {
                Err(Error::invalid(format!("expected true or false for {name:?}, got {other:?}")))
            }
        }
    }

    /// # Errors
    ///
    /// `Invalid` for what is neither a time nor a sequence number.
    pub(super) fn at(&self) -> Result<Option<At>> {
        self.text("at").map(parse_at).transpose()
    }
}
