//! What this server's own token says. It is not verified here: whoever exchanges it does that, and
//! the server only asks for what the token promises.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dotdo_core::{Result, Secret, Tenant, TenantClaims};
use serde::Deserialize;

/// The claims that are used here (docs/design/0023, decision 8).
#[derive(Debug, Default, Deserialize)]
pub(super) struct Claims {
    org_id: Option<String>,
    tenant_id: Option<String>,
    #[serde(default)]
    pub(super) storage: StorageClaim,
}

/// The claim `storage`: where the objects are.
#[derive(Debug, Default, Deserialize)]
pub(super) struct StorageClaim {
    pub(super) bucket: Option<String>,
    path_prefix: Option<String>,
    pub(super) region: Option<String>,
}

impl Claims {
    /// The claims of a token; `None` if it is not a JSON Web Token.
    pub(super) fn of(token: &Secret) -> Option<Self> {
        let mut parts = token.reveal().split('.');
        let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
    }

    /// The tenant; `None` if the token names no organisation.
    ///
    /// # Errors
    ///
    /// `Forbidden` when the names are not those of a tenant.
    pub(super) fn tenant(&self) -> Result<Option<Tenant>> {
        let Some(org) = self.org_id.as_deref() else { return Ok(None) };
        let tenant = self.tenant_id.as_deref();
        Tenant::from_claims(TenantClaims { issuer: None, org: Some(org), tenant }).map(Some)
    }

    /// Whether `tenant` can be the token's: a service that knows several issuers may put the name
    /// of the issuer before the organisation.
    pub(super) fn fit(&self, tenant: &Tenant) -> bool {
        let Some(org) = self.org_id.as_deref() else { return true };
        let name = self.tenant_id.as_deref().unwrap_or(org);
        let bare = tenant.org().rsplit(':').next();
        tenant.name() == name && (tenant.org() == org || bare == Some(org))
    }

    /// The prefix below which the tenant's `{org}/{tenant}/` is: the claim `path_prefix`, without
    /// the tenant's own segments if it goes that far.
    pub(super) fn prefix(&self, tenant: &Tenant) -> String {
        let said = self.storage.path_prefix.as_deref().unwrap_or_default();
        let mut segments: Vec<&str> =
            said.split('/').filter(|segment| !segment.is_empty()).collect();
        let own: Vec<&str> = tenant.prefix().as_str().split('/').collect();
        for length in (1..=own.len()).rev() {
            if segments.ends_with(&own[..length]) {
                segments.truncate(segments.len() - length);
                break;
            }
        }
        segments.join("/")
    }
}
