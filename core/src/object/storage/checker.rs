//! Looks at a value, as serde shows it, for what JSON would give back as something else. Writes
//! nothing.

use std::fmt::Display;

use serde::ser::{self, Serialize, Serializer};

/// Levels of nesting that can be read again.
pub(super) const DEPTH_MAX: u32 = 127;

/// Why a value is refused.
#[derive(Debug)]
pub(super) struct Refusal(pub(super) String);

/// Checks that `value` comes back from JSON as it was.
///
/// # Errors
///
/// What in it would not.
pub(super) fn check<T: Serialize + ?Sized>(value: &T) -> Result<(), Refusal> {
    value.serialize(Checker { depth: 0 }).map(drop)
}

impl Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}

impl ser::Error for Refusal {
    fn custom<T: Display>(what: T) -> Self {
        Self(what.to_string())
    }
}

/// What a value is in JSON, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// `null`.
    Null,
    /// Anything else.
    Other,
}

/// Looks at a value without writing it.
#[derive(Clone, Copy)]
struct Checker {
    depth: u32,
}

impl Checker {
    fn inside(self) -> Result<Self, Refusal> {
        match self.depth {
            DEPTH_MAX.. => {
                Err(Refusal(format!("expected at most {DEPTH_MAX} levels of nesting, got more")))
            }
            depth => Ok(Self { depth: depth + 1 }),
        }
    }

    fn float(value: f64) -> Result<Kind, Refusal> {
        if value.is_finite() {
            return Ok(Kind::Other);
        }
        Err(Refusal(format!("JSON has no number {value}; store it as a text, or as None")))
    }
}

macro_rules! others {
    ($($name:ident: $type:ty),*) => {
        $(
            fn $name(self, _: $type) -> Result<Kind, Refusal> {
                Ok(Kind::Other)
            }
        )*
    };
}

impl Serializer for Checker {
    type Ok = Kind;
    type Error = Refusal;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    others! {
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32,
        serialize_i64: i64, serialize_u8: u8, serialize_u16: u16, serialize_u32: u32,
        serialize_u64: u64, serialize_char: char, serialize_str: &str, serialize_bytes: &[u8]
    }

    fn serialize_i128(self, value: i128) -> Result<Kind, Refusal> {
        if i64::try_from(value).is_ok() || u64::try_from(value).is_ok() {
            return Ok(Kind::Other);
        }
        Err(Refusal(format!(
            "expected an integer of at most 64 bits, got {value}; store it as a text"
        )))
    }

    fn serialize_u128(self, value: u128) -> Result<Kind, Refusal> {
        match u64::try_from(value) {
            Ok(_) => Ok(Kind::Other),
            Err(_) => Err(Refusal(format!(
                "expected an integer of at most 64 bits, got {value}; store it as a text"
            ))),
        }
    }

    fn serialize_f32(self, value: f32) -> Result<Kind, Refusal> {
        Self::float(value.into())
    }

    fn serialize_f64(self, value: f64) -> Result<Kind, Refusal> {
        Self::float(value)
    }

    fn serialize_none(self) -> Result<Kind, Refusal> {
        Ok(Kind::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Kind, Refusal> {
        match value.serialize(self)? {
            Kind::Null => Err(Refusal(
                "JSON has one null, so Some(None) and Some(()) would come back as None".to_owned(),
            )),
            Kind::Other => Ok(Kind::Other),
        }
    }

    fn serialize_unit(self) -> Result<Kind, Refusal> {
        Ok(Kind::Null)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Kind, Refusal> {
        Ok(Kind::Null)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
    ) -> Result<Kind, Refusal> {
        Ok(Kind::Other)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Kind, Refusal> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Result<Kind, Refusal> {
        value.serialize(self.inside()?).map(|_| Kind::Other)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self, Refusal> {
        self.inside()
    }

    fn serialize_tuple(self, _: usize) -> Result<Self, Refusal> {
        self.inside()
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, Refusal> {
        self.inside()
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, Refusal> {
        self.inside()?.inside()
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self, Refusal> {
        self.inside()
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, Refusal> {
        self.inside()
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, Refusal> {
        self.inside()?.inside()
    }
}

macro_rules! compounds {
    ($($trait:ident: $item:ident($($name:ty)?)),*) => {
        $(
            impl ser::$trait for Checker {
                type Ok = Kind;
                type Error = Refusal;

                fn $item<T: Serialize + ?Sized>(
                    &mut self,
                    $(_: $name,)?
                    value: &T,
                ) -> Result<(), Refusal> {
                    value.serialize(*self).map(drop)
                }

                fn end(self) -> Result<Kind, Refusal> {
                    Ok(Kind::Other)
                }
            }
        )*
    };
}

compounds! {
    SerializeSeq: serialize_element(), SerializeTuple: serialize_element(),
    SerializeTupleStruct: serialize_field(), SerializeTupleVariant: serialize_field(),
    SerializeStruct: serialize_field(&'static str),
    SerializeStructVariant: serialize_field(&'static str)
}

impl ser::SerializeMap for Checker {
    type Ok = Kind;
    type Error = Refusal;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Refusal> {
        key.serialize(*self).map(drop)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refusal> {
        value.serialize(*self).map(drop)
    }

    fn end(self) -> Result<Kind, Refusal> {
        Ok(Kind::Other)
    }
}
