//! The token for requests that a command sends to a server.

use dotdo::commands::LoginSettings;
use dotdo::engine::Secret;

use super::keep::Logins;
use super::session::{Session, tokens};
use super::token::given_token;
use crate::failure::Failure;

/// `JWT_TOKEN`, else the access token of the login; `None` without either. A profile that the user
/// has named wins over the variable, and there must be a login of that name.
///
/// # Errors
///
/// `Failed` when there is a login that can't be used.
pub(crate) fn token_for_server(
    settings: &LoginSettings,
    profile: ProfileFrom,
) -> Result<Option<Secret>, Failure> {
    let is_named = profile == ProfileFrom::Option;
    if let Some(token) = given_token().filter(|_| !is_named) {
        return Ok(Some(token));
    }
    let is_there = || Logins::new(settings).ok()?.last(&settings.profile);
    if !is_named && is_there().is_none() {
        return Ok(None);
    }
    let login = Session::new(settings)?.fresh()?;
    Ok(Some(tokens(&login).access.clone()))
}

/// Who chose the profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProfileFrom {
    /// An option of the command.
    Option,
    /// The settings.
    Settings,
}
