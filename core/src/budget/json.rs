//! What JSON text takes when it is built as values: counted before, by reading over it once.

/// What any value takes beside its text.
const VALUE_BYTES: u64 = 64;

/// What an object or an array takes besides: the first node of a map has eleven places.
const CONTAINER_BYTES: u64 = 640;

/// A bound of what `text` takes as values of the generic kind, besides the text itself. Text that
/// is no JSON gives some number as well.
pub(crate) fn weight_of_json(text: &[u8]) -> u64 {
    let (mut values, mut containers, mut in_text, mut escaped) = (1_u64, 0_u64, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'{' | b'[' => containers += 1,
            b',' | b':' => values += 1,
            _ => {}
        }
    }
    values * VALUE_BYTES + containers * CONTAINER_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_objects_weigh_more_than_a_long_text() {
        let objects = format!("[{}]", vec![r#"{"a":1}"#; 1000].join(","));
        let text = format!("\"{}\"", "{,".repeat(objects.len() / 2));
        assert!(weight_of_json(objects.as_bytes()) > 700_000);
        assert_eq!(weight_of_json(text.as_bytes()), VALUE_BYTES);
    }

    #[test]
    fn a_quote_that_is_escaped_does_not_end_a_text() {
        assert_eq!(weight_of_json(br#""\"[[[[""#), VALUE_BYTES);
    }
}
