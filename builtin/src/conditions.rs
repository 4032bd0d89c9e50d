//! `If-Match` and `If-None-Match` (RFC 9110, section 13), and the tags that they are about.
//!
//! Promises: a header that can't be understood is refused, because a condition that is ignored is
//! a write that was not wanted.

use dotdo::{Error, ErrorKind, Result};
use http::{HeaderMap, HeaderName, header};
use serde_json::{Value, json};

use super::fields::{Collection, Object};

/// What a request asks of an item before it is done.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    matches: Option<Tags>,
    none_match: Option<Tags>,
}

/// The tags of a header.
#[derive(Debug, PartialEq, Eq)]
enum Tags {
    /// `*`: that of any item.
    Any,
    /// Each with its quotes.
    Of(Vec<String>),
}

impl Conditions {
    /// Those of a request.
    ///
    /// # Errors
    ///
    /// `Invalid` for a header that is no list of tags.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self> {
        Ok(Self {
            matches: of_header(headers, &header::IF_MATCH)?,
            none_match: of_header(headers, &header::IF_NONE_MATCH)?,
        })
    }

    /// Those of a write in a batch.
    ///
    /// # Errors
    ///
    /// `Invalid` for a text that is no list of tags.
    pub(super) fn given(matches: Option<&str>, none_match: Option<&str>) -> Result<Self> {
        let matches = matches.map(|text| Tags::parse("ifMatch", text)).transpose()?;
        let none_match = none_match.map(|text| Tags::parse("ifNoneMatch", text)).transpose()?;
        Ok(Self { matches, none_match })
    }

    /// Refuses conditions where nothing has a tag.
    ///
    /// # Errors
    ///
    /// `Invalid` when there are some; it says `why`.
    pub(super) fn refuse(&self, why: &str) -> Result<()> {
        if self.matches.is_none() && self.none_match.is_none() {
            return Ok(());
        }
        Err(Error::invalid(format!("expected no If-Match and no If-None-Match: {why}")))
    }

    /// Checks an item that is about to be written; `None` when there is none.
    ///
    /// # Errors
    ///
    /// `PreconditionFailed`, with the item's tag in the details.
    pub(super) fn check(&self, tag: Option<&str>) -> Result<()> {
        if self.matches.as_ref().is_some_and(|tags| !tags.have(tag)) {
            return Err(failed("If-Match", tag));
        }
        if self.none_match.as_ref().is_some_and(|tags| tags.have(tag)) {
            return Err(failed("If-None-Match", tag));
        }
        Ok(())
    }

    /// Whether the client has what it reads.
    ///
    /// # Errors
    ///
    /// `PreconditionFailed` when it wants something else.
    pub(super) fn is_known(&self, tag: &str) -> Result<bool> {
        if self.matches.as_ref().is_some_and(|tags| !tags.have(Some(tag))) {
            return Err(failed("If-Match", Some(tag)));
        }
        Ok(self.none_match.as_ref().is_some_and(|tags| tags.have(Some(tag))))
    }
}

impl Tags {
    fn parse(name: &str, text: &str) -> Result<Self> {
        if text.trim() == "*" {
            return Ok(Self::Any);
        }
        let wrong = || {
            Error::invalid(format!(
                "`{name}`: expected * or tags in quotes, such as \"7\", got {text:?}"
            ))
        };
        let (mut tags, mut rest) = (Vec::new(), text.trim());
        loop {
            // What compresses a response weakens its tag, and the client sends back what it got.
            let opaque = rest.strip_prefix("W/").unwrap_or(rest).strip_prefix('"');
            let (tag, after) = opaque.and_then(|text| text.split_once('"')).ok_or_else(wrong)?;
            tags.push(format!("\"{tag}\""));
            let after = after.trim_start();
            if after.is_empty() {
                return Ok(Self::Of(tags));
            }
            rest = after.strip_prefix(',').ok_or_else(wrong)?.trim_start();
        }
    }

    fn have(&self, tag: Option<&str>) -> bool {
        match self {
            Self::Any => tag.is_some(),
            Self::Of(tags) => tags.iter().any(|known| Some(known.as_str()) == tag),
        }
    }
}

fn of_header(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Tags>> {
    let mut text = String::new();
    for value in headers.get_all(name) {
        let value = value.to_str().map_err(|_| Error::invalid(format!("`{name}` is no text")))?;
        text = if text.is_empty() { value.to_owned() } else { format!("{text}, {value}") };
    }
    (!text.is_empty()).then(|| Tags::parse(name.as_str(), &text)).transpose()
}

fn failed(name: &str, tag: Option<&str>) -> Error {
    let is =
        tag.map_or_else(|| "there is no such item".to_owned(), |tag| format!("its tag is {tag}"));
    let text = format!("the condition of {name} does not hold: {is}; read the item and try again");
    Error::new(ErrorKind::PreconditionFailed, text)
        .with_code("PRECONDITION_FAILED")
        .with_details(json!({ "etag": tag }))
}

/// The tag of an item: of a thing its version, of others a hash.
pub(super) fn tag_of(collection: Collection, item: &Object) -> String {
    match (collection, item.get("version")) {
        (Collection::Things, Some(Value::Number(version))) => format!("\"{version}\""),
        _ => tag_of_text(&Value::Object(item.clone()).to_string()),
    }
}

/// The tag of what is answered.
pub(super) fn tag_of_text(text: &str) -> String {
    /// Half of the hash: nobody gains by two texts with one tag.
    const DIGITS: usize = 32;
    format!("\"{}\"", &blake3::hash(text.as_bytes()).to_hex()[..DIGITS])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_with_their_quotes_and_without_their_weakness() {
        let of = |text: &str| Tags::parse("if-match", text);
        assert_eq!(of(" * ").expect("any"), Tags::Any);
        let tags = of("\"7\" , W/\"a,b\",\"\"").expect("three");
        assert_eq!(tags, Tags::Of(vec!["\"7\"".into(), "\"a,b\"".into(), "\"\"".into()]));
        for wrong in ["7", "\"7", "\"7\" \"8\"", "\"7\",", "", "w/\"7\"", "*, \"7\""] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn several_headers_are_one_list() {
        let mut headers = HeaderMap::new();
        headers.append(header::IF_NONE_MATCH, "\"1\"".parse().expect("a value"));
        headers.append(header::IF_NONE_MATCH, "\"2\"".parse().expect("a value"));
        let conditions = Conditions::of(&headers).expect("two tags");
        assert!(conditions.is_known("\"2\"").expect("no other condition"));
        assert!(!conditions.is_known("\"3\"").expect("no other condition"));
    }
}
