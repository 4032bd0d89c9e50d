//! Whoever sits where an owner is said to be, or on the way there, learns nothing of a request and
//! changes nothing of it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use reqwest::{Client, Method, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::forward::{forwarding, good};
use crate::world::{ENDLESS_LEASE_MS, World};
use dotdo_tests::ledger::error_of;

/// What nobody but the owner may hear.
const PRECIOUS: &str = "precious";
/// A value on its way, and what would be made of it.
const SENT: &[u8] = b"sent-as-it-is";
const CHANGED: &[u8] = b"changed-by-me";

/// Somebody who took an address that a server had, hears what comes and answers as a web server
/// would.
async fn stranger() -> (SocketAddr, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let heard = Arc::<Mutex<Vec<u8>>>::default();
    let all = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = vec![0; 64 << 10];
            let mut answered = false;
            while let Ok(read @ 1..) = stream.read(&mut bytes).await {
                all.lock().expect("no panics").extend(&bytes[..read]);
                if !answered {
                    answered = stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.is_ok();
                }
            }
        }
    });
    (address, heard)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_at_an_owner_s_address_hears_nothing_of_a_request() {
    let world = World::folder();
    let setup = forwarding(&world).env("DOTDO_LEASE_DURATION_MS", ENDLESS_LEASE_MS);
    let (address, heard) = stranger().await;
    let owner = setup.clone().env("DOTDO_ADDRESS", format!("http://{address}")).start().await;
    let (other, http) = (setup.start().await, Client::new());
    good(&http, Method::POST, owner.url("/do/object/append?client=1&n=0")).await;
    let sent = http
        .post(other.url(&format!("/do/object/append?client=1&n=1&key={PRECIOUS}-query")))
        .header("authorization", format!("Bearer {PRECIOUS}-token"))
        .header("cookie", format!("session={PRECIOUS}-cookie"))
        .body(format!("{PRECIOUS}-body"));
    let (status, code, message) = error_of(sent.send().await.expect("the server answers")).await;
    assert_eq!(
        (status, code.as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "OWNED_BY_OTHER_INSTANCE"),
        "{message}"
    );
    let heard = heard.lock().expect("no panics").clone();
    assert_eq!(heard.first(), Some(&0x16), "it was asked to prove who it is");
    let text = String::from_utf8_lossy(&heard).to_ascii_lowercase();
    for word in [PRECIOUS, "append", "post", "dotdo-peer", "object", "cookie", "bearer"] {
        assert!(!text.contains(word), "it heard {word:?}");
    }
    let figures = good(&http, Method::GET, other.url("/metrics")).await.text().await.expect("text");
    assert!(figures.contains("dotdo_forwarded_total{result=\"stranger\"} 1"), "{figures}");
    let count: serde_json::Value =
        good(&http, Method::GET, owner.url("/do/object/count")).await.json().await.expect("JSON");
    assert_eq!(count["count"], 1, "nothing of it was done");
}

/// Somebody on the way to a server, who changes what can be recognised, and breaks the rest when
/// told to.
#[derive(Default)]
struct Middle {
    server: OnceLock<String>,
    breaks: AtomicBool,
    changed: AtomicUsize,
}

impl Middle {
    async fn start() -> (SocketAddr, Arc<Self>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let (address, middle) =
            (listener.local_addr().expect("an address"), Arc::<Self>::default());
        let shared = Arc::clone(&middle);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(Arc::clone(&shared).between(stream));
            }
        });
        (address, middle)
    }

    async fn between(self: Arc<Self>, mut client: TcpStream) {
        let server = self.server.get().expect("it is known before anybody comes");
        let Ok(mut server) =
            TcpStream::connect(server.trim_start_matches("http://").trim_end_matches('/')).await
        else {
            return;
        };
        let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
            (client.split(), server.split());
        let there = async {
            let mut bytes = vec![0; 64 << 10];
            while let Ok(read @ 1..) = from_client.read(&mut bytes).await {
                let piece = self.changed(&mut bytes[..read]);
                if to_server.write_all(piece).await.is_err() {
                    return;
                }
            }
        };
        let back = async { drop(tokio::io::copy(&mut from_server, &mut to_client).await) };
        tokio::select! {
            () = there => {}
            () = back => {}
        }
    }

    fn changed<'a>(&self, bytes: &'a mut [u8]) -> &'a [u8] {
        while let Some(at) = bytes.windows(SENT.len()).position(|window| window == SENT) {
            bytes[at..at + SENT.len()].copy_from_slice(CHANGED);
            self.changed.fetch_add(1, Ordering::Relaxed);
        }
        if self.breaks.load(Ordering::Relaxed) {
            *bytes.last_mut().expect("it has bytes") ^= 1;
            self.changed.fetch_add(1, Ordering::Relaxed);
        }
        bytes
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_on_the_way_changes_neither_headers_nor_bodies() {
    let world = World::folder();
    let setup = forwarding(&world).env("DOTDO_LEASE_DURATION_MS", ENDLESS_LEASE_MS);
    let (address, middle) = Middle::start().await;
    let owner = setup.clone().env("DOTDO_ADDRESS", format!("http://{address}")).start().await;
    middle.server.set(owner.url("")).expect("once");
    let (other, http) = (setup.start().await, Client::new());
    good(&http, Method::POST, owner.url("/do/Mirror/object/own")).await;
    good(&http, Method::POST, owner.url("/do/object/append?client=1&n=0")).await;
    let text = String::from_utf8_lossy(SENT).into_owned();
    let sent = http
        .put(other.url(&format!("/do/Mirror/object/echo?{text}")))
        .header("x-many", &text)
        .body(text.clone());
    let answer = sent.send().await.expect("the server answers");
    assert_eq!((answer.status(), answer.headers()["x-many"].as_bytes()), (StatusCode::OK, SENT));
    assert_eq!(answer.text().await.expect("the whole body"), text);
    assert_eq!(middle.changed.load(Ordering::Relaxed), 0, "it recognises nothing");
    // On the connection that the two servers keep, where the handshake is over.
    middle.breaks.store(true, Ordering::Relaxed);
    let sent = http.post(other.url("/do/object/append?client=1&n=1")).body(text);
    let (status, code, message) = error_of(sent.send().await.expect("the server answers")).await;
    assert_eq!(
        (status, code.as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "OWNED_BY_OTHER_INSTANCE"),
        "{message}"
    );
    assert!(middle.changed.load(Ordering::Relaxed) > 0, "it had something to break");
    let count: serde_json::Value =
        good(&http, Method::GET, owner.url("/do/object/count")).await.json().await.expect("JSON");
    assert_eq!(count["count"], 1, "nothing of it was done");
}
