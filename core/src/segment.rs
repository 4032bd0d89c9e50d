//! Any text as one segment of a key.
//!
//! Different texts have different segments on every store: also on a file system that takes `A` and
//! `a`, or a composed and a decomposed `é`, for the same, that drops a dot at the end, or that
//! keeps names such as `con` and `nul.txt` for devices.

/// Names that Windows reserves for devices, with any extension.
const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];

/// Names that Windows reserves for devices when a digit from 1 to 9 follows.
const NUMBERED_DEVICES: [&str; 2] = ["com", "lpt"];

/// Lower-case ASCII letters, digits, `-` and `_` stay; every other byte becomes `.` and two
/// lower-case hex digits. So does the first letter if the name up to its first dot would be that of
/// a device.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => out.push(char::from(byte)),
            _ => out.push_str(&escaped(byte)),
        }
    }
    if is_device(&out) {
        out.replace_range(..1, &escaped(out.as_bytes()[0]));
    }
    out
}

/// How [`escape`] begins for every text that begins with `prefix`; `None` where the first letter of
/// some is written in another way, because they are the names of devices.
pub(crate) fn escape_beginning(prefix: &str) -> Option<String> {
    let plain = escape(&format!("{prefix}-"));
    let plain = plain.strip_suffix('-')?;
    if prefix.starts_with(|first: char| !first.is_ascii_lowercase()) {
        return Some(plain.to_owned());
    }
    let stem = plain.split('.').next().unwrap_or_default();
    let numbered = |device: &&str| device.starts_with(stem) || stem.starts_with(*device);
    let may_be = DEVICES.iter().any(|device| device.starts_with(stem))
        || (NUMBERED_DEVICES.iter().any(numbered) && stem.len() <= 4);
    (!may_be).then(|| plain.to_owned())
}

/// The inverse of [`escape`]; `None` for what it never produces.
pub(crate) fn unescape(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = if first == b'.' {
            let hex = std::str::from_utf8(tail.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(hex, 16).ok()?);
            &tail[2..]
        } else {
            bytes.push(first);
            tail
        };
    }
    let text = String::from_utf8(bytes).ok()?;
    (escape(&text) == segment).then_some(text)
}

/// [`escape`] where that has at most `whole_max` bytes; otherwise its first `beginning` bytes,
/// `.-`, which nothing escaped has, and `digits` hex digits of the text's BLAKE3 hash.
pub(crate) fn shorten(text: &str, whole_max: usize, beginning: usize, digits: usize) -> String {
    let mut out = escape(text);
    if out.len() > whole_max {
        out.truncate(beginning);
        out.push_str(&format!(".-{}", &blake3::hash(text.as_bytes()).to_hex()[..digits]));
    }
    out
}

/// Whether Windows reserves the name of this segment for a device.
pub(crate) fn is_device(segment: &str) -> bool {
    let stem = segment.split('.').next().unwrap_or_default();
    let is_numbered = |device: &&str| {
        stem.strip_prefix(*device).is_some_and(|number| matches!(number.as_bytes(), [b'1'..=b'9']))
    };
    DEVICES.contains(&stem) || NUMBERED_DEVICES.iter().any(is_numbered)
}

fn escaped(byte: u8) -> String {
    format!(".{byte:02x}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_plain_name_stays_and_anything_else_is_written_in_hex() {
        for (text, segment) in [
            ("user_42", "user_42"),
            ("_x-y", "_x-y"),
            ("Alice", ".41lice"),
            ("a/b", "a.2fb"),
            ("..", ".2e.2e"),
            ("end.", "end.2e"),
            ("é", ".c3.a9"),
            ("con", ".63on"),
            ("nul.txt", ".6eul.2etxt"),
            ("lpt9:", ".6cpt9.3a"),
            ("com0", "com0"),
            ("console", "console"),
            ("COM1", ".43.4f.4d1"),
        ] {
            assert_eq!(escape(text), segment);
            assert_eq!(unescape(segment).as_deref(), Some(text));
        }
        for never in ["Alice", "con", ".", ".2", ".2E", ".61", "a b", ".ff", "x.-00"] {
            assert_eq!(unescape(never), None, "{never}");
        }
    }

    #[test]
    fn a_long_name_keeps_its_beginning() {
        let (long, other) = ("x".repeat(65), "x".repeat(66));
        let (first, second) = (shorten(&long, 64, 32, 32), shorten(&other, 64, 32, 32));
        assert!(
            first.starts_with(&format!("{}.-", "x".repeat(32))) && first.len() == 66,
            "{first}"
        );
        assert_ne!(first, second);
        assert_eq!(shorten(&"x".repeat(64), 64, 32, 32), "x".repeat(64));
    }

    proptest! {
        #[test]
        fn any_text_comes_back_from_a_segment_that_every_store_can_hold(text in "\\PC{1,40}|[a-zA-Z0-9._-]{1,12}|(con|nul|aux|com1)[.a-z]{0,3}") {
            let segment = escape(&text);
            prop_assert_eq!(unescape(&segment), Some(text));
            prop_assert!(segment.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte)), "{}", segment);
            prop_assert!(!segment.ends_with('.') && !is_device(&segment), "{}", segment);
        }
    }
}
