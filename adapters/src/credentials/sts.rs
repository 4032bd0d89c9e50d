//! `AssumeRoleWithWebIdentity`: a security token service gives keys for a token.
//!
//! The request is a form in the body, so that no log of URLs has the token.

use std::sync::Arc;

use async_trait::async_trait;
use dotdo_core::{AccessKeysError, Result, S3Config, Secret};
use url::form_urlencoded::Serializer;

use super::answer::{Fresh, quoted};
use super::cache::KeySource;
use super::client::{Answer, Ask, Client};
use super::parts::Part;
use super::plan::StsSettings;
use super::policy::{Access, Reach, session_policy};
use super::sts_answer::{element, keys};
use super::token::{TokenSource, newest};

/// A security token service.
pub(super) struct Sts {
    client: Arc<Client>,
    settings: StsSettings,
    token: Arc<dyn TokenSource>,
}

impl Sts {
    /// Exchanges the tokens of `token`.
    ///
    /// # Errors
    ///
    /// `Invalid` when no token may be sent to the service's URL.
    pub(super) fn new(settings: StsSettings, token: Arc<dyn TokenSource>) -> Result<Self> {
        let client = Arc::new(Client::new("the token service", &settings.url)?);
        Ok(Self { client, settings, token })
    }

    /// The same service, whose keys are limited to a part of `place`.
    ///
    /// # Errors
    ///
    /// `Internal` when there is no policy for it.
    pub(super) fn for_part(&self, place: &S3Config, part: &Part) -> Result<Self> {
        let arn = self.settings.role_arn.as_deref().unwrap_or_default();
        let (partition, prefixes) = (Reach::partition(arn), part.prefixes(&place.prefix));
        let reach = Reach { partition, bucket: &place.bucket, prefixes: &prefixes };
        let settings = StsSettings {
            policy: Some(session_policy(&reach, Access::ReadWrite)?),
            session_name: part.session_name(),
            ..self.settings.clone()
        };
        Ok(Self { client: Arc::clone(&self.client), settings, token: Arc::clone(&self.token) })
    }

    fn form(&self, token: &Secret) -> String {
        let StsSettings { role_arn, session_name, policy, duration_seconds, .. } = &self.settings;
        let mut form = Serializer::new(String::new());
        form.append_pair("Action", "AssumeRoleWithWebIdentity")
            .append_pair("Version", "2011-06-15");
        form.append_pair("DurationSeconds", &duration_seconds.to_string());
        form.append_pair("RoleSessionName", session_name);
        for (name, value) in [("RoleArn", role_arn), ("Policy", policy)] {
            value.iter().for_each(|value| {
                form.append_pair(name, value);
            });
        }
        form.append_pair("WebIdentityToken", token.reveal()).finish()
    }

    fn keys(&self, answer: &Answer, token: &Secret) -> Result<Fresh, AccessKeysError> {
        let body = String::from_utf8_lossy(&answer.body);
        if answer.status.is_success() {
            return keys(&body).ok_or_else(|| {
                AccessKeysError::Unavailable(format!(
                    "{} answers without keys; check its URL (AWS_ENDPOINT_URL_STS)",
                    self.client.name()
                ))
            });
        }
        let code = element(&body, "Code").unwrap_or_default();
        let message = element(&body, "Message").unwrap_or_default();
        let text = format!(
            "{} refuses the token from {}: {}, {}; check that the token is valid and that the role trusts its issuer, audience and subject",
            self.client.name(),
            self.token.name(),
            answer.status,
            quoted(&format!("{code}: {message}"), token),
        );
        // The service could not ask the issuer for its keys.
        Err(match code.as_str() {
            "IDPCommunicationError" => AccessKeysError::Unavailable(text),
            _ => AccessKeysError::Refused(text),
        })
    }
}

#[async_trait]
impl KeySource for Sts {
    async fn fetch(&self) -> Result<Fresh, AccessKeysError> {
        let token = newest(self.token.as_ref()).await?;
        let ask = Ask {
            content_type: "application/x-www-form-urlencoded",
            bearer: None,
            body: self.form(&token),
        };
        self.keys(&self.client.post(ask).await?, &token)
    }

    fn name(&self) -> String {
        self.client.name()
    }
}
