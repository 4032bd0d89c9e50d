//! Microsoft Entra ID gives access to Azure's storage for a token of another issuer: a client
//! assertion (RFC 7523, section 2.2) of an application that trusts the issuer.

use std::sync::Arc;

use async_trait::async_trait;
use dotdo_core::{AccessKeysError, Clock, Result, Secret};
use url::form_urlencoded::Serializer;

use super::answer::Fresh;
use super::cache::KeySource;
use super::client::Client;
use super::oauth::{Sent, granted};
use super::plan::EntraSettings;
use super::token::{TokenSource, newest};

/// What the access token is for.
const SCOPE: &str = "https://storage.azure.com/.default";
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// An application of Entra ID.
pub(super) struct Entra {
    client: Client,
    client_id: String,
    token: Arc<dyn TokenSource>,
    clock: Arc<dyn Clock>,
}

impl Entra {
    /// Exchanges the tokens of `token`.
    ///
    /// # Errors
    ///
    /// `Invalid` when no token may be sent to the authority's URL.
    pub(super) fn new(
        settings: &EntraSettings,
        token: Arc<dyn TokenSource>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let (authority, tenant) = (settings.authority.trim_end_matches('/'), &settings.tenant_id);
        let client =
            Client::new("Microsoft Entra ID", &format!("{authority}/{tenant}/oauth2/v2.0/token"))?;
        Ok(Self { client, client_id: settings.client_id.clone(), token, clock })
    }

    fn form(&self, token: &Secret) -> String {
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials")
            .append_pair("client_id", &self.client_id)
            .append_pair("scope", SCOPE)
            .append_pair("client_assertion_type", ASSERTION)
            .append_pair("client_assertion", token.reveal())
            .finish()
    }
}

#[async_trait]
impl KeySource for Entra {
    async fn fetch(&self) -> Result<Fresh, AccessKeysError> {
        let token = newest(self.token.as_ref()).await?;
        let sent = Sent { token: &token, from: self.token.name() };
        granted(&self.client, self.form(&token), &sent, self.clock.as_ref()).await
    }

    fn name(&self) -> String {
        self.client.name()
    }
}
