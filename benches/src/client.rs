//! A client that keeps its connections: one request at a time on each.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::request::Builder;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// One connection to a server.
pub struct Client {
    sender: SendRequest<Full<Bytes>>,
    host: String,
}

impl Client {
    /// Connects to `address`, such as `127.0.0.1:8787`.
    ///
    /// # Panics
    ///
    /// When nobody listens there.
    pub async fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server listens");
        stream.set_nodelay(true).expect("a TCP socket takes the option");
        let (sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("HTTP/1.1");
        tokio::spawn(connection);
        Self { sender, host: address.to_owned() }
    }

    /// Sends a GET and returns the body; the answer must be 200.
    ///
    /// # Panics
    ///
    /// On any other answer.
    pub async fn get(&mut self, path: &str) -> String {
        self.send(http::Request::get(path), String::new()).await
    }

    /// Sends a request and returns the body; the answer must be a success.
    ///
    /// # Panics
    ///
    /// On any other answer.
    pub async fn send(&mut self, request: Builder, body: String) -> String {
        let request = request
            .header("host", &self.host)
            .body(Full::new(body.into()))
            .expect("a good request");
        let path = request.uri().path().to_owned();
        self.sender.ready().await.expect("the connection stays open");
        let response = self.sender.send_request(request).await.expect("an answer");
        let status = response.status();
        let body = response.into_body().collect().await.expect("a whole body").to_bytes();
        let text = String::from_utf8_lossy(&body).into_owned();
        assert!(status.is_success(), "{path}: {status} {text}");
        text
    }

    /// The times of `count` GETs, one after the other.
    pub async fn times(&mut self, path: &str, count: usize) -> Vec<Duration> {
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let started = Instant::now();
            self.get(path).await;
            times.push(started.elapsed());
        }
        times
    }

    /// How many GETs a second `connections` connections make in `time`.
    pub async fn rate(address: &str, path: &str, connections: usize, time: Duration) -> f64 {
        let started = Instant::now();
        let workers = (0..connections).map(|_| {
            let (address, path) = (address.to_owned(), path.to_owned());
            tokio::spawn(async move {
                let mut client = Self::connect(&address).await;
                let mut count = 0_u32;
                while started.elapsed() < time {
                    client.get(&path).await;
                    count += 1;
                }
                count
            })
        });
        let counts = futures_util::future::join_all(workers).await;
        let total: u32 =
            counts.into_iter().map(|count| count.expect("a worker does not panic")).sum();
        f64::from(total) / started.elapsed().as_secs_f64()
    }
}
