//! Answers that are no success, and what to do about them.

use std::time::Duration;

use dotdo::Body;
use dotdo::http::{Response, StatusCode};
use serde::Deserialize;

use crate::failure::{Failure, plain};

/// Maximum size of an error's body, in bytes.
const BODY_BYTES_MAX: usize = 64 << 10;

/// Why a request was refused.
pub(super) enum Refusal {
    /// The same request may succeed after this time.
    Busy(Duration, String),
    /// There is none.
    Final(Failure),
}

/// The product's form of an error.
#[derive(Deserialize)]
struct Said {
    error: String,
    code: String,
}

impl Refusal {
    /// The failure of the command.
    pub(super) fn failure(self) -> Failure {
        match self {
            Self::Busy(_, text) => Failure::Later(text),
            Self::Final(failure) => failure,
        }
    }
}

/// What a response that is no success says. `server` is where it comes from, if not from this
/// process.
pub(super) async fn refused(response: Response<Body>, server: Option<&str>) -> Refusal {
    let status = response.status();
    let wait = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
    let wait =
        wait.and_then(|text| text.parse().ok()).map_or(Duration::from_secs(1), Duration::from_secs);
    let bytes = response.into_body().bytes().await.unwrap_or_default();
    let said = serde_json::from_slice::<Said>(&bytes[..bytes.len().min(BODY_BYTES_MAX)]);
    let Ok(Said { error, code }) = said else {
        let who = server.unwrap_or("the bucket");
        let text = plain(&String::from_utf8_lossy(&bytes));
        return Refusal::Final(Failure::Failed(format!(
            "{who} answers {status}: {text}; is it a dotdo server?"
        )));
    };
    let error = plain(&error);
    let message = match advice(status, &code, server) {
        Some(advice) => format!("{error}; {advice}"),
        None => error,
    };
    let is_busy = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    if is_busy && code != OWNED {
        return Refusal::Busy(wait, message);
    }
    Refusal::Final(Failure::Refused { code, message })
}

/// The code of an object that another instance has.
const OWNED: &str = "OWNED_BY_OTHER_INSTANCE";

/// What the user can do about an error, beyond what it says itself.
fn advice(status: StatusCode, code: &str, server: Option<&str>) -> Option<String> {
    Some(match (status, code, server) {
        (_, OWNED, None) => {
            "a server has the object, so ask that one: --server URL (`dotdo inspect` shows its address)".to_owned()
        }
        (_, OWNED, Some(_)) => "ask the server that has it, or try again later".to_owned(),
        (StatusCode::UNAUTHORIZED, _, _) => {
            "log in with `dotdo login`, or give a token with JWT_TOKEN or --token-file".to_owned()
        }
        (StatusCode::FORBIDDEN, _, Some(_)) => {
            "the token needs the scope dotdo:admin; `dotdo whoami` shows what it has".to_owned()
        }
        (StatusCode::NOT_FOUND, "NOT_FOUND" | "NO_OBJECT", Some(server)) => format!(
            "the administration of {server} may be off: it is on where callers are authenticated, and on loopback (the setting admin.routes)"
        ),
        (_, "READ_ONLY", _) => "use --write to change the object".to_owned(),
        (_, "OBJECT_EXISTS", _) => "use --force to replace its state".to_owned(),
        _ => return None,
    })
}
