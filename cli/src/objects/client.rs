//! A client for the routes of administration (docs/design/0026-administration.md), of a server or in
//! this process on a bucket.
//!
//! Promises: Ctrl-C ends whatever waits; an answer that is no success is a [`Failure`] that says what
//! to do.
//! Must not know: what the commands do with the answers.

mod ask;
mod mounted;
mod refusal;
mod server;
mod stop;

use std::time::Duration;

use dotdo::Body;
use dotdo::commands::LoginSettings;
use dotdo::http::{HeaderMap, Response};
use http_body_util::BodyExt as _;
use indicatif::ProgressBar;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

pub(crate) use self::ask::Ask;
use self::mounted::Mounted;
use self::refusal::{Refusal, refused};
use self::server::Server;
use self::stop::Stop;
use super::options::Where;
use crate::failure::Failure;

/// How often a request that may be repeated is sent at most when the server is busy.
const TRIES_MAX: u32 = 5;
/// How long to wait before the next try at most, whatever the server says.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// Maximum length of a line of a response that comes in lines, in bytes.
const LINE_BYTES_MAX: usize = 16 << 20;

/// Sends requests to the routes, one at a time.
pub(crate) struct Client {
    runtime: tokio::runtime::Runtime,
    way: Option<Way>,
    stop: Stop,
    /// What stands before every path: empty, or that of a tenant.
    prefix: String,
}

/// How requests reach the routes.
enum Way {
    /// Over HTTP.
    Server(Server),
    /// In this process.
    Bucket(Mounted),
}

impl Client {
    /// A client for the place that the options and the settings name.
    pub(super) fn new(place: &Where, settings: &LoginSettings) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|cause| Failure::of("cannot start", cause))?;
        let stop = Stop::watch(&runtime);
        let url = place.server.clone().or_else(|| settings.server.clone());
        let way = match url.filter(|_| place.storage.is_none()) {
            Some(url) => Way::Server(Server::new(&url, place, settings)?),
            None => {
                let mounting = Mounted::new(place.storage.clone());
                Way::Bucket(runtime.block_on(stop.or(mounting))?)
            }
        };
        let prefix = place
            .tenant
            .as_ref()
            .map(|tenant| ask::path(&["tenants", &tenant.organisation, &tenant.name]));
        Ok(Self { runtime, way: Some(way), stop, prefix: prefix.unwrap_or_default() })
    }

    /// Whether requests go to a server.
    pub(crate) fn has_server(&self) -> bool {
        matches!(self.way, Some(Way::Server(_)))
    }

    /// The response as JSON, read.
    ///
    /// # Errors
    ///
    /// Those of the routes.
    pub(crate) fn json<T: DeserializeOwned>(&self, ask: &Ask) -> Result<T, Failure> {
        self.answer(ask)?.read()
    }

    /// The response as JSON, as it was written.
    ///
    /// # Errors
    ///
    /// Those of the routes.
    pub(crate) fn answer(&self, ask: &Ask) -> Result<Answer, Failure> {
        let (_, bytes) = self.bytes(ask, &ProgressBar::hidden())?;
        serde_json::from_slice(&bytes).map(Answer).map_err(unexpected)
    }

    /// The head and the whole body of the response. `progress` counts the bytes.
    ///
    /// # Errors
    ///
    /// Those of the routes.
    pub(crate) fn bytes(
        &self,
        ask: &Ask,
        progress: &ProgressBar,
    ) -> Result<(HeaderMap, Vec<u8>), Failure> {
        let outcome = self.wait(async {
            let (head, mut body) = self.send(ask).await?.into_parts();
            let mut bytes = Vec::new();
            while let Some(part) = next_part(&mut body).await? {
                bytes.extend_from_slice(&part);
                progress.inc(part.len() as u64);
            }
            Ok((head.headers, bytes))
        });
        match outcome {
            Err(Failure::Interrupted) if ask.changes => Err(Failure::Failed(
                "interrupted; the change is done as a whole or not at all, and `dotdo inspect` shows the newest record".to_owned(),
            )),
            outcome => outcome,
        }
    }

    /// Gives each line of the response to `line`, as it arrives.
    ///
    /// # Errors
    ///
    /// Those of the routes and of `line`, which ends it.
    pub(crate) fn lines(
        &self,
        ask: &Ask,
        mut line: impl FnMut(&str) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.wait(async {
            let mut body = self.send(ask).await?.into_body();
            let mut buffer = Vec::new();
            while let Some(part) = next_part(&mut body).await? {
                buffer.extend_from_slice(&part);
                while let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
                    let whole: Vec<u8> = buffer.drain(..=end).collect();
                    line(String::from_utf8_lossy(&whole).trim_end())?;
                }
                if buffer.len() > LINE_BYTES_MAX {
                    return Err(Failure::Failed(
                        "the server sends a line without an end".to_owned(),
                    ));
                }
            }
            match String::from_utf8_lossy(&buffer).trim_end() {
                "" => Ok(()),
                rest => line(rest),
            }
        })
    }

    /// Waits for `work`, unless the user ends it.
    fn wait<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        self.runtime.block_on(self.stop.or(work))
    }

    /// Fails when the user has ended the command, between two requests or in a long computation.
    ///
    /// # Errors
    ///
    /// `Interrupted`.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        if self.stop.is_asked() { Err(Failure::Interrupted) } else { Ok(()) }
    }

    /// Ctrl-C after this call ends only what begins after it, as in a prompt.
    pub(crate) fn forgive(&self) {
        self.stop.forget();
    }

    /// The response of a success. What may be repeated is sent again while the server is busy.
    async fn send(&self, ask: &Ask) -> Result<Response<Body>, Failure> {
        let mut tries = 1;
        loop {
            let way = self.way.as_ref().expect("a client has a way until it is dropped");
            let response = match way {
                Way::Server(server) => server.send(ask, &self.prefix).await?,
                Way::Bucket(mounted) => mounted.send(ask, &self.prefix).await?,
            };
            if response.status().is_success() {
                return Ok(response);
            }
            let place = match way {
                Way::Server(server) => Some(server.name()),
                Way::Bucket(_) => None,
            };
            match refused(response, place).await {
                Refusal::Busy(wait, _) if ask.may_repeat() && tries < TRIES_MAX => {
                    tokio::time::sleep(wait.min(WAIT_MAX)).await;
                    tries += 1;
                }
                refusal => return Err(refusal.failure()),
            }
        }
    }
}

/// A response in JSON, whose fields have the order of the server, and its numbers all their digits.
pub(crate) struct Answer(Box<RawValue>);

impl Answer {
    /// The JSON.
    pub(crate) fn text(&self) -> &str {
        self.0.get()
    }

    /// What it says.
    ///
    /// # Errors
    ///
    /// `Failed` when it is something else.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_str(self.text()).map_err(unexpected)
    }
}

/// The failure for an answer that is not one of the routes.
pub(crate) fn unexpected(cause: serde_json::Error) -> Failure {
    Failure::Failed(format!(
        "expected the JSON of dotdo's administration, got something else ({cause}); is the server of this version?"
    ))
}

impl Drop for Client {
    fn drop(&mut self) {
        if let Some(Way::Bucket(mounted)) = self.way.take() {
            self.runtime.block_on(mounted.end());
        }
    }
}

/// The next bytes of a body; `None` at its end.
async fn next_part(body: &mut Body) -> Result<Option<dotdo::bytes::Bytes>, Failure> {
    loop {
        match body.frame().await {
            None => return Ok(None),
            Some(Ok(frame)) => {
                if let Ok(part) = frame.into_data() {
                    return Ok(Some(part));
                }
            }
            Some(Err(error)) => {
                return Err(Failure::Failed(format!(
                    "the response ends in the middle: {}",
                    error.message()
                )));
            }
        }
    }
}
