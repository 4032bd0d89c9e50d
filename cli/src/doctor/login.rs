//! The login, if there is one, and tokens that end soon.

use serde_json::json;

use super::finding::Finding;
use crate::login::{LoginState, login_state};

/// Time left, in seconds, below which a token that nobody renews is a problem.
const SOON: u64 = 24 * 3600;

/// Checks the login and the token in the environment.
pub(super) fn check() -> Vec<Finding> {
    let mut findings = Vec::new();
    let state = login_state();
    findings.push(match state.login {
        LoginState::None => Finding::skipped(
            "login",
            "not logged in; a server needs a login only if it has neither keys nor a token",
        ),
        LoginState::Valid { who, left, expires } => {
            Finding::ok("login", format!("{who}, token {left}")).with(json!({ "expires": expires }))
        }
        LoginState::Broken(why) => Finding::warning("login", why, "run `dotdo login`"),
    });
    if let Some(token) = state.token {
        let finding = match token.seconds_left {
            None => Finding::ok("token", "JWT_TOKEN has no end that can be read here"),
            Some(0) => Finding::failed("token", "JWT_TOKEN has expired")
                .with_next("get a new one (`dotdo token`, or `dotdo token --deploy` for one that lives longer)"),
            Some(seconds) if seconds < SOON => Finding::warning(
                "token",
                format!("JWT_TOKEN ends {}", token.left),
                "a server can't renew it: use a deploy token (`dotdo token --deploy`), or identity.token_file",
            ),
            Some(_) => Finding::ok("token", format!("JWT_TOKEN ends {}", token.left)),
        };
        findings.push(finding);
    }
    findings
}
