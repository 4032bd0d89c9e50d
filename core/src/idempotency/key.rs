//! The header `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header-07): a string of RFC
//! 9651, such as `"8e03978e-40d5"`.

use http::{HeaderMap, HeaderName};

use crate::error::{Error, Result};
use crate::limits::IDEMPOTENCY_KEY_BYTES_MAX;

/// A key that identifies a request, so that a retry is not executed again.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::engine::IDEMPOTENCY_KEY_HEADER;
/// use dotdo::http::Request;
///
/// let request =
///     Request::post("/orders").header(IDEMPOTENCY_KEY_HEADER, "\"8e03978e\"").body(())?;
/// assert_eq!(request.headers()["idempotency-key"], "\"8e03978e\"");
/// # Ok::<(), dotdo::Error>(())
/// ```
pub const IDEMPOTENCY_KEY_HEADER: HeaderName = HeaderName::from_static("idempotency-key");

/// The key in the headers, if there is one. Quotation marks are optional, because many clients omit
/// them.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::engine::{IDEMPOTENCY_KEY_HEADER, idempotency_key};
/// use dotdo::http::{HeaderMap, HeaderValue};
///
/// let mut headers = HeaderMap::new();
/// assert_eq!(idempotency_key(&headers)?, None);
/// headers.insert(IDEMPOTENCY_KEY_HEADER, HeaderValue::from_static("\"8e03978e\""));
/// assert_eq!(idempotency_key(&headers)?.as_deref(), Some("8e03978e"));
/// # Ok::<(), dotdo::Error>(())
/// ```
///
/// # Errors
///
/// `Invalid` when there are several, or it is empty, too long or not a string.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>> {
    let mut values = headers.get_all(&IDEMPOTENCY_KEY_HEADER).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(bad("is given more than once"));
    }
    let text = value.as_bytes().trim_ascii();
    let key = match text.strip_prefix(b"\"") {
        Some(quoted) => string(quoted),
        None => bare(text),
    };
    let key =
        key.ok_or_else(|| bad("expects a string in quotation marks, such as \"8e03978e\""))?;
    match key.len() {
        0 => Err(bad("is empty")),
        length if length > IDEMPOTENCY_KEY_BYTES_MAX => {
            Err(bad(&format!("expects at most {IDEMPOTENCY_KEY_BYTES_MAX} bytes, got {length}")))
        }
        _ => Ok(Some(key)),
    }
}

/// The content of a quoted string whose first quotation mark has been taken; parameters after it
/// mean nothing here.
fn string(text: &[u8]) -> Option<String> {
    let mut key = String::new();
    let mut bytes = text.iter();
    loop {
        match *bytes.next()? {
            b'"' => break,
            b'\\' => match *bytes.next()? {
                escaped @ (b'"' | b'\\') => key.push(char::from(escaped)),
                _ => return None,
            },
            plain @ b' '..=b'~' => key.push(char::from(plain)),
            _ => return None,
        }
    }
    let rest = bytes.as_slice().trim_ascii_start();
    (rest.is_empty() || rest.starts_with(b";")).then_some(key)
}

/// A key without quotation marks: visible characters that have no meaning in a header of strings.
fn bare(text: &[u8]) -> Option<String> {
    let plain = text.iter().all(|byte| byte.is_ascii_graphic() && !b"\",;\\".contains(byte));
    plain.then(|| String::from_utf8_lossy(text).into_owned())
}

fn bad(what: &str) -> Error {
    Error::invalid(format!("the header Idempotency-Key {what}")).with_code("BAD_IDEMPOTENCY_KEY")
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn parsed(values: &[&str]) -> Result<Option<String>> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(
                IDEMPOTENCY_KEY_HEADER,
                HeaderValue::from_bytes(value.as_bytes()).expect("a header"),
            );
        }
        idempotency_key(&headers)
    }

    #[test]
    fn a_key_is_a_string_or_the_same_without_quotation_marks() {
        for (given, wanted) in [
            (r#""a""#, "a"),
            ("a", "a"),
            (" 8e03978e-40d5-43e8-bc93-6894a57f9324 ", "8e03978e-40d5-43e8-bc93-6894a57f9324"),
            (r#""a \"b\" \\ c""#, r#"a "b" \ c"#),
            (r#""a";version=1"#, "a"),
            ("dGVzdA==", "dGVzdA=="),
        ] {
            assert_eq!(parsed(&[given]).expect("a good key").as_deref(), Some(wanted), "{given}");
        }
        assert_eq!(parsed(&[]).expect("none is fine"), None);
    }

    #[test]
    fn what_is_no_key_is_refused_with_a_code() {
        let long = "k".repeat(IDEMPOTENCY_KEY_BYTES_MAX + 1);
        for given in [
            "",
            r#""""#,
            r#""a"#,
            r#""a"b"#,
            r#""a\b""#,
            "a b",
            "a,b",
            r#"a"b"#,
            "\"ä\"",
            "ä",
            &long,
            &format!("\"{long}\""),
        ] {
            let error = parsed(&[given]).expect_err(given);
            assert_eq!(
                (error.kind(), error.code()),
                (crate::ErrorKind::Invalid, "BAD_IDEMPOTENCY_KEY"),
                "{given}"
            );
        }
        assert!(parsed(&["a", "a"]).is_err(), "two are one too many");
        assert!(parsed(&[&"k".repeat(IDEMPOTENCY_KEY_BYTES_MAX)]).is_ok());
    }
}
