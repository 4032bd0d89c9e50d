//! Targets for fuzzers: tokens, and the documents of issuers.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::authority::{self, Location, StorageClaims};
use super::claims::{Audience, Claims};
use super::keys::KeySet;
use super::token::{Unverified, is_jwt};

/// A time in the tests' year, in milliseconds since 1970.
const NOW_MS: i64 = 1_767_225_600_000;

/// The header of a token, and after a line break its claims.
pub(crate) fn token(data: &[u8]) {
    let at = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (header, claims) = (&data[..at], data.get(at + 1..).unwrap_or_default());
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part));
    let token = format!("{header}.{claims}.AAAA");
    let Ok(unverified) = Unverified::parse(&token) else { return };
    assert!(is_jwt(&token), "a token whose header is understood is one");
    let Ok(claims) = Claims::parse(&unverified.claims) else { return };
    // Each reads other claims; what it refuses does not matter.
    let read = (claims.issuer().is_ok(), claims.subject().is_ok());
    let _ = (read, claims.check_time(NOW_MS), claims.check_audience(&Audience::default()));
    let Ok(tenant) = authority::tenant(Some("partner"), &claims) else { return };
    let segments: Vec<&str> = tenant.prefix().as_str().split('/').collect();
    assert_eq!(segments.len(), 2, "{tenant} is two segments of a key");
    assert!(segments.iter().all(|segment| !["", ".", ".."].contains(segment)), "{tenant}");
    assert!(tenant.org().starts_with("partner:"), "{tenant} is another issuer's");
    let _ = authority::scopes(&claims, &tenant, &[]);
    if let Ok(Some(storage)) = StorageClaims::of(&claims) {
        let _ = Location::new(Some("bucket"), "state").check(Some(&storage), &tenant);
    }
}

/// The keys of an issuer.
pub(crate) fn keys(data: &[u8]) {
    if let Ok(keys) = KeySet::parse(data) {
        assert!(!keys.iter().any(|key| key.verifies("e30.e30", "AAAA")), "it verifies anything");
    }
}
