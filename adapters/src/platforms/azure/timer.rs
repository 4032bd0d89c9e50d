//! The host's own timer: the invocations of a timer trigger, each of which is a tick.
//!
//! They come on the same port as requests of clients, and where the host proxies HTTP, a client
//! chooses its path and its body. But the host adds to each request that it passes on the id of its
//! invocation, and its front end the client's address; an invocation of its own has neither
//! (`DefaultHttpWorkerService` and `DefaultHttpProxyService` in the source of the Functions host).

use std::sync::Arc;
use std::time::Duration;

use dotdo_core::{Error, Response, SocketConnection};
use http::{HeaderValue, Method, header, request};
use http_body_util::{BodyExt, Limited};
use serde_json::Value;

use crate::edge::{ClientAddress, Edge, Objects, RequestBody};
use crate::server::Front;

/// The path of the invocations: the folder of the function with the timer trigger.
const PATH: &str = "/tick";

/// The name of the trigger in function.json.
const TRIGGER: &str = "timer";

/// A header of every invocation.
const INVOCATION: &str = "x-azure-functions-invocationid";

/// Headers of what the host passes on for a client.
const OF_CLIENTS: [&str; 2] = ["x-ms-invocation-id", "x-forwarded-for"];

/// Maximum size of a timer's payload, in bytes: it has some dates.
const PAYLOAD_BYTES_MAX: usize = 64 << 10;

/// What the host makes of an answer: it warns of one without outputs or a return value.
const DONE: &str = r#"{"Outputs":{"status":"ok"},"Logs":[],"ReturnValue":"ok"}"#;

/// A wrapper around a front that answers the host's timer itself.
pub(crate) struct Timed<O, F> {
    edge: Arc<Edge<O>>,
    front: Arc<F>,
}

impl<O: Objects, F: Front<Objects = O>> Timed<O, F> {
    /// Wraps `front`, whose requests `edge` answers.
    pub(crate) fn new(edge: Arc<Edge<O>>, front: Arc<F>) -> Self {
        Self { edge, front }
    }

    async fn tick<B: RequestBody>(&self, body: B) -> Result<(), Error> {
        let bad = |text: String| Error::invalid(text).with_code("BAD_INVOCATION");
        let payload = Limited::new(body, PAYLOAD_BYTES_MAX).collect().await;
        let payload = payload.map_err(|cause| bad(format!("cannot read the payload: {cause}")))?;
        let payload: Value = serde_json::from_slice(&payload.to_bytes()).unwrap_or_default();
        // What it says of the schedule does not matter.
        if payload["Data"][TRIGGER].is_null() {
            let text = format!("expected an invocation by a timer trigger named {TRIGGER}");
            return Err(bad(text));
        }
        self.edge.tick().await
    }
}

impl<O: Objects, F: Front<Objects = O>> Front for Timed<O, F> {
    type Objects = O;

    fn objects(&self) -> &O {
        self.front.objects()
    }

    fn count(
        &self,
        connection: &SocketConnection,
        client: Option<ClientAddress>,
    ) -> Option<Duration> {
        self.front.count(connection, client)
    }

    async fn answer<B: RequestBody>(&self, request: http::Request<B>) -> Response {
        let (head, body) = request.into_parts();
        if !is_of_timer(&head) {
            return self.front.answer(http::Request::from_parts(head, body)).await;
        }
        match self.tick(body).await {
            Ok(()) => {
                let mut response = Response::new(DONE.into());
                let json = HeaderValue::from_static("application/json");
                response.headers_mut().insert(header::CONTENT_TYPE, json);
                response
            }
            Err(error) => self.edge.refuse(&head, error),
        }
    }
}

/// Whether the host's timer has sent a request, and no client.
fn is_of_timer(head: &request::Parts) -> bool {
    head.method == Method::POST
        && head.uri.path() == PATH
        && head.headers.contains_key(INVOCATION)
        && !OF_CLIENTS.iter().any(|name| head.headers.contains_key(*name))
}
