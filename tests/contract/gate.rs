//! Gates that handlers come to: a test knows by them how far a request is, and lets it go on.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::stage::soon;

/// A gate, closed at first.
pub(crate) struct Gate {
    address: SocketAddr,
    words: Arc<watch::Sender<Vec<String>>>,
    open: watch::Sender<bool>,
    keeper: JoinHandle<()>,
}

impl Gate {
    /// A closed gate.
    pub(crate) async fn closed() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (words, open) = (Arc::new(watch::Sender::new(Vec::new())), watch::Sender::new(false));
        let keeper = tokio::spawn(keep(listener, Arc::clone(&words), open.subscribe()));
        Self { address, words, open, keeper }
    }

    /// Where it is, for handlers.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until as many have come to it, whether they wait there or have passed; what they said.
    pub(crate) async fn come(&self, number: usize) -> Vec<String> {
        let mut words = self.words.subscribe();
        let come =
            soon("the request at the gate", words.wait_for(|words| words.len() >= number)).await;
        come.expect("the gate has the other end").clone()
    }

    /// Lets those pass who wait, and whoever comes from now on.
    pub(crate) fn open(&self) {
        self.open.send_replace(true);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

async fn keep(
    listener: TcpListener,
    words: Arc<watch::Sender<Vec<String>>>,
    open: watch::Receiver<bool>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(attend(stream, Arc::clone(&words), open.clone()));
    }
}

/// Hears what one says who has come, and lets it pass in its time.
async fn attend(
    stream: TcpStream,
    words: Arc<watch::Sender<Vec<String>>>,
    mut open: watch::Receiver<bool>,
) {
    let mut stream = BufReader::new(stream);
    let mut word = String::new();
    if stream.read_line(&mut word).await.is_ok_and(|bytes| bytes > 0) {
        words.send_modify(|words| words.push(word.trim_end().to_owned()));
        if open.wait_for(|open| *open).await.is_ok() {
            // Whoever has gone needs no answer.
            let _ = stream.write_all(&[1]).await;
        }
    }
}
