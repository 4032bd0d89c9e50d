//! The broker's endpoints: who asks, whether they may, and what they get.

use std::sync::Arc;

use dotdo_core::{
    Body, Bucket, Caller, Clock, Error, ErrorKind, Key, Response, Result, Scope, Secret,
    StoreError, Tenant,
};
use http::{HeaderValue, Method, StatusCode, header};

use super::audit::{Action, Decision};
use super::backend::Wanted;
use super::bodies::{self, KeysRequest, TokenRequest};
use super::issuing::Issuing;
use super::plan::Place;
use super::tokens::{DeployToken, Grant, Tokens, id_of};
use crate::auth::bearer_token;
use crate::config::Requires;
use crate::credentials::Part;
use crate::edge::{Asked, Limit};

const CREDENTIALS: &str = "/v1/credentials";
const TOKENS: &str = "/v1/deploy-tokens";

/// Maximum size of a tenant's key `closed` that is read, in bytes. A larger one closes, too.
const CLOSED_BYTES_MAX: u64 = 1 << 10;

/// The broker behind its endpoints.
pub(super) struct Broker {
    pub(super) tokens: Arc<Tokens>,
    pub(super) issuing: Issuing,
    pub(super) bucket: Arc<dyn Bucket>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) place: Place,
    pub(super) requires: Requires,
    pub(super) by_address: Limit,
    pub(super) by_tenant: Limit,
}

/// What a request asks for.
enum Endpoint {
    IssueKeys,
    IssueToken,
    ListTokens { after: Option<String> },
    RevokeToken { id: String },
}

/// A caller, and what it has proved that with.
struct Identified {
    caller: Caller,
    proof: Proof,
}

enum Proof {
    Jwt(Secret),
    /// The id of a deploy token.
    DeployToken(String),
}

impl Broker {
    /// Answers a request whose caller `admit` verifies, and writes its line of the audit log.
    ///
    /// # Errors
    ///
    /// `NotFound` for what is no endpoint; `RateLimited`; those of `admit`, the store and the
    /// backend.
    pub(super) async fn answer(
        &self,
        asked: &mut Asked,
        admit: impl AsyncFnOnce(&Asked) -> Result<Option<Caller>>,
    ) -> Result<Response> {
        let endpoint = Endpoint::of(asked)?;
        let mut decision = Decision { action: Some(endpoint.action()), ..Decision::default() };
        let admitted = match self.by_address.count_address(asked.client) {
            Ok(()) => admit(&*asked).await,
            Err(refusal) => Err(refusal),
        };
        asked.caller = admitted.as_ref().ok().cloned().flatten();
        let outcome = match admitted.and_then(|caller| Identified::of(caller, asked)) {
            Ok(who) => self.decide(&endpoint, &who, &asked.body, &mut decision).await,
            Err(refusal) => Err(refusal),
        };
        decision.log(outcome.as_ref().err(), &asked.request_id, asked.client);
        outcome
    }

    async fn decide(
        &self,
        endpoint: &Endpoint,
        who: &Identified,
        body: &[u8],
        decision: &mut Decision,
    ) -> Result<Response> {
        decision.subject = who.caller.subject().map(str::to_owned);
        decision.tenant = Some(who.caller.tenant().clone());
        if let Proof::DeployToken(id) = &who.proof {
            decision.token_id = Some(id.clone());
        }
        match endpoint {
            // An operator's count for the tenants that it asks for.
            Endpoint::IssueKeys => {}
            _ => self.by_tenant.count_name(who.caller.tenant().prefix().as_str())?,
        }
        match endpoint {
            Endpoint::IssueKeys => self.issue_keys(who, body, decision).await,
            Endpoint::IssueToken => {
                let caller = self.manager(who)?;
                self.issue_token(caller, body, decision).await
            }
            Endpoint::ListTokens { after } => {
                let caller = self.manager(who)?;
                let page = self.tokens.list(caller.tenant(), after.as_deref()).await?;
                Ok(bodies::page_response(&page))
            }
            Endpoint::RevokeToken { id } => {
                let caller = self.manager(who)?;
                decision.token_id = Some(id.chars().take(32).collect());
                let subject = caller.subject().unwrap_or_default();
                self.tokens.revoke(caller.tenant(), id, subject).await?;
                Ok(no_content())
            }
        }
    }

    async fn issue_keys(
        &self,
        who: &Identified,
        body: &[u8],
        decision: &mut Decision,
    ) -> Result<Response> {
        let request = KeysRequest::of(body)?;
        let (caller, jwt, access) = (&who.caller, who.jwt(), request.access);
        decision.access = Some(access.name());
        decision.part = request.part()?;
        match (&decision.part, jwt) {
            (Some(_), _) => caller.require(Scope::Operator).and(caller.require(access.scope()))?,
            (None, Some(_)) if self.requires == Requires::Admin => caller.require(Scope::Admin)?,
            (None, _) => caller.require(access.scope())?,
        }
        let own = Part::Tenant(caller.tenant().clone());
        let part = decision.part.as_ref().unwrap_or(&own);
        let prefixes = part.prefixes(&self.place.prefix);
        self.by_tenant.count_name(&prefixes[0])?;
        let wanted = Wanted { part, prefixes: &prefixes, access, jwt };
        let subject = caller.subject().unwrap_or_default();
        let check = async || match &decision.part {
            None => self.open(caller.tenant()).await,
            // A server needs them to find out itself, and to delete what a closed tenant has.
            Some(_) => Ok(()),
        };
        let issued = self.issuing.keys(&wanted, subject, check).await;
        let result = match &issued {
            Ok(issued) if issued.is_cached => "cached",
            Ok(_) => "made",
            Err(_) => "failed",
        };
        metrics::counter!("dotdo_broker_keys_total", "result" => result).increment(1);
        Ok(bodies::keys_response(&issued?.keys, &self.place, part))
    }

    async fn issue_token(
        &self,
        caller: &Caller,
        body: &[u8],
        decision: &mut Decision,
    ) -> Result<Response> {
        let wanted = bodies::parsed::<TokenRequest>(body)?.checked(caller)?;
        self.open(caller.tenant()).await?;
        let now_ms = self.clock.wall_ms();
        let expires_ms = now_ms.saturating_add(wanted.lifetime_ms);
        let grant = Grant {
            tenant: caller.tenant().clone(),
            name: wanted.name,
            scopes: wanted.scopes,
            created_by: caller.subject().unwrap_or_default().to_owned(),
            created_ms: now_ms,
            expires_ms,
        };
        let (id, token) = self.tokens.issue(grant).await?;
        decision.token_id = Some(id.clone());
        Ok(bodies::token_response(&id, token.reveal(), expires_ms))
    }

    /// The caller, if it may issue, list and revoke deploy tokens.
    ///
    /// # Errors
    ///
    /// `Forbidden` if not.
    fn manager<'a>(&self, who: &'a Identified) -> Result<&'a Caller> {
        if who.jwt().is_none() {
            let text =
                "a deploy token can be exchanged for keys only; expected the token of a login";
            return Err(Error::new(ErrorKind::Forbidden, text).with_code("DEPLOY_TOKEN"));
        }
        who.caller.require(match self.requires {
            Requires::Write => Scope::Write,
            Requires::Admin => Scope::Admin,
        })?;
        Ok(&who.caller)
    }

    /// Whether the store answers.
    pub(super) async fn check_store(&self) -> Result<(), StoreError> {
        self.bucket.list(&Key::new(".broker/tokens"), None, 1).await.map(drop)
    }

    /// Checks that a tenant is not closed. The deploy tokens of one that is are deleted.
    ///
    /// # Errors
    ///
    /// `Gone` when the tenant is closed; those of the store.
    async fn open(&self, tenant: &Tenant) -> Result<()> {
        let closed: Key = tenant.prefix().join("closed");
        match self.bucket.get_within(&closed, CLOSED_BYTES_MAX).await {
            Ok(None) => return Ok(()),
            // The tenant's own keys can write anything there; that it is there counts.
            Ok(Some(_)) | Err(StoreError::TooLarge { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        if let Err(error) = self.tokens.delete_all(tenant).await {
            tracing::warn!(%tenant, ?error, "cannot delete the deploy tokens of a closed tenant");
        }
        Err(Error::new(ErrorKind::Gone, "this tenant is closed").with_code("TENANT_CLOSED"))
    }
}

impl Identified {
    /// # Errors
    ///
    /// `Forbidden` for a caller that no issuer has named, such as the bearer of a configured token:
    /// it has no tenant.
    fn of(caller: Option<Caller>, asked: &Asked) -> Result<Self> {
        let no_tenant = || {
            let text =
                "expected the token of an issuer or a deploy token, got one without a tenant";
            Error::new(ErrorKind::Forbidden, text).with_code("MISSING_ORGANISATION")
        };
        let caller = caller.filter(|caller| !caller.tenant().is_local()).ok_or_else(no_tenant)?;
        let token = bearer_token(&asked.head.headers)?;
        let proof = match DeployToken::parse(token) {
            Some(token) => Proof::DeployToken(id_of(&token.hash())),
            None => Proof::Jwt(Secret::new(token)),
        };
        Ok(Self { caller, proof })
    }

    /// The JWT; `None` for a deploy token.
    fn jwt(&self) -> Option<&Secret> {
        match &self.proof {
            Proof::Jwt(token) => Some(token),
            Proof::DeployToken(_) => None,
        }
    }
}

impl Endpoint {
    /// # Errors
    ///
    /// `NotFound` for what is none.
    fn of(asked: &Asked) -> Result<Self> {
        let (method, path) = (&asked.head.method, asked.head.uri.path());
        let below = path.strip_prefix(TOKENS).and_then(|rest| rest.strip_prefix('/'));
        match (method, path, below) {
            (&Method::POST, CREDENTIALS, _) => Ok(Self::IssueKeys),
            (&Method::POST, TOKENS, _) => Ok(Self::IssueToken),
            (&Method::GET, TOKENS, _) => Ok(Self::ListTokens { after: after(asked)? }),
            (&Method::DELETE, _, Some(id)) => Ok(Self::RevokeToken { id: id.to_owned() }),
            _ => Err(Error::not_found(format!(
                "the broker has POST {CREDENTIALS}, POST and GET {TOKENS}, and DELETE {TOKENS}/{{id}}; there is nothing else here"
            ))
            .with_code("NO_ENDPOINT")),
        }
    }

    fn action(&self) -> Action {
        match self {
            Self::IssueKeys => Action::IssueKeys,
            Self::IssueToken => Action::IssueToken,
            Self::ListTokens { .. } => Action::ListTokens,
            Self::RevokeToken { .. } => Action::RevokeToken,
        }
    }
}

/// The id after which a page of the list begins.
fn after(asked: &Asked) -> Result<Option<String>> {
    let query = asked.head.uri.query().unwrap_or_default();
    let mut given = url::form_urlencoded::parse(query.as_bytes());
    let after = given.find(|(name, _)| name == "after").map(|(_, id)| id.into_owned());
    match after {
        Some(id) if !super::tokens::is_id(&id) => Err(Error::invalid(
            "after: expected the field next of the page before, got another text",
        )
        .with_code("BAD_PAGE")),
        after => Ok(after),
    }
}

fn no_content() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
