//! Logins of the command line.

use super::web_address;
use crate::config::setting::{Kind, Setting, text};

/// Whether `text` can be the name of a profile: it is a part of the name of a file.
fn is_profile(text: &str) -> bool {
    /// Maximum length of a profile's name, in bytes.
    const NAME_BYTES_MAX: usize = 64;
    text.len() <= NAME_BYTES_MAX
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// Logins, and the server of the commands.
pub(super) static LOGIN: &[Setting] = &[
    Setting::new(
        "server",
        text!("an http:// or https:// URL", web_address, login.server),
        "URL of the server that `dotdo ls`, `dotdo sql` and the other commands about objects ask. Without \
         it they work on the bucket itself. A server does not use it.",
    ),
    Setting::new(
        "login.profile",
        text!(
            "up to 64 letters, digits, -, _ and ., the first a letter or digit",
            is_profile,
            login.profile
        ),
        "Name of the login that `dotdo login` makes and the other commands use, for those who have \
         several. Of several issuers, `dotdo login` takes the one with this name.",
    ),
    Setting::new(
        "login.keyring",
        Kind::OneOf {
            words: &["auto", "off"],
            get: |config| usize::from(!config.login.keyring),
            set: |config, at| config.login.keyring = at == 0,
        },
        "Where the tokens of a login are kept: `auto` means the system's keyring, and a file that only \
         its user can read if there is none; `off` always means the file.",
    ),
];
