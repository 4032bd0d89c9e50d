//! Sending requests to peers over HTTP/1.1 and the servers' own TLS.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use dotdo_core::{
    Body, Delivery, Error, ErrorKind, Forward, Forwarded, NotTaken, ObjectId, Owner, PeerError,
    Peers, REQUEST_ID_HEADER, Request, Response, SealedCaller, SocketPart,
};
use http::{HeaderName, HeaderValue, Method, StatusCode, Uri, Version, header};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper_rustls::{FixedServerNameResolver, HttpsConnector};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::ServerName;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::envelope::{Envelope, Kind};
use super::held::{Held, Hold, hold};
use super::secrets::Keys;
use super::tls::Identity;
use super::{
    ACCEPT_MAX, CONNECT_MAX, ERROR_BYTES_MAX, IDLE_CONNECTIONS_MAX, IDLE_MAX, PEER_HEADER,
    PING_INTERVAL, PINGS_MISSED_MAX, error_from, headers,
};
use crate::edge::ClientAddress;
use crate::telemetry::pass_on;

/// Sends requests to the servers that own their objects.
pub(super) struct Proxy {
    client: Client<HttpsConnector<HttpConnector>, Held>,
    keys: Keys,
    me: Uuid,
}

/// A pending response.
type Answering =
    Pin<Box<dyn Future<Output = Result<http::Response<Incoming>, ClientError>> + Send>>;

/// A sent request, with the state to take it back or to interpret its response.
struct Call {
    answering: Answering,
    hold: Hold,
    /// The original head of the request.
    head: http::Request<()>,
}

impl Proxy {
    pub(super) fn new(keys: Keys, identity: &Identity, me: Uuid) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_MAX));
        connector.set_nodelay(true);
        connector.enforce_http(false);
        let connector = HttpsConnector::new(
            connector,
            Arc::clone(&identity.client),
            true,
            Arc::new(FixedServerNameResolver::new(nobody())),
        );
        let mut builder = Client::builder(TokioExecutor::new());
        builder
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_MAX)
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX);
        Self { client: builder.build(connector), keys, me }
    }

    /// Sends the head, and holds the body back.
    fn call(&self, owner: &Owner, forward: Forward) -> Result<Call, PeerError> {
        let Some(uri) = self.keys.believed(&owner.address, owner.instance) else {
            let reason = "no server with this secret has said that its owner is there".to_owned();
            return Err(PeerError::NotTaken {
                request: Some(Box::new(forward.request)),
                cause: NotTaken::Unreachable,
                reason,
            });
        };
        let envelope = self.envelope(owner, &forward);
        let (head, body) = forward.request.into_parts();
        let (held, hold) = hold(body);
        let mut request = http::Request::new(held);
        *request.method_mut() = head.method.clone();
        *request.uri_mut() = uri;
        *request.version_mut() = Version::HTTP_11;
        *request.headers_mut() = head.headers.clone();
        let headers = request.headers_mut();
        headers::strip(headers);
        pass_on(headers);
        headers.remove(header::CONTENT_LENGTH);
        for (name, text) in [
            (header::TRANSFER_ENCODING, "chunked"),
            (header::EXPECT, "100-continue"),
            (header::TE, "trailers"),
        ] {
            headers.insert(name, HeaderValue::from_static(text));
        }
        headers.insert(header::CONNECTION, HeaderValue::from_static("te"));
        headers.insert(PEER_HEADER, envelope.sealed());
        let asked = hold.clone();
        hyper::ext::on_informational(&mut request, move |early| {
            if early.status() == StatusCode::CONTINUE {
                asked.release();
            }
        });
        Ok(Call {
            answering: Box::pin(self.client.request(request)),
            hold,
            head: http::Request::from_parts(head, ()),
        })
    }

    fn envelope(&self, owner: &Owner, forward: &Forward) -> Envelope {
        let tenant = forward.object.tenant();
        let named = |object: &ObjectId| (object.class().to_owned(), object.id().to_owned());
        let value = |name: HeaderName| {
            forward.request.headers().get(name).map(|value| value.as_bytes().to_vec())
        };
        let length = value(header::CONTENT_LENGTH)
            .and_then(|text| std::str::from_utf8(&text).ok()?.parse().ok());
        let visited = forward.request_context.visited.iter().cloned().chain([self.me.to_string()]);
        Envelope {
            from: self.me,
            to: owner.instance,
            tenant: (tenant.org().to_owned(), tenant.name().to_owned()),
            object: named(&forward.object),
            uri: forward.request.uri().to_string(),
            host: value(header::HOST),
            length,
            client: forward.request.extensions().get::<ClientAddress>().map(|client| client.0),
            visited: visited.collect(),
            chain: forward.request_context.chain.iter().map(named).collect(),
            hops: forward.request_context.hops,
            delivery: forward.request_context.delivery.as_ref().map(
                |Delivery { sender, number }| {
                    (sender.class().to_owned(), sender.id().to_owned(), *number)
                },
            ),
            caller: forward.request_context.caller.as_ref().map(SealedCaller::new),
            attempt: forward.request_context.attempt,
            socket: forward.request_context.socket.as_ref().map(SocketPart::sealed),
        }
    }

    /// Whether the peer's process still responds.
    async fn is_alive(&self, owner: &Owner) -> bool {
        let (body, open) = hold(Body::empty());
        open.release();
        let mut ping = http::Request::new(body);
        *ping.method_mut() = Method::GET;
        let root = self.keys.believed(&owner.address, owner.instance);
        let Some(uri) = root.and_then(|root| {
            Uri::builder()
                .scheme("https")
                .authority(root.authority()?.clone())
                .path_and_query("/health")
                .build()
                .ok()
        }) else {
            return false;
        };
        *ping.uri_mut() = uri;
        matches!(timeout(PING_INTERVAL, self.client.request(ping)).await, Ok(Ok(_)))
    }

    /// Waits for the response of a peer that has the request, as long as the peer responds to
    /// keep-alives.
    async fn patiently(
        &self,
        owner: &Owner,
        answering: &mut Answering,
    ) -> Result<http::Response<Incoming>, PeerError> {
        let mut missed = 0;
        loop {
            tokio::select! {
                biased;
                answer = &mut *answering => return answer.map_err(|cause| PeerError::Unknown { reason: text(&cause) }),
                () = sleep(PING_INTERVAL) => {}
            }
            let ping = self.is_alive(owner);
            tokio::select! {
                biased;
                answer = &mut *answering => return answer.map_err(|cause| PeerError::Unknown { reason: text(&cause) }),
                is_alive = ping => missed = if is_alive { 0 } else { missed + 1 },
            }
            if missed >= PINGS_MISSED_MAX {
                return Err(PeerError::Unknown {
                    reason: "it does not respond to keep-alives".to_owned(),
                });
            }
        }
    }

    /// Interprets a response that states its kind.
    async fn understand(
        &self,
        name: &str,
        answer: http::Response<Incoming>,
        had_id: bool,
    ) -> Result<Forwarded, PeerError> {
        let (mut head, body) = answer.into_parts();
        headers::strip(&mut head.headers);
        if !had_id {
            head.headers.remove(REQUEST_ID_HEADER);
        }
        if name == Kind::RESPONSE {
            let body = Body::new(body.map_err(|cause| broken(&cause)));
            return Ok(Forwarded::Answered(Ok(Response::from_parts(head, body))));
        }
        let unknown = |cause: &dyn std::fmt::Display| PeerError::Unknown {
            reason: format!("its error ended early: {cause}"),
        };
        let body = Limited::new(body, ERROR_BYTES_MAX)
            .collect()
            .await
            .map_err(|cause| unknown(&cause))?
            .to_bytes();
        Ok(Forwarded::Answered(Err(error_from(name, &head.headers, &body))))
    }
}

#[async_trait]
impl Peers for Proxy {
    async fn send(&self, owner: &Owner, forward: Forward) -> Result<Forwarded, PeerError> {
        let mut call = self.call(owner, forward)?;
        let had_id = call.head.headers().contains_key(REQUEST_ID_HEADER);
        let early = tokio::select! {
            biased;
            answer = &mut call.answering => Some(answer),
            () = call.hold.asked() => None,
            () = sleep(ACCEPT_MAX) => {
                let reason = format!("it did not take it in {} ms", ACCEPT_MAX.as_millis());
                match call.back(NotTaken::Silent, reason) {
                    Some(error) => return Err(error),
                    // It accepted it at the last moment.
                    None => None,
                }
            }
        };
        let answer = match early {
            Some(Ok(answer)) => answer,
            Some(Err(cause)) => return Err(call.failed(&cause)),
            None => self.patiently(owner, &mut call.answering).await?,
        };
        match answer
            .headers()
            .get(PEER_HEADER)
            .map(|name| name.to_str().unwrap_or_default().to_owned())
        {
            Some(name) if name == Kind::NOT_OWNER => Err(call.declined()),
            Some(name) => self.understand(&name, answer, had_id).await,
            None => {
                let status = answer.status().as_u16();
                Err(call.no_answer(NotTaken::Refused, format!("it did not treat the request as one from a server, and answered with status {status}")))
            }
        }
    }
}

impl Call {
    /// The error with the request, which was not accepted; `None` if it was.
    fn back(&mut self, cause: NotTaken, reason: String) -> Option<PeerError> {
        let body = self.hold.withdraw()?;
        let (head, ()) = std::mem::take(&mut self.head).into_parts();
        let request = Some(Box::new(Request::from_parts(head, body)));
        Some(PeerError::NotTaken { request, cause, reason })
    }

    /// The outcome without a response that states its kind: nothing was done unless the body had
    /// been requested.
    fn no_answer(mut self, cause: NotTaken, reason: String) -> PeerError {
        self.back(cause, reason.clone()).unwrap_or(PeerError::Unknown { reason })
    }

    fn failed(self, cause: &ClientError) -> PeerError {
        let why = match cause.is_connect() {
            true if is_unproven(cause) => NotTaken::Unproven,
            true => NotTaken::Unreachable,
            false => NotTaken::Broken,
        };
        self.no_answer(why, text(cause))
    }

    /// The outcome if the peer does not own the object.
    fn declined(mut self) -> PeerError {
        let (cause, reason) = (NotTaken::Declined, "it does not own the object".to_owned());
        self.back(cause, reason.clone()).unwrap_or(PeerError::NotTaken {
            request: None,
            cause,
            reason,
        })
    }
}

fn broken(cause: &hyper::Error) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        format!("the response of the object's owner ended early: {cause}"),
    )
}

/// The server name for TLS. It is neither sent nor checked, because the key is checked.
fn nobody() -> ServerName<'static> {
    ServerName::try_from("server.invalid").expect("this is a name")
}

/// Whether a connection failed because one side rejected the other's authentication.
fn is_unproven(error: &ClientError) -> bool {
    let causes =
        std::iter::successors(Some(error as &(dyn std::error::Error + 'static)), |cause| {
            cause.source()
        });
    let mut inner = causes.flat_map(|cause| [Some(cause), inside(cause)]).flatten();
    inner.any(|cause| cause.is::<rustls::Error>())
}

/// The inner error of an I/O error, which is not among its sources.
fn inside<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> Option<&'a (dyn std::error::Error + 'static)> {
    let mut error =
        error.downcast_ref::<std::io::Error>()?.get_ref()? as &(dyn std::error::Error + 'static);
    while let Some(inner) = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref)
    {
        error = inner;
    }
    Some(error)
}

/// An error with its causes.
fn text(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
