//! Keys from R2's temporary credentials: `POST /accounts/{id}/r2/temp-access-credentials` of
//! Cloudflare's API.

use bytes::Bytes;
use dotdo_core::{Error, Result, Secret};
use http::{Request, StatusCode, header};
use serde::Deserialize;
use serde_json::json;

use super::http::{Answer, Http, refused, unavailable};
use super::{KEYS_SECONDS, Wanted};
use crate::broker::keys::{Access, Keys};

/// An account of Cloudflare's, and the key that temporary ones are derived from.
#[derive(Debug, Clone)]
pub(in crate::broker) struct R2Settings {
    /// The URL of the API, without a slash at its end.
    pub(in crate::broker) api: String,
    pub(in crate::broker) account_id: String,
    /// The token of the API.
    pub(in crate::broker) api_token: Secret,
    /// The id of the key that temporary ones are derived from.
    pub(in crate::broker) parent_access_key_id: String,
    /// The bucket that keys are for.
    pub(in crate::broker) bucket: String,
}

/// R2.
#[derive(Debug)]
pub(in crate::broker) struct R2 {
    http: Http,
    settings: R2Settings,
}

/// The API's answer.
#[derive(Deserialize)]
struct Envelope {
    success: bool,
    result: Option<Made>,
    #[serde(default)]
    errors: Vec<Complaint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Made {
    access_key_id: String,
    secret_access_key: String,
    session_token: String,
}

#[derive(Deserialize)]
struct Complaint {
    code: i64,
}

impl R2 {
    /// # Errors
    ///
    /// `Internal` when TLS can't be set up.
    pub(in crate::broker) fn new(settings: R2Settings) -> Result<Self> {
        Ok(Self { http: Http::new()?, settings })
    }

    pub(super) async fn issue(&self, wanted: &Wanted<'_>, now_ms: i64) -> Result<Keys> {
        let R2Settings { api, account_id, api_token, parent_access_key_id, bucket } =
            &self.settings;
        let body = json!({
            "bucket": bucket,
            "parentAccessKeyId": parent_access_key_id,
            "permission": match wanted.access {
                Access::ReadWrite => "object-read-write",
                Access::ReadOnly => "object-read-only",
            },
            "prefixes": wanted.prefixes,
            "ttlSeconds": KEYS_SECONDS,
        });
        let request =
            Request::post(format!("{api}/accounts/{account_id}/r2/temp-access-credentials"))
                .header(header::CONTENT_TYPE, "application/json")
                .header(header::AUTHORIZATION, format!("Bearer {}", api_token.reveal()))
                .body(Bytes::from(body.to_string()))
                .map_err(|cause| Error::internal("the API of R2 has no URL").with_source(cause))?;
        let answer = self.http.send(request).await?;
        let envelope: Option<Envelope> = serde_json::from_slice(&answer.body).ok();
        match envelope {
            Some(Envelope { success: true, result: Some(made), .. })
                if answer.status.is_success() =>
            {
                Ok(Keys {
                    access_key_id: made.access_key_id,
                    secret_access_key: Secret::new(made.secret_access_key),
                    session_token: Secret::new(made.session_token),
                    // The answer has no time; counted from before the request, it is too early.
                    expires_ms: now_ms + i64::from(KEYS_SECONDS) * 1000,
                })
            }
            envelope => Err(failure(&answer, envelope.as_ref())),
        }
    }
}

fn failure(answer: &Answer, envelope: Option<&Envelope>) -> Error {
    let codes = envelope.map_or(&[][..], |envelope| &envelope.errors);
    let codes: Vec<i64> = codes.iter().map(|complaint| complaint.code).take(5).collect();
    let why = format!("status {}, errors {codes:?}", answer.status.as_u16());
    let is_of_load = answer.status.is_server_error()
        || answer.status == StatusCode::TOO_MANY_REQUESTS
        || answer.status.is_success();
    if is_of_load { unavailable(&why) } else { refused(&why) }
}

#[cfg(test)]
mod tests;
