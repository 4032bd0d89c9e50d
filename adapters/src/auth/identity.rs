//! Settings for the tokens of OpenID issuers.

use std::net::IpAddr;

use dotdo_core::Secret;
use url::Url;

/// Minimum length of the development secret, in bytes: RFC 7518 section 3.2 asks for as many as the
/// hash has.
pub(crate) const DEVELOPMENT_SECRET_BYTES_MIN: usize = 32;

/// Maximum length of an issuer's URL, in bytes.
const ISSUER_BYTES_MAX: usize = 512;
/// Maximum length of an issuer's name, in bytes: it is a part of keys in the bucket.
const NAME_BYTES_MAX: usize = 32;

/// Whose tokens are accepted, and which of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct IdentitySettings {
    /// The issuers as they were given. Each passes [`is_issuer`].
    pub(crate) issuers: Vec<String>,
    /// The audience that a token must have.
    pub(crate) audience: Option<String>,
    /// The audience that a token may have if none is required.
    pub(crate) client_id: Option<String>,
    /// The secret for tokens that are signed with HS256, on loopback only.
    pub(crate) development_secret: Option<Secret>,
    /// The organisations whose tokens may have the scope of an operator, such as `acme`, or
    /// `partner:acme` for one of a named issuer.
    pub(crate) operators: Vec<String>,
}

/// An issuer of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IssuerName<'a> {
    /// The name that distinguishes its organisations from those of other issuers.
    pub(crate) name: Option<&'a str>,
    /// Its URL, or only its host.
    address: &'a str,
}

impl IdentitySettings {
    /// Whether any tokens are accepted.
    pub(crate) fn is_on(&self) -> bool {
        !self.issuers.is_empty() || self.development_secret.is_some()
    }

    /// The issuers.
    pub(crate) fn issuers(&self) -> impl Iterator<Item = IssuerName<'_>> {
        self.issuers.iter().map(|text| IssuerName::parse(text))
    }

    /// The contradiction in these settings, if there is one.
    pub(crate) fn mistake(&self) -> Option<String> {
        if self.development_secret.as_ref().is_some_and(|secret| !is_long(secret)) {
            return Some(format!(
                "auth.development_secret: expected at least {DEVELOPMENT_SECRET_BYTES_MIN} bytes, got fewer (value not shown); to generate \
                 one, run `openssl rand -hex 32`"
            ));
        }
        let issuers: Vec<IssuerName<'_>> = self.issuers().collect();
        for (at, issuer) in issuers.iter().enumerate() {
            let before = &issuers[..at];
            if before.iter().any(|other| other.name == issuer.name) {
                return Some(match issuer.name {
                    Some(name) => format!("auth.issuer: two issuers have the name {name}"),
                    None => "auth.issuer: expected at most one issuer without a name, got two; write name=https://… so that their \
                             organisations differ"
                        .to_owned(),
                });
            }
            if before.iter().any(|other| other.url() == issuer.url()) {
                return Some(format!("auth.issuer: {} is there twice", issuer.url()));
            }
        }
        (self.issuers.is_empty() && !self.is_on()).then(|| self.idle()).flatten()
    }

    /// The setting that has no effect, because no tokens are accepted. (`dotdo login` uses
    /// `auth.client_id` without an issuer, too.)
    fn idle(&self) -> Option<String> {
        let set = [
            ("auth.audience", self.audience.is_some()),
            ("auth.operators", !self.operators.is_empty()),
        ];
        let (name, _) = set.into_iter().find(|(_, is_set)| *is_set)?;
        Some(format!("{name} is set but auth.issuer is not; set the issuer of the tokens"))
    }
}

impl<'a> IssuerName<'a> {
    fn parse(text: &'a str) -> Self {
        let is_address = text.starts_with("https://") || text.starts_with("http://");
        match text.split_once('=').filter(|_| !is_address) {
            Some((name, address)) => Self { name: Some(name), address },
            None => Self { name: None, address: text },
        }
    }

    /// Its URL, which the claim `iss` must be exactly. A host alone is reached over https.
    pub(crate) fn url(&self) -> String {
        match self.address.contains("://") {
            true => self.address.to_owned(),
            false => format!("https://{}", self.address),
        }
    }
}

/// Whether `text` is an issuer: a URL or a host, with a name and `=` in front or without.
pub(crate) fn is_issuer(text: &str) -> bool {
    let issuer = IssuerName::parse(text);
    issuer.name.is_none_or(is_name)
        && text.len() <= ISSUER_BYTES_MAX
        && text.bytes().all(|byte| byte.is_ascii_graphic())
        && Url::parse(&issuer.url()).is_ok_and(|url| is_safe(&url) && is_bare(&url))
}

/// Whether `text` is an organisation as `auth.operators` names it.
pub(crate) fn is_organisation(text: &str) -> bool {
    let (name, org) = match text.split_once(':') {
        Some((name, org)) => (Some(name), org),
        None => (None, text),
    };
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    name.is_none_or(is_name) && !org.is_empty() && org.bytes().all(is_inner)
}

/// Whether what `url` answers can be believed: nobody on the way can change it.
pub(crate) fn is_safe(url: &Url) -> bool {
    match url.scheme() {
        "https" => url.has_host(),
        "http" => url.host_str().is_some_and(is_loopback),
        _ => false,
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn is_bare(url: &Url) -> bool {
    url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
}

/// Names are as in keys: lower case, so that no two differ only in what some stores ignore.
fn is_name(name: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte))
}

fn is_long(secret: &Secret) -> bool {
    secret.reveal().len() >= DEVELOPMENT_SECRET_BYTES_MIN
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(issuers: &[&str]) -> IdentitySettings {
        let issuers = issuers.iter().map(|issuer| (*issuer).to_owned()).collect();
        IdentitySettings { issuers, ..IdentitySettings::default() }
    }

    #[test]
    fn an_issuer_is_a_url_or_a_host_with_or_without_a_name() {
        for (text, name, url) in [
            ("https://auth.example.com", None, "https://auth.example.com"),
            ("https://auth.example.com/", None, "https://auth.example.com/"),
            ("https://h/a=b", None, "https://h/a=b"),
            ("auth.example.com", None, "https://auth.example.com"),
            ("auth.example.com:8443", None, "https://auth.example.com:8443"),
            ("partner=https://h/realms/x", Some("partner"), "https://h/realms/x"),
            ("partner=h", Some("partner"), "https://h"),
            ("http://127.0.0.1:9000/x", None, "http://127.0.0.1:9000/x"),
            ("http://localhost:9000", None, "http://localhost:9000"),
            ("http://[::1]:9000", None, "http://[::1]:9000"),
        ] {
            assert!(is_issuer(text), "{text}");
            let issuer = IssuerName::parse(text);
            assert_eq!((issuer.name, &*issuer.url()), (name, url));
        }
        for text in [
            "",
            "=https://h",
            "Partner=https://h",
            "a:b=https://h",
            "a.b=https://h",
            "local host",
            "http://auth.example.com",
            "http://127.0.0.1.example.com",
            "http://10.0.0.1",
            "https://user:pass@h",
            "https://h?x",
            "https://h#x",
            "https://",
            "ftp://h",
            "file:///etc/passwd",
            "https://hä",
            &format!("https://{}", "h".repeat(600)),
        ] {
            assert!(!is_issuer(text), "{text}");
        }
    }

    #[test]
    fn organisations_of_two_issuers_can_not_be_the_same() {
        for good in
            [&["https://a"][..], &["https://a", "b=https://b"], &["a=https://a", "b=https://b"]]
        {
            assert_eq!(settings(good).mistake(), None);
        }
        for (bad, expected) in [
            (&["https://a", "https://b"][..], "at most one issuer without a name"),
            (&["x=https://a", "x=https://b"], "two issuers have the name x"),
            (&["https://a", "x=https://a"], "https://a is there twice"),
            (&["a", "x=https://a"], "https://a is there twice"),
        ] {
            let mistake = settings(bad).mistake().expect("a contradiction");
            assert!(mistake.contains(expected), "{mistake}");
        }
    }

    #[test]
    fn what_needs_an_issuer_is_not_set_without_one() {
        let audience = Some("api".to_owned());
        let alone = IdentitySettings { audience: audience.clone(), ..settings(&[]) };
        let mistake = alone.mistake().expect("a setting without effect");
        assert!(mistake.starts_with("auth.audience is set but auth.issuer is not"), "{mistake}");
        let secret = Some(Secret::new("s".repeat(DEVELOPMENT_SECRET_BYTES_MIN)));
        let development = IdentitySettings { development_secret: secret, ..alone };
        assert_eq!(development.mistake(), None);
        let short = Some(Secret::new("hunter2"));
        let short = IdentitySettings { development_secret: short, ..settings(&[]) };
        let mistake = short.mistake().expect("a short secret");
        assert!(mistake.contains("at least 32 bytes") && !mistake.contains("hunter2"), "{mistake}");
    }

    #[test]
    fn operators_are_organisations() {
        for good in ["acme", "org_01H", "partner:acme"] {
            assert!(is_organisation(good), "{good}");
        }
        for bad in ["", ":acme", "partner:", "a:b:c", "acme/shop", "*", "a b"] {
            assert!(!is_organisation(bad), "{bad}");
        }
    }
}
