//! The token service of SeaweedFS, and one before it whose keys end soon.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use dotdo_core::sync::Mutex;
use dotdo_core::{S3Credentials, Secret};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::openid::OpenId;

/// The key by which SeaweedFS signs session tokens.
const SIGNING_KEY: &[u8] = b"a signing key that is known here";

/// The prefix below which tenants are.
pub(super) const PREFIX: &str = "production";

/// The configuration of a SeaweedFS that gives keys for tokens of `issuer`.
///
/// The role `server` may use the whole bucket, and any keys may assume it; a role `{org}-{tenant}`
/// may use only what is below `production/{org}/{tenant}/`.
pub(super) fn iam(issuer: &OpenId, bucket: &str, tenants: &[(&str, &str)]) -> Value {
    let all = json!([
        { "Effect": "Allow", "Action": ["s3:*"], "Resource": [format!("arn:aws:s3:::{bucket}"), format!("arn:aws:s3:::{bucket}/*")] },
    ]);
    let of_tenant = |(org, tenant): &(&str, &str)| {
        let below = format!("{PREFIX}/{org}/{tenant}/*");
        let statements = json!([
            { "Effect": "Allow", "Action": ["s3:*"], "Resource": [format!("arn:aws:s3:::{bucket}/{below}")] },
            { "Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": [format!("arn:aws:s3:::{bucket}")],
              "Condition": { "StringLike": { "s3:prefix": [below] } } },
        ]);
        (format!("{org}-{tenant}"), statements)
    };
    let roles: Vec<(String, Value)> =
        [("server".to_owned(), all)].into_iter().chain(tenants.iter().map(of_tenant)).collect();
    let policy = |(name, statements): &(String, Value)| json!({ "name": name, "document": { "Version": "2012-10-17", "Statement": statements } });
    let with_keys = json!({
        "Effect": "Allow",
        "Principal": { "AWS": "*" },
        "Action": ["sts:AssumeRole"],
    });
    let with_tokens = json!({
        "Effect": "Allow",
        "Principal": { "Federated": "tests" },
        "Action": ["sts:AssumeRoleWithWebIdentity"],
    });
    let role = |(name, _): &(String, Value)| {
        let trusted =
            if name == "server" { vec![&with_tokens, &with_keys] } else { vec![&with_tokens] };
        json!({
            "roleName": name,
            "roleArn": arn(name),
            "attachedPolicies": [name],
            "trustPolicy": { "Version": "2012-10-17", "Statement": trusted },
        })
    };
    json!({
        "sts": {
            "tokenDuration": "1h",
            "maxSessionLength": "12h",
            "issuer": "seaweedfs-sts",
            "signingKey": STANDARD.encode(SIGNING_KEY),
        },
        "providers": [{
            "name": "tests",
            "type": "oidc",
            "enabled": true,
            "config": {
                "issuer": issuer.issuer(),
                "clientId": OpenId::AUDIENCE,
                "jwksUri": issuer.keys_url(),
            },
        }],
        "policy": { "defaultEffect": "Deny", "storeType": "memory" },
        "policies": roles.iter().map(policy).collect::<Vec<_>>(),
        "roles": roles.iter().map(role).collect::<Vec<_>>(),
    })
}

pub(super) fn arn(role: &str) -> String {
    format!("arn:aws:iam::role/{role}")
}

/// A token service before that of SeaweedFS, which gives keys for at least a quarter of an hour:
/// it makes them end after seconds. Ends with the runtime that it was started on.
pub struct ShortKeys {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    upstream: String,
    seconds: AtomicU64,
    /// Whether the answer says when the keys end; otherwise it promises an hour.
    is_honest: bool,
    is_away: AtomicBool,
    exchanges: AtomicUsize,
    /// What nobody else may see.
    secrets: Mutex<Vec<String>>,
    given: Mutex<Vec<GivenKeys>>,
}

/// Keys that were given.
#[derive(Debug, Clone)]
pub struct GivenKeys {
    /// The name of their session.
    pub session: String,
    /// They sign requests to the store.
    pub credentials: S3Credentials,
}

impl ShortKeys {
    pub(super) async fn start(upstream: &str, seconds: u64, is_honest: bool) -> Self {
        let listener =
            TcpListener::bind("127.0.0.1:0").await.expect("the loopback interface has free ports");
        let address = listener.local_addr().expect("a bound listener has an address");
        let state = Arc::new(State {
            upstream: upstream.to_owned(),
            seconds: AtomicU64::new(seconds),
            is_honest,
            is_away: AtomicBool::new(false),
            exchanges: AtomicUsize::new(0),
            secrets: Mutex::default(),
            given: Mutex::default(),
        });
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                let service =
                    hyper::service::service_fn(move |request| answer(request, Arc::clone(&state)));
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Self { address, state }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many keys it has given.
    pub fn exchanges(&self) -> usize {
        self.state.exchanges.load(Ordering::SeqCst)
    }

    /// All keys that it has given.
    pub fn given(&self) -> Vec<GivenKeys> {
        self.state.given.lock().clone()
    }

    /// Whether it answers 503.
    pub fn set_away(&self, is_away: bool) {
        self.state.is_away.store(is_away, Ordering::SeqCst);
    }

    /// The secret keys and session tokens that it has given.
    pub fn secrets(&self) -> Vec<String> {
        self.state.secrets.lock().clone()
    }
}

async fn answer(
    request: Request<Incoming>,
    state: Arc<State>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let body = request.into_body().collect().await?.to_bytes();
    let session = session(&String::from_utf8_lossy(&body));
    if state.is_away.load(Ordering::SeqCst) {
        return Ok(plain(StatusCode::SERVICE_UNAVAILABLE, "away".to_owned()));
    }
    let sent = reqwest::Client::new()
        .post(&state.upstream)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body)
        .send()
        .await;
    let Ok(sent) = sent else { return Ok(plain(StatusCode::BAD_GATEWAY, String::new())) };
    let status = sent.status();
    let text = sent.text().await.unwrap_or_default();
    let text = if status.is_success() { state.shortened(&text, session) } else { text };
    Ok(plain(status, text))
}

/// The name of the session that a form asks for.
fn session(form: &str) -> String {
    let url = reqwest::Url::parse(&format!("http://form/?{form}")).expect("a form");
    let mut pairs = url.query_pairs();
    pairs
        .find(|(name, _)| name == "RoleSessionName")
        .map(|(_, text)| text.into_owned())
        .unwrap_or_default()
}

impl State {
    /// The answer, with a session that ends soon.
    fn shortened(&self, answer: &str, name: String) -> String {
        self.exchanges.fetch_add(1, Ordering::SeqCst);
        let part = |name: &str| {
            let (_, rest) = answer.split_once(&format!("<{name}>")).expect("an answer with keys");
            rest.split_once('<').expect("an element ends").0.to_owned()
        };
        let (secret, session, ends) =
            (part("SecretAccessKey"), part("SessionToken"), part("Expiration"));
        let payload = session.split('.').nth(1).expect("a session token is a JWT");
        let payload = URL_SAFE_NO_PAD.decode(payload).expect("base64");
        let mut claims: Value = serde_json::from_slice(&payload).expect("JSON");
        let end = claims["iat"].as_u64().expect("a time") + self.seconds.load(Ordering::SeqCst);
        claims["exp"] = json!(end);
        let short = encode(&Header::default(), &claims, &EncodingKey::from_secret(SIGNING_KEY))
            .expect("claims can be signed");
        self.given.lock().push(GivenKeys {
            session: name,
            credentials: S3Credentials::Keys {
                access_key_id: part("AccessKeyId"),
                secret_access_key: Secret::new(&secret),
                session_token: Some(Secret::new(&short)),
            },
        });
        self.secrets.lock().extend([secret, short.clone()]);
        let answer = answer.replace(&session, &short);
        match self.is_honest {
            true => answer.replace(&ends, &rfc3339(end)),
            false => answer,
        }
    }
}

/// A time in seconds since 1970 as text.
fn rfc3339(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Howard Hinnant's `civil_from_days`, for days since 1970.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_shifted + 2) / 5 + 1;
    let month = if month_shifted < 10 { month_shifted + 3 } else { month_shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    )
}

fn plain(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_they_are_read() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(1_709_210_096), "2024-02-29T12:34:56Z");
    }
}
