//! A verified caller as data: in the envelope of a forwarded request, and beside a connection that
//! something else holds. The bearer token is not part of it.

use serde::{Deserialize, Serialize};

use crate::id::Tenant;
use crate::object::caller::Caller;
use crate::object::identity::Identity;
use crate::object::scopes::Scopes;

/// A caller as data, as it was verified. Its tenant is beside it.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::Caller;
/// use dotdo::engine::{SealedCaller, Tenant};
///
/// let ada = Caller::new("ada");
/// let text = serde_json::to_string(&SealedCaller::new(&ada))?;
/// let read: SealedCaller = serde_json::from_str(&text)?;
/// assert_eq!(read.opened(&Tenant::local()), Some(ada));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SealedCaller {
    /// The subject of a client; with no object either, the caller is anonymous.
    subject: Option<String>,
    /// Class and id of an object that makes a request of its own.
    object: Option<(String, String)>,
    /// The scopes' names, separated by spaces.
    scopes: String,
    /// A hash in hexadecimal digits, which anonymous callers lack unless an object calls for them.
    account: Option<String>,
}

impl SealedCaller {
    /// The data of `caller`.
    pub fn new(caller: &Caller) -> Self {
        Self {
            subject: caller.subject().map(str::to_owned),
            object: caller
                .object()
                .map(|object| (object.class().to_owned(), object.id().to_owned())),
            scopes: caller.scopes().to_string(),
            account: caller.account().map(|account| account.to_hex()),
        }
    }

    /// The caller, of `tenant`; `None` if [`SealedCaller::new`] has not made this.
    pub fn opened(&self, tenant: &Tenant) -> Option<Caller> {
        let caller = match (&self.subject, &self.object) {
            (Some(subject), None) => Caller::new(subject.as_str()),
            (None, Some((class, id))) => Caller::of_object(&tenant.object(class, id).ok()?),
            (None, None) => Caller::anonymous(),
            (Some(_), Some(_)) => return None,
        };
        let caller = caller.of_tenant(tenant.clone()).with_scopes(Scopes::parse(&self.scopes));
        match &self.account {
            None => caller.is_anonymous().then_some(caller),
            Some(account) => Some(caller.with_account(Identity::from_hex(account)?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::scopes::Scope;

    fn tenant() -> Tenant {
        Tenant::new("partner:acme", "Eu.1").expect("a tenant")
    }

    #[test]
    fn every_caller_comes_back_from_its_envelope() {
        let object = tenant().object("Account", "a/b ü").expect("an object");
        for caller in [
            Caller::anonymous(),
            Caller::new("alice").of_tenant(tenant()),
            Caller::new("").of_tenant(tenant()).with_scopes(Scopes::NONE),
            Caller::new("ä \"\n").of_issuer("https://a.example").with_scopes(Scope::Operator),
            Caller::new("token-1").with_account(Identity::new("token", b"secret")),
            Caller::of_object(&object),
            // An object calls for a client that nobody has verified.
            Caller::anonymous().with_account(Identity::new("call", b"Account")),
        ] {
            let sealed = SealedCaller::new(&caller);
            let text = serde_json::to_string(&sealed).expect("JSON");
            let sent: SealedCaller = serde_json::from_str(&text).expect("the same JSON");
            assert_eq!(sent.opened(&tenant()), Some(caller.of_tenant(tenant())), "{text}");
        }
    }

    #[test]
    fn what_no_server_has_sealed_is_no_caller() {
        let good = SealedCaller::new(&Caller::new("alice").of_tenant(tenant()));
        assert!(good.opened(&tenant()).is_some());
        let object = Some(("Account".to_owned(), "a".to_owned()));
        for bad in [
            SealedCaller { object: object.clone(), ..good.clone() },
            SealedCaller {
                subject: None,
                object: Some(("1".to_owned(), "a".to_owned())),
                ..good.clone()
            },
            SealedCaller { account: None, ..good.clone() },
            SealedCaller { account: Some("x".to_owned()), ..good.clone() },
        ] {
            assert_eq!(bad.opened(&tenant()), None, "{bad:?}");
        }
    }
}
