//! Tokens of an issuer that a test plays, and what becomes of them.

mod attacks;
mod broken;
mod claims;
mod confidential;
mod mutations;
pub(crate) mod provider;

use dotdo_core::Scopes;
use serde_json::json;

use self::provider::{Provider, SigningKey};

#[tokio::test]
async fn a_token_of_each_algorithm_is_verified_and_makes_a_caller() {
    let keys = [SigningKey::rsa(1), SigningKey::ec(1), SigningKey::ed(1)];
    let provider = Provider::publishing(&keys).await;
    let verifier = provider.verifier();
    for key in &keys {
        let token = provider.token(key, &json!({ "org_id": "acme", "tenant_id": "shop" }));
        let verified = verifier.verify(&token).await.expect("a valid token");
        assert_eq!(verified.caller.subject(), Some("user_1"));
        let tenant = verified.caller.tenant();
        assert_eq!((tenant.org(), tenant.name()), ("acme", "shop"));
        assert_eq!(verified.expires_ms, provider.now_ms() + 300_000);
        assert_eq!(verified.storage, None);
        assert_eq!(verified.caller.scopes(), Scopes::USER);
    }
    assert_eq!(provider.requests().await, 2, "the keys were fetched once");
}

#[tokio::test]
async fn a_verification_is_remembered_for_a_minute_at_most() {
    let key = SigningKey::ec(1);
    let provider = Provider::publishing(std::slice::from_ref(&key)).await;
    let verifier = provider.verifier();
    let long = provider.token(&key, &json!({ "org_id": "acme" }));
    let short = provider.token(&key, &json!({ "exp": provider.seconds(10) }));
    for token in [&long, &short] {
        assert!(verifier.remembered(token).is_none());
        verifier.verify(token).await.expect("a valid token");
        assert!(verifier.remembered(token).is_some());
    }
    let other = long.replace('.', ". ");
    assert!(verifier.remembered(&other).is_none(), "only the same token is remembered");
    provider.advance(10);
    assert!(verifier.remembered(&short).is_none(), "it has expired");
    assert!(verifier.remembered(&long).is_some());
    provider.advance(50);
    assert!(verifier.remembered(&long).is_none());
}
