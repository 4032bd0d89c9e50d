//! Values as JSON that come back as they were.
//!
//! Promises: a value that is stored is read again as the same value, of the same type; one that
//! JSON can't say is refused when it is put. Engines read it as plain JSON.

use serde::Serialize;

use super::checker::{Refusal, check};
use crate::error::{Error, Result};

/// The JSON of the value for `key`, which [`decode`](super::reader::decode) reads.
///
/// # Errors
///
/// `Invalid` for what would come back as something else, and for what JSON can't say.
pub(super) fn encode<T: Serialize + ?Sized>(key: &str, value: &T) -> Result<String> {
    let refused = |Refusal(why)| {
        Error::invalid(format!("the value for {key:?} can't be stored as it is: {why}"))
            .with_code("VALUE_NOT_STORABLE")
    };
    check(value).map_err(refused)?;
    Ok(serde_json::to_string(value)?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde::Deserialize;
    use serde::de::DeserializeOwned;

    use super::super::checker::DEPTH_MAX;
    use super::super::reader::decode;
    use super::*;

    fn there_and_back<T: Serialize + DeserializeOwned>(value: &T) -> T {
        let text = encode("k", value).expect("it is stored");
        decode(&text).unwrap_or_else(|cause| panic!("{text}: {cause}"))
    }

    fn refusal<T: Serialize>(value: &T) -> String {
        let error = encode("k", value).map(drop).expect_err("it would come back as another");
        assert_eq!(error.code(), "VALUE_NOT_STORABLE");
        error.message().to_owned()
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Shape {
        Nothing,
        One(Option<u8>),
        Two(u8, f32),
        Named { bytes: Vec<u8>, by_number: BTreeMap<u64, char> },
    }

    #[test]
    fn what_json_can_say_comes_back_as_it_was() {
        for value in [
            Shape::Nothing,
            Shape::One(None),
            Shape::One(Some(7)),
            Shape::Two(255, 0.1),
            Shape::Named {
                bytes: (0..=255).collect(),
                by_number: BTreeMap::from([(u64::MAX, '\u{0}'), (0, 'é')]),
            },
        ] {
            assert_eq!(there_and_back(&value), value);
        }
        assert_eq!(there_and_back(&(i64::MIN, u64::MAX)), (i64::MIN, u64::MAX));
        assert_eq!(there_and_back(&i128::from(u64::MAX)), i128::from(u64::MAX));
        assert_eq!(there_and_back(&-0.0_f64).to_bits(), (-0.0_f64).to_bits());
        // The shortest decimal of this one is read as its neighbour.
        assert_eq!(
            there_and_back(&31.245_270_191_439_438_f64).to_bits(),
            31.245_270_191_439_438_f64.to_bits()
        );
        assert_eq!(encode("k", &0.1).expect("stored"), "0.1", "engines read plain JSON");
        assert_eq!(there_and_back(&"a\u{0}\u{1f600}\\\"".to_owned()), "a\u{0}\u{1f600}\\\"");
    }

    #[test]
    fn what_would_come_back_as_another_is_refused() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(refusal(&vec![value]).contains("JSON has no number"));
        }
        assert!(refusal(&f32::NAN).contains("JSON has no number"));
        for value in [i128::MAX, i128::MIN, i128::from(u64::MAX) + 1, i128::from(i64::MIN) - 1] {
            assert!(refusal(&Some(value)).contains("at most 64 bits"));
        }
        assert!(refusal(&u128::MAX).contains("at most 64 bits"));
        assert!(refusal(&Some(None::<u8>)).contains("would come back as None"));
        assert!(refusal(&Some(())).contains("would come back as None"));
        let mut deep = serde_json::json!(1);
        for _ in 0..DEPTH_MAX {
            deep = serde_json::json!([deep]);
        }
        assert_eq!(there_and_back(&deep), deep);
        assert!(refusal(&vec![deep]).contains("levels of nesting"));
    }

    #[derive(Debug, Serialize, Deserialize)]
    struct Wide {
        unit: (),
        raw: Box<serde_json::value::RawValue>,
        nested: Vec<BTreeMap<bool, Option<(i8, String)>>>,
        by_shape: BTreeMap<Color, u128>,
        #[serde(default)]
        absent: Option<u8>,
    }

    #[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
    enum Color {
        Red,
    }

    #[test]
    fn everything_that_serde_has_is_read() {
        let text = r#"{"unit":null,"ignored":[1,{"a":"]"}],"raw":{"x": [1.50]},"nested":[{"true":[-1,"\u00e9"],"false":null}],"by_shape":{"Red":7}}"#;
        let wide: Wide = decode(text).expect("it is read");
        assert_eq!((wide.raw.get(), wide.absent), (r#"{"x": [1.50]}"#, None));
        assert_eq!(wide.by_shape, BTreeMap::from([(Color::Red, 7)]));
        assert_eq!(wide.nested[0][&true], Some((-1, "é".to_owned())));
        let again: Wide = there_and_back(&wide);
        assert_eq!(format!("{again:?}"), format!("{wide:?}"));
        let error = decode::<u8>("[1]").expect_err("a list is no number");
        assert!(error.to_string().contains("invalid type: sequence"), "{error}");
    }

    #[test]
    fn any_json_is_read_as_its_own_parser_reads_it() {
        for text in [
            "null",
            " true ",
            "[1, -2 ,3.5,1e3,-0]",
            "{\"a\":{\"b\":[]},\"c\\n\":\"\\u00e9\\\"\"}",
            "18446744073709551615",
            "-9223372036854775808",
            "1e400",
            "\"\"",
            "{}",
            "[[],[[]]]",
        ] {
            let ours = decode::<serde_json::Value>(text).ok();
            assert_eq!(ours, serde_json::from_str(text).ok(), "{text}");
        }
        for wrong in [
            "",
            "nul",
            "tru",
            "[1",
            "[1 2]",
            "{\"a\"}",
            "{\"a\":1,}",
            "[1,]",
            "\"a",
            "1 2",
            "-",
            "1e",
            ".5",
            "+1",
            "{1:2}",
            "\"\\x\"",
            "[",
            "{",
            "}",
        ] {
            decode::<serde_json::Value>(wrong).expect_err(wrong);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 5000, ..ProptestConfig::default() })]
        #[test]
        fn every_number_comes_back_to_the_last_bit(bits: u64, short: u32) {
            let (value, single) = (f64::from_bits(bits), f32::from_bits(short));
            if value.is_finite() {
                prop_assert_eq!(there_and_back(&value).to_bits(), bits);
            }
            if single.is_finite() {
                prop_assert_eq!(there_and_back(&single).to_bits(), short);
            }
            prop_assert_eq!(there_and_back(&(bits, bits.cast_signed())), (bits, bits.cast_signed()));
        }
    }

    proptest! {
        #[test]
        fn every_text_comes_back(text in "\\PC{0,9}|[\\x00-\\x1f\"\\\\]{0,4}", by_text in prop::collection::btree_map("\\PC{0,4}", any::<Option<bool>>(), 0..4)) {
            prop_assert_eq!(there_and_back(&text), text.clone());
            prop_assert_eq!(there_and_back(&by_text), by_text.clone());
        }
    }
}
