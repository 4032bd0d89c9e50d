//! The tick: a platform's timer has a function look at alarms that are due and messages that wait.
//! A function is frozen between requests and has no timers of its own.

use dotdo_core::{Error, Response, Result, names_object, no_object};
use http::{Method, request};

use super::json::json;
use crate::auth::Tokens;

/// Where a platform's timer sends its requests.
const PATH: &str = "/_dotdo/tick";

/// Whether a request is a tick, and not one for an object that has the whole path.
pub(super) fn is_tick(head: &request::Parts) -> bool {
    head.uri.path() == PATH && !names_object(&head.headers)
}

/// Has `looking` look at what is due, and answers when that is done. Without a secret in the settings
/// there is no such route.
///
/// # Errors
///
/// `NotFound` without a secret, and for other methods than GET and POST; `Unauthenticated` for
/// another secret; those of the store and of the gateway.
pub(super) async fn tick(
    looking: impl Future<Output = Result<()>>,
    head: &request::Parts,
    secrets: Option<&Tokens>,
) -> Result<Response> {
    let secrets = secrets.ok_or_else(|| no_object(PATH))?;
    if head.method != Method::POST && head.method != Method::GET {
        let text = format!("{PATH} answers GET and POST only");
        return Err(Error::not_found(text).with_code("NO_OBJECT"));
    }
    secrets.check(&head.headers)?;
    looking.await?;
    Ok(json(serde_json::json!({ "status": "ok" })))
}
