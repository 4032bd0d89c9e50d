//! Changes to a valid token.

use dotdo_core::ErrorKind;
use proptest::prelude::*;
use serde_json::json;

use super::provider::{Provider, SigningKey};

/// What is done to a token.
#[derive(Debug, Clone)]
enum Change {
    Replace(u8),
    Insert(u8),
    Remove,
    Flip(u8),
    CutOff,
}

fn changes() -> impl Strategy<Value = Vec<(prop::sample::Index, Change)>> {
    let letter = prop::sample::select(
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/".to_vec(),
    );
    let change = prop_oneof![
        4 => letter.clone().prop_map(Change::Replace),
        1 => letter.prop_map(Change::Insert),
        1 => Just(Change::Remove),
        2 => (0u8..7).prop_map(Change::Flip),
        1 => Just(Change::CutOff),
    ];
    prop::collection::vec((any::<prop::sample::Index>(), change), 1..4)
}

fn changed(token: &str, changes: &[(prop::sample::Index, Change)]) -> String {
    let mut bytes = token.as_bytes().to_vec();
    for (at, change) in changes {
        if bytes.is_empty() {
            break;
        }
        let at = at.index(bytes.len());
        match change {
            Change::Replace(letter) => bytes[at] = *letter,
            Change::Insert(letter) => bytes.insert(at, *letter),
            Change::Remove => drop(bytes.remove(at)),
            Change::Flip(bit) => bytes[at] ^= 1 << bit,
            Change::CutOff => bytes.truncate(at),
        }
    }
    String::from_utf8(bytes).expect("ASCII stays ASCII")
}

#[test]
fn no_change_of_a_token_makes_another_caller() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime for the test");
    let keys = [SigningKey::rsa(1), SigningKey::ec(1), SigningKey::ed(1)];
    let provider = runtime.block_on(Provider::publishing(&keys));
    let verifier = provider.verifier();
    let originals = keys.each_ref().map(|key| {
        let token = provider.token(key, &json!({ "tenant_id": "shop" }));
        let verified = runtime.block_on(verifier.verify(&token)).expect("a valid token");
        (token, verified)
    });
    proptest!(|(changes in changes(), number in 0usize..3)| {
        let (token, original) = &originals[number];
        let changed = changed(token, &changes);
        match runtime.block_on(verifier.verify(&changed)) {
            Ok(verified) => {
                prop_assert_eq!(&verified.caller, &original.caller, "{}", changed);
                prop_assert_eq!(verified.expires_ms, original.expires_ms);
            }
            Err(error) => {
                prop_assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{:?}", error);
            }
        }
    });
}
