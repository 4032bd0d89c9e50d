//! Calls to objects, of the worker in front and of objects: the request, and what its response says.

use dotdo::engine::{Handshake, SocketConnection};
use dotdo::service::GatewayObjects;
use dotdo::{Error, RemoteObject, Request, Response, Result};

use crate::bodies::Arrived;
use crate::event::{Answer, Call, Failed, Head};
use crate::lines::{Far, Lines};
use crate::wire::{self, Outgoing, texts};

/// Finds an object by its class and id.
type Find = Box<dyn Fn(&str, &str) -> Result<RemoteObject> + Send + Sync>;

/// Who calls.
pub(crate) enum Way {
    /// A request to the worker, for the client that has sent it.
    Worker(GatewayObjects),
    /// An event of an object that has left its turn: other objects by class and id.
    Object(Find),
}

/// The answer of a call.
#[derive(Default)]
pub(crate) struct Called {
    pub(crate) answer: Answer,
    /// The body of its response.
    pub(crate) body: Option<Arrived>,
    /// The error behind it.
    pub(crate) error: Option<Error>,
    /// The other end of the WebSocket with which it was answered.
    pub(crate) accepted: Option<Far>,
}

impl Called {
    /// Keeps the WebSocket with which it was answered, for code to listen to it.
    pub(crate) fn keep(&mut self, lines: &Lines) {
        let Some(far) = self.accepted.take() else { return };
        match lines.keep(self.answer.call, far) {
            Ok(()) => self.answer.socket = Some(self.answer.call),
            Err(error) => {
                let call = self.answer.call;
                self.answer = Answer { call, error: Some(Failed::of(&error)), ..Answer::default() };
                self.error = Some(error);
            }
        }
    }
}

impl Way {
    /// Makes a call, whose number is `id`, and reads its answer.
    pub(crate) async fn call(&self, id: u64, call: Call) -> Called {
        let mut called = match self.answer(call).await {
            Ok(called) => called,
            Err(error) => Called {
                answer: Answer { error: Some(Failed::of(&error)), ..Answer::default() },
                error: Some(error),
                ..Called::default()
            },
        };
        called.answer.call = id;
        called
    }

    async fn answer(&self, Call { about, body }: Call) -> Result<Called> {
        let is_method = about.rpc.is_some();
        let (head, body) = if is_method {
            let url = "http://object/".to_owned();
            let head = Head { url, method: "POST".to_owned(), headers: Vec::new() };
            (head, about.values.into_bytes())
        } else {
            let head = Head { url: about.url, method: about.method, headers: about.headers };
            (head, body.unwrap_or_default())
        };
        let outgoing =
            Outgoing { head: &head, name: about.name.as_deref(), member: about.rpc.as_ref() };
        let response =
            self.send((&about.class, &about.object), outgoing.request(body)?, is_method).await?;
        if response.extensions().get::<SocketConnection>().is_some() {
            let headers = texts(response.headers());
            let status = response.status().as_u16();
            let answer = Answer { status, headers, ..Answer::default() };
            let accepted = Some(Far::Object(response));
            return Ok(Called { answer, accepted, ..Called::default() });
        }
        let calls_back = about.rpc.is_some_and(|member| member.calls_back);
        answered(response, is_method && !calls_back).await
    }

    async fn send(
        &self,
        (class, id): (&str, &str),
        mut request: Request,
        is_method: bool,
    ) -> Result<Response> {
        if !is_method && wire::asks_for_socket(request.headers()) {
            request.extensions_mut().insert(Handshake);
        }
        match self {
            Self::Worker(objects) => objects.fetch(class, id, request).await,
            Self::Object(find) => find(class, id)?.fetch(request).await,
        }
    }
}

/// What a response says. `is_method`: it is that of a method.
async fn answered(response: Response, is_method: bool) -> Result<Called> {
    let (mut parts, body) = response.into_parts();
    let mut answer = Answer { status: parts.status.as_u16(), ..Answer::default() };
    if wire::is_exception(&parts.headers) {
        answer.error = Some(serde_json::from_slice(&body.bytes().await?).unwrap_or_default());
        return Ok(Called { answer, ..Called::default() });
    }
    if is_method {
        answer.text = Some(body.text().await?);
        return Ok(Called { answer, ..Called::default() });
    }
    wire::strip(&mut parts.headers);
    answer.headers = texts(&parts.headers);
    Ok(Called { answer, body: Some(Arrived::of(body).await?), ..Called::default() })
}
