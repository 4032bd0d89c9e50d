//! A real OpenID provider on this machine: oidc-provider, with the device flow (RFC 8628), JSON Web
//! Tokens as access tokens, refresh tokens that rotate, revocation, and routes of the tests' own.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::chores::Deadline;
use crate::process::Process;
use crate::tools::node_packages;

const MANIFEST: &str = include_str!("tools/openid/package.json");
const LOCK: &str = include_str!("tools/openid/package-lock.json");
const PROGRAM: &str = include_str!("tools/openid/provider.js");

/// How long it may take to listen.
const START_SECONDS_MAX: u64 = 60;

/// A running OpenID provider. It has a key for each of RS256, ES256 and EdDSA, and one client.
pub struct OpenId {
    process: Process,
    issuer: String,
    client: reqwest::Client,
}

/// A token to be signed with the provider's own keys.
///
/// Usual claims are `iss`, `sub` (`somebody`), `aud` ([`OpenId::AUDIENCE`]), `iat` and `exp` (ten
/// minutes later); usual parts of the header are `alg`, `kid` and `typ` (`at+jwt`). What is given
/// replaces them; `null` leaves one out.
#[derive(Debug, Clone)]
pub struct Token {
    /// The claims.
    pub claims: Value,
    /// What the header says, which may be a lie about how it is signed.
    pub header: Value,
    /// How it is signed: `RS256`, `ES256` or `EdDSA`.
    pub algorithm: &'static str,
}

impl Default for Token {
    fn default() -> Self {
        Self { claims: json!({}), header: json!({}), algorithm: "RS256" }
    }
}

impl OpenId {
    /// The id of its client, which is public: it has no secret.
    pub const CLIENT: &str = "dotdo-cli";
    /// The audience of access tokens, unless a setting says otherwise.
    pub const AUDIENCE: &str = "urn:dotdo";

    /// Starts one on a free port of the loopback interface.
    ///
    /// # Panics
    ///
    /// When it can't be installed or does not start.
    pub async fn start() -> Self {
        let home = node_packages("openid", MANIFEST, LOCK);
        let mut command = Command::new("node");
        command.args(["--input-type=module", "--eval", PROGRAM]).current_dir(home);
        let process = Process::start(&mut command);
        let listens = || async {
            assert!(process.ended().is_none(), "the provider ended:\n{}", process.stderr());
            let said = process.stderr();
            let issuer = said.lines().find_map(|line| line.strip_prefix("listening "));
            issuer.map(str::to_owned)
        };
        let issuer = Deadline::in_seconds(START_SECONDS_MAX)
            .until(listens)
            .await
            .expect("the provider listens within a minute");
        // A server that was stopped, as for an outage, must not hold a test forever.
        // Tests may share it, and a connection ends with the runtime of the test that opened it.
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(60))
            .pool_max_idle_per_host(0)
            .build();
        Self { process, issuer, client: client.expect("a client without options is valid") }
    }

    /// Its URL, such as `http://127.0.0.1:40123`, which is the claim `iss` of its tokens.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Where its public keys are.
    pub fn keys_url(&self) -> String {
        format!("{}/jwks", self.issuer)
    }

    /// A token with `claims` (and the usual ones) that its RS256 key has signed.
    ///
    /// # Panics
    ///
    /// When the provider does not answer.
    pub async fn token(&self, claims: &Value) -> String {
        self.sign(&Token { claims: claims.clone(), ..Token::default() }).await
    }

    /// Signs any token.
    ///
    /// # Panics
    ///
    /// When the provider does not answer.
    pub async fn sign(&self, token: &Token) -> String {
        let Token { claims, header, algorithm } = token;
        let asked = json!({ "claims": claims, "header": header, "alg": algorithm });
        let answer = self.ask("token", &asked).await;
        answer["token"].as_str().expect("a token").to_owned()
    }

    /// Replaces its keys; the old ones are published no more.
    ///
    /// # Panics
    ///
    /// When the provider does not answer.
    pub async fn rotate(&self) {
        self.ask("rotate", &json!({})).await;
    }

    /// Approves the device with this user code as `account`, whose access tokens get `claims` too,
    /// also those that a refresh brings.
    ///
    /// # Panics
    ///
    /// When no device waits with this code.
    pub async fn approve(&self, user_code: &str, account: &str, claims: &Value) {
        let asked = json!({ "userCode": user_code, "account": account, "claims": claims });
        self.ask("approve", &asked).await;
    }

    /// Refuses the device with this user code.
    ///
    /// # Panics
    ///
    /// When no device waits with this code.
    pub async fn deny(&self, user_code: &str) {
        self.ask("deny", &json!({ "userCode": user_code })).await;
    }

    /// Changes settings, which `tools/openid/provider.js` lists, such as `accessSeconds`.
    ///
    /// # Panics
    ///
    /// When the provider does not answer.
    pub async fn set(&self, settings: &Value) {
        self.ask("settings", settings).await;
    }

    /// How often the endpoint at `path` was asked, such as `/token`; `early` counts polls that came
    /// before the interval of their device code was over.
    ///
    /// # Panics
    ///
    /// When the provider does not answer.
    pub async fn asked(&self, path: &str) -> u64 {
        self.ask("asked", &json!({})).await[path].as_u64().unwrap_or_default()
    }

    /// The process, to end or to stop it.
    pub fn process(&self) -> &Process {
        &self.process
    }

    async fn ask(&self, route: &str, asked: &Value) -> Value {
        let url = format!("{}/rig/{route}", self.issuer);
        let answer = self.client.post(url).json(asked).send().await.expect("the provider answers");
        let status = answer.status();
        let text = answer.text().await.expect("the answer arrives");
        assert!(status.is_success(), "{route} is answered {status}: {text}");
        serde_json::from_str(&text).expect("the answer is JSON")
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    /// A part of a token, decoded.
    fn part(token: &str, at: usize) -> Value {
        let part = token.split('.').nth(at).expect("a token has three parts");
        let text = URL_SAFE_NO_PAD.decode(part).expect("a part is base64");
        serde_json::from_slice(&text).expect("a part is JSON")
    }

    async fn post(provider: &OpenId, path: &str, form: &str) -> Value {
        let url = format!("{}{path}", provider.issuer);
        let request = provider.client.post(url).body(form.to_owned());
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        request.send().await.expect("an answer").json().await.expect("JSON")
    }

    #[tokio::test]
    async fn a_device_that_was_approved_gets_tokens_of_its_account_and_a_denied_one_none() {
        let provider = OpenId::start().await;
        let form = format!("client_id={}&scope=openid+offline_access+dotdo:read", OpenId::CLIENT);
        let poll = |device: &Value| {
            let code = device["device_code"].as_str().expect("a code");
            let grant = "urn:ietf:params:oauth:grant-type:device_code";
            format!("client_id={}&grant_type={grant}&device_code={code}", OpenId::CLIENT)
        };
        let device = post(&provider, "/device/auth", &form).await;
        let pending = post(&provider, "/token", &poll(&device)).await;
        assert_eq!(pending["error"], "authorization_pending");

        let code = device["user_code"].as_str().expect("a code");
        provider.approve(code, "ada", &json!({ "org_id": "acme" })).await;
        let tokens = post(&provider, "/token", &poll(&device)).await;
        let claims = part(tokens["access_token"].as_str().expect("a token"), 1);
        assert_eq!(claims["sub"], "ada");
        assert_eq!(claims["org_id"], "acme");
        assert_eq!(claims["scope"], "dotdo:read");
        assert_eq!(claims["iss"], provider.issuer());
        assert_eq!(claims["aud"], OpenId::AUDIENCE);

        let refused = post(&provider, "/device/auth", &form).await;
        provider.deny(refused["user_code"].as_str().expect("a code")).await;
        let answer = post(&provider, "/token", &poll(&refused)).await;
        assert_eq!(answer["error"], "access_denied");
    }

    #[tokio::test]
    async fn tokens_are_signed_as_asked_and_keys_rotate() {
        let provider = OpenId::start().await;
        let keys = async || {
            let answer = provider.client.get(provider.keys_url()).send().await.expect("keys");
            answer.json::<Value>().await.expect("JSON")["keys"].clone()
        };
        let before = keys().await;
        for (at, algorithm) in ["RS256", "ES256", "EdDSA"].into_iter().enumerate() {
            let claims = json!({ "org_id": "acme", "aud": null });
            let token = provider.sign(&Token { claims, algorithm, ..Token::default() }).await;
            let header = part(&token, 0);
            assert_eq!(header["alg"], algorithm);
            assert_eq!(header["kid"], before[at]["kid"]);
            let claims = part(&token, 1);
            assert_eq!(claims["org_id"], "acme");
            assert!(claims.get("aud").is_none() && claims["exp"].is_u64(), "{claims}");
        }
        provider.rotate().await;
        let after = keys().await;
        assert_eq!(after.as_array().map(Vec::len), Some(3));
        assert_ne!(before[0]["kid"], after[0]["kid"]);
        let token = provider.token(&json!({})).await;
        assert_eq!(part(&token, 0)["kid"], after[0]["kid"]);
    }
}
