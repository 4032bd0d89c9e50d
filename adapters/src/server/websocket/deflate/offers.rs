//! What a client offers in its handshake, and what is agreed on (RFC 7692, sections 5 and 7.1).

use std::borrow::Cow;

use http::header::SEC_WEBSOCKET_EXTENSIONS;
use http::{HeaderMap, HeaderValue};

/// The extension's name.
const NAME: &str = "permessage-deflate";

/// The largest window, as its logarithm, which holds if nobody asks for another.
const WINDOW_BITS_MAX: u8 = 15;

/// What both ends have agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Deflate {
    /// The window of what this end compresses, as its logarithm, of 8 to 15, if the client asks for
    /// one.
    window_bits: Option<u8>,
}

impl Deflate {
    /// Accepts the first offer that can be; `None` if there is none.
    pub(in crate::server::websocket) fn accept(headers: &HeaderMap) -> Option<Self> {
        let lines = headers.get_all(SEC_WEBSOCKET_EXTENSIONS).iter();
        let texts = lines.filter_map(|line| line.to_str().ok());
        texts.flat_map(|text| pieces(text, ',')).find_map(accept)
    }

    /// The header that tells the client what it may do. It need not have asked for either end to
    /// forget its window; it must follow.
    pub(in crate::server::websocket) fn header(self) -> HeaderValue {
        let mut text = format!("{NAME}; server_no_context_takeover; client_no_context_takeover");
        if let Some(bits) = self.window_bits {
            text += &format!("; server_max_window_bits={bits}");
        }
        HeaderValue::try_from(text).expect("names and numbers are legal in a header")
    }

    /// The window of what this end compresses, as its logarithm.
    pub(super) fn window_bits(self) -> u8 {
        self.window_bits.unwrap_or(WINDOW_BITS_MAX)
    }
}

/// Accepts one offer; `None` if it is for another extension, or must be declined.
fn accept(offer: &str) -> Option<Deflate> {
    let mut parts = pieces(offer, ';');
    if parts.next() != Some(NAME) {
        return None;
    }
    let (mut names, mut window_bits) = (Vec::new(), None);
    for part in parts {
        let (name, value) = match part.split_once('=') {
            Some((name, value)) => (name.trim_end(), Some(value_of(value.trim_start())?)),
            None => (part, None),
        };
        match (name, value) {
            ("server_no_context_takeover" | "client_no_context_takeover", None) => {}
            ("server_max_window_bits", Some(value)) => window_bits = Some(bits(&value)?),
            // The window of what a client compresses may have any size.
            ("client_max_window_bits", None) => {}
            ("client_max_window_bits", Some(value)) => {
                bits(&value)?;
            }
            _ => return None,
        }
        if names.contains(&name) {
            return None;
        }
        names.push(name);
    }
    Some(Deflate { window_bits })
}

/// The parts of a header between separators that are not quoted.
fn pieces(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let pieces = text.split(move |letter: char| {
        let is_literal = std::mem::take(&mut is_escaped);
        match letter {
            _ if is_literal => {}
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            letter => return letter == separator && !is_quoted,
        }
        false
    });
    pieces.map(|piece| piece.trim_matches([' ', '\t']))
}

/// A parameter's value, without its quotes.
fn value_of(text: &str) -> Option<Cow<'_, str>> {
    match text.strip_prefix('"') {
        Some(quoted) => Some(quoted.strip_suffix('"')?.replace('\\', "").into()),
        None => Some(text.into()),
    }
}

/// The size of a window: decimal, without leading zeros.
fn bits(text: &str) -> Option<u8> {
    let number = text.parse().ok().filter(|number| (8..=WINDOW_BITS_MAX).contains(number))?;
    (number.to_string() == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGREED: &str = "permessage-deflate; server_no_context_takeover; \
                          client_no_context_takeover";

    /// What is answered to these lines.
    fn answer(lines: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(SEC_WEBSOCKET_EXTENSIONS, line.parse().expect("a header"));
        }
        let header = Deflate::accept(&headers)?.header();
        Some(header.to_str().expect("text").to_owned())
    }

    #[test]
    fn offers_are_accepted_with_what_they_ask_for() {
        for offer in [
            "permessage-deflate",
            "permessage-deflate; client_max_window_bits",
            "permessage-deflate;client_max_window_bits=8",
            "permessage-deflate; client_max_window_bits = 15 ",
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
            "permessage-deflate; client_max_window_bits=\"1\\0\"",
        ] {
            assert_eq!(answer(&[offer]).as_deref(), Some(AGREED), "{offer}");
        }
        for bits in 8..=15 {
            for offer in [
                format!("permessage-deflate; server_max_window_bits={bits}"),
                format!("permessage-deflate; server_max_window_bits=\"{bits}\""),
            ] {
                let expected = format!("{AGREED}; server_max_window_bits={bits}");
                assert_eq!(answer(&[&offer]), Some(expected), "{offer}");
            }
        }
    }

    #[test]
    fn the_first_offer_that_can_be_accepted_is() {
        let small = format!("{AGREED}; server_max_window_bits=10");
        let ten = "permessage-deflate; server_max_window_bits=10";
        for lines in [
            &[&*format!("{ten}, permessage-deflate")][..],
            &[ten, "permessage-deflate"],
            &[&*format!("permessage-deflate; server_max_window_bits=7, {ten}")],
            &[&*format!("x-webkit-deflate-frame, x; y=\"a, permessage-deflate\", {ten}")],
            &[&*format!("permessage-deflate; unknown, {ten}, permessage-deflate")],
        ] {
            assert_eq!(answer(lines).as_ref(), Some(&small), "{lines:?}");
        }
    }

    #[test]
    fn an_offer_that_the_standard_forbids_is_declined() {
        for offer in [
            "",
            "x-webkit-deflate-frame",
            "PERMESSAGE-DEFLATE2",
            "permessage-deflate; unknown",
            "permessage-deflate; ",
            "permessage-deflate; server_no_context_takeover=1",
            "permessage-deflate; client_no_context_takeover=true",
            "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
            "permessage-deflate; client_max_window_bits; client_max_window_bits=9",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; server_max_window_bits=",
            "permessage-deflate; server_max_window_bits=7",
            "permessage-deflate; server_max_window_bits=16",
            "permessage-deflate; server_max_window_bits=08",
            "permessage-deflate; server_max_window_bits=+9",
            "permessage-deflate; server_max_window_bits=9.0",
            "permessage-deflate; server_max_window_bits=\"9",
            "permessage-deflate; client_max_window_bits=0",
            "permessage-deflate; client_max_window_bits=16",
            "permessage-deflate; client_max_window_bits=x",
            "permessage-deflate=1",
        ] {
            assert_eq!(answer(&[offer]), None, "{offer}");
        }
    }
}
