//! Issuers of tokens, and who may choose them.

use super::*;

const LONG: &str = "0123456789abcdef0123456789abcdef";

fn issuers(pairs: &[(&str, &str)]) -> Vec<String> {
    resolved(&environment(pairs)).config.edge.auth.identity.issuers
}

#[test]
fn workos_s_variable_is_an_issuer_and_ours_wins() {
    let workos = ("WORKOS_AUTH_DOMAIN", "auth.example.com");
    assert_eq!(issuers(&[workos]), ["auth.example.com"]);
    assert_eq!(issuers(&[("WORKOS_AUTH_DOMAIN", "https://h")]), ["https://h"]);
    assert_eq!(issuers(&[workos, ("DOTDO_AUTH_ISSUER", "https://h")]), ["https://h"]);
    assert_eq!(
        issuers(&[("DOTDO_AUTH_ISSUER", "https://a, b=https://b")]),
        ["https://a", "b=https://b"]
    );
    let wrong = refusal(&environment(&[("WORKOS_AUTH_DOMAIN", "http://auth.example.com")]));
    assert_eq!(
        wrong,
        "WORKOS_AUTH_DOMAIN: expected none or a comma-separated list of OpenID issuers, such as https://auth.example.com, or \
         name=https://auth.example.com, got \"http://auth.example.com\""
    );
}

#[test]
fn contradictions_between_issuers_stop_the_start() {
    for (pairs, expected) in [
        (
            &[("DOTDO_AUTH_ISSUER", "https://a,https://b")][..],
            "auth.issuer: expected at most one issuer without a name, got two; write name=https://… so that their organisations differ",
        ),
        (
            &[("DOTDO_AUTH_AUDIENCE", "api")],
            "auth.audience is set but auth.issuer is not; set the issuer of the tokens",
        ),
        (
            &[("DOTDO_AUTH_DEVELOPMENT_SECRET", SECRET)],
            "auth.development_secret: expected at least 32 bytes, got fewer (value not shown); to generate one, run `openssl rand -hex 32`",
        ),
        (
            &[
                ("DOTDO_AUTH_DEVELOPMENT_SECRET", LONG),
                ("DOTDO_STORAGE", "s3://b"),
                ("VERCEL", "1"),
            ],
            "auth.development_secret is for development on loopback, and the platform is vercel; unset it, and set auth.issuer",
        ),
    ] {
        assert_eq!(refusal(&environment(pairs)), expected);
    }
    let Resolved { config, .. } =
        resolved(&environment(&[("DOTDO_AUTH_DEVELOPMENT_SECRET", LONG)]));
    assert!(!format!("{config:?}").contains(LONG), "it is not shown");
}
