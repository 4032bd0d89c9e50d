//! Text and blob functions that search and compare in linear time.

use std::collections::HashSet;

use dotdo_sqlite_sys as ffi;
use memchr::memmem;

use super::{Call, Failure};

/// `instr`: the position of the second argument in the first, counted from 1, in bytes when both
/// are blobs, otherwise in characters.
pub(super) fn find(call: &mut Call<'_>) -> Result<(), Failure> {
    let kinds = [call.kind(0), call.kind(1)];
    if kinds.contains(&ffi::SQLITE_NULL) {
        return Ok(());
    }
    let are_blobs = kinds == [ffi::SQLITE_BLOB; 2];
    let (text, part) = if are_blobs {
        (call.blob(0)?, call.blob(1)?)
    } else {
        // With a text as the other argument, a blob counts as the text of its bytes.
        let [text, part] = [0, 1].map(|index| {
            if kinds[index] == ffi::SQLITE_BLOB {
                call.blob(index).map(Some)
            } else {
                call.text(index)
            }
        });
        (text?.unwrap_or_default(), part?.unwrap_or_default())
    };
    let found = match part.first() {
        None => Some(0),
        // SQLite compares such a text only at the beginning; later it skips continuation bytes.
        Some(byte) if !are_blobs && is_continuation(*byte) => text.starts_with(part).then_some(0),
        Some(_) => memmem::find(text, part),
    };
    let position = match found {
        None => 0,
        Some(at) if are_blobs => at + 1,
        // The first byte counts as a character, whatever it is.
        Some(at) => {
            1 + text
                .get(1..=at)
                .unwrap_or_default()
                .iter()
                .filter(|byte| !is_continuation(**byte))
                .count()
        }
    };
    // SAFETY: the context is the call's.
    unsafe { ffi::sqlite3_result_int64(call.context, position as i64) };
    Ok(())
}

fn is_continuation(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

/// `replace`: the first argument with the third in place of the second.
pub(super) fn exchange(call: &mut Call<'_>) -> Result<(), Failure> {
    let (Some(text), Some(part)) = (call.text(0)?, call.text(1)?) else { return Ok(()) };
    if part.first().is_none_or(|byte| *byte == 0) {
        return call.answer(text.len(), true, |answer| answer.extend_from_slice(text));
    }
    let Some(by) = call.text(2)? else { return Ok(()) };
    let finder = memmem::Finder::new(part);
    let count = finder.find_iter(text).count();
    let length = (text.len() - count * part.len()).saturating_add(count.saturating_mul(by.len()));
    call.answer(length, true, |answer| {
        let mut rest = 0;
        for at in finder.find_iter(text) {
            answer.extend_from_slice(&text[rest..at]);
            answer.extend_from_slice(by);
            rest = at + part.len();
        }
        answer.extend_from_slice(&text[rest..]);
    })
}

/// `trim` and its variants: the first argument without the characters of the second at its start or
/// end.
pub(super) fn trim(call: &mut Call<'_>, at_start: bool, at_end: bool) -> Result<(), Failure> {
    let (Some(mut text), Some(set)) = (call.text(0)?, call.text(1)?) else { return Ok(()) };
    let characters = distinct_characters(set);
    let mut find = |matches: &dyn Fn(&[u8]) -> bool| {
        for character in &characters {
            call.compare()?;
            if matches(character) {
                return Ok(character.len());
            }
        }
        Ok(0)
    };
    while at_start && !text.is_empty() {
        match find(&|character| text.starts_with(character))? {
            0 => break,
            length => text = &text[length..],
        }
    }
    while at_end && !text.is_empty() {
        match find(&|character| text.ends_with(character))? {
            0 => break,
            length => text = &text[..text.len() - length],
        }
    }
    call.answer(text.len(), true, |answer| answer.extend_from_slice(text))
}

/// The distinct characters before the first NUL, as SQLite splits them, in order of first
/// occurrence.
fn distinct_characters(set: &[u8]) -> Vec<&[u8]> {
    let mut rest = set.split(|byte| *byte == 0).next().unwrap_or_default();
    let mut seen = HashSet::new();
    let mut characters = Vec::new();
    while !rest.is_empty() {
        let (character, after) = rest.split_at(character_length(rest));
        if seen.insert(character) {
            characters.push(character);
        }
        rest = after;
    }
    characters
}

/// The length of the first character in bytes, as SQLite determines it.
fn character_length(text: &[u8]) -> usize {
    match text {
        [0xc0..=0xff, rest @ ..] => {
            1 + rest.iter().take_while(|byte| is_continuation(**byte)).count()
        }
        _ => text.len().min(1),
    }
}

/// The first character as SQLite decodes it.
fn decode(character: &[u8]) -> u32 {
    let Some((first, rest)) = character.split_first() else { return 0 };
    let start = match first {
        0xc0..=0xdf => first & 0x1f,
        0xe0..=0xef => first & 0x0f,
        0xf0..=0xf7 => first & 0x07,
        0xf8..=0xfb => first & 0x03,
        0xfc | 0xfd => first & 0x01,
        0xfe | 0xff => 0,
        ascii_or_continuation => return u32::from(*ascii_or_continuation),
    };
    let code =
        rest.iter().fold(u32::from(start), |code, byte| (code << 6) | u32::from(byte & 0x3f));
    if code < 0x80 || code & 0xffff_f800 == 0xd800 || code & 0xffff_fffe == 0xfffe {
        0xfffd
    } else {
        code
    }
}

/// `unhex`: the bytes of the first argument's hexadecimal digits; the characters of the second may
/// be between bytes.
pub(super) fn decode_hex(call: &mut Call<'_>) -> Result<(), Failure> {
    let (Some(text), Some(set)) = (call.text(0)?, call.text(1)?) else { return Ok(()) };
    let mut rest = text.split(|byte| *byte == 0).next().unwrap_or_default();
    let mut passing = HashSet::new();
    let mut set = set;
    while !set.is_empty() {
        let (character, after) = set.split_at(character_length(set));
        passing.insert(decode(character));
        set = after;
    }
    let mut decoded = Vec::new();
    while let Some(first) = rest.first() {
        let digit = |byte: &u8| char::from(*byte).to_digit(16);
        let Some(high) = digit(first) else {
            let (character, after) = rest.split_at(character_length(rest));
            if !passing.contains(&decode(character)) {
                return Ok(());
            }
            rest = after;
            continue;
        };
        let Some(low) = rest.get(1).and_then(digit) else { return Ok(()) };
        decoded.push((high << 4 | low) as u8);
        rest = &rest[2..];
    }
    call.answer(decoded.len(), false, |answer| *answer = decoded)
}
