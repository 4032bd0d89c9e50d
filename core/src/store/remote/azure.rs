//! Azure Blob Storage.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use object_store::CredentialProvider;
use object_store::azure::{AzureConfigKey, AzureCredential, MicrosoftAzureBuilder};

use super::super::config::{AzureConfig, AzureCredentials};
use super::super::time::StoreTime;
use super::build::{Parts, Place, client, no_retry};
use super::http::Watching;
use super::lent::Lent;
use crate::error::Result;

/// An Azure Blob Storage container.
pub(in super::super) fn azure(config: &AzureConfig, time: Arc<StoreTime>) -> Result<Parts> {
    let mut place = Place::new("az", &config.container, &config.prefix)?;
    let home = config
        .endpoint
        .clone()
        .unwrap_or_else(|| format!("https://{}.blob.core.windows.net", config.account));
    let mut builder = MicrosoftAzureBuilder::new()
        .with_account(&config.account)
        .with_container_name(&config.container)
        .with_client_options(client())
        .with_retry(no_retry())
        .with_http_connector(Watching::new(&time, &home));
    match &config.endpoint {
        Some(endpoint) => {
            builder = builder
                .with_allow_http(endpoint.starts_with("http://"))
                .with_endpoint(endpoint.clone())
        }
        // Includes the account, which readers of Iceberg files need.
        None => {
            place.location = format!(
                "abfss://{}@{}.dfs.core.windows.net{}",
                config.container,
                config.account,
                place.suffix()
            );
        }
    }
    let (mut secrets, mut lent) = (Vec::new(), None);
    builder = match &config.credentials {
        AzureCredentials::Platform => builder,
        AzureCredentials::App { endpoint, client_id } => {
            let builder = builder.with_msi_endpoint(endpoint);
            client_id.iter().fold(builder, |builder, client_id| builder.with_client_id(client_id))
        }
        AzureCredentials::Unsigned => builder.with_skip_signature(true),
        AzureCredentials::AccessKey(key) => {
            secrets.push(key.clone());
            builder.with_access_key(key.reveal())
        }
        AzureCredentials::Sas(sas) => {
            secrets.push(sas.clone());
            builder.with_config(AzureConfigKey::SasKey, sas.reveal())
        }
        AzureCredentials::WorkloadIdentity { token_file, client_id, tenant_id } => builder
            .with_federated_token_file(token_file.to_string_lossy())
            .with_client_id(client_id)
            .with_tenant_id(tenant_id),
        AzureCredentials::Provided(keys) => {
            let keys = Arc::new(Lent::new(keys.provider()));
            lent = Some(Arc::clone(&keys));
            builder.with_credentials(Arc::new(Bearer(keys)))
        }
    };
    let store = builder.build().map_err(|error| place.wrong(&error))?;
    Ok(Parts { lent, ..Parts::new(store, place, time, secrets) })
}

/// Authorizes each request with the token that is valid when it is sent.
struct Bearer(Arc<Lent>);

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer(…)")
    }
}

#[async_trait]
impl CredentialProvider for Bearer {
    type Credential = AzureCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AzureCredential>> {
        Ok(Arc::new(AzureCredential::BearerToken(self.0.bearer("Azure").await?)))
    }
}
