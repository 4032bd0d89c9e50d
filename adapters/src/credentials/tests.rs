//! Exchanges with services that behave and misbehave, and a store that refuses keys.

mod brokers;
#[cfg(all(feature = "gcs", feature = "azure-blob"))]
mod federations;
mod refused_keys;
mod services;

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dotdo_core::{Result, Secret};

use super::token::TokenSource;

/// A token with these claims; nobody here checks its signature.
fn token(claims: &str) -> Secret {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    Secret::new(format!("{}.{}.{}", part("{\"alg\":\"none\"}"), part(claims), part("hunter2")))
}

/// Gives one token.
struct Fixed(Secret);

#[async_trait]
impl TokenSource for Fixed {
    async fn token(&self) -> Result<Secret> {
        Ok(self.0.clone())
    }

    fn name(&self) -> String {
        "the test".to_owned()
    }
}

fn fixed(claims: &str) -> Arc<dyn TokenSource> {
    Arc::new(Fixed(token(claims)))
}
