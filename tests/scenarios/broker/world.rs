//! A provider, a store, a broker, and clients of all three.

use std::sync::OnceLock;

use bytes::Bytes;
use dotdo_core::sync::Mutex;
use dotdo_core::{AwsSigner, Bucket, S3Config, S3Credentials, Secret, StoreConfig};
use dotdo_tests::{OpenId, Seaweed, Server, Setup, open, runtime, unique};
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};

/// The prefix of the location, within the bucket.
pub(super) const ROOT: &str = "root/state";

/// The token that reads the metrics.
pub(super) const OPERATOR: &str = "operator-0123456789-0123456789-0123456789";

/// Everything that the broker needs, and the broker.
pub(super) struct World {
    pub(super) openid: OpenId,
    pub(super) seaweed: Seaweed,
    pub(super) broker: Server,
    client: reqwest::Client,
    secrets: Mutex<Vec<String>>,
}

/// An answer of the broker.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: http::HeaderMap,
    pub(super) body: Value,
}

/// Keys that the broker has issued, as a client of the store.
pub(super) struct Client {
    signer: AwsSigner,
    http: reqwest::Client,
    endpoint: String,
    pub(super) config: S3Config,
}

/// An answer of the store.
pub(super) struct Stored {
    pub(super) status: StatusCode,
    pub(super) text: String,
}

impl World {
    /// The one that all tests share; each uses organisations of its own.
    pub(super) fn shared() -> &'static Self {
        static SHARED: OnceLock<World> = OnceLock::new();
        SHARED.get_or_init(|| {
            std::thread::scope(|scope| scope.spawn(|| runtime().block_on(Self::start())).join())
                .expect("the broker starts")
        })
    }

    async fn start() -> Self {
        let openid = OpenId::start().await;
        let seaweed = Seaweed::trusting(&openid, &[]).await;
        let broker = setup(&openid, &seaweed).start().await;
        // A connection ends with the runtime of the test that opened it.
        let client = reqwest::Client::builder().pool_max_idle_per_host(0).build();
        let client = client.expect("a client without TLS options is valid");
        Self { openid, seaweed, broker, client, secrets: Mutex::new(Vec::new()) }
    }

    /// What must appear nowhere.
    pub(super) fn secrets(&self) -> Vec<String> {
        self.secrets.lock().clone()
    }

    pub(super) fn keep_secret(&self, text: &str) {
        self.secrets.lock().push(text.to_owned());
    }

    /// The token of a login of `subject`, a member of `org` and its tenant `shop`.
    pub(super) async fn login(&self, org: &str, subject: &str) -> String {
        self.token(&json!({ "sub": subject, "org_id": org, "tenant_id": "shop" })).await
    }

    /// A token with these claims.
    pub(super) async fn token(&self, claims: &Value) -> String {
        let token = self.openid.token(claims).await;
        self.keep_secret(&token);
        token
    }

    /// Sends a request to the broker.
    pub(super) async fn ask(
        &self,
        (method, path): (Method, &str),
        token: &str,
        body: Option<&Value>,
    ) -> Answer {
        self.ask_at(&self.broker, (method, path), token, body).await
    }

    /// Sends a request to another broker.
    pub(super) async fn ask_at(
        &self,
        broker: &Server,
        (method, path): (Method, &str),
        token: &str,
        body: Option<&Value>,
    ) -> Answer {
        let request = self.client.request(method, broker.url(path)).bearer_auth(token);
        let request = body.iter().fold(request, |request, body| request.json(body));
        let answer = request.send().await.expect("the broker answers");
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await.expect("the answer arrives");
        let body: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
        for name in ["secretAccessKey", "sessionToken", "token"] {
            body[name].as_str().iter().for_each(|secret| self.keep_secret(secret));
        }
        Answer { status, headers, body }
    }

    /// Exchanges a token.
    pub(super) async fn exchange(&self, token: &str, access: &str) -> Answer {
        let body = json!({ "access": access });
        self.ask((Method::POST, "/v1/credentials"), token, Some(&body)).await
    }

    /// A client of the store with the keys of a token.
    pub(super) async fn client(&self, token: &str, access: &str) -> Client {
        let answer = self.exchange(token, access).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        Client::of(&answer.body)
    }

    /// Issues a deploy token: its id and its text.
    pub(super) async fn deploy_token(&self, login: &str, name: &str) -> (String, String) {
        let body = json!({ "name": name });
        let answer = self.ask((Method::POST, "/v1/deploy-tokens"), login, Some(&body)).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let text = |name: &str| answer.body[name].as_str().expect("text").to_owned();
        (text("id"), text("token"))
    }

    /// The whole bucket, with keys for all of it.
    pub(super) fn bucket(&self) -> std::sync::Arc<dyn Bucket> {
        open(&self.seaweed.config("")).expect("the configuration is good")
    }
}

/// A broker for these.
pub(super) fn setup(openid: &OpenId, seaweed: &Seaweed) -> Setup {
    let setup = Setup::broker(&format!("s3://{}/{ROOT}", seaweed.bucket()))
        .env("DOTDO_AUTH_ISSUER", openid.issuer())
        .env("DOTDO_AUTH_AUDIENCE", OpenId::AUDIENCE)
        .env("DOTDO_AUTH_TOKENS", OPERATOR)
        .env("DOTDO_BROKER_ROLE_ARN", Seaweed::SERVER_ROLE)
        .env("DOTDO_BROKER_REQUESTS_PER_ADDRESS", "0")
        .env("DOTDO_LOG_LEVEL", "trace,h2=trace,hyper=trace,hyper_util=trace,object_store=trace,reqwest=trace,rustls=trace");
    seaweed.environment().into_iter().fold(setup, |setup, (name, value)| setup.env(name, value))
}

/// An organisation that no other test has.
pub(super) fn organisation(name: &str) -> String {
    format!("{name}-{}", unique().simple())
}

/// The prefix of the keys of an organisation's tenant `shop` in the bucket.
pub(super) fn prefix(org: &str) -> String {
    format!("{ROOT}/{org}/shop/")
}

impl Client {
    pub(super) fn of(body: &Value) -> Self {
        let text = |name: &str| body[name].as_str().expect(name).to_owned();
        let config = S3Config {
            bucket: text("bucket"),
            prefix: text("prefix"),
            region: Some(text("region")),
            endpoint: Some(text("endpoint")),
            credentials: S3Credentials::Keys {
                access_key_id: text("accessKeyId"),
                secret_access_key: Secret::new(text("secretAccessKey")),
                session_token: Some(Secret::new(text("sessionToken"))),
            },
        };
        let signer = AwsSigner::new(&config).expect("keys can sign");
        Self { signer, http: reqwest::Client::new(), endpoint: text("endpoint"), config }
    }

    /// The store as a server with these keys sees it.
    pub(super) fn store(&self) -> std::sync::Arc<dyn Bucket> {
        open(&StoreConfig::S3(self.config.clone())).expect("the configuration is good")
    }

    /// Sends a signed request to a path of the store, with a header.
    pub(super) async fn send(
        &self,
        (method, path): (&str, &str),
        (header, value): (&str, &str),
        body: &str,
    ) -> Stored {
        self.send_to("s3", (method, path), (header, value), body).await
    }

    /// Sends a request that is signed for another service than `s3`.
    pub(super) async fn send_to(
        &self,
        service: &str,
        (method, path): (&str, &str),
        (header, value): (&str, &str),
        body: &str,
    ) -> Stored {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.endpoint))
            .body(Bytes::copy_from_slice(body.as_bytes()))
            .expect("a request");
        if !header.is_empty() {
            let name = http::HeaderName::try_from(header).expect("a header");
            request.headers_mut().insert(name, value.parse().expect("a value"));
        }
        let signed = self.signer.sign(request, service, "us-east-1").await.expect("signed");
        let request = reqwest::Request::try_from(signed).expect("a URL");
        let answer = self.http.execute(request).await.expect("the store answers");
        Stored { status: answer.status(), text: answer.text().await.unwrap_or_default() }
    }
}
