//! The route for a platform's timer.

use std::sync::atomic::Ordering;

use dotdo_core::Secret;

use super::*;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn request(method: &str, headers: &str) -> String {
    format!("{method} /_dotdo/tick HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n{headers}\r\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tick_needs_its_secret_and_nothing_else() {
    let tick_secret = Some(Secret::new(format!("{},{SECRET}", "x".repeat(32))));
    let settings = EdgeSettings { tick_secret, ..edge_settings() };
    let server = Server::with(server_settings(), settings).await;
    let ticks = || server.edge.objects().ticks.load(Ordering::SeqCst);
    let with = |secret: &str| format!("authorization: Bearer {secret}\r\n");
    for (method, headers, status) in [
        ("POST", String::new(), 401),
        ("POST", with("0123456789abcdef0123456789abcdee"), 401),
        ("POST", with(""), 401),
        ("PUT", with(SECRET), 404),
        ("POST", format!("x-do-id: a\r\n{}", with(SECRET)), 404),
    ] {
        let answer = server.ask(&request(method, &headers)).await;
        assert_eq!((answer.status, ticks()), (status, 0), "{method} {headers}");
    }
    for (number, method) in [(1, "POST"), (2, "GET")] {
        let answer = server.ask(&request(method, &with(SECRET))).await;
        assert_eq!((answer.status, ticks()), (200, number));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_secret_there_is_no_such_route() {
    let server = Server::start().await;
    for headers in [String::new(), format!("authorization: Bearer {SECRET}\r\n")] {
        assert_eq!(server.ask(&request("POST", &headers)).await.status, 404);
    }
    assert_eq!(server.edge.objects().ticks.load(Ordering::SeqCst), 0);
}
