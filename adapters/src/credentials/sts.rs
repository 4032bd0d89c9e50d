//! `AssumeRoleWithWebIdentity`: a security token service gives keys for a token.
//!
//! The request is a form in the body, so that no log of URLs has the token. Answers are XML; of
//! their elements only the keys are read, since services differ in the others.

use std::sync::Arc;

use async_trait::async_trait;
use dotdo_core::{AccessKeysError, Result, Secret};
use url::form_urlencoded::Serializer;

use super::answer::{Fresh, Said, quoted};
use super::cache::KeySource;
use super::client::{Answer, Ask, Client};
use super::plan::StsSettings;
use super::token::{TokenSource, newest};

/// A security token service.
pub(super) struct Sts {
    client: Client,
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
        let client = Client::new("the token service", &settings.url)?;
        Ok(Self { client, settings, token })
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

/// The keys in an answer.
fn keys(body: &str) -> Option<Fresh> {
    let inside = inner(body, "Credentials")?;
    let part = |name| element(inside, name);
    Said {
        access_key_id: &part("AccessKeyId")?,
        secret_access_key: &part("SecretAccessKey")?,
        session_token: Some(&part("SessionToken")?),
        expires: &part("Expiration")?,
    }
    .check()
}

/// The text of the first element `name`, which has no elements inside.
fn element(body: &str, name: &str) -> Option<String> {
    let text = inner(body, name)?.trim();
    (!text.contains('<')).then(|| unescaped(text))
}

/// What is inside of the first element `name`; these answers have no attributes there.
fn inner<'a>(body: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = body.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(inside, _)| inside)
}

fn unescaped(text: &str) -> String {
    let entities =
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&#34;", "\"")];
    let plain = entities.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
    plain.replace("&#43;", "+").replace("&#x2B;", "+").replace("&#61;", "=").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_from_the_answers_of_amazon_and_of_seaweedfs() {
        let keys_of = |more: &str| {
            keys(&format!(
                "<?xml version=\"1.0\"?>\n<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
                 <AssumeRoleWithWebIdentityResult>{more}<Credentials>\n <SessionToken>to/k&amp;en=</SessionToken>\n\
                 <SecretAccessKey>secret</SecretAccessKey><Expiration>2026-01-01T00:00:00Z</Expiration>\
                 <AccessKeyId> ASIA1 </AccessKeyId></Credentials></AssumeRoleWithWebIdentityResult>\
                 </AssumeRoleWithWebIdentityResponse>"
            ))
        };
        let of_role = "<AssumedRoleUser><Arn>arn</Arn><AssumedRoleId>ARO:dotdo</AssumedRoleId></AssumedRoleUser>";
        for more in ["", of_role] {
            let fresh = keys_of(more).expect("keys");
            assert_eq!(fresh.keys.access_key_id, "ASIA1");
            assert_eq!(fresh.keys.session_token, Some(Secret::new("to/k&en=")));
            assert_eq!(fresh.ends_ms, 1_767_225_600_000);
        }
    }

    #[test]
    fn an_answer_without_whole_keys_is_none() {
        for body in [
            "",
            "<html>",
            "<Credentials></Credentials>",
            "<Credentials><AccessKeyId>a</AccessKeyId></Credentials>",
            "<Credentials><AccessKeyId><b>a</b></AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
             <SessionToken>t</SessionToken><Expiration>2026-01-01T00:00:00Z</Expiration></Credentials>",
        ] {
            assert!(keys(body).is_none(), "{body}");
        }
    }
}
