//! Helpers for dotdo's own tables in an object's database, which SQL and Iceberg readers see like
//! any other.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::change::Value;
use crate::error::{Error, Result};
use crate::object::sql::Sql;
use crate::sqlite::Database;

/// Whether the table `name` exists; reading does not create it.
pub(crate) fn exists(database: &mut Database, name: &str) -> Result<bool> {
    let query = "SELECT count(*) FROM sqlite_schema WHERE name = ? AND type = 'table'";
    let count: i64 = Sql::new(database).exec(query, (name,))?.one()?;
    Ok(count > 0)
}

/// Headers as text: a line `name: value` for each. A value may have any bytes except line breaks.
pub(crate) fn lines(headers: &HeaderMap) -> Value {
    let mut text = Vec::new();
    for (name, value) in headers {
        text.extend_from_slice(name.as_str().as_bytes());
        text.extend_from_slice(b": ");
        text.extend_from_slice(value.as_bytes());
        text.push(b'\n');
    }
    Value::Text(text)
}

/// The inverse of [`lines`].
pub(crate) fn headers(text: &[u8]) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let colon = line
            .windows(2)
            .position(|two| two == b": ")
            .ok_or_else(|| malformed("expected a colon in a header"))?;
        let name = HeaderName::from_bytes(&line[..colon])
            .map_err(|_| malformed("expected the name of a header"))?;
        let value = HeaderValue::from_bytes(&line[colon + 2..])
            .map_err(|_| malformed("expected the value of a header"))?;
        headers.append(name, value);
    }
    Ok(headers)
}

/// The bytes of a text or a blob.
pub(crate) fn bytes(value: Value) -> Result<Vec<u8>> {
    match value {
        Value::Text(bytes) | Value::Blob(bytes) => Ok(bytes),
        _ => Err(malformed("expected a text")),
    }
}

/// An integer.
pub(crate) fn integer(value: &Value) -> Result<i64> {
    match value {
        Value::Integer(value) => Ok(*value),
        _ => Err(malformed("expected a number")),
    }
}

/// The error when one of these tables has a row that dotdo has not written.
pub(crate) fn malformed(what: &str) -> Error {
    Error::handler(format!("malformed row in a table `_dotdo_…`: {what}"))
        .with_code("MALFORMED_ROW")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_back_from_their_lines() {
        let mut given = HeaderMap::new();
        given.append("set-cookie", HeaderValue::from_static("a: b"));
        given.append("set-cookie", HeaderValue::from_static(""));
        given.append("x-bytes", HeaderValue::from_bytes(b"\xff\xfe").expect("any bytes"));
        let Value::Text(text) = lines(&given) else { panic!("they are text") };
        assert_eq!(headers(&text).expect("they can be read"), given);
    }
}
