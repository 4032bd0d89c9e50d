//! An S3 store that breaks a promise: the negative control of the probe.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, MutexGuard};

use bytes::Bytes;
use dotdo_core::sync::Mutex;
use dotdo_core::{S3Config, S3Credentials, StoreConfig};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// Which promise is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// None: an honest store.
    None,
    /// `If-None-Match` is ignored.
    IgnoresCondition,
    /// A put with a condition is answered 501, as B2 answers it.
    HasNoConditions,
    /// The condition is checked first and the object is written later.
    NotAtomic,
    /// The condition fails, and the object is written all the same.
    ReplacesAnyway,
    /// A new object is not found by reads.
    ReadsNothing,
    /// A new object is not listed.
    ListsNothing,
    /// A write is answered and dropped when it has a rival.
    StoresAnother,
    /// No promise is broken, but what is missing is forbidden: so S3 answers those who may list
    /// below a prefix only.
    HidesWhatIsMissing,
    /// Every request is answered 503.
    Away,
    /// Every request is answered 403.
    Forbids,
}

/// A running store; ends with the runtime that it was started on.
pub struct Liar {
    address: SocketAddr,
}

struct State {
    lie: Lie,
    objects: Mutex<BTreeMap<String, Bytes>>,
}

impl Liar {
    /// Starts a store that tells this lie.
    ///
    /// # Panics
    ///
    /// When no port is free.
    pub async fn start(lie: Lie) -> Self {
        let listener =
            TcpListener::bind("127.0.0.1:0").await.expect("the loopback interface has free ports");
        let address = listener.local_addr().expect("a bound listener has an address");
        let state = Arc::new(State { lie, objects: Mutex::default() });
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&state);
                let service =
                    hyper::service::service_fn(move |request| answer(request, Arc::clone(&state)));
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Self { address }
    }

    /// Where it is.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How to reach it.
    pub fn config(&self) -> StoreConfig {
        self.config_below("")
    }

    /// How to reach what is below `prefix`.
    pub fn config_below(&self, prefix: &str) -> StoreConfig {
        StoreConfig::S3(S3Config {
            bucket: "promises".to_owned(),
            prefix: prefix.to_owned(),
            endpoint: Some(format!("http://{}", self.address)),
            credentials: S3Credentials::Unsigned,
            ..S3Config::default()
        })
    }
}

async fn answer(
    request: Request<Incoming>,
    state: Arc<State>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    match state.lie {
        Lie::Away => return Ok(plain(StatusCode::SERVICE_UNAVAILABLE)),
        Lie::Forbids => return Ok(plain(StatusCode::FORBIDDEN)),
        _ => {}
    }
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let key = parts.uri.path().trim_start_matches("/promises").trim_start_matches('/').to_owned();
    let query = parts.uri.query().unwrap_or_default();
    Ok(match parts.method {
        Method::PUT
            if state.lie == Lie::HasNoConditions && parts.headers.contains_key("if-none-match") =>
        {
            let body = "<Error><Code>NotImplemented</Code><Message>A header you provided implies functionality that is not implemented</Message></Error>";
            let mut response = with_body(body.into());
            *response.status_mut() = StatusCode::NOT_IMPLEMENTED;
            response
        }
        Method::PUT => state.put(key, body, parts.headers.contains_key("if-none-match")).await,
        Method::GET if query.contains("list-type=2") => state.list(query),
        Method::GET => state.get(&key),
        Method::DELETE => {
            state.objects().remove(&key);
            plain(StatusCode::NO_CONTENT)
        }
        Method::POST => state.delete(&body),
        _ => plain(StatusCode::METHOD_NOT_ALLOWED),
    })
}

impl State {
    fn objects(&self) -> MutexGuard<'_, BTreeMap<String, Bytes>> {
        self.objects.lock()
    }

    async fn put(&self, key: String, body: Bytes, is_create: bool) -> Response<Full<Bytes>> {
        let is_there = self.objects().contains_key(&key);
        if self.lie == Lie::NotAtomic {
            // Long enough for every rival of a race to check too.
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        let refuses = is_create && is_there && self.lie != Lie::IgnoresCondition;
        if !refuses || self.lie == Lie::ReplacesAnyway {
            let stored = if self.lie == Lie::StoresAnother && key.contains("race") {
                Bytes::from_static(b"another")
            } else {
                body
            };
            self.store(key, stored, is_create);
        }
        plain(if refuses { StatusCode::PRECONDITION_FAILED } else { StatusCode::OK })
    }

    fn store(&self, key: String, body: Bytes, is_create: bool) {
        let mut objects = self.objects();
        if self.lie == Lie::NotAtomic
            || !is_create
            || self.lie == Lie::IgnoresCondition
            || self.lie == Lie::ReplacesAnyway
        {
            objects.insert(key, body);
        } else {
            objects.entry(key).or_insert(body);
        }
    }

    fn get(&self, key: &str) -> Response<Full<Bytes>> {
        let stored = self.objects().get(key).cloned();
        let missing = if self.lie == Lie::HidesWhatIsMissing {
            StatusCode::FORBIDDEN
        } else {
            StatusCode::NOT_FOUND
        };
        stored.filter(|_| self.lie != Lie::ReadsNothing).map_or_else(|| plain(missing), with_body)
    }

    /// Deletes many objects at once, as the S3 operation DeleteObjects does.
    fn delete(&self, body: &Bytes) -> Response<Full<Bytes>> {
        let text = String::from_utf8_lossy(body);
        let keys: Vec<&str> = text
            .split("<Key>")
            .skip(1)
            .filter_map(|rest| Some(rest.split_once("</Key>")?.0))
            .collect();
        for key in &keys {
            self.objects().remove(*key);
        }
        let lines: String =
            keys.iter().map(|key| format!("<Deleted><Key>{key}</Key></Deleted>")).collect();
        with_body(format!("<DeleteResult>{lines}</DeleteResult>").into())
    }

    fn list(&self, query: &str) -> Response<Full<Bytes>> {
        let prefix = query
            .split('&')
            .find_map(|pair| pair.strip_prefix("prefix="))
            .unwrap_or_default()
            .replace("%2F", "/");
        let line = |(key, body): (&String, &Bytes)| {
            let size = body.len();
            format!(
                "<Contents><Key>{key}</Key><LastModified>{TIME}</LastModified><ETag>\"1\"</ETag><Size>{size}</Size></Contents>"
            )
        };
        let is_shown = |entry: &(&String, &Bytes)| {
            entry.0.starts_with(&prefix) && self.lie != Lie::ListsNothing
        };
        let lines: String = self.objects().iter().filter(is_shown).map(line).collect();
        with_body(
            format!("<ListBucketResult><IsTruncated>false</IsTruncated>{lines}</ListBucketResult>")
                .into(),
        )
    }
}

const TIME: &str = "2026-01-01T00:00:00.000Z";

fn plain(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response.headers_mut().insert("etag", http::HeaderValue::from_static("\"1\""));
    response
}

fn with_body(body: Bytes) -> Response<Full<Bytes>> {
    let mut response = plain(StatusCode::OK);
    response
        .headers_mut()
        .insert("last-modified", http::HeaderValue::from_static("Thu, 01 Jan 2026 00:00:00 GMT"));
    *response.body_mut() = Full::new(body);
    response
}

impl std::fmt::Debug for Liar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Liar({})", self.address)
    }
}
