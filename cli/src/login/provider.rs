//! An OpenID provider: what its discovery document says, and requests to its token endpoint.

use dotdo::engine::Secret;
use reqwest::Url;
use serde::Deserialize;

use super::claims::Claims;
use super::http::{Answer, Http};
use super::kept::Tokens;
use super::times::now;
use crate::failure::{Failure, plain, repeats};

/// Where the discovery document is, below the issuer (OpenID Connect Discovery 1.0, section 4).
const DISCOVERY: &str = "/.well-known/openid-configuration";

/// A provider that has been found.
pub(super) struct Provider {
    /// The issuer, as its document writes it.
    pub(super) issuer: String,
    /// The token endpoint.
    pub(super) token: Url,
    /// The device authorization endpoint (RFC 8628).
    pub(super) device: Option<Url>,
    /// The revocation endpoint (RFC 7009).
    pub(super) revocation: Option<Url>,
    /// The scopes that it knows, if it says.
    scopes: Option<Vec<String>>,
}

/// The discovery document.
#[derive(Deserialize)]
struct Document {
    issuer: String,
    token_endpoint: String,
    device_authorization_endpoint: Option<String>,
    revocation_endpoint: Option<String>,
    scopes_supported: Option<Vec<String>>,
}

/// What a token endpoint says.
pub(super) enum Said {
    /// Tokens.
    Tokens(Tokens),
    /// An error that RFC 6749 or RFC 8628 names, and what it means.
    Refused {
        /// The error, such as `invalid_grant`.
        error: String,
        /// Error and description, for people.
        text: String,
    },
    /// Nothing of use, for a reason that may pass.
    Nothing(String),
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    refresh_token: Option<String>,
    expires_in: Option<u64>,
}

#[derive(Deserialize)]
struct ErrorAnswer {
    error: String,
    error_description: Option<String>,
}

impl Provider {
    /// Reads the discovery document of `issuer`: a URL, or the name of a host, which is reached over
    /// https.
    ///
    /// # Errors
    ///
    /// `Usage` when it can't be an issuer; `Failed` when it does not answer as one.
    pub(super) fn find(http: &Http, issuer: &str) -> Result<Self, Failure> {
        let base = base_of(issuer)?;
        let url = Url::parse(&format!("{base}{DISCOVERY}"))
            .map_err(|cause| Failure::Usage(format!("the issuer {base} is no URL: {cause}")))?;
        let answer = http
            .get(&url)
            .map_err(|cause| Failure::of(&format!("the issuer {base} does not answer"), cause))?;
        if !answer.is_success() {
            return Err(Failure::Failed(format!(
                "{url} answers with status {}, expected the discovery document of an OpenID issuer; check the issuer",
                answer.status
            )));
        }
        let document: Document = answer.json().map_err(|why| {
            Failure::Failed(format!("{url} is no discovery document of an OpenID issuer: {why}"))
        })?;
        Self::of(&base, document)
    }

    /// The provider of a document that was found below `base`.
    fn of(base: &str, document: Document) -> Result<Self, Failure> {
        // Some providers write their issuer with a slash at its end.
        if document.issuer.trim_end_matches('/') != base {
            return Err(Failure::Failed(format!(
                "the issuer {base} calls itself {}; expected the same URL",
                plain(&document.issuer)
            )));
        }
        let endpoint = |name: &str, text: &str| {
            Url::parse(text).ok().filter(is_safe).ok_or_else(|| {
                let text = plain(text);
                Failure::Failed(format!(
                    "the {name} of {base}: expected an https:// URL, got {text:?}"
                ))
            })
        };
        let optional =
            |name: &str, text: Option<String>| text.map(|text| endpoint(name, &text)).transpose();
        Ok(Self {
            token: endpoint("token_endpoint", &document.token_endpoint)?,
            device: optional(
                "device_authorization_endpoint",
                document.device_authorization_endpoint,
            )?,
            revocation: optional("revocation_endpoint", document.revocation_endpoint)?,
            scopes: document.scopes_supported,
            issuer: document.issuer,
        })
    }

    /// The scopes to ask for when none are given: an identity, and tokens that can be renewed. One
    /// that the provider does not know is left out.
    pub(super) fn usual_scopes(&self) -> String {
        let is_known = |scope: &&str| {
            self.scopes.as_ref().is_none_or(|known| known.iter().any(|other| other == scope))
        };
        let usual: Vec<&str> = ["openid", "offline_access"].into_iter().filter(is_known).collect();
        usual.join(" ")
    }

    /// Asks the token endpoint for what `grant` is: the name and value of a secret.
    pub(super) fn tokens(
        &self,
        http: &Http,
        (grant_type, client_id): (&str, &str),
        grant: (&str, &Secret),
    ) -> Said {
        let (name, secret) = grant;
        let form = [("grant_type", grant_type), ("client_id", client_id), (name, secret.reveal())];
        match http.post(&self.token, &form) {
            Err(cause) => Said::Nothing(format!("{} does not answer: {cause}", self.token)),
            Ok(answer) => self.said(&answer, secret),
        }
    }

    fn said(&self, answer: &Answer, secret: &Secret) -> Said {
        if answer.is_success() {
            return match answer.json() {
                Ok(tokens) => Said::Tokens(kept(tokens)),
                Err(why) => Said::Nothing(format!("{}: {why}", self.token)),
            };
        }
        match answer.json::<ErrorAnswer>() {
            Ok(refusal) if !answer.may_pass() => {
                let ErrorAnswer { error, error_description } = refusal;
                // A provider may repeat what it was sent.
                let about = error_description.filter(|text| !repeats(text, secret));
                let about = about.map(|text| plain(&text)).filter(|text| !text.is_empty());
                let error = if repeats(&error, secret) { String::new() } else { plain(&error) };
                let text = about.map_or_else(|| error.clone(), |about| format!("{error}: {about}"));
                Said::Refused { error, text }
            }
            _ => Said::Nothing(format!("{} answers with status {}", self.token, answer.status)),
        }
    }

    /// Renews tokens.
    pub(super) fn refresh(&self, http: &Http, client_id: &str, refresh_token: &Secret) -> Said {
        self.tokens(http, ("refresh_token", client_id), ("refresh_token", refresh_token))
    }

    /// Revokes a refresh token, and with it what was issued for it.
    ///
    /// # Errors
    ///
    /// Why it may still be valid.
    pub(super) fn revoke(
        &self,
        http: &Http,
        client_id: &str,
        refresh_token: &Secret,
    ) -> Result<(), String> {
        let Some(url) = &self.revocation else {
            return Err("the issuer can't revoke tokens".to_owned());
        };
        let form = [
            ("token", refresh_token.reveal()),
            ("token_type_hint", "refresh_token"),
            ("client_id", client_id),
        ];
        match http.post(url, &form) {
            Ok(answer) if answer.is_success() => Ok(()),
            Ok(answer) => Err(format!("{url} answers with status {}", answer.status)),
            Err(cause) => Err(format!("{url} does not answer: {cause}")),
        }
    }
}

/// What is kept of an answer.
fn kept(TokenAnswer { access_token, refresh_token, expires_in }: TokenAnswer) -> Tokens {
    let now = now();
    let from_token = || Claims::of(&access_token).and_then(|claims| claims.expires_at());
    // The remaining time, unlike the claim, does not depend on this machine's clock.
    let expires_at = expires_in.map(|seconds| now.saturating_add(seconds)).or_else(from_token);
    Tokens {
        access: Secret::new(access_token),
        refresh: refresh_token.map(Secret::new),
        issued_at: now,
        expires_at,
    }
}

/// The issuer without a slash at its end.
fn base_of(issuer: &str) -> Result<String, Failure> {
    let text = issuer.trim().trim_end_matches('/');
    let text = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    let is_issuer = Url::parse(&text)
        .is_ok_and(|url| is_safe(&url) && url.query().is_none() && url.fragment().is_none());
    if !is_issuer {
        let shown = plain(issuer);
        return Err(Failure::Usage(format!(
            "the issuer: expected an https:// URL, such as https://auth.example.com, got {shown:?}"
        )));
    }
    Ok(text)
}

/// Whether secrets may be sent to `url`, and a browser to it: by https, or to this machine.
pub(crate) fn is_safe(url: &Url) -> bool {
    let is_here = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => return false,
    };
    let is_encrypted = url.scheme() == "https" || (url.scheme() == "http" && is_here);
    is_encrypted && url.username().is_empty() && url.password().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(json: &str) -> Result<Provider, Failure> {
        let document = serde_json::from_str(json).expect("a document");
        Provider::of("https://auth.example.com", document)
    }

    #[test]
    fn an_issuer_is_reached_by_https_or_on_this_machine() {
        for (issuer, base) in [
            ("auth.example.com", "https://auth.example.com"),
            ("https://auth.example.com/", "https://auth.example.com"),
            ("https://auth.example.com/realms/a", "https://auth.example.com/realms/a"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://[::1]:8080", "http://[::1]:8080"),
            ("http://localhost", "http://localhost"),
        ] {
            assert_eq!(base_of(issuer).expect(issuer), base);
        }
        for wrong in [
            "",
            "http://auth.example.com",
            "ftp://auth.example.com",
            "https://user:secret@auth.example.com",
            "https://auth.example.com?a=b",
            "https://auth.example.com#a",
        ] {
            assert!(matches!(base_of(wrong), Err(Failure::Usage(_))), "{wrong}");
        }
    }

    #[test]
    fn a_document_is_of_its_issuer_and_names_endpoints_that_may_get_secrets() {
        let good = r#"{"issuer":"https://auth.example.com/","token_endpoint":"https://a.example.com/t",
            "scopes_supported":["openid","email"]}"#;
        let provider = document(good).unwrap_or_else(|failure| panic!("{}", failure.message()));
        assert_eq!(provider.issuer, "https://auth.example.com/");
        assert_eq!(provider.usual_scopes(), "openid");
        assert!(provider.device.is_none() && provider.revocation.is_none());
        for wrong in [
            good.replace("auth.example.com", "other.example.com"),
            good.replace("https://a.example.com", "http://a.example.com"),
            good.replace("https://a.example.com/t", "/t"),
            good.replace("\"scopes", r#""revocation_endpoint":"file:///etc/passwd","scopes"#),
        ] {
            assert!(document(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_provider_that_repeats_a_secret_is_not_quoted() {
        let good =
            r#"{"issuer":"https://auth.example.com","token_endpoint":"https://a.example.com/t"}"#;
        let provider = document(good).unwrap_or_else(|failure| panic!("{}", failure.message()));
        let secret = Secret::new("hunter2-and-more-hunters");
        for (body, expected) in [
            (
                r#"{"error":"invalid_grant","error_description":"it is over"}"#,
                "invalid_grant: it is over",
            ),
            (
                r#"{"error":"invalid_grant","error_description":"no hunter2-and-more-hunt"}"#,
                "invalid_grant",
            ),
        ] {
            let said = provider.said(&Answer::new(400, body), &secret);
            assert!(matches!(&said, Said::Refused { text, .. } if text == expected), "{body}");
        }
        let said = provider.said(&Answer::new(500, "hunter2-and-more-hunters"), &secret);
        assert!(matches!(said, Said::Nothing(why) if !why.contains("hunter")));
    }
}
