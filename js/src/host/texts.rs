//! Texts in the encodings of the web (`TextDecoder`) besides UTF-8, which `names` has.

use std::cell::RefCell;

use encoding_rs::{Decoder, DecoderResult, Encoding};
use rquickjs::function::Function;
use rquickjs::{Ctx, Object, Result};

use super::bytes::Bytes;

pub(super) fn install<'js>(ctx: &Ctx<'js>, host: &Object<'js>) -> Result<()> {
    // The name of an encoding by one of its labels.
    let encoding = |label: String| {
        Encoding::for_label(label.as_bytes()).map(|encoding| encoding.name().to_ascii_lowercase())
    };
    host.set("encoding", Function::new(ctx.clone(), encoding)?)?;
    let decoder = |ctx: Ctx<'js>, label: String, is_fatal: bool, keeps_mark: bool| {
        let Some(encoding) = Encoding::for_label(label.as_bytes()) else { return Ok(None) };
        let fresh = move || {
            if keeps_mark {
                encoding.new_decoder_without_bom_handling()
            } else {
                encoding.new_decoder_with_bom_removal()
            }
        };
        let decoder = RefCell::new(fresh());
        let decode = move |data: Bytes, is_last: bool| {
            let mut decoder = decoder.borrow_mut();
            let text = decode(&mut decoder, &data, is_last, is_fatal);
            if is_last || text.is_none() {
                *decoder = fresh();
            }
            text
        };
        Function::new(ctx, decode).map(Some)
    };
    host.set("decoder", Function::new(ctx.clone(), decoder)?)
}

/// The text; nothing if it has what is none and that is an error.
fn decode(decoder: &mut Decoder, data: &[u8], is_last: bool, is_fatal: bool) -> Option<String> {
    if is_fatal {
        let length = decoder.max_utf8_buffer_length_without_replacement(data.len())?;
        let mut text = String::with_capacity(length);
        let (result, _) = decoder.decode_to_string_without_replacement(data, &mut text, is_last);
        return matches!(result, DecoderResult::InputEmpty).then_some(text);
    }
    let mut text = String::with_capacity(decoder.max_utf8_buffer_length(data.len())?);
    let _ = decoder.decode_to_string(data, &mut text, is_last);
    Some(text)
}
