//! What a request says that the object must be: `If-None-Match` and `If-Match`.

use dotdo_core::{Error, Precondition, Result};
use http::{HeaderMap, header};

/// The precondition in the headers: `If-None-Match: *` for an object that does not exist, or
/// `If-Match: "5"` for one that has not changed after record 5.
///
/// # Errors
///
/// `Invalid` for anything else in them, and for both.
pub(super) fn precondition(headers: &HeaderMap) -> Result<Precondition> {
    let only = |name: header::HeaderName| {
        let mut values = headers.get_all(&name).iter();
        match (values.next(), values.next()) {
            (value, None) => Ok(value.map(|value| value.to_str().unwrap_or_default().trim())),
            _ => Err(Error::invalid(format!("expected one header {name}"))),
        }
    };
    match (only(header::IF_NONE_MATCH)?, only(header::IF_MATCH)?) {
        (None, None) => Ok(Precondition::Any),
        (Some("*"), None) => Ok(Precondition::Absent),
        (None, Some(tag)) => record(tag).map(Precondition::Unchanged),
        (Some(_), None) => Err(Error::invalid("expected * in If-None-Match")),
        (Some(_), Some(_)) => {
            Err(Error::invalid("expected If-None-Match or If-Match, got both of them"))
        }
    }
}

/// The number of a record in quotes.
fn record(tag: &str) -> Result<u64> {
    let number = tag.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    number.and_then(|number| number.parse().ok()).ok_or_else(|| {
        Error::invalid("expected the number of a record in quotes in If-Match, such as \"5\"")
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(headers: &[(&'static str, &'static str)]) -> Result<Precondition> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        precondition(&map)
    }

    #[test]
    fn an_object_must_be_absent_or_unchanged() {
        for (headers, expected) in [
            (&[][..], Precondition::Any),
            (&[("if-none-match", "*")], Precondition::Absent),
            (&[("if-match", "\"17\"")], Precondition::Unchanged(17)),
        ] {
            assert_eq!(read(headers).expect("a precondition"), expected);
        }
        for wrong in [
            &[("if-none-match", "\"5\"")][..],
            &[("if-match", "*")],
            &[("if-match", "5")],
            &[("if-match", "W/\"5\"")],
            &[("if-match", "\"5\", \"6\"")],
            &[("if-match", "\"5\""), ("if-match", "\"6\"")],
            &[("if-match", "\"5\""), ("if-none-match", "*")],
        ] {
            assert_eq!(read(wrong).expect_err("it is wrong").code(), "BAD_REQUEST", "{wrong:?}");
        }
    }
}
