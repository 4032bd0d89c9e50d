//! What logs, errors and debug output say of tokens: nothing.

use std::fmt::Debug;
use std::io::Write;
use std::sync::Arc;

use dotdo_core::sync::Mutex;
use serde_json::json;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use wiremock::ResponseTemplate;

use super::provider::{Provider, SigningKey, development_secret};
use super::{attacks, claims};
use crate::auth::IdentitySettings;
use crate::auth::oidc::Verifier;
use crate::telemetry::ask_every_subscriber;

/// All that was logged and shown.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<u8>>>);

impl Said {
    fn note(&self, what: &dyn Debug) {
        let _ = write!(self.clone(), "{what:?}\n{what:#?}\n");
    }

    fn text(&self) -> String {
        let bytes = self.0.lock();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Write for Said {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Said {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// Verifies a token, and notes what is said of it.
async fn tried(verifier: &Verifier, token: &str, said: &Said) {
    match verifier.verify(token).await {
        Ok(verified) => said.note(&verified),
        Err(error) => {
            said.note(&error);
            said.note(&error.to_string());
            said.note(&error.details());
        }
    }
}

/// Meets an issuer that is away on a thread without a subscriber, as other tests do at any time.
fn fail_without_a_subscriber(verifier: &Verifier, token: &str) {
    let failing = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let refused = runtime.expect("a runtime").block_on(verifier.verify(token));
        assert!(refused.is_err(), "the issuer is away");
    };
    std::thread::scope(|threads| threads.spawn(failing).join()).expect("it is refused");
}

/// One thread, so that all that happens here is logged here.
#[tokio::test(flavor = "current_thread")]
async fn nothing_that_is_logged_or_shown_has_a_part_of_a_token_or_a_secret() {
    let said = Said::default();
    let layer = tracing_subscriber::fmt::layer().with_writer(said.clone()).with_ansi(false);
    let subscriber = tracing_subscriber::registry().with(LevelFilter::TRACE).with(layer);
    ask_every_subscriber();
    let _guard = tracing::subscriber::set_default(subscriber);

    let keys = [SigningKey::rsa(1), SigningKey::ec(1), SigningKey::ed(1)];
    let provider = Provider::publishing(&keys).await;
    let secret = development_secret();
    let settings =
        IdentitySettings { development_secret: Some(secret.clone()), ..provider.settings() };
    let mut tokens: Vec<String> =
        keys.iter().map(|key| provider.token(key, &json!({ "tenant_id": "shop" }))).collect();
    let forged = attacks::forged(&provider).into_iter().chain(attacks::malformed(&provider));
    tokens.extend(forged.map(|attack| attack.token));
    let claims = claims::wrong(&provider).into_iter().map(|(claims, _)| claims);
    let claims = claims.chain(claims::tenants().into_iter().map(|(claims, _)| claims));
    tokens.extend(claims.map(|claims| provider.token(&keys[1], &claims)));
    for settings in [&provider.settings(), &settings] {
        let verifier = provider.verifier_with(settings);
        said.note(settings);
        said.note(&verifier);
        for token in &tokens {
            tried(&verifier, token, &said).await;
        }
    }
    let away = provider.verifier_with(&settings);
    provider.answer(ResponseTemplate::new(500), ResponseTemplate::new(500)).await;
    fail_without_a_subscriber(&provider.verifier_with(&settings), &tokens[0]);
    for token in &tokens {
        tried(&away, token, &said).await;
    }

    let text = said.text();
    assert!(text.contains("can't fetch the keys of the issuer"), "the log is captured");
    assert!(text.contains("openid-configuration"), "also the client's, at the level trace");
    assert!(!text.contains(secret.reveal()), "the development secret was shown");
    for token in &tokens {
        // The first part is the same for many tokens, and no secret; the others are.
        for part in token.split('.').skip(1).filter(|part| part.len() > 8) {
            assert!(!text.contains(part), "a part of {token} was shown");
        }
    }
}
