//! JSON that is taken as it is or refused: no name twice in an object, no number that would lose
//! digits.
//!
//! Promises: what is accepted, read back as JSON, has the same names and the same values.

use std::fmt;

use dotdo::{Error, Result};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};

use super::sentence::shown;

/// The stable code of an object with a name twice.
const DUPLICATE_NAME: &str = "DUPLICATE_NAME";
/// The stable code of a number that can't be kept.
const INEXACT_NUMBER: &str = "INEXACT_NUMBER";

/// The text of a JSON document, not yet read.
pub(super) struct Document(Box<RawValue>);

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(Self)
    }
}

impl Document {
    /// What it says.
    ///
    /// # Errors
    ///
    /// `Invalid` when it can't be taken as it is.
    pub(super) fn read(&self) -> Result<Value> {
        let text = self.0.get();
        if let Some(literal) = numbers(text).find(|literal| !is_kept(literal)) {
            let literal = shown(&Value::from(literal));
            let text = format!(
                "expected numbers of 64 bits, got {literal}, which would lose digits; send it as a text"
            );
            return Err(Error::invalid(text).with_code(INEXACT_NUMBER));
        }
        let mut reader = serde_json::Deserializer::from_str(text);
        let mut repeated = None;
        let read = Seed { repeated: &mut repeated }.deserialize(&mut reader);
        if let Some(name) = repeated {
            let name = shown(&Value::from(name));
            let text = format!("an object in the body has the name {name} twice");
            return Err(Error::invalid(text).with_code(DUPLICATE_NAME));
        }
        read.map_err(|cause| Error::invalid(format!("the body is not the expected JSON: {cause}")))
    }
}

/// Reads any value, and stops at a name that its object has already.
struct Seed<'a> {
    repeated: &'a mut Option<String>,
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> std::result::Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> std::result::Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> std::result::Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> std::result::Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> std::result::Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> std::result::Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> std::result::Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> std::result::Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> std::result::Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = seq.next_element_seed(Seed { repeated: &mut *self.repeated })? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            if object.contains_key(&name) {
                *self.repeated = Some(name);
                return Err(serde::de::Error::custom("a name is there twice"));
            }
            let value = map.next_value_seed(Seed { repeated: &mut *self.repeated })?;
            object.insert(name, value);
        }
        Ok(object.into())
    }
}

/// The numbers of a JSON text, as they are written.
fn numbers(json: &str) -> impl Iterator<Item = &str> {
    let mut rest = json;
    std::iter::from_fn(move || {
        loop {
            let start =
                rest.find(|char: char| char == '"' || char == '-' || char.is_ascii_digit())?;
            let found = &rest[start..];
            if found.starts_with('"') {
                rest = after_string(found);
                continue;
            }
            let is_part = |char: char| char.is_ascii_digit() || "+-.eE".contains(char);
            let end = found.find(|char| !is_part(char)).unwrap_or(found.len());
            rest = &found[end..];
            return Some(&found[..end]);
        }
    })
}

/// What follows the string that a text begins with.
fn after_string(text: &str) -> &str {
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return &text[at + 1..],
            _ => {}
        }
    }
    ""
}

/// Whether a number, once read, is written with the same value.
fn is_kept(literal: &str) -> bool {
    match literal.parse::<Number>() {
        Ok(number) if number.is_i64() || number.is_u64() => true,
        Ok(number) => Decimal::of(literal) == Decimal::of(&number.to_string()),
        // Beyond what a double can be.
        Err(_) => false,
    }
}

/// The value of a number that is written in JSON: `0.digits · 10^exponent`.
#[derive(Debug, PartialEq, Eq)]
struct Decimal {
    is_negative: bool,
    /// Neither the first nor the last is 0; none are zero.
    digits: String,
    exponent: i64,
}

impl Decimal {
    fn of(literal: &str) -> Self {
        let (sign, unsigned) = match literal.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, literal),
        };
        let (mantissa, power) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        let significant = all.trim_start_matches('0');
        let leading = all.len() - significant.len();
        let digits = significant.trim_end_matches('0').to_owned();
        if digits.is_empty() {
            return Self { is_negative: sign, digits, exponent: 0 };
        }
        let power: i64 = power.parse().unwrap_or(i64::MAX);
        let point = i64::try_from(whole.len()).unwrap_or(i64::MAX);
        let leading = i64::try_from(leading).unwrap_or(i64::MAX);
        let exponent = power.saturating_add(point).saturating_sub(leading);
        Self { is_negative: sign, digits, exponent }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Value> {
        serde_json::from_str::<Document>(json).expect("it is JSON").read()
    }

    #[test]
    fn numbers_come_back_with_their_value_or_are_refused() {
        for kept in [
            "0",
            "-0",
            "0.0",
            "1",
            "-9223372036854775808",
            "18446744073709551615",
            "0.1",
            "1.50",
            "1e3",
            "1E-7",
            "100000000000000000000",
            "2.5e+10",
            "0.30000000000000004",
            "5e-324",
            "1.7976931348623157e308",
        ] {
            let value = read(kept).unwrap_or_else(|error| panic!("{kept}: {error:?}"));
            assert_eq!(Decimal::of(kept), Decimal::of(&value.to_string()), "{kept}");
        }
        for lost in [
            "18446744073709551616",
            "-9223372036854775809",
            "12345678901234567890123",
            "3.14159265358979323846",
            "1e-400",
            "0.1000000000000000055511151231257827",
            "9007199254740993.5",
        ] {
            let error = read(&format!("{{\"a\": [{lost}]}}")).expect_err(lost);
            assert_eq!(error.code(), INEXACT_NUMBER, "{lost}");
            assert!(error.message().contains(lost), "{}", error.message());
        }
    }

    #[test]
    fn what_only_looks_like_a_number_is_a_text() {
        let text = r#"{"12345678901234567890123": "99999999999999999999999", "\"": "\\", "a": "\\\"123456789012345678901"}"#;
        let value = read(text).expect("it has no number");
        assert_eq!(value["12345678901234567890123"], "99999999999999999999999");
    }

    #[test]
    fn a_name_twice_is_refused_at_any_depth() {
        for json in [
            r#"{"a": 1, "a": 1}"#,
            r#"{"b": [1, {"c": {"x": 1, "y": 2, "x": 3}}]}"#,
            r#"{"a": 1, "\u0061": 2}"#,
        ] {
            assert_eq!(read(json).expect_err(json).code(), DUPLICATE_NAME, "{json}");
        }
        let same = r#"{"a":{"a":1},"b":[{"a":1},{"a":2}]}"#;
        assert_eq!(read(same).expect("each is in another object").to_string(), same);
    }
}
