//! Keys in answers, and the errors that answers tell of.

use std::str::FromStr as _;

use dotdo_core::{AccessKeys, Secret};
use jiff::Timestamp;

/// Maximum length of another program's message in an error of ours, in characters.
const SAID_CHARS_MAX: usize = 300;

/// Keys, and when they end.
#[derive(Clone)]
pub(crate) struct Fresh {
    pub(crate) keys: AccessKeys,
    /// In milliseconds since 1970.
    pub(crate) ends_ms: i64,
}

/// Keys as an answer says them.
pub(super) struct Said<'a> {
    pub(super) access_key_id: &'a str,
    pub(super) secret_access_key: &'a str,
    pub(super) session_token: Option<&'a str>,
    /// RFC 3339.
    pub(super) expires: &'a str,
}

impl Said<'_> {
    /// The keys; `None` if one of their parts can't be what it should be.
    pub(super) fn check(self) -> Option<Fresh> {
        let is_id = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"/,=".contains(&byte))
        };
        let is_secret =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        let all = is_id(self.access_key_id)
            && is_secret(self.secret_access_key)
            && self.session_token.is_none_or(is_secret);
        let ends = Timestamp::from_str(self.expires).ok().filter(|_| all)?;
        Some(Fresh {
            keys: AccessKeys {
                access_key_id: self.access_key_id.to_owned(),
                secret_access_key: Secret::new(self.secret_access_key),
                session_token: self.session_token.map(Secret::new),
            },
            ends_ms: ends.as_millisecond(),
        })
    }
}

/// Another program's message as a part of ours: short, on one line, without the token that was
/// sent.
pub(super) fn quoted(said: &str, token: &Secret) -> String {
    let mut text = said.split_whitespace().collect::<Vec<_>>().join(" ");
    if !token.reveal().is_empty() {
        text = text.replace(token.reveal(), "(token)");
        // A service may repeat a part of it.
        for part in token.reveal().split('.').filter(|part| part.len() > 8) {
            text = text.replace(part, "(token)");
        }
    }
    let text: String = text.chars().filter(|char| !char.is_control()).collect();
    match text.char_indices().nth(SAID_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_checked_before_they_are_used() {
        let said = |access_key_id, secret_access_key, expires| Said {
            access_key_id,
            secret_access_key,
            session_token: Some("token"),
            expires,
        };
        let good = said("ASIA1", "se/cret+=", "2026-01-01T00:00:01Z").check().expect("keys");
        assert_eq!(good.ends_ms, 1_767_225_601_000);
        for bad in [
            said("", "secret", "2026-01-01T00:00:00Z"),
            said("A/B", "secret", "2026-01-01T00:00:00Z"),
            said("A\r\nB", "secret", "2026-01-01T00:00:00Z"),
            said("A", "", "2026-01-01T00:00:00Z"),
            said("A", "sec ret", "2026-01-01T00:00:00Z"),
            said("A", "secret", "tomorrow"),
        ] {
            assert!(bad.check().is_none());
        }
    }

    #[test]
    fn a_quoted_message_has_no_token_and_one_line() {
        let token = Secret::new("eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.c2lnbmF0dXJl");
        let text = quoted(&format!("bad\n {}: {}", token.reveal(), "eyJzdWIiOiJ4In0"), &token);
        assert_eq!(text, "bad (token): (token)");
        assert_eq!(quoted(&"x".repeat(1000), &token).chars().count(), SAID_CHARS_MAX + 1);
    }
}
