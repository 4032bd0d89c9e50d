//! Bytes between the languages: strings of one character for each to Rust, and buffers back.

use std::ops::Deref;

use rquickjs::{ArrayBuffer, Ctx, FromJs, Result, Value};

use super::bytes_of;

/// Bytes that come from JavaScript.
#[derive(Default)]
pub(super) struct Bytes(pub(super) Vec<u8>);

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl<'js> FromJs<'js> for Bytes {
    fn from_js(ctx: &Ctx<'js>, value: Value<'js>) -> Result<Self> {
        String::from_js(ctx, value).map(|text| Self(bytes_of(&text)))
    }
}

/// A buffer with a copy of `bytes`, which counts as memory of the realm.
pub(super) fn buffer<'js>(ctx: &Ctx<'js>, bytes: &[u8]) -> Result<ArrayBuffer<'js>> {
    ArrayBuffer::new_copy(ctx.clone(), bytes)
}

/// The same of what is not there when something was wrong.
pub(super) fn maybe<'js>(
    ctx: &Ctx<'js>,
    bytes: Option<Vec<u8>>,
) -> Result<Option<ArrayBuffer<'js>>> {
    bytes.map(|bytes| buffer(ctx, &bytes)).transpose()
}
