//! The claims of a token (RFC 7519 section 4.1), and when they allow it to be used here.

use dotdo_core::Result;
use serde::Deserialize;
use serde_json::Value;

use crate::auth::bearer::invalid;

/// How far the clocks of the issuer and of this machine may be apart, in milliseconds.
pub(super) const SKEW_MS: i64 = 30_000;

/// Maximum length of a subject, in bytes (OpenID Connect Core section 2).
const SUBJECT_BYTES_MAX: usize = 255;
/// Latest time in a claim, in seconds since 1970: the year 5138. What is later was meant to be in
/// another unit.
const SECONDS_MAX: f64 = 1e11;

/// The claims that decide something. Each may have any type, because an error must name the claim
/// that has the wrong one and must not repeat it.
#[derive(Deserialize)]
pub(super) struct Claims {
    iss: Option<Value>,
    sub: Option<Value>,
    aud: Option<Value>,
    exp: Option<Value>,
    nbf: Option<Value>,
    iat: Option<Value>,
    pub(super) org_id: Option<Value>,
    pub(super) tenant_id: Option<Value>,
    pub(super) scope: Option<Value>,
    pub(super) scp: Option<Value>,
    pub(super) permissions: Option<Value>,
    pub(super) storage: Option<Value>,
}

/// The audiences that are accepted.
#[derive(Debug, Clone, Default)]
pub(super) struct Audience {
    /// The one that a token must have.
    pub(super) required: Option<String>,
    /// The one that it may have if none is required.
    pub(super) client: Option<String>,
}

impl Claims {
    /// # Errors
    ///
    /// `Unauthenticated` when they are not a JSON object, or one is there twice.
    pub(super) fn parse(json: &[u8]) -> Result<Self> {
        // An array would be read as the claims in their order.
        let is_object = json.trim_ascii_start().starts_with(b"{");
        let parsed = is_object.then(|| serde_json::from_slice(json).ok()).flatten();
        parsed.ok_or_else(|| {
            invalid("expected claims that are a JSON object with each claim once, got others")
        })
    }

    /// The issuer.
    ///
    /// # Errors
    ///
    /// `Unauthenticated` when it is not a text.
    pub(super) fn issuer(&self) -> Result<Option<&str>> {
        text("iss", self.iss.as_ref())
    }

    /// The subject.
    ///
    /// # Errors
    ///
    /// `Unauthenticated` when there is none, or when it could not be shown in a log.
    pub(super) fn subject(&self) -> Result<&str> {
        let subject = text("sub", self.sub.as_ref())?
            .ok_or_else(|| invalid("the token has no subject; expected the claim sub"))?;
        let fits = (1..=SUBJECT_BYTES_MAX).contains(&subject.len());
        if !fits || subject.chars().any(char::is_control) {
            return Err(invalid(format!(
                "expected a subject (sub) of 1 to {SUBJECT_BYTES_MAX} bytes without control characters, got another"
            )));
        }
        Ok(subject)
    }

    /// Checks that the token is valid at a time, and returns when it ends, both in milliseconds
    /// since 1970.
    ///
    /// # Errors
    ///
    /// `Unauthenticated`, with the number of seconds by which it is too late or too early.
    pub(super) fn check_time(&self, now_ms: i64) -> Result<i64> {
        let expires_ms = moment("exp", self.exp.as_ref())?.ok_or_else(|| {
            invalid("the token never expires, which is not accepted; expected the claim exp")
        })?;
        if now_ms >= expires_ms.saturating_add(SKEW_MS) {
            let ago = (now_ms - expires_ms) / 1000;
            return Err(invalid(format!("the token expired {ago} seconds ago; get a new one")));
        }
        for (claim, value, what) in
            [("nbf", &self.nbf, "is not valid for another"), ("iat", &self.iat, "was issued in")]
        {
            let Some(from_ms) = moment(claim, value.as_ref())? else { continue };
            if from_ms > now_ms.saturating_add(SKEW_MS) {
                let early = (from_ms - now_ms + 999) / 1000;
                let clocks = "compare the clocks of this server and of the issuer";
                return Err(invalid(format!(
                    "the token {what} {early} seconds ({claim}); {clocks}"
                )));
            }
        }
        Ok(expires_ms)
    }

    /// Checks that the token is meant for this server.
    ///
    /// # Errors
    ///
    /// `Unauthenticated`, with the audience that is expected.
    pub(super) fn check_audience(&self, expected: &Audience) -> Result<()> {
        let audiences = texts("aud", self.aud.as_ref())?;
        let has = |wanted: &String| audiences.as_ref().is_some_and(|all| all.contains(&&**wanted));
        match (&expected.required, &audiences, &expected.client) {
            (Some(required), _, _) if has(required) => Ok(()),
            (Some(required), None, _) => {
                Err(invalid(format!("the token has no audience; expected the audience {required}")))
            }
            (Some(required), Some(_), _) => Err(invalid(format!(
                "the token is meant for another audience; expected the audience {required}"
            ))),
            (None, None, _) => Ok(()),
            (None, Some(_), Some(client)) if has(client) => Ok(()),
            (None, Some(_), Some(client)) => Err(invalid(format!(
                "the token is meant for another audience; expected the audience {client}"
            ))),
            (None, Some(_), None) => Err(invalid(
                "the token is meant for an audience and this server is configured without one; set auth.audience to it",
            )),
        }
    }
}

/// A claim that is a text.
///
/// # Errors
///
/// `Unauthenticated` for another type.
pub(super) fn text<'a>(claim: &str, value: Option<&'a Value>) -> Result<Option<&'a str>> {
    match value {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(wrong_type(claim, "a string", other)),
    }
}

/// A claim that is a text or a list of texts.
///
/// # Errors
///
/// `Unauthenticated` for another type.
pub(super) fn texts<'a>(claim: &str, value: Option<&'a Value>) -> Result<Option<Vec<&'a str>>> {
    let wrong = |other| wrong_type(claim, "a string or an array of strings", other);
    match value {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(vec![text])),
        Some(Value::Array(items)) => {
            let items = items.iter().map(|item| item.as_str().ok_or_else(|| wrong(item)));
            items.collect::<Result<_>>().map(Some)
        }
        Some(other) => Err(wrong(other)),
    }
}

/// The error for a claim of another type.
pub(super) fn wrong_type(claim: &str, expected: &str, got: &Value) -> dotdo_core::Error {
    let got = match got {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    };
    invalid(format!("the token's claim {claim}: expected {expected}, got {got}"))
}

/// A `NumericDate`, in milliseconds since 1970.
fn moment(claim: &str, value: Option<&Value>) -> Result<Option<i64>> {
    let Some(value) = value else { return Ok(None) };
    let expected = "a number of seconds since 1970";
    let seconds = value.as_f64().ok_or_else(|| wrong_type(claim, expected, value))?;
    if !(0.0..=SECONDS_MAX).contains(&seconds) {
        let got = "a number that is not one";
        return Err(invalid(format!("the token's claim {claim}: expected {expected}, got {got}")));
    }
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked above")]
    Ok(Some((seconds * 1000.0) as i64))
}
