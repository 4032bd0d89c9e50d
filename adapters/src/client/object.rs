//! An object from the side of a client.

use std::marker::PhantomData;
use std::sync::Arc;

use dotdo_core::{
    AT_HEADER, At, Class, Error, ID_HEADER, IDEMPOTENCY_KEY_HEADER, Message, Random as _, Request,
    Response, Result, TYPE_HEADER, message_answer, message_request, millis,
};
use http::HeaderValue;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use uuid::Builder;

use super::Client;
use super::sending::{Ask, send};
use crate::system::components::OsRandom;

/// What an id may not contain literally when it is the value of a header.
const ESCAPED: &AsciiSet = &CONTROLS.add(b' ').add(b'%');

/// An object, for requests to it ([`Client::object`]).
///
/// ```no_run
/// # async fn balance() -> dotdo::Result<String> {
/// let client = dotdo::client::Client::new("http://127.0.0.1:8787")?;
/// let account = client.object("Account", "ada")?;
/// let request = dotdo::http::Request::get("/balance").body(dotdo::Body::empty())?;
/// account.fetch(request).await?.into_body().text().await
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct ClientObject {
    client: Client,
    class: Arc<str>,
    id: Arc<str>,
    at: Option<At>,
}

impl ClientObject {
    pub(super) fn new(client: Client, class: &str, id: &str) -> Self {
        Self { client, class: class.into(), id: id.into(), at: None }
    }

    /// The object at an earlier time: GET and HEAD requests are answered from that state, and no
    /// others are.
    #[must_use]
    pub fn at(mut self, at: At) -> Self {
        self.at = Some(at);
        self
    }

    /// Sends `request`, whose URI is the path at the object, and returns the response.
    ///
    /// It is sent again, as long as the timeout allows, when the server can't be reached or refuses
    /// it for a reason that passes. So that it is executed once all the same, it gets an
    /// `Idempotency-Key`, unless it has one or its method promises to change nothing (GET, HEAD,
    /// OPTIONS). With a key, the response is limited to 1 MiB and stored in the object.
    ///
    /// # Errors
    ///
    /// The error of the object's handler or of the server, with its kind, code and details.
    /// `Unavailable` (code `SERVER_UNREACHABLE`) when nothing was executed; `Unknown` when that is not
    /// known: the details have the `idempotencyKey` with which the request can be sent again. A
    /// status that the class itself has chosen is no error, except for 429, 502, 503 and 504, which
    /// are what proxies answer.
    pub async fn fetch(&self, request: Request) -> Result<Response> {
        let (mut head, body) = request.into_parts();
        let body = body.bytes().await?;
        let is_safe = head.method.is_safe();
        if !is_safe && self.client.timing.repeats {
            let own = || key_value(&Builder::from_random_bytes(OsRandom.bytes16()).into_uuid());
            head.headers.entry(IDEMPOTENCY_KEY_HEADER).or_insert_with(own);
        }
        self.send(head, body).await
    }

    async fn send(&self, mut head: http::request::Parts, body: bytes::Bytes) -> Result<Response> {
        let id = utf8_percent_encode(&self.id, ESCAPED).to_string();
        let header = |text: &str| {
            HeaderValue::try_from(text).map_err(|cause| Error::invalid(cause.to_string()))
        };
        head.headers.insert(ID_HEADER, header(&id)?);
        head.headers.insert(TYPE_HEADER, header(&self.class)?);
        if let Some(at) = self.at {
            let at = match at {
                At::Sequence(sequence) => sequence.to_string(),
                At::TimeMs(at_ms) => millis::text(at_ms),
            };
            head.headers.insert(AT_HEADER, header(&at)?);
        }
        self.client.authorize(&mut head.headers);
        send(&self.client, Ask { head, body }).await
    }

    /// A name for messages.
    fn name(&self) -> String {
        format!("{}/{}", self.class, self.id.escape_debug())
    }
}

/// The value of an `Idempotency-Key`.
fn key_value(key: &uuid::Uuid) -> HeaderValue {
    HeaderValue::try_from(format!("\"{key}\"")).expect("a UUID is ASCII")
}

/// An object of the class `C`, for calls to it ([`Client::stub`]): for other programs, what a
/// [`Stub`](crate::Stub) is for objects.
///
/// ```no_run
/// # use dotdo::{Class, Message, Result};
/// # use dotdo::client::Client;
/// # async fn pay<Account: Class, Deposit: Message<Class = Account>>(deposit: Deposit) -> Result<Deposit::Answer> {
/// let client = Client::new("https://objects.example.com")?;
/// let account = client.stub::<Account>("ada")?;
/// account.call(&deposit).await
/// # }
/// ```
pub struct ClientStub<C> {
    object: ClientObject,
    class: PhantomData<fn() -> C>,
}

impl<C: Class> ClientStub<C> {
    pub(super) fn new(object: ClientObject) -> Self {
        Self { object, class: PhantomData }
    }

    /// Sends a message, and waits for the answer, which is durable when it arrives. The message is
    /// executed once, however often it has to be sent ([`ClientObject::fetch`]).
    ///
    /// # Errors
    ///
    /// Those of [`Stub::call`](crate::Stub::call) and of [`ClientObject::fetch`].
    pub async fn call<M: Message<Class = C>>(&self, message: &M) -> Result<M::Answer> {
        self.answered::<M>(message_request(message)?).await
    }

    /// The same, with a key that identifies the call. The program can make the call again with the
    /// same key, after it was restarted as well, and gets the answer of the first time.
    ///
    /// ```no_run
    /// # use dotdo::{Class, Message, Result};
    /// # async fn pay<M: Message>(account: dotdo::client::ClientStub<M::Class>, deposit: M, invoice: u64) -> Result<M::Answer> {
    /// account.call_once(&format!("invoice-{invoice}"), &deposit).await
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`ClientStub::call`]; `Invalid` when it is no key; `KeyReused` when the key was used
    /// for another message.
    pub async fn call_once<M: Message<Class = C>>(
        &self,
        key: &str,
        message: &M,
    ) -> Result<M::Answer> {
        let quoted = key.replace('\\', "\\\\").replace('"', "\\\"");
        let value = HeaderValue::try_from(format!("\"{quoted}\"")).map_err(|_| {
            Error::invalid("expected a key of visible characters").with_code("BAD_IDEMPOTENCY_KEY")
        })?;
        let mut request = message_request(message)?;
        request.headers_mut().insert(IDEMPOTENCY_KEY_HEADER, value);
        self.answered::<M>(request).await
    }

    /// Sends a message that changes nothing, and waits for the answer. It gets no key, so that it
    /// costs no record, and is sent again all the same; a message that does change something may be
    /// executed several times.
    ///
    /// # Errors
    ///
    /// Those of [`ClientStub::call`].
    pub async fn ask<M: Message<Class = C>>(&self, message: &M) -> Result<M::Answer> {
        let (mut head, body) = message_request(message)?.into_parts();
        head.extensions.insert(super::sending::ChangesNothing);
        let response = self.object.send(head, body.bytes().await?).await?;
        message_answer::<M>(self.object.name(), response).await
    }

    /// Sends any request ([`ClientObject::fetch`]).
    ///
    /// # Errors
    ///
    /// Those of [`ClientObject::fetch`].
    pub async fn fetch(&self, request: Request) -> Result<Response> {
        self.object.fetch(request).await
    }

    async fn answered<M: Message<Class = C>>(&self, request: Request) -> Result<M::Answer> {
        let response = self.object.fetch(request).await?;
        message_answer::<M>(self.object.name(), response).await
    }
}

impl<C> Clone for ClientStub<C> {
    fn clone(&self) -> Self {
        Self { object: self.object.clone(), class: PhantomData }
    }
}

impl<C> std::fmt::Debug for ClientStub<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(&self.object, f)
    }
}
