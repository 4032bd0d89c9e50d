//! A client that sends exactly the bytes it is given.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

pub(super) struct Client {
    pub(super) input: BufReader<OwnedReadHalf>,
    pub(super) output: OwnedWriteHalf,
}

#[derive(Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|cause| panic!("{cause}: {self:?}"))
    }
}

impl Client {
    pub(super) async fn connect(address: SocketAddr) -> Self {
        let (input, output) =
            TcpStream::connect(address).await.expect("the server listens").into_split();
        Self { input: BufReader::new(input), output }
    }

    pub(super) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.output.write_all(bytes.as_ref()).await.expect("the server reads");
    }

    /// The head of the next response: status and headers.
    pub(super) async fn head(&mut self) -> Answer {
        let first = self.line().await;
        let status = first
            .split(' ')
            .nth(1)
            .and_then(|word| word.parse().ok())
            .unwrap_or_else(|| panic!("a status line, not {first:?}"));
        let mut headers = BTreeMap::new();
        loop {
            let line = self.line().await;
            let Some((name, value)) = line.split_once(": ") else {
                return Answer { status, headers, body: Vec::new() };
            };
            let twice = headers.insert(name.to_owned(), value.to_owned());
            assert_eq!(twice, None, "{name} is there twice");
        }
    }

    /// The next response, to anything but HEAD.
    pub(super) async fn answer(&mut self) -> Answer {
        let mut answer = self.head().await;
        if let Some(length) = answer.headers.get("content-length") {
            answer.body = vec![0; length.parse().expect("a length")];
            self.input.read_exact(&mut answer.body).await.expect("a whole body");
        } else if answer.headers.contains_key("transfer-encoding") {
            while let Some(chunk) = self.chunk().await {
                answer.body.extend(chunk);
            }
        }
        answer
    }

    /// The next chunk of a response.
    pub(super) async fn chunk(&mut self) -> Option<Vec<u8>> {
        let length = usize::from_str_radix(&self.line().await, 16).expect("the length of a chunk");
        let mut chunk = vec![0; length + 2];
        self.input.read_exact(&mut chunk).await.expect("a whole chunk");
        chunk.truncate(length);
        (length > 0).then_some(chunk)
    }

    /// What comes until the server closes.
    pub(super) async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.input.read_to_end(&mut rest).await.expect("the server closes in order");
        rest
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        self.input.read_line(&mut line).await.expect("a line");
        assert!(line.ends_with("\r\n"), "the server closed after {line:?}");
        line.truncate(line.len() - 2);
        line
    }
}
