//! Keys from the token service of an S3 store (Amazon's STS protocol, version 2011-06-15).

use std::sync::Arc;

use bytes::Bytes;
use dotdo_core::{AwsSigner, Error, ErrorKind, Result, Secret};
use http::{Request, StatusCode, header};
use url::form_urlencoded::Serializer;

use super::http::{Answer, Http, refused, shown, unavailable};
use super::{KEYS_SECONDS, Wanted};
use crate::broker::keys::Keys;
use crate::credentials::{Fresh, Reach, session_policy, sts_answer};

/// The errors of a token service that are about the caller's own token.
const OF_TOKENS: [&str; 4] =
    ["ExpiredTokenException", "ExpiredToken", "InvalidIdentityToken", "IDPRejectedClaim"];
/// The errors that a retry may not see.
const OF_LOAD: [&str; 4] =
    ["Throttling", "ThrottlingException", "IDPCommunicationError", "SlowDown"];

/// Where the token service is, and what to ask it.
#[derive(Debug, Clone)]
pub(in crate::broker) struct StsSettings {
    /// The URL of the token service.
    pub(in crate::broker) endpoint: String,
    /// The region for signatures.
    pub(in crate::broker) region: String,
    /// The role that keys are of.
    pub(in crate::broker) role_arn: String,
    /// The bucket that keys are for.
    pub(in crate::broker) bucket: String,
    /// Whether a caller's JWT is sent to the token service.
    pub(in crate::broker) web_identity: bool,
}

/// A token service.
#[derive(Debug)]
pub(in crate::broker) struct Sts {
    http: Http,
    signer: Arc<AwsSigner>,
    settings: StsSettings,
}

impl Sts {
    /// A token service, to which requests are signed by `signer`.
    ///
    /// # Errors
    ///
    /// `Internal` when TLS can't be set up.
    pub(in crate::broker) fn new(settings: StsSettings, signer: AwsSigner) -> Result<Self> {
        Ok(Self { http: Http::new()?, signer: Arc::new(signer), settings })
    }

    pub(super) fn is_of_caller(&self) -> bool {
        self.settings.web_identity
    }

    pub(super) async fn issue(&self, wanted: &Wanted<'_>) -> Result<Keys> {
        let jwt = wanted.jwt.filter(|_| self.settings.web_identity);
        let body = self.form(wanted, jwt)?;
        let request = Request::post(&self.settings.endpoint)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded; charset=utf-8")
            .body(body)
            .map_err(|cause| Error::internal("the token service has no URL").with_source(cause))?;
        let request = match jwt {
            Some(_) => request,
            None => self.signer.sign(request, "sts", &self.settings.region).await?,
        };
        let answer = self.http.send(request).await?;
        let text = String::from_utf8_lossy(&answer.body);
        if answer.status != StatusCode::OK {
            return Err(failure(&answer, &text, jwt.is_some()));
        }
        keys(&text).ok_or_else(|| unavailable("its answer has no keys"))
    }

    fn form(&self, wanted: &Wanted<'_>, jwt: Option<&Secret>) -> Result<Bytes> {
        let StsSettings { role_arn, bucket, .. } = &self.settings;
        let partition = Reach::partition(role_arn);
        let reach = Reach { partition, bucket, prefixes: wanted.prefixes };
        let policy = session_policy(&reach, wanted.access)?;
        let action = if jwt.is_some() { "AssumeRoleWithWebIdentity" } else { "AssumeRole" };
        let mut form = Serializer::new(String::new());
        form.append_pair("Action", action)
            .append_pair("Version", "2011-06-15")
            .append_pair("RoleArn", role_arn)
            .append_pair("RoleSessionName", &wanted.part.session_name())
            .append_pair("DurationSeconds", &KEYS_SECONDS.to_string())
            .append_pair("Policy", &policy);
        if let Some(jwt) = jwt {
            form.append_pair("WebIdentityToken", jwt.reveal());
        }
        Ok(form.finish().into())
    }
}

fn failure(answer: &Answer, text: &str, is_of_caller: bool) -> Error {
    let code = sts_answer::element(text, "Code").map(|code| shown(&code)).unwrap_or_default();
    let why = format!("status {}, code {code:?}", answer.status.as_u16());
    let is_of_load = answer.status.is_server_error()
        || answer.status == StatusCode::TOO_MANY_REQUESTS
        || OF_LOAD.contains(&&*code);
    match (is_of_load, is_of_caller) {
        (true, _) => unavailable(&why),
        (false, true) if OF_TOKENS.contains(&&*code) || answer.status == StatusCode::FORBIDDEN => {
            let text = "the store's own token service does not accept this token";
            Error::new(ErrorKind::Forbidden, text).with_code("TOKEN_REFUSED_BY_STORE")
        }
        (false, _) => refused(&why),
    }
}

/// The keys in an answer.
fn keys(text: &str) -> Option<Keys> {
    let Fresh { keys, ends_ms } = sts_answer::keys(text)?;
    Some(Keys {
        access_key_id: keys.access_key_id,
        secret_access_key: keys.secret_access_key,
        session_token: keys.session_token?,
        expires_ms: ends_ms,
    })
}

#[cfg(test)]
mod tests;
