//! What is known of the login and of the token in the environment, for `dotdo doctor`.

use dotdo::commands::LoginSettings;

use super::claims::Claims;
use super::session::{Session, tokens};
use super::times::{away, now, written};
use super::token::given_token;
use crate::failure::plain;

/// The login and the token of the environment.
pub(crate) struct LoginReport {
    pub(crate) login: LoginState,
    pub(crate) token: Option<GivenToken>,
}

/// A login.
pub(crate) enum LoginState {
    /// There is none.
    None,
    /// It can be used.
    Valid {
        /// Whose it is.
        who: String,
        /// How long its token is valid, for people.
        left: String,
        /// When its token ends, as RFC 3339.
        expires: Option<String>,
    },
    /// It can't be used.
    Broken(String),
}

/// The token of the environment.
pub(crate) struct GivenToken {
    /// `None` if it does not say.
    pub(crate) seconds_left: Option<u64>,
    /// The same for people.
    pub(crate) left: String,
}

/// Looks at the login, which is renewed if it is due, and at the token of the environment.
pub(crate) fn login_state() -> LoginReport {
    LoginReport { login: of_settings(), token: given_token().map(|token| given(token.reveal())) }
}

fn of_settings() -> LoginState {
    // Wrong settings are not about the login.
    let Ok(settings) = LoginSettings::resolve(None) else { return LoginState::None };
    let Ok(session) = Session::new(&settings) else { return LoginState::None };
    if session.logins.last(&session.profile).is_none() {
        return LoginState::None;
    }
    match session.fresh() {
        Err(failure) => LoginState::Broken(failure.message().to_owned()),
        Ok(login) => {
            let tokens = tokens(&login);
            let claims = Claims::of(tokens.access.reveal()).unwrap_or_default();
            let who = claims.subject().map_or_else(|| "somebody".to_owned(), plain);
            let left = tokens.expires_at.map(|at| format!("ends {}", away(at, now())));
            LoginState::Valid {
                who: format!("{who} at {}", plain(&login.issuer)),
                left: left.unwrap_or_else(|| "without an end".to_owned()),
                expires: tokens.expires_at.map(written),
            }
        }
    }
}

fn given(token: &str) -> GivenToken {
    let ends = Claims::of(token).and_then(|claims| claims.expires_at());
    GivenToken {
        seconds_left: ends.map(|at| at.saturating_sub(now())),
        left: ends.map_or_else(String::new, |at| away(at, now())),
    }
}
