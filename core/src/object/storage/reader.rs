//! Reads JSON exactly: numbers to their last bit, which the parser of `serde_json` does not unless
//! it is built to. Texts, and whatever else is its own, are left to it.
//!
//! Promises: what [`super::exact::encode`] has written is read as it was; anything that is no JSON
//! is an error.

use std::borrow::Cow;

use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, Error as _, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};
use serde_json::{Error, Result};

use super::checker::DEPTH_MAX;
use super::key::Key;

/// The name by which a part that is kept as text asks for it.
const RAW: &str = "$serde_json::private::RawValue";

/// The value in `text`.
pub(super) fn decode<'de, T: de::Deserialize<'de>>(text: &'de str) -> Result<T> {
    let mut reader = Reader { rest: text, depth: 0 };
    let value = T::deserialize(&mut reader)?;
    match reader.peek() {
        None => Ok(value),
        Some(_) => Err(Error::custom("expected the end, got more")),
    }
}

/// A text, from where it is read.
struct Reader<'de> {
    rest: &'de str,
    depth: u32,
}

impl<'de> Reader<'de> {
    /// The next byte that is no blank.
    fn peek(&mut self) -> Option<u8> {
        self.rest = self.rest.trim_start_matches([' ', '\n', '\r', '\t']);
        self.rest.bytes().next()
    }

    fn take(&mut self, byte: u8) -> Result<()> {
        match self.peek() {
            Some(found) if found == byte => {
                self.rest = &self.rest[1..];
                Ok(())
            }
            _ => Err(Error::custom(format!("expected {:?}", char::from(byte)))),
        }
    }

    fn word(&mut self, word: &str) -> Result<()> {
        self.peek();
        self.rest = self
            .rest
            .strip_prefix(word)
            .ok_or_else(|| Error::custom(format!("expected {word}, got another value")))?;
        Ok(())
    }

    /// The digits of a number, and whether it is none of integers.
    fn number(&mut self) -> Result<(&'de str, bool)> {
        self.peek();
        let is_part = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
        let end = self.rest.bytes().position(|byte| !is_part(byte)).unwrap_or(self.rest.len());
        let (number, rest) = self.rest.split_at(end);
        // Whether it is one, down to its zeros.
        serde_json::from_str::<de::IgnoredAny>(number)?;
        self.rest = rest;
        Ok((number, number.contains(['.', 'e', 'E']) || number == "-0"))
    }

    /// The next text.
    fn text(&mut self) -> Result<Cow<'de, str>> {
        self.take(b'"')?;
        let mut is_escaped = false;
        let end = self.rest.bytes().position(|byte| {
            let is_end = byte == b'"' && !is_escaped;
            is_escaped = byte == b'\\' && !is_escaped;
            is_end
        });
        let end = end.ok_or_else(|| Error::custom("expected the end of a text"))?;
        let inside = &self.rest[..end];
        self.rest = &self.rest[end + 1..];
        if inside.contains('\\') || inside.contains(|sign: char| sign < ' ') {
            return serde_json::from_str::<String>(&format!("\"{inside}\"")).map(Cow::Owned);
        }
        Ok(Cow::Borrowed(inside))
    }

    /// The text of the next value, whatever it is.
    fn skip(&mut self) -> Result<&'de str> {
        self.peek();
        let from = self.rest;
        let mut values = serde_json::Deserializer::from_str(from).into_iter::<de::IgnoredAny>();
        values.next().ok_or_else(|| Error::custom("expected a value"))??;
        let length = values.byte_offset();
        self.rest = &from[length..];
        Ok(&from[..length])
    }

    fn inside<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth > DEPTH_MAX {
            return Err(Error::custom("expected fewer levels of nesting"));
        }
        self.depth += 1;
        let outcome = work(self);
        self.depth -= 1;
        outcome
    }

    fn list<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value> {
        self.take(b'[')?;
        let value = self.inside(|reader| visitor.visit_seq(Items { reader, is_first: true }))?;
        self.take(b']')?;
        Ok(value)
    }

    fn map<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value> {
        self.take(b'{')?;
        let value = self.inside(|reader| visitor.visit_map(Items { reader, is_first: true }))?;
        self.take(b'}')?;
        Ok(value)
    }
}

/// A number that is not too large.
fn finite<T: std::str::FromStr + Copy>(number: &str, is_finite: fn(T) -> bool) -> Result<T> {
    let value = number.parse().ok().filter(|value| is_finite(*value));
    value.ok_or_else(|| Error::custom("number out of range"))
}

/// Reads an integer that may have more than 64 bits.
macro_rules! wide {
    ($($method:ident: $type:ty => $visit:ident),*) => {
        $(
            fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
                let (number, _) = self.number()?;
                match number.parse::<$type>() {
                    Ok(value) => visitor.$visit(value),
                    Err(_) => Err(Error::custom("expected an integer")),
                }
            }
        )*
    };
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.peek() {
            Some(b'n') => {
                self.word("null")?;
                visitor.visit_unit()
            }
            Some(b't') => {
                self.word("true")?;
                visitor.visit_bool(true)
            }
            Some(b'f') => {
                self.word("false")?;
                visitor.visit_bool(false)
            }
            Some(b'"') => match self.text()? {
                Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
                Cow::Owned(text) => visitor.visit_string(text),
            },
            Some(b'[') => self.list(visitor),
            Some(b'{') => self.map(visitor),
            _ => {
                let (number, is_real) = self.number()?;
                match (is_real, number.parse::<u64>(), number.parse::<i64>()) {
                    (false, Ok(value), _) => visitor.visit_u64(value),
                    (false, _, Ok(value)) => visitor.visit_i64(value),
                    _ => visitor.visit_f64(finite(number, f64::is_finite)?),
                }
            }
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if !matches!(self.peek(), Some(b'-' | b'0'..=b'9')) {
            return self.deserialize_any(visitor);
        }
        let (number, _) = self.number()?;
        visitor.visit_f32(finite(number, f32::is_finite)?)
    }

    wide! { deserialize_i128: i128 => visit_i128, deserialize_u128: u128 => visit_u128 }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if self.peek() == Some(b'n') {
            self.word("null")?;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        if name != RAW {
            return visitor.visit_newtype_struct(self);
        }
        let mut part = serde_json::Deserializer::from_str(self.skip()?);
        part.deserialize_newtype_struct(name, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        if self.peek() == Some(b'"') {
            return visitor.visit_enum(de::value::CowStrDeserializer::new(self.text()?));
        }
        self.take(b'{')?;
        let value = self.inside(|reader| visitor.visit_enum(Variant(reader)))?;
        self.take(b'}')?;
        Ok(value)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.skip()?;
        visitor.visit_unit()
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.peek() {
            Some(b'"') => visitor.visit_bytes(self.text()?.as_bytes()),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_bytes(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f64 char str string unit unit_struct seq tuple
        tuple_struct map struct identifier
    }
}

/// The items of a list or a map.
struct Items<'r, 'de> {
    reader: &'r mut Reader<'de>,
    is_first: bool,
}

impl Items<'_, '_> {
    /// Whether there is one more before `close`.
    fn has_next(&mut self, close: u8) -> Result<bool> {
        if self.reader.peek() == Some(close) {
            return Ok(false);
        }
        if !std::mem::take(&mut self.is_first) {
            self.reader.take(b',')?;
        }
        Ok(true)
    }
}

impl<'de> SeqAccess<'de> for Items<'_, 'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        if !self.has_next(b']')? {
            return Ok(None);
        }
        seed.deserialize(&mut *self.reader).map(Some)
    }
}

impl<'de> MapAccess<'de> for Items<'_, 'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        if !self.has_next(b'}')? {
            return Ok(None);
        }
        seed.deserialize(Key(self.reader.text()?)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        self.reader.take(b':')?;
        seed.deserialize(&mut *self.reader)
    }
}

/// A variant with content: a map of one item.
struct Variant<'r, 'de>(&'r mut Reader<'de>);

impl<'de> EnumAccess<'de> for Variant<'_, 'de> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self)> {
        let name = seed.deserialize(Key(self.0.text()?))?;
        self.0.take(b':')?;
        Ok((name, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<()> {
        de::Deserialize::deserialize(self.0)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value> {
        seed.deserialize(self.0)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value> {
        self.0.list(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        match self.0.peek() {
            Some(b'[') => self.0.list(visitor),
            _ => self.0.map(visitor),
        }
    }
}
