//! The caller of a request, as it was verified: never what the request says of itself.
//!
//! It is part of a request's extensions, which clients can't set, and goes with the request from
//! object to object and from server to server.

use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::id::{ObjectId, Tenant};
use crate::object::identity::Identity;
use crate::object::scopes::{Scope, Scopes};

/// The caller of a request: who it is, its tenant, and what it may do.
///
/// ```
/// # mod dotdo { pub use dotdo_core::*; pub mod identity { pub use dotdo_core::*; } }
/// use dotdo::Caller;
/// use dotdo::identity::{Scope, Tenant};
///
/// let alice = Caller::new("alice").of_tenant(Tenant::new("acme", "shop")?);
/// assert_eq!((alice.subject(), alice.tenant().org()), (Some("alice"), "acme"));
/// assert!(alice.has(Scope::Write) && !alice.has(Scope::Admin));
/// # Ok::<(), dotdo::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    who: Who,
    tenant: Tenant,
    scopes: Scopes,
    account: Option<Identity>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Who {
    Anonymous,
    Subject(Arc<str>),
    Object(ObjectId),
}

/// The code of the error for a caller without a scope, whose name is the detail `scope`.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::engine::MISSING_SCOPE;
/// use dotdo::identity::{Scope, Scopes};
/// use dotdo::{Caller, Error};
///
/// /// What to ask the user for, if that is all that is missing.
/// fn wanted(error: &Error) -> Option<&str> {
///     (error.code() == MISSING_SCOPE)
///         .then(|| error.details()?.get("scope")?.as_str())
///         .flatten()
/// }
///
/// let reader = Caller::new("ada").with_scopes(Scopes::parse("dotdo:read"));
/// let error = reader.require(Scope::Write).unwrap_err();
/// assert_eq!(wanted(&error), Some("dotdo:write"));
/// ```
pub const MISSING_SCOPE: &str = "MISSING_SCOPE";

impl Caller {
    /// A caller with a unique and stable name: a subject, an account, the name of a key. It belongs
    /// to the tenant `local/local` and may read, write, and read earlier states.
    pub fn new(subject: impl Into<Arc<str>>) -> Self {
        let subject = subject.into();
        let account = Identity::new("account", subject.as_bytes());
        Self { account: Some(account), ..Self::local(Who::Subject(subject)) }
    }

    /// A caller of whom nothing was verified. It belongs to the tenant `local/local` and may read,
    /// write, and read earlier states.
    pub fn anonymous() -> Self {
        Self::local(Who::Anonymous)
    }

    /// An object that makes a request of its own. It belongs to its tenant.
    pub fn of_object(object: &ObjectId) -> Self {
        let account = Identity::of_call(object, None);
        Self { account: Some(account), ..Self::local(Who::Object(object.clone())) }
            .of_tenant(object.tenant().clone())
    }

    fn local(who: Who) -> Self {
        Self { who, tenant: Tenant::local(), scopes: Scopes::USER, account: None }
    }

    /// Sets the tenant, whose objects are the only ones that the caller can reach.
    #[must_use]
    pub fn of_tenant(self, tenant: Tenant) -> Self {
        Self { tenant, ..self }
    }

    /// Replaces the scopes.
    #[must_use]
    pub fn with_scopes(self, scopes: impl Into<Scopes>) -> Self {
        Self { scopes: scopes.into(), ..self }
    }

    /// The subject of an issuer's token: two issuers can have the same subject, which are then two
    /// callers.
    #[must_use]
    pub fn of_issuer(self, issuer: &str) -> Self {
        let mut name = (issuer.len() as u64).to_le_bytes().to_vec();
        name.extend_from_slice(issuer.as_bytes());
        name.extend_from_slice(self.subject().unwrap_or_default().as_bytes());
        self.with_account(Identity::new("issuer", &name))
    }

    /// Sets what distinguishes the caller from others of its tenant if its subject does not: for
    /// example, the subject is a position in a list.
    #[must_use]
    pub fn with_account(self, account: Identity) -> Self {
        Self { account: Some(account), ..self }
    }

    /// The subject that was authenticated; `None` for an anonymous caller and for an object.
    pub fn subject(&self) -> Option<&str> {
        match &self.who {
            Who::Subject(subject) => Some(subject),
            Who::Anonymous | Who::Object(_) => None,
        }
    }

    /// The object that makes the request on its own behalf, such as the sender of a message; `None`
    /// for a request that goes back to a client.
    pub fn object(&self) -> Option<&ObjectId> {
        match &self.who {
            Who::Object(object) => Some(object),
            Who::Anonymous | Who::Subject(_) => None,
        }
    }

    /// Whether nothing of the caller was verified.
    pub fn is_anonymous(&self) -> bool {
        self.who == Who::Anonymous
    }

    /// The tenant, whose objects are the only ones that the caller can reach.
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// What the caller may do.
    pub fn scopes(&self) -> Scopes {
        self.scopes
    }

    /// Whether the caller has `scope`.
    pub fn has(&self, scope: Scope) -> bool {
        self.scopes.contains(scope)
    }

    /// Checks that the caller has `scope`.
    ///
    /// ```
    /// # mod dotdo { pub use dotdo_core::*; pub mod identity { pub use dotdo_core::*; } }
    /// use dotdo::identity::Scope;
    ///
    /// fn close(ctx: &mut dotdo::Context) -> dotdo::Result<()> {
    ///     ctx.caller().require(Scope::Admin)?;
    ///     ctx.storage().put("closed", &true)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// `Forbidden` with the code `MISSING_SCOPE` if not.
    pub fn require(&self, scope: Scope) -> Result<()> {
        if self.has(scope) {
            return Ok(());
        }
        let text = format!("expected a caller with the scope {scope}, got {:?}", self.scopes);
        Err(Error::new(ErrorKind::Forbidden, text)
            .with_code(MISSING_SCOPE)
            .with_details(serde_json::json!({ "scope": scope.name() })))
    }

    /// Checks that `object` is of the caller's tenant.
    ///
    /// # Errors
    ///
    /// `Forbidden` with the code `WRONG_TENANT` if not.
    pub(crate) fn check_reach(&self, object: &ObjectId) -> Result<()> {
        if self.tenant == *object.tenant() {
            return Ok(());
        }
        let text = "expected a caller of the object's tenant, got one of another";
        Err(Error::new(ErrorKind::Forbidden, text).with_code("WRONG_TENANT"))
    }

    /// A hash that distinguishes the caller from others of its tenant; `None` if it is anonymous
    /// and no object calls for it.
    pub fn account(&self) -> Option<Identity> {
        self.account
    }

    /// A hash that distinguishes the caller from all others; `None` if it is anonymous.
    pub(crate) fn identity(&self) -> Option<Identity> {
        self.account.map(|account| account.within(&self.tenant))
    }

    /// The caller of a request that the handler of `object` makes for this one and waits for.
    /// `passed_on` is the caller of the request itself, if the handler passes one on.
    pub(crate) fn through(&self, object: &ObjectId, passed_on: Option<&Self>) -> Self {
        let origin = passed_on.and_then(|passed_on| passed_on.account);
        self.clone().with_account(Identity::of_call(object, origin.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acme() -> Tenant {
        Tenant::new("acme", "shop").expect("a tenant")
    }

    #[test]
    fn the_same_name_of_another_tenant_issuer_or_kind_is_another_caller() {
        let object = Tenant::local().object("Account", "alice").expect("an object");
        let callers = [
            Caller::new("alice"),
            Caller::new("alice").of_tenant(acme()),
            Caller::new("alice").of_tenant(Tenant::new("acme", "shop2").expect("a tenant")),
            Caller::new("alice").of_tenant(Tenant::new("acmes", "hop").expect("a tenant")),
            Caller::new("alice").of_issuer("https://a.example"),
            Caller::new("alice").of_issuer("https://b.example"),
            Caller::new("lice").of_issuer("https://a.examplea"),
            Caller::new("alice").of_issuer("https://a.example").of_tenant(acme()),
            Caller::of_object(&object),
            Caller::of_object(&acme().object("Account", "alice").expect("an object")),
            Caller::new("alice").through(&object, None),
            Caller::new("alice").through(&object, Some(&Caller::new("alice"))),
        ];
        for (at, one) in callers.iter().enumerate() {
            for other in &callers[..at] {
                if one.object().is_none() && other.object().is_none() {
                    assert_ne!(one.identity(), other.identity(), "{one:?} {other:?}");
                }
                assert_ne!(one, other);
            }
        }
    }

    #[test]
    fn a_caller_of_the_local_tenant_has_the_identity_that_it_always_had() {
        let before = Identity::new("account", b"alice");
        assert_eq!(Caller::new("alice").identity(), Some(before));
        let there_and_back = Caller::new("alice").of_tenant(acme()).of_tenant(Tenant::local());
        assert_eq!(there_and_back, Caller::new("alice"));
        assert_eq!(Caller::anonymous().of_tenant(acme()).identity(), None);
    }

    #[test]
    fn a_missing_scope_is_named() {
        let reader = Caller::new("alice").with_scopes(Scope::Read);
        assert!(reader.require(Scope::Read).is_ok());
        let error = reader.require(Scope::Write).expect_err("it may only read");
        assert_eq!((error.kind(), error.code()), (ErrorKind::Forbidden, "MISSING_SCOPE"));
        assert_eq!(error.details().expect("details")["scope"], "dotdo:write");
        assert!(error.message().contains("dotdo:write"), "{}", error.message());
    }
}
