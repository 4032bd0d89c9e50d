//! A store that gives odd answers when it is told to, byte for byte, and is honest otherwise.
//!
//! It stands in front of an honest store, which executes a request also when its answer is replaced,
//! if that is wanted and it has the protocol of S3.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dotdo_core::sync::Mutex;
use dotdo_core::{S3Config, S3Credentials, Secret, StoreConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::liar::{Liar, Lie};

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// A put with a condition.
    Create,
    /// A put without.
    Put,
    /// An object.
    Get,
    /// A listing.
    List,
    /// The removal of one or many objects.
    Delete,
}

/// An answer that is given in place of the honest one.
#[derive(Debug, Clone)]
pub struct Oddity {
    /// To which requests.
    pub asked: Asked,
    /// To how many of them.
    pub times: usize,
    /// Whether the request is executed all the same.
    pub is_done: bool,
    /// The whole answer.
    pub answer: String,
    /// What comes after it.
    pub then: Then,
}

/// What comes after an odd answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// The next request, on the same connection.
    Next,
    /// The end of the connection.
    End,
    /// A byte now and then, without end.
    Trickle,
}

/// A running store; ends with the runtime that it was started on.
pub struct Odd {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    honest: SocketAddr,
    planned: Mutex<Vec<Oddity>>,
    seen: Mutex<Vec<Asked>>,
}

impl Odd {
    /// Starts one.
    ///
    /// # Panics
    ///
    /// When no port is free.
    pub async fn start() -> Self {
        let listener =
            TcpListener::bind("127.0.0.1:0").await.expect("the loopback interface has free ports");
        let address = listener.local_addr().expect("a bound listener has an address");
        let honest = Liar::start(Lie::None).await.address();
        let state = Arc::new(State { honest, planned: Mutex::default(), seen: Mutex::default() });
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // An error is a client that has gone.
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { address, state }
    }

    /// Where it is, such as `http://127.0.0.1:40123`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How to reach what is below `prefix`, with temporary keys.
    pub fn config(&self, prefix: &str) -> StoreConfig {
        StoreConfig::S3(S3Config {
            bucket: "promises".to_owned(),
            prefix: prefix.to_owned(),
            endpoint: Some(self.endpoint()),
            credentials: S3Credentials::Keys {
                access_key_id: "sesame-id".to_owned(),
                secret_access_key: Secret::new("sesame-secret"),
                session_token: Some(Secret::new("sesame-session")),
            },
            ..S3Config::default()
        })
    }

    /// Gives an odd answer to the next requests that it is for.
    pub fn plan(&self, oddity: Oddity) {
        self.state.planned.lock().push(oddity);
    }

    /// Is honest from now on.
    pub fn heal(&self) {
        self.state.planned.lock().clear();
    }

    /// What was asked for since the last call.
    pub fn take_seen(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.state.seen.lock())
    }
}

/// A request or an answer: the head with its final empty line, and the body.
struct Message {
    head: String,
    body: Bytes,
}

impl Message {
    /// The next one; `None` when there is none.
    async fn read(stream: &mut TcpStream) -> Option<Self> {
        let mut bytes = Vec::new();
        let head_end = loop {
            if let Some(at) = bytes.windows(4).position(|end| end == b"\r\n\r\n") {
                break at + 4;
            }
            if stream.read_buf(&mut bytes).await.ok()? == 0 {
                return None;
            }
        };
        let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
        });
        let length: usize = length.unwrap_or(0);
        while bytes.len() < head_end + length {
            if stream.read_buf(&mut bytes).await.ok()? == 0 {
                return None;
            }
        }
        let body = Bytes::copy_from_slice(&bytes[head_end..head_end + length]);
        Some(Self { head, body })
    }

    async fn write(&self, stream: &mut TcpStream) -> Option<()> {
        stream.write_all(self.head.as_bytes()).await.ok()?;
        stream.write_all(&self.body).await.ok()
    }

    fn asked(&self) -> Asked {
        let line = self.head.lines().next().unwrap_or_default();
        let head = self.head.to_ascii_lowercase();
        let conditions = ["\r\nif-none-match:", "\r\nx-goog-if-generation-match:"];
        let is_create = conditions.iter().any(|condition| head.contains(condition));
        match line.split(' ').next() {
            Some("PUT") if is_create => Asked::Create,
            Some("PUT") => Asked::Put,
            // S3's and Google's, and Azure's.
            Some("GET") if line.contains("list-type=2") || line.contains("comp=list") => {
                Asked::List
            }
            Some("GET") => Asked::Get,
            _ => Asked::Delete,
        }
    }
}

impl State {
    /// The odd answer to this request, if one is planned.
    fn oddity(&self, asked: Asked) -> Option<Oddity> {
        self.seen.lock().push(asked);
        let mut planned = self.planned.lock();
        let at = planned.iter().position(|oddity| oddity.asked == asked)?;
        planned[at].times -= 1;
        let oddity = planned[at].clone();
        if oddity.times == 0 {
            planned.remove(at);
        }
        Some(oddity)
    }
}

/// Answers the requests of one connection.
async fn serve(mut stream: TcpStream, state: Arc<State>) -> Option<()> {
    loop {
        let request = Message::read(&mut stream).await?;
        let Some(oddity) = state.oddity(request.asked()) else {
            forward(&request, state.honest).await?.write(&mut stream).await?;
            continue;
        };
        if oddity.is_done {
            forward(&request, state.honest).await?;
        }
        stream.write_all(oddity.answer.as_bytes()).await.ok()?;
        match oddity.then {
            Then::Next => {}
            Then::End => return stream.shutdown().await.ok(),
            Then::Trickle => loop {
                tokio::time::sleep(Duration::from_millis(2)).await;
                stream.write_all(b"x").await.ok()?;
            },
        }
    }
}

async fn forward(request: &Message, honest: SocketAddr) -> Option<Message> {
    let mut upstream = TcpStream::connect(honest).await.ok()?;
    request.write(&mut upstream).await?;
    Message::read(&mut upstream).await
}

impl std::fmt::Debug for Odd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Odd({})", self.address)
    }
}
