//! Parameters of statements.

use std::borrow::Cow;

use crate::change::Value;
use crate::{Error, Result};

/// A type that converts to one SQL value.
///
/// `None` is NULL, a bool is 0 or 1, a NaN is NULL (SQLite has none), JSON is its text. An unsigned
/// number beyond 2^63 - 1 is an error, because SQLite has no integer for it.
///
/// ```
/// # mod dotdo { pub use dotdo_core::*; pub mod sql { pub use dotdo_core::*; } }
/// use dotdo::Result;
/// use dotdo::sql::{IntoValue, Value};
///
/// /// A type of one's own as a parameter.
/// struct Cents(u32);
///
/// impl IntoValue for Cents {
///     fn into_value(self) -> Result<Value> {
///         self.0.into_value()
///     }
/// }
///
/// assert_eq!(Cents(5).into_value()?, Value::Integer(5));
/// assert_eq!(None::<Cents>.into_value()?, Value::Null);
/// # Ok::<(), dotdo_core::Error>(())
/// ```
pub trait IntoValue {
    /// Converts to a value.
    ///
    /// # Errors
    /// `Invalid` when SQLite has no such value.
    fn into_value(self) -> Result<Value>;
}

/// A type that converts to the parameters of a statement: `[]` or `()`, tuples and arrays of up to
/// 16 items, slices, vectors.
///
/// ```
/// # use dotdo_core as dotdo;
/// use dotdo::{Context, Result};
///
/// fn add(ctx: &mut Context, tags: Vec<String>) -> Result<()> {
///     ctx.sql().exec("DELETE FROM tags", [])?;
///     ctx.sql().exec("INSERT INTO people (name, age) VALUES (?, ?)", ("ada", 36))?;
///     ctx.sql().exec("INSERT INTO points VALUES (?, ?, ?)", [1.5, 2.5, 3.5])?;
///     let marks = vec!["(?)"; tags.len()].join(", ");
///     ctx.sql().exec(&format!("INSERT INTO tags VALUES {marks}"), tags)?;
///     Ok(())
/// }
/// ```
pub trait IntoParams {
    /// Converts to the values, in order.
    ///
    /// # Errors
    /// `Invalid` when SQLite has no such value.
    fn into_params(self) -> Result<Vec<Value>>;
}

impl IntoValue for Value {
    fn into_value(self) -> Result<Value> {
        Ok(self)
    }
}

impl<T: IntoValue> IntoValue for Option<T> {
    fn into_value(self) -> Result<Value> {
        self.map_or(Ok(Value::Null), T::into_value)
    }
}

impl IntoValue for bool {
    fn into_value(self) -> Result<Value> {
        Ok(Value::Integer(self.into()))
    }
}

/// Types that always fit.
macro_rules! values {
    ($($from:ty => |$value:ident| $into:expr;)*) => {$(
        impl IntoValue for $from {
            fn into_value(self) -> Result<Value> {
                let $value = self;
                Ok($into)
            }
        }
    )*};
}

values! {
    i8 => |value| Value::Integer(value.into());
    i16 => |value| Value::Integer(value.into());
    i32 => |value| Value::Integer(value.into());
    i64 => |value| Value::Integer(value);
    u8 => |value| Value::Integer(value.into());
    u16 => |value| Value::Integer(value.into());
    u32 => |value| Value::Integer(value.into());
    f32 => |value| Value::Real(value.into());
    f64 => |value| Value::Real(value);
    &str => |value| Value::Text(value.into());
    String => |value| Value::Text(value.into_bytes());
    &String => |value| Value::Text(value.as_bytes().into());
    Cow<'_, str> => |value| Value::Text(value.into_owned().into_bytes());
    &[u8] => |value| Value::Blob(value.into());
    Vec<u8> => |value| Value::Blob(value);
    &Vec<u8> => |value| Value::Blob(value.clone());
    bytes::Bytes => |value| Value::Blob(value.into());
    serde_json::Value => |value| Value::Text(value.to_string().into_bytes());
    &serde_json::Value => |value| Value::Text(value.to_string().into_bytes());
    &Value => |value| value.clone();
}

/// Types that may exceed SQLite's integers.
macro_rules! wide {
    ($($from:ty),*) => {$(
        impl IntoValue for $from {
            fn into_value(self) -> Result<Value> {
                let too_large = |_| Error::invalid(format!("expected a signed 64-bit integer, got {self}"));
                i64::try_from(self).map(Value::Integer).map_err(too_large)
            }
        }
    )*};
}

wide!(u64, usize, isize, u128, i128);

impl IntoParams for () {
    fn into_params(self) -> Result<Vec<Value>> {
        Ok(Vec::new())
    }
}

// The only implementation for an empty array, so that `[]` needs no type.
impl IntoParams for [Value; 0] {
    fn into_params(self) -> Result<Vec<Value>> {
        Ok(Vec::new())
    }
}

impl<T: IntoValue> IntoParams for Vec<T> {
    fn into_params(self) -> Result<Vec<Value>> {
        self.into_iter().map(T::into_value).collect()
    }
}

impl<T: IntoValue + Clone> IntoParams for &[T] {
    fn into_params(self) -> Result<Vec<Value>> {
        self.iter().cloned().map(T::into_value).collect()
    }
}

macro_rules! arrays {
    ($($count:literal)*) => {$(
        impl<T: IntoValue> IntoParams for [T; $count] {
            fn into_params(self) -> Result<Vec<Value>> {
                self.into_iter().map(T::into_value).collect()
            }
        }
    )*};
}

arrays!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16);

macro_rules! tuples {
    ($($name:ident)*) => {
        tuples!(@one $($name)*);
        tuples!(@shorter $($name)*);
    };
    (@one $($name:ident)+) => {
        impl<$($name: IntoValue),+> IntoParams for ($($name,)+) {
            fn into_params(self) -> Result<Vec<Value>> {
                #[expect(non_snake_case, reason = "the variables have the names of their types")]
                let ($($name,)+) = self;
                Ok(vec![$($name.into_value()?),+])
            }
        }
    };
    (@shorter $first:ident) => {};
    (@shorter $first:ident $($rest:ident)+) => { tuples!($($rest)+); };
}

tuples!(A B C D E F G H I J K L M N O P);
