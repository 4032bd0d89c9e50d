//! How a database is reached, as it is configured. It is there without the client, too.

use dotdo_core::Secret;

use crate::credentials::is_private_address;

/// The form of URLs, as the object of the sentence "expected …".
pub(crate) const ACCEPTED: &str = "libsql://host or https://host, or http:// on this machine";

/// A libSQL database and the way to reach it.
///
/// ```
/// use dotdo::engine::{LibsqlAccess, Secret};
///
/// let access = LibsqlAccess {
///     url: Some(Secret::new("libsql://shop.example")),
///     token_file: Some("/run/secrets/database".to_owned()),
///     ..LibsqlAccess::default()
/// };
/// assert!(!format!("{access:?}").contains("shop.example"));
/// ```
#[derive(Debug, Clone, Default)]
pub struct LibsqlAccess {
    /// Its URL: `libsql://host` or `https://host`, or `http://` on this machine. It is not printed,
    /// because people put tokens into URLs.
    pub url: Option<Secret>,
    /// The token.
    pub token: Option<Secret>,
    /// A file with the token if none is given, which is read for each request.
    pub token_file: Option<String>,
}

impl LibsqlAccess {
    /// The address of the HTTP interface; `None` without a URL, and for one that no token may be
    /// sent to.
    pub(crate) fn address(&self) -> Option<String> {
        address(self.url.as_ref()?.reveal())
    }
}

/// The address of the HTTP interface of the database at `url`; `None` if no token may be sent there.
fn address(url: &str) -> Option<String> {
    let https = url.strip_prefix("libsql://").map(|rest| format!("https://{rest}"));
    let address = https.unwrap_or_else(|| url.to_owned());
    is_private_address(&address).then(|| address.trim_end_matches('/').to_owned())
}

/// Whether `url` is the URL of a database.
pub(crate) fn is_database(url: &str) -> bool {
    address(url).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_reached_over_https_or_on_this_machine() {
        for (url, expected) in [
            ("libsql://shop-acme.turso.io", "https://shop-acme.turso.io"),
            ("https://db.example/", "https://db.example"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ] {
            assert_eq!(address(url).as_deref(), Some(expected));
        }
        for url in [
            "",
            "shop.turso.io",
            "http://db.example",
            "ws://127.0.0.1:8080",
            "libsql://user:password@db.example",
            "libsql://db.example?authToken=t",
            "file:///tmp/a.db",
        ] {
            assert!(!is_database(url), "{url}");
        }
    }
}
