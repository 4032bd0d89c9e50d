//! A login as it is kept, and its form in a file.

use dotdo::engine::Secret;
use serde::{Deserialize, Serialize};

use super::times::now;

/// The version of the form below. A program refuses one that it does not know.
const VERSION: u32 = 1;
/// Tokens are renewed when they have at most so many seconds left, or half of their time if that is
/// less.
const AHEAD_SECONDS: u64 = 60;

/// A login: who issued it to which client, and its tokens.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) issuer: String,
    pub(super) client_id: String,
    /// The broker that was given with the login.
    pub(super) broker: Option<String>,
    pub(super) place: Place,
    /// `None` when they are in the keyring and have not been read from there.
    pub(super) tokens: Option<Tokens>,
}

/// Where the tokens of a login are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Place {
    /// In the system's keyring.
    Keyring,
    /// In the login's file.
    File,
    /// Nowhere: the login is over. Its issuer and client are remembered for the next one.
    Nowhere,
}

/// The tokens of a login.
#[derive(Debug, Clone)]
pub(super) struct Tokens {
    pub(super) access: Secret,
    pub(super) refresh: Option<Secret>,
    /// When they were issued, in seconds since 1970.
    pub(super) issued_at: u64,
    /// When the access token expires, if that is known.
    pub(super) expires_at: Option<u64>,
}

impl Tokens {
    /// Whether they should be renewed before they are used.
    pub(super) fn are_due(&self) -> bool {
        let Some(expires_at) = self.expires_at else { return false };
        let half = expires_at.saturating_sub(self.issued_at) / 2;
        now() + AHEAD_SECONDS.min(half) >= expires_at
    }

    /// Whether they are of no use any more.
    pub(super) fn have_expired(&self) -> bool {
        self.expires_at.is_some_and(|at| at <= now())
    }
}

/// The file of a login.
#[derive(Serialize, Deserialize)]
struct File {
    version: u32,
    issuer: String,
    client_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    broker: Option<String>,
    tokens_in: Place,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tokens: Option<TokenFile>,
}

/// The tokens, in the file of a login or in the keyring.
#[derive(Serialize, Deserialize)]
struct TokenFile {
    access_token: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    issued_at: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<u64>,
}

impl From<&Tokens> for TokenFile {
    fn from(tokens: &Tokens) -> Self {
        Self {
            access_token: tokens.access.reveal().to_owned(),
            refresh_token: tokens.refresh.as_ref().map(|token| token.reveal().to_owned()),
            issued_at: tokens.issued_at,
            expires_at: tokens.expires_at,
        }
    }
}

impl From<TokenFile> for Tokens {
    fn from(file: TokenFile) -> Self {
        Self {
            access: Secret::new(file.access_token),
            refresh: file.refresh_token.map(Secret::new),
            issued_at: file.issued_at,
            expires_at: file.expires_at,
        }
    }
}

/// The text of a login's file.
pub(super) fn write_login(login: &Kept) -> String {
    let tokens = login.tokens.as_ref().filter(|_| login.place == Place::File);
    let file = File {
        version: VERSION,
        issuer: login.issuer.clone(),
        client_id: login.client_id.clone(),
        broker: login.broker.clone(),
        tokens_in: login.place,
        tokens: tokens.map(TokenFile::from),
    };
    serde_json::to_string_pretty(&file).expect("text and numbers are valid in JSON")
}

/// Reads the text of a login's file.
///
/// # Errors
///
/// What is wrong, without any of the text.
pub(super) fn read_login(text: &str) -> Result<Kept, &'static str> {
    let file: File = serde_json::from_str(text).map_err(|_| "it is damaged")?;
    if file.version != VERSION {
        return Err("it is of another version of dotdo");
    }
    if file.tokens_in == Place::File && file.tokens.is_none() {
        return Err("it has no tokens");
    }
    Ok(Kept {
        issuer: file.issuer,
        client_id: file.client_id,
        broker: file.broker,
        place: file.tokens_in,
        tokens: file.tokens.map(Tokens::from),
    })
}

/// The text of tokens in the keyring.
pub(super) fn write_tokens(tokens: &Tokens) -> String {
    serde_json::to_string(&TokenFile::from(tokens)).expect("text and numbers are valid in JSON")
}

/// Reads tokens from the keyring; `None` if they are damaged.
pub(super) fn read_tokens(text: &str) -> Option<Tokens> {
    serde_json::from_str::<TokenFile>(text).ok().map(Tokens::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(place: Place) -> Kept {
        Kept {
            issuer: "https://auth.example.com".to_owned(),
            client_id: "client".to_owned(),
            broker: None,
            place,
            tokens: Some(Tokens {
                access: Secret::new("hunter2"),
                refresh: Some(Secret::new("hunter3")),
                issued_at: 5,
                expires_at: Some(65),
            }),
        }
    }

    #[test]
    fn a_login_is_read_as_it_was_written_and_has_no_tokens_when_they_are_in_the_keyring() {
        let text = write_login(&login(Place::File));
        let tokens = read_login(&text).expect("it was written").tokens.expect("in the file");
        assert_eq!(tokens.access.reveal(), "hunter2");
        assert_eq!(tokens.refresh.expect("a refresh token").reveal(), "hunter3");
        assert_eq!((tokens.issued_at, tokens.expires_at), (5, Some(65)));
        let text = write_login(&login(Place::Keyring));
        assert!(!text.contains("hunter"), "{text}");
        let kept = read_login(&text).expect("it was written");
        assert_eq!((kept.place, kept.tokens.is_none()), (Place::Keyring, true));
        let tokens = write_tokens(&login(Place::Keyring).tokens.expect("tokens"));
        assert_eq!(read_tokens(&tokens).expect("tokens").access.reveal(), "hunter2");
        assert!(!format!("{:?}", login(Place::File)).contains("hunter"));
    }

    #[test]
    fn a_file_that_is_damaged_or_of_another_version_is_refused() {
        let good = write_login(&login(Place::File));
        for wrong in [
            String::new(),
            good[..good.len() / 2].to_owned(),
            good.replace("\"version\": 1", "\"version\": 2"),
            write_login(&Kept { tokens: None, ..login(Place::File) }),
        ] {
            assert!(read_login(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn tokens_are_due_before_they_expire_but_not_all_the_time() {
        let tokens = |left: u64, life: u64| Tokens {
            access: Secret::new(""),
            refresh: None,
            issued_at: now() + left - life,
            expires_at: Some(now() + left),
        };
        assert!(!tokens(90, 300).are_due());
        assert!(tokens(50, 300).are_due());
        assert!(!tokens(50, 60).are_due());
        assert!(tokens(20, 60).are_due());
        assert!(tokens(0, 60).have_expired() && !tokens(10, 60).have_expired());
        let eternal = Tokens { expires_at: None, ..tokens(1, 1) };
        assert!(!eternal.are_due() && !eternal.have_expired());
    }
}
