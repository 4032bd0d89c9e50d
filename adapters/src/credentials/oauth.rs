//! Access tokens that a service gives for another token (OAuth 2.0): what Google's and Microsoft's
//! answers have in common.

use dotdo_core::{AccessKeys, AccessKeysError, Clock, Secret};
use serde::Deserialize;
use serde_json::Value;

use super::answer::{Fresh, quoted};
use super::client::{Answer, Ask, Client};

/// The type of a form.
const FORM: &str = "application/x-www-form-urlencoded";

/// The token that was sent, and its source, for messages.
pub(super) struct Sent<'a> {
    pub(super) token: &'a Secret,
    pub(super) from: String,
}

/// An access token as an answer has it (RFC 6749, section 5.1).
#[derive(Deserialize)]
struct Granted {
    access_token: String,
    /// In seconds.
    expires_in: u32,
}

/// An error: OAuth's (RFC 6749, section 5.2), or that of Google's other services.
#[derive(Default, Deserialize)]
struct Refusal {
    #[serde(default)]
    error: Value,
    #[serde(default)]
    error_description: String,
}

impl Refusal {
    fn text(&self) -> String {
        let part = |name: &str| self.error[name].as_str().unwrap_or_default();
        match &self.error {
            Value::String(code) => format!("{code}: {}", self.error_description),
            _ => format!("{}: {}", part("status"), part("message")),
        }
    }
}

/// Sends a form and reads an access token from the answer.
///
/// # Errors
///
/// `Refused` when the service refuses the token; `Unavailable` when it does not answer, or with
/// something else.
pub(super) async fn granted(
    client: &Client,
    form: String,
    sent: &Sent<'_>,
    clock: &dyn Clock,
) -> Result<Fresh, AccessKeysError> {
    let now_ms = clock.wall_ms();
    let answer = client.post(Ask { content_type: FORM, bearer: None, body: form }).await?;
    if !answer.status.is_success() {
        return Err(refusal(client, &answer, sent));
    }
    let granted: Option<Granted> = serde_json::from_slice(&answer.body).ok();
    let fresh = granted.and_then(|granted| {
        fresh(&granted.access_token, now_ms + i64::from(granted.expires_in) * 1000)
    });
    fresh.ok_or_else(|| nonsense(client))
}

/// A bearer token; `None` if it can't be one.
pub(super) fn fresh(token: &str, ends_ms: i64) -> Option<Fresh> {
    let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    is_token.then(|| Fresh { keys: AccessKeys::bearer(Secret::new(token)), ends_ms })
}

/// The service has refused.
pub(super) fn refusal(client: &Client, answer: &Answer, sent: &Sent<'_>) -> AccessKeysError {
    let refusal: Refusal = serde_json::from_slice(&answer.body).unwrap_or_default();
    AccessKeysError::Refused(format!(
        "{} refuses the token from {}: {}, {}; check that the token is valid and that its issuer, audience and subject are trusted there",
        client.name(),
        sent.from,
        answer.status,
        quoted(&refusal.text(), sent.token),
    ))
}

/// The service has answered with something else.
pub(super) fn nonsense(client: &Client) -> AccessKeysError {
    AccessKeysError::Unavailable(format!(
        "{} answers without an access token that can be used; check its URL",
        client.name()
    ))
}
