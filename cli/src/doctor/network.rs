//! Names and certificates of the services that a server reaches: the store, who gives out its keys,
//! and the issuers of tokens.

use std::time::{Duration, Instant};

use dotdo::commands::Premises;
use reqwest::Url;
use serde_json::json;
use tokio::net::lookup_host;

use super::finding::Finding;
use crate::failure::unanswered;

/// How long a name or an answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// Checks every service.
pub(super) async fn check(premises: &Premises) -> Vec<Finding> {
    let client = reqwest::Client::builder()
        .timeout(ANSWER_MAX)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("dotdo/", env!("CARGO_PKG_VERSION")))
        .build();
    let client = match client {
        Ok(client) => client,
        Err(cause) => {
            return vec![Finding::failed("network", format!("no client for HTTP: {cause}"))];
        }
    };
    let mut findings = Vec::new();
    let services = [
        ("store", premises.store_service()),
        ("database", premises.database_service()),
        ("keys", premises.key_service()),
    ];
    for (name, url) in services {
        if let Some(url) = url {
            findings.push(reached(&client, name, &url).await);
        }
    }
    for issuer in premises.issuers() {
        findings.push(discovered(&client, &issuer).await);
    }
    findings
}

/// Whether a service is reached: any answer by HTTP will do.
async fn reached(client: &reqwest::Client, about: &str, url: &str) -> Finding {
    let parsed = match Url::parse(url) {
        Ok(parsed) => parsed,
        Err(cause) => {
            return Finding::failed("network", format!("the URL of the {about}, {url}: {cause}"));
        }
    };
    let addresses = match resolved(&parsed).await {
        Ok(addresses) => addresses,
        Err(why) => {
            return Finding::failed("network", format!("{about}: {why}"))
                .with_next("check the name in the URL, and this machine's DNS");
        }
    };
    let began = Instant::now();
    match client.head(parsed.clone()).send().await {
        Ok(_) => {
            let ms = began.elapsed().as_millis();
            let secured = if parsed.scheme() == "https" { "certificate valid" } else { "not encrypted" };
            let seen = format!("{about}: {url}, {addresses} addresses, {secured}, {ms} ms to the first answer");
            let details = json!({ "url": url, "addresses": addresses, "firstAnswerMs": ms });
            if parsed.scheme() == "https" || is_here(&parsed) {
                return Finding::ok("network", seen).with(details);
            }
            Finding::warning("network", seen, "use an https:// URL: what is stored is readable on its way")
                .with(details)
        }
        Err(cause) => Finding::failed("network", format!("{about}: {url}: {}", unanswered(&cause, ANSWER_MAX)))
            .with_next("check the URL, the firewall, and that the certificate is from an authority that this machine trusts"),
    }
}

/// Whether an issuer publishes its discovery document.
async fn discovered(client: &reqwest::Client, issuer: &str) -> Finding {
    let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let next = "check auth.issuer (WORKOS_AUTH_DOMAIN)";
    match client.get(&url).send().await {
        Err(cause) => {
            Finding::failed("issuer", format!("{issuer}: {}", unanswered(&cause, ANSWER_MAX)))
                .with_next(next)
        }
        Ok(answer) if !answer.status().is_success() => {
            let seen = format!("{url} answers with status {}", answer.status().as_u16());
            Finding::failed("issuer", seen).with_next(next)
        }
        Ok(answer) => match answer.json::<serde_json::Value>().await {
            Ok(document) if document["jwks_uri"].is_string() => {
                Finding::ok("issuer", format!("{issuer} publishes its keys"))
                    .with(json!({ "issuer": issuer }))
            }
            _ => Finding::failed(
                "issuer",
                format!("{url} is no discovery document of an OpenID issuer"),
            )
            .with_next(next),
        },
    }
}

/// The number of addresses of a URL's host.
async fn resolved(url: &Url) -> Result<usize, String> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = url.port_or_known_default().unwrap_or(443);
    let found = tokio::time::timeout(ANSWER_MAX, lookup_host((host.clone(), port))).await;
    match found {
        Err(_) => Err(format!("{host} is not resolved within {} s", ANSWER_MAX.as_secs())),
        Ok(Err(cause)) => Err(format!("{host} can't be resolved: {cause}")),
        Ok(Ok(addresses)) => Ok(addresses.count()),
    }
}

fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}
