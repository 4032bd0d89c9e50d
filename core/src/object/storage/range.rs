//! The keys of a listing as a condition of SQL.

use super::ListOptions;
use crate::change::Value;
use crate::error::{Error, Result};

/// A condition, and its parameters.
pub(super) struct Range {
    pub(super) filter: &'static str,
    pub(super) params: Vec<Value>,
}

impl Range {
    /// The keys that `options` ask for.
    ///
    /// # Errors
    ///
    /// `Invalid` for two beginnings.
    pub(super) fn of(options: &ListOptions) -> Result<Self> {
        let ListOptions { prefix, start, start_after, end, .. } = options;
        let begin = match (start, start_after) {
            (Some(_), Some(_)) => {
                return Err(Error::invalid("expected start or start_after, got both"));
            }
            (Some(start), None) => Some(start.as_bytes().to_vec()),
            // The first key after another is that one and a NUL.
            (None, Some(after)) => Some([after.as_bytes(), b"\0"].concat()),
            (None, None) => None,
        };
        let from = begin.into_iter().chain([prefix.as_bytes().to_vec()]).max().unwrap_or_default();
        let behind = after_prefix(prefix.as_bytes());
        let end = end.as_ref().map(|end| end.as_bytes().to_vec());
        Ok(match behind.into_iter().chain(end).min() {
            Some(end) => Self {
                filter: "key >= ? AND key < ?",
                params: vec![Value::Text(from), Value::Text(end)],
            },
            None => Self { filter: "key >= ?", params: vec![Value::Text(from)] },
        })
    }
}

/// The first text, not necessarily UTF-8, after all texts that begin with `prefix`; `None` when
/// there is none.
///
/// Functions such as `length` and `substr` stop at a NUL; comparisons don't.
fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let (last, before) = prefix.split_last()?;
    // No byte of UTF-8 is 255.
    Some(before.iter().copied().chain([last + 1]).collect())
}
