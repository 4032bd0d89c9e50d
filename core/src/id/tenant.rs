//! Tenants: the customers whose objects a server keeps apart.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, LazyLock};

use super::SEGMENT_BYTES_MAX;
use super::object::ObjectId;
use crate::error::{Error, ErrorKind, Result};
use crate::segment::escape;
use crate::store::Key;

/// Maximum length of an organisation or a tenant in a token, in bytes.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::engine::{TENANT_NAME_BYTES_MAX, Tenant, TenantClaims};
///
/// let long = "a".repeat(TENANT_NAME_BYTES_MAX + 1);
/// let claims = TenantClaims { org: Some(&long), ..TenantClaims::default() };
/// assert!(Tenant::from_claims(claims).is_err());
/// ```
pub const TENANT_NAME_BYTES_MAX: usize = 128;

/// The organisation, and the tenant, of a server without tenants.
const LOCAL: &str = "local";

/// A tenant of an organisation: whose an object is. Objects of two tenants have nothing in common,
/// even if class and id are the same. Clones are cheap.
///
/// ```
/// # mod dotdo { pub use dotdo_core::*; pub mod identity { pub use dotdo_core::*; } }
/// use dotdo::identity::Tenant;
///
/// let tenant = Tenant::new("acme", "shop")?;
/// assert_eq!((tenant.org(), tenant.name()), ("acme", "shop"));
/// assert_ne!(tenant, Tenant::local());
/// # Ok::<(), dotdo::Error>(())
/// ```
#[derive(Clone)]
pub struct Tenant(Arc<Inner>);

struct Inner {
    org: Box<str>,
    name: Box<str>,
    /// Different for different tenants, because the encoding of a segment is reversible.
    prefix: Key,
}

/// What a verified token says of its tenant. [`Tenant::from_claims`] has an example.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TenantClaims<'a> {
    /// The name that the settings give to the token's issuer, if they give one. Organisations of
    /// different issuers are different organisations.
    pub issuer: Option<&'a str>,
    /// The claim `org_id`.
    pub org: Option<&'a str>,
    /// The claim `tenant_id`; without it, the tenant has the organisation's name.
    pub tenant: Option<&'a str>,
}

impl Tenant {
    /// The tenant `name` of the organisation `org`, whatever characters they have. Names from
    /// tokens go through [`Tenant::from_claims`].
    ///
    /// # Errors
    ///
    /// `Invalid` when one of both is empty or longer than 200 bytes once encoded.
    pub fn new(org: &str, name: &str) -> Result<Self> {
        for part in [org, name] {
            if !fits_segment(part) {
                return Err(Error::invalid(format!(
                    "expected an organisation or tenant of 1 to {SEGMENT_BYTES_MAX} bytes, got {part:?}"
                ))
                .with_code("BAD_TENANT"));
            }
        }
        let prefix = Key::new(format!("{}/{}", escape(org), escape(name)));
        Ok(Self(Arc::new(Inner { org: org.into(), name: name.into(), prefix })))
    }

    /// The tenant of a server without tenants, `local/local`.
    pub fn local() -> Self {
        static TENANT: LazyLock<Tenant> =
            LazyLock::new(|| Tenant::new(LOCAL, LOCAL).expect("the name is short"));
        TENANT.clone()
    }

    /// The tenant that a verified token names. An organisation of a named issuer becomes
    /// `issuer:org`, so no token of one issuer names an organisation of another.
    ///
    /// ```
    /// # mod dotdo { pub use dotdo_core::*; pub mod identity { pub use dotdo_core::*; } }
    /// use dotdo::identity::{Tenant, TenantClaims};
    ///
    /// let claims = TenantClaims { org: Some("org_01"), ..TenantClaims::default() };
    /// assert_eq!(Tenant::from_claims(claims)?, Tenant::new("org_01", "org_01")?);
    /// let claims = TenantClaims { issuer: Some("partner"), tenant: Some("eu"), ..claims };
    /// assert_eq!(Tenant::from_claims(claims)?, Tenant::new("partner:org_01", "eu")?);
    /// # Ok::<(), dotdo::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Forbidden` with the code `MISSING_ORGANISATION` when there is no organisation, and with
    /// `BAD_TENANT` when a name is not 1 to [`TENANT_NAME_BYTES_MAX`] ASCII letters, digits, `-`,
    /// `_` and `.` that begin with a letter or digit, is too long once encoded, or the organisation
    /// is `local`, which belongs to servers without tokens.
    pub fn from_claims(claims: TenantClaims<'_>) -> Result<Self> {
        let TenantClaims { issuer, org, tenant } = claims;
        let org = org.ok_or_else(|| {
            Error::new(
                ErrorKind::Forbidden,
                "the token names no organisation; expected the claim org_id",
            )
            .with_code("MISSING_ORGANISATION")
        })?;
        let name = tenant.unwrap_or(org);
        if let Some(bad) = issuer.into_iter().chain([org, name]).find(|name| !is_token_name(name)) {
            return Err(bad_name(&format!(
                "expected 1 to {TENANT_NAME_BYTES_MAX} ASCII letters, digits, `-`, `_` and `.` that begin with a letter or digit, got {}",
                shown(bad)
            )));
        }
        if org == LOCAL {
            return Err(bad_name("the organisation `local` belongs to servers without tokens"));
        }
        let org = issuer.map_or_else(|| org.to_owned(), |issuer| format!("{issuer}:{org}"));
        if let Some(long) = [org.as_str(), name].into_iter().find(|name| !fits_segment(name)) {
            return Err(bad_name(&format!(
                "{long:?} takes {} bytes in a key, where `.` and capitals take three; expected at most {SEGMENT_BYTES_MAX}",
                escape(long).len()
            )));
        }
        Self::new(&org, name)
    }

    /// The organisation.
    pub fn org(&self) -> &str {
        &self.0.org
    }

    /// The tenant's name within its organisation.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The object `id` of `class` of this tenant. The same id under two classes, or of two tenants,
    /// is two objects.
    ///
    /// # Errors
    ///
    /// `Invalid` when the id is empty or longer than [`ID_BYTES_MAX`](crate::ID_BYTES_MAX), or the
    /// class is not a name: an ASCII letter or `_`, then letters, digits and `_`, at most
    /// [`CLASS_BYTES_MAX`](crate::CLASS_BYTES_MAX).
    pub fn object(&self, class: &str, id: &str) -> Result<ObjectId> {
        ObjectId::new(self.clone(), class, id)
    }

    /// The object of this tenant with these [`ObjectId::key_segments`]; `None` if they are invalid,
    /// or of a long id, of which they contain only the hash.
    pub fn object_at(&self, segments: &str) -> Option<ObjectId> {
        ObjectId::at(self.clone(), segments)
    }

    /// Whether this is [`Tenant::local`].
    pub fn is_local(&self) -> bool {
        self.org() == LOCAL && self.name() == LOCAL
    }

    /// The prefix of all keys of this tenant, and of no other: `{org}/{tenant}`, encoded.
    pub fn prefix(&self) -> &Key {
        &self.0.prefix
    }

    /// The prefix of the markers of this tenant's objects with undelivered messages:
    /// `{org}/{tenant}/outbox`.
    pub(crate) fn outbox(&self) -> Key {
        self.prefix().join("outbox")
    }

    /// The prefix of the markers of this tenant's objects with alarms: `{org}/{tenant}/alarms`.
    pub(crate) fn alarms(&self) -> Key {
        self.prefix().join("alarms")
    }
}

impl PartialEq for Tenant {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.prefix() == other.prefix()
    }
}

impl Eq for Tenant {}

impl PartialOrd for Tenant {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Tenant {
    fn cmp(&self, other: &Self) -> Ordering {
        if Arc::ptr_eq(&self.0, &other.0) {
            return Ordering::Equal;
        }
        self.prefix().cmp(other.prefix())
    }
}

impl Hash for Tenant {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.prefix().hash(state);
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.org().escape_debug(), self.name().escape_debug())
    }
}

impl fmt::Debug for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whether a name is not empty and its key segment is not too long.
fn fits_segment(name: &str) -> bool {
    (1..=SEGMENT_BYTES_MAX).contains(&escape(name).len())
}

/// Whether a token may use this name.
fn is_token_name(name: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=TENANT_NAME_BYTES_MAX).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.bytes().all(is_inner)
}

/// A name as an error shows it: a long one only by its length.
fn shown(name: &str) -> String {
    match name.len() {
        0..=TENANT_NAME_BYTES_MAX => format!("{name:?}"),
        bytes => format!("{bytes} bytes"),
    }
}

fn bad_name(what: &str) -> Error {
    Error::new(
        ErrorKind::Forbidden,
        format!("the token's organisation or tenant is not allowed: {what}"),
    )
    .with_code("BAD_TENANT")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(org: &str, tenant: Option<&str>) -> Result<Tenant> {
        Tenant::from_claims(TenantClaims { issuer: None, org: Some(org), tenant })
    }

    #[test]
    fn names_of_tokens_are_letters_digits_and_three_signs() {
        for name in ["acme", "Acme", "org_01H", "a.b-c_d", "0", &"a".repeat(128), "localhost"] {
            let tenant = named(name, Some("eu")).expect("a good name");
            assert_eq!((tenant.org(), tenant.name()), (name, "eu"));
            assert_eq!(named("acme", Some(name)).expect("a good name").name(), name);
            assert_eq!(named(name, None).expect("a good name").name(), name);
        }
        let bad = [
            "",
            ".",
            "..",
            ".a",
            "-a",
            "_a",
            "a/b",
            "../x",
            "a b",
            "a:b",
            "a*",
            "a?",
            "${a}",
            "a\0",
            "a~b",
            "а",
            "ａcme",
            "é",
            "a\n",
            &"a".repeat(129),
            &"A".repeat(67),
        ];
        for name in bad {
            for refused in [named(name, Some("eu")), named("acme", Some(name)), named(name, None)] {
                let error = refused.expect_err(name);
                assert_eq!((error.kind(), error.code()), (ErrorKind::Forbidden, "BAD_TENANT"));
                assert!(error.message().len() < 400, "{}", error.message());
            }
        }
    }

    #[test]
    fn a_token_without_an_organisation_and_one_of_the_local_tenant_are_refused() {
        let none = TenantClaims { tenant: Some("eu"), ..TenantClaims::default() };
        let error = Tenant::from_claims(none).expect_err("no organisation");
        assert_eq!((error.kind(), error.code()), (ErrorKind::Forbidden, "MISSING_ORGANISATION"));
        for tenant in [None, Some("local"), Some("eu")] {
            assert_eq!(named("local", tenant).expect_err("reserved").code(), "BAD_TENANT");
        }
        assert_ne!(named("acme", Some("local")).expect("a good name"), Tenant::local());
    }

    #[test]
    fn organisations_of_two_issuers_are_different_organisations() {
        let of =
            |issuer| Tenant::from_claims(TenantClaims { issuer, org: Some("acme"), tenant: None });
        let (unnamed, one, other) = (of(None), of(Some("one")), of(Some("other")));
        let all = [unnamed, one, other].map(|tenant| tenant.expect("good names"));
        assert_eq!(all.each_ref().map(Tenant::org), ["acme", "one:acme", "other:acme"]);
        assert_eq!(
            all.each_ref().map(|tenant| tenant.prefix().as_str()),
            ["acme/acme", "one.3aacme/acme", "other.3aacme/acme"]
        );
        assert_eq!(of(Some("a:b")).expect_err("a colon").code(), "BAD_TENANT");
    }
}
