//! `dotdo login` and what uses a login, against a real OpenID provider.

mod deploy;
mod flow;
mod keep;
mod renew;
mod serve;
mod terminal;

use dotdo_tests::{Cli, OpenId};
use serde_json::{Value, json};

/// The claims of an account of the organisation `acme`.
fn acme() -> Value {
    json!({ "org_id": "acme", "tenant_id": "shop", "permissions": ["dotdo:read", "dotdo:write"] })
}

/// A provider, and a user who is logged in there as `ada`.
async fn logged_in() -> (OpenId, Cli) {
    let provider = OpenId::start().await;
    let cli = Cli::new();
    cli.login(&provider, "ada", &acme()).await;
    (provider, cli)
}

/// The access token of a login, as it is kept.
fn access(login: &Value) -> String {
    login["tokens"]["access_token"].as_str().expect("a token").to_owned()
}

/// The refresh token of a login, as it is kept.
fn refresh(login: &Value) -> String {
    login["tokens"]["refresh_token"].as_str().expect("a token").to_owned()
}

/// Changes the times of the default login as if its tokens had been issued five minutes ago and had
/// `left` more seconds.
fn age(cli: &Cli, left: i64) {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.expect("it is after 1970").as_secs().cast_signed();
    cli.change("default", |login| {
        login["tokens"]["issued_at"] = json!(now - 300);
        login["tokens"]["expires_at"] = json!(now + left);
    });
}
