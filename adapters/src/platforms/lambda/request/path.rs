//! Converts paths and queries of events to those of requests.
//!
//! REST APIs, load balancers and function URLs forward paths unchanged. HTTP APIs decode them and
//! prepend the stage. Function URLs, HTTP APIs and load balancers forward queries unchanged; REST
//! APIs decode them.

use std::borrow::Cow;
use std::collections::HashMap;

use lambda_http::aws_lambda_events::query_map::QueryMap;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// Characters to encode in an unchanged path: none that `http` accepts, so that objects see the
/// same on every platform.
const PATH: &AsciiSet = &CONTROLS.add(b' ').add(b'#').add(b'<').add(b'>').add(b'?').add(b'`');
/// Characters to encode in an unchanged query.
const QUERY: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>');
/// Characters to encode in a decoded path.
const DECODED_PATH: &AsciiSet = &PATH.add(b'%');
/// Characters to encode in a decoded name or value of a query.
const DECODED_PART: &AsciiSet = &QUERY.add(b'%').add(b'&').add(b'+').add(b'=');

/// The path of an event that forwards it unchanged.
pub(super) fn as_sent(path: &str) -> String {
    rooted(utf8_percent_encode(path, PATH).into())
}

/// The path of an event that has decoded it and prepended `stage`.
pub(super) fn decoded(path: &str, stage: Option<&str>) -> String {
    let own = stage
        .filter(|stage| *stage != "$default")
        .and_then(|stage| path.strip_prefix('/')?.strip_prefix(stage));
    let path = own.filter(|rest| rest.is_empty() || rest.starts_with('/')).unwrap_or(path);
    rooted(utf8_percent_encode(path, DECODED_PATH).into())
}

fn rooted(path: Cow<'_, str>) -> String {
    if path.starts_with('/') { path.into_owned() } else { format!("/{path}") }
}

/// A query that was forwarded unchanged.
pub(super) fn query_as_sent(query: &str) -> String {
    utf8_percent_encode(query, QUERY).to_string()
}

/// A query of decoded names and values. Values of one name keep their order; names are unordered.
pub(super) fn query_decoded(query: &QueryMap) -> String {
    let encode = |text: &str| utf8_percent_encode(text, DECODED_PART).to_string();
    joined(query, |(name, value)| format!("{}={}", encode(name), encode(value)))
}

/// The same, without the values of `name`.
pub(super) fn query_decoded_without(query: &QueryMap, name: &str) -> String {
    let mut rest = HashMap::<String, Vec<String>>::new();
    for (known, value) in query.iter().filter(|(known, _)| *known != name) {
        rest.entry(known.to_owned()).or_default().push(value.to_owned());
    }
    query_decoded(&rest.into())
}

/// A query of names and values that are still encoded.
pub(super) fn query_in_parts(query: &QueryMap) -> String {
    query_as_sent(&joined(query, |(name, value)| format!("{name}={value}")))
}

fn joined(query: &QueryMap, pair: impl Fn((&str, &str)) -> String) -> String {
    let mut pairs: Vec<(&str, &str)> = query.iter().collect();
    // The sort is stable.
    pairs.sort_by_key(|(name, _)| *name);
    pairs.into_iter().map(pair).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn a_path_that_was_sent_encoded_stays_as_it_is() {
        for path in [
            "/do/Mirror/a%2Fb/own",
            "/do/a%2f%2E%2e/x",
            "/do/caf%C3%A9/100%",
            "//x/../y",
            "/a;b=1,2:@!$&'()*+~",
        ] {
            assert_eq!(as_sent(path), path);
            assert_eq!(as_sent(path).parse::<http::Uri>().expect("a path").path(), path);
        }
        assert_eq!(as_sent("/my path/é?#"), "/my%20path/%C3%A9%3F%23");
        assert_eq!(as_sent(""), "/");
    }

    #[test]
    fn a_path_that_was_decoded_is_encoded_again_without_its_stage() {
        assert_eq!(decoded("/prod/do/a b/100%2F", Some("prod")), "/do/a%20b/100%252F");
        assert_eq!(decoded("/production/x", Some("prod")), "/production/x");
        assert_eq!(decoded("/prod", Some("prod")), "/");
        assert_eq!(decoded("/prod/x", Some("$default")), "/prod/x");
        assert_eq!(decoded("/prod/prod/x", Some("prod")), "/prod/x");
    }

    #[test]
    fn every_character_makes_a_path_and_a_query_that_http_takes() {
        let all: String = (1..=127).map(char::from).chain(['é', '世']).collect();
        for path in [as_sent(&all), decoded(&all, None)] {
            path.parse::<http::Uri>().unwrap_or_else(|cause| panic!("{path}: {cause}"));
        }
        let map = || QueryMap::from(HashMap::from([(all.clone(), vec![all.clone()])]));
        for query in [query_as_sent(&all), query_decoded(&map()), query_in_parts(&map())] {
            format!("/?{query}")
                .parse::<http::Uri>()
                .unwrap_or_else(|cause| panic!("{query}: {cause}"));
        }
    }

    #[test]
    fn queries_keep_their_values_and_the_order_of_each_names_values() {
        assert_eq!(query_as_sent("a=1&b=%26&c=x y&d={100%}"), "a=1&b=%26&c=x%20y&d={100%}");
        let values =
            |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
        let map = QueryMap::from(HashMap::from([
            ("b".to_owned(), values(&["2", "1&", "é"])),
            ("a b".to_owned(), values(&["%26"])),
        ]));
        assert_eq!(query_decoded(&map), "a%20b=%2526&b=2&b=1%26&b=%C3%A9");
        assert_eq!(query_in_parts(&map), "a%20b=%26&b=2&b=1&&b=%C3%A9");
    }
}
