//! `dotdo health` against a running server, a stopped one, and one that is not ready.
#![cfg(unix)]

#[expect(dead_code, reason = "these tests read no log")]
mod server;

use std::io::{Read as _, Write as _};

use nix::sys::signal::Signal;

use self::server::{Server, dotdo, folder, outcome};

#[test]
fn dotdo_health_checks_the_server_of_the_same_settings() {
    let folder = folder();
    for host in ["127.0.0.1", "0.0.0.0"] {
        let mut server = Server::start(dotdo(folder.path()).args([
            "--host",
            host,
            "--port=0",
            "--allow-unauthenticated",
        ]));
        let port = server.address.rsplit(':').next().expect("a port").to_owned();
        let ask = |arguments: &[&str]| {
            outcome(
                dotdo(folder.path())
                    .arg("health")
                    .args(arguments)
                    .env("DOTDO_HOST", host)
                    .env("PORT", &port),
            )
        };
        assert_eq!(ask(&[]), (Some(0), "{\"status\":\"ok\"}\n".to_owned(), String::new()));
        assert_eq!(
            ask(&["--ready"]),
            (Some(0), "{\"status\":\"ready\"}\n".to_owned(), String::new())
        );
        assert_eq!(ask(&["--host=127.0.0.1", "--port", &port]).0, Some(0));
        server.signal(Signal::SIGTERM);
        assert_eq!(server.code(), Some(0));
        let (code, stdout, stderr) = ask(&[]);
        assert_eq!((code, &*stdout), (Some(1), ""), "{stderr}");
        assert!(
            stderr.contains(&format!("http://127.0.0.1:{port}/health does not answer: ")),
            "{stderr}"
        );
    }
    let (code, _, stderr) = outcome(dotdo(folder.path()).args(["health", "--port=0"]));
    assert!(code == Some(2) && stderr.contains("port: expected"), "{stderr}");
}

#[test]
fn dotdo_health_reports_a_server_that_is_not_ready() {
    let folder = folder();
    let other = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = other.local_addr().expect("an address").port().to_string();
    let refusing = std::thread::spawn(move || {
        let (mut stream, _) = other.accept().expect("somebody asks");
        let mut head = [0; 1024];
        let read = stream.read(&mut head).expect("a request");
        write!(stream, "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 9\r\n\r\nno bucket")
            .expect("the client reads");
        String::from_utf8_lossy(&head[..read]).into_owned()
    });
    let (code, stdout, stderr) =
        outcome(dotdo(folder.path()).args(["health", "--ready", "--port", &port]));
    assert_eq!((code, &*stdout), (Some(1), ""), "{stderr}");
    assert!(
        stderr.contains(&format!(
            "http://127.0.0.1:{port}/ready answers 503 Service Unavailable: no bucket"
        )),
        "{stderr}"
    );
    assert!(refusing.join().expect("no panic").starts_with("GET /ready HTTP/1.1\r\n"));
}
