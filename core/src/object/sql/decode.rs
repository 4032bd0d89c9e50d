//! Deserialises rows to users' types with serde.

use std::fmt;

use serde::de::value::SeqDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess,
    Visitor,
};
use serde::forward_to_deserialize_any;

use crate::Result;
use crate::change::ValueRef;
use crate::sqlite::RowView;

/// Converts the row to a `T`.
pub(super) fn row<T: DeserializeOwned>(columns: &[String], row: &RowView<'_>) -> Result<T> {
    T::deserialize(RowDeserializer { columns, row }).map_err(|found| super::mismatch(found.0))
}

/// The error when a row does not have the expected type.
#[derive(Debug)]
struct Mismatch(String);

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Mismatch {}

impl serde::de::Error for Mismatch {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(format!("a row of the result does not have the expected type: {message}"))
    }
}

#[derive(Clone, Copy)]
struct RowDeserializer<'r, 's> {
    columns: &'r [String],
    row: &'r RowView<'s>,
}

impl RowDeserializer<'_, '_> {
    fn column(&self, index: usize) -> ColumnDeserializer<'_> {
        ColumnDeserializer { name: &self.columns[index], value: self.row.value(index) }
    }

    /// The only column of a row that becomes a scalar.
    fn only_column(&self) -> Result<ColumnDeserializer<'_>, Mismatch> {
        match self.columns.len() {
            1 => Ok(self.column(0)),
            count => Err(serde::de::Error::custom(format!("expected one column, got {count}"))),
        }
    }
}

macro_rules! from_only_column {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
            self.only_column()?.$method(visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for RowDeserializer<'_, '_> {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_map(Columns { row: self, next: 0 })
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.only_column() {
            Ok(column) if matches!(column.value, ValueRef::Blob(_)) => {
                column.deserialize_seq(visitor)
            }
            _ => visitor.visit_seq(Columns { row: self, next: 0 }),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        if length != self.columns.len() {
            let message = format!("expected {length} columns, got {}", self.columns.len());
            return Err(serde::de::Error::custom(message));
        }
        visitor.visit_seq(Columns { row: self, next: 0 })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        self.deserialize_tuple(length, visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.only_column() {
            Ok(ColumnDeserializer { value: ValueRef::Null, .. }) => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_unit()
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        self.only_column()?.deserialize_enum(name, variants, visitor)
    }

    from_only_column! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64
        deserialize_char deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf
    }

    forward_to_deserialize_any! { map struct unit_struct identifier ignored_any }
}

/// The columns of a row, in order.
struct Columns<'r, 's> {
    row: RowDeserializer<'r, 's>,
    next: usize,
}

impl<'de> SeqAccess<'de> for Columns<'_, '_> {
    type Error = Mismatch;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Mismatch> {
        if self.next == self.row.columns.len() {
            return Ok(None);
        }
        self.next += 1;
        self.row.column(self.next - 1).into_seed(seed).map(Some)
    }
}

impl<'de> MapAccess<'de> for Columns<'_, '_> {
    type Error = Mismatch;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Mismatch> {
        match self.row.columns.get(self.next) {
            Some(name) => seed.deserialize(name.as_str().into_deserializer()).map(Some),
            None => Ok(None),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Mismatch> {
        self.next += 1;
        self.row.column(self.next - 1).into_seed(seed)
    }
}

/// One value, with the name of its column for messages.
struct ColumnDeserializer<'r> {
    name: &'r str,
    value: ValueRef<'r>,
}

impl ColumnDeserializer<'_> {
    fn into_seed<'de, T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Mismatch> {
        let name = self.name;
        let with_name = |mismatch: Mismatch| Mismatch(format!("column {name}: {mismatch}"));
        seed.deserialize(self).map_err(with_name)
    }

    /// A text is parsed as JSON if a structure is expected.
    fn json(&self) -> Option<Result<serde_json::Value, Mismatch>> {
        match self.value {
            ValueRef::Text(text) => {
                Some(serde_json::from_slice(text).map_err(serde::de::Error::custom))
            }
            _ => None,
        }
    }
}

macro_rules! from_json {
    ($($method:ident($($argument:ident: $type:ty),*))*) => {$(
        fn $method<V: Visitor<'de>>(self, $($argument: $type,)* visitor: V) -> Result<V::Value, Mismatch> {
            match self.json() {
                Some(json) => json?.$method($($argument,)* visitor).map_err(serde::de::Error::custom),
                None => self.deserialize_any(visitor),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for ColumnDeserializer<'_> {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.value {
            ValueRef::Null => visitor.visit_unit(),
            ValueRef::Integer(value) => visitor.visit_i64(value),
            ValueRef::Real(value) => visitor.visit_f64(value),
            ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => visitor.visit_str(text),
                Err(_) => visitor.visit_bytes(bytes),
            },
            ValueRef::Blob(bytes) => visitor.visit_bytes(bytes),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.value {
            ValueRef::Integer(value @ (0 | 1)) => visitor.visit_bool(value == 1),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.value {
            ValueRef::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.value {
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => visitor.visit_bytes(bytes),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        if let ValueRef::Blob(bytes) = self.value {
            return visitor.visit_seq(SeqDeserializer::new(bytes.iter().copied()));
        }
        match self.json() {
            Some(json) => json?.deserialize_seq(visitor).map_err(serde::de::Error::custom),
            None => self.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        match self.value {
            ValueRef::Text(bytes) => match self.json() {
                Some(Ok(json @ serde_json::Value::Object(_))) => {
                    json.deserialize_enum(name, variants, visitor).map_err(serde::de::Error::custom)
                }
                _ => visitor.visit_enum(String::from_utf8_lossy(bytes).into_deserializer()),
            },
            _ => self.deserialize_any(visitor),
        }
    }

    from_json! {
        deserialize_map()
        deserialize_struct(name: &'static str, fields: &'static [&'static str])
        deserialize_tuple(length: usize)
        deserialize_tuple_struct(name: &'static str, length: usize)
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string unit unit_struct identifier ignored_any
    }
}
