//! SQLite's values as JSON, and back, exactly.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use dotdo_core::{Answer, Error, Response, Result, Value};
use http::{HeaderValue, header};
use serde::Serialize;
use serde::ser::{SerializeMap, SerializeSeq, Serializer};
use serde_json::value::RawValue;

/// A value as JSON.
struct Shown<'a>(&'a Value);

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let named = |serializer: S, name: &str, text: &str| {
            let mut map = serializer.serialize_map(Some(1))?;
            map.serialize_entry(name, text)?;
            map.end()
        };
        match self.0 {
            Value::Null => serializer.serialize_unit(),
            Value::Integer(value) => serializer.serialize_i64(*value),
            Value::Real(value) if value.is_finite() => serializer.serialize_f64(*value),
            Value::Real(value) if *value > 0.0 => named(serializer, "real", "inf"),
            Value::Real(_) => named(serializer, "real", "-inf"),
            Value::Text(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => serializer.serialize_str(text),
                Err(_) => named(serializer, "textBase64", &STANDARD.encode(bytes)),
            },
            Value::Blob(bytes) => named(serializer, "base64", &STANDARD.encode(bytes)),
        }
    }
}

/// Rows as JSON, without another copy of them.
struct Rows<'a>(&'a [Vec<Value>]);

struct Row<'a>(&'a [Value]);

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        self.0.iter().try_for_each(|row| list.serialize_element(&Row(row)))?;
        list.end()
    }
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        self.0.iter().try_for_each(|value| list.serialize_element(&Shown(value)))?;
        list.end()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    columns: &'a [String],
    rows: Rows<'a>,
    truncated: bool,
    rows_read: u64,
    rows_written: u64,
    sequence: u64,
}

/// The response with what a statement has returned.
pub(super) fn response(answer: &Answer) -> Response {
    let written = Written {
        columns: &answer.columns,
        rows: Rows(&answer.rows),
        truncated: answer.truncated,
        rows_read: answer.rows_read,
        rows_written: answer.rows_written,
        sequence: answer.sequence,
    };
    let text = serde_json::to_vec(&written).expect("rows and texts are always JSON");
    let mut response = Response::new(Bytes::from(text).into());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The value that JSON of a client means.
///
/// # Errors
///
/// `Invalid` for what means no value.
pub(super) fn read(json: &RawValue) -> Result<Value> {
    use serde_json::Value as Json;
    let text = json.get();
    if text.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
        return number(text);
    }
    let bad = || {
        Error::invalid(
            "expected a parameter that is null, true, false, a number, a text, {\"base64\": …}, {\"textBase64\": …} or {\"real\": \"inf\"}",
        )
    };
    let decoded = |text: &str| STANDARD.decode(text).map_err(|_| bad());
    match serde_json::from_str(text)? {
        Json::Null => Ok(Value::Null),
        Json::Bool(value) => Ok(Value::Integer(value.into())),
        Json::String(text) => Ok(Value::Text(text.into_bytes())),
        Json::Object(map) if map.len() == 1 => {
            let (name, value) = map.iter().next().ok_or_else(bad)?;
            match (name.as_str(), value.as_str().ok_or_else(bad)?) {
                ("base64", text) => decoded(text).map(Value::Blob),
                ("textBase64", text) => decoded(text).map(Value::Text),
                ("real", "inf") => Ok(Value::Real(f64::INFINITY)),
                ("real", "-inf") => Ok(Value::Real(f64::NEG_INFINITY)),
                _ => Err(bad()),
            }
        }
        Json::Number(_) | Json::Object(_) | Json::Array(_) => Err(bad()),
    }
}

/// A number, to the last bit: serde's own are rounded.
fn number(text: &str) -> Result<Value> {
    if let Ok(value) = text.parse() {
        return Ok(Value::Integer(value));
    }
    let real = text.parse::<f64>().ok().filter(|_| text.contains(['.', 'e', 'E']));
    real.map(Value::Real).ok_or_else(|| {
        Error::invalid(format!("expected a whole number of at most 64 bits, got {text}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_comes_back_from_its_json() {
        for (value, json) in [
            (Value::Null, "null"),
            (Value::Integer(i64::MIN), "-9223372036854775808"),
            (Value::Integer(i64::MAX), "9223372036854775807"),
            (Value::Real(1.0), "1.0"),
            (Value::Real(-0.0), "-0.0"),
            (Value::Real(1e300), "1e+300"),
            (Value::Real(0.1), "0.1"),
            (Value::Real(5.0e-324), "5e-324"),
            (Value::Real(2.225_073_858_507_201_4e-308), "2.2250738585072014e-308"),
            (Value::Real(f64::INFINITY), r#"{"real":"inf"}"#),
            (Value::Real(f64::NEG_INFINITY), r#"{"real":"-inf"}"#),
            (Value::Text("a\"\u{0}é".into()), r#""a\"\u0000é""#),
            (Value::Text(vec![0xff]), r#"{"textBase64":"/w=="}"#),
            (Value::Blob(vec![0, 1]), r#"{"base64":"AAE="}"#),
            (Value::Blob(Vec::new()), r#"{"base64":""}"#),
        ] {
            let written = serde_json::to_string(&Shown(&value)).expect("JSON");
            assert_eq!(written, json);
            let raw: Box<RawValue> = serde_json::from_str(&written).expect("JSON");
            let back = read(&raw).expect("a value");
            assert!(back.as_ref().is_identical(value.as_ref()), "{back:?} of {json}");
        }
        for bad in ["[1]", "{}", r#"{"base64":"?"}"#, r#"{"real":"1"}"#, "18446744073709551615"] {
            let raw: Box<RawValue> = serde_json::from_str(bad).expect("JSON");
            let error = read(&raw).expect_err(bad);
            assert_eq!(error.code(), "BAD_REQUEST");
        }
    }
}
