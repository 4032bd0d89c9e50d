//! Estimates the memory that JSON text takes as parsed values, by one pass over the text.

/// Memory of any value, besides its text.
const VALUE_BYTES: u64 = 64;

/// Additional memory of an object or array: the first node of a map has eleven entries.
const CONTAINER_BYTES: u64 = 640;

/// An upper bound of the memory that `text` takes as `serde_json::Value`, besides the text itself.
/// Text that is not JSON gives some number, too.
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
