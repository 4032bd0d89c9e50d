//! How often one client may ask one object, and who a client is.

use dotdo_core::Secret;

use super::*;
use crate::auth::AuthSettings;
use crate::edge::RateSettings;

const TOKENS: [&str; 2] = ["0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"];

/// Two requests in an hour: no test takes so long that a third would be taken.
fn two() -> EdgeSettings {
    EdgeSettings {
        rate: RateSettings { requests: 2, window: Duration::from_secs(3600) },
        ..edge_settings()
    }
}

fn request(path: &str, headers: &[&str]) -> String {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    format!("GET {path} HTTP/1.1\r\nhost: x\r\n{headers}\r\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_over_its_rate_limit_gets_a_retry_after() {
    let server = Server::with(server_settings(), two()).await;
    for remaining in ["1", "0"] {
        let answer = server.ask(&request("/do/a/seen", &[])).await;
        let told =
            (&*answer.headers["x-ratelimit-limit"], &*answer.headers["x-ratelimit-remaining"]);
        assert_eq!((answer.status, told), (200, ("2", remaining)));
        assert!(
            (1..=3600)
                .contains(&answer.headers["x-ratelimit-reset"].parse::<u64>().expect("seconds"))
        );
    }
    let answer = server.ask(&request("/do/a/seen", &[])).await;
    assert_eq!((answer.status, &answer.json()["code"]), (429, &"RATE_LIMITED".into()));
    assert!((1..=1800).contains(&answer.headers["retry-after"].parse::<u64>().expect("seconds")));
    assert_eq!(answer.headers["x-ratelimit-remaining"], "0");
    // Another object, and what is no object's, are not affected; nor is there a way around by
    // another name of the same object.
    assert_eq!(server.ask(&request("/do/b/seen", &[])).await.status, 200);
    assert_eq!(server.ask(&request("/health", &[])).await.headers.get("x-ratelimit-limit"), None);
    for (path, header) in [
        ("/do/DO/a/seen", "x: y"),
        ("/do/%61/seen", "x: y"),
        ("/seen", "x-do-id: a"),
        ("/seen?x", "X-DOTDO-ID: %61"),
    ] {
        assert_eq!(server.ask(&request(path, &[header])).await.status, 429, "{path} {header}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_a_stranger_makes_up_is_not_believed() {
    let server = Server::with(server_settings(), two()).await;
    let mut statuses = Vec::new();
    for n in 0..4 {
        let spoofed = [
            format!("x-forwarded-for: 1.2.3.{n}"),
            format!("forwarded: for=1.2.3.{n}"),
            format!("x-real-ip: 1.2.3.{n}"),
        ];
        statuses.push(
            server
                .ask(&request("/do/a/seen", &spoofed.each_ref().map(String::as_str)))
                .await
                .status,
        );
    }
    assert_eq!(statuses, [200, 200, 429, 429]);
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_trusted_proxy_the_client_is_the_last_untrusted_address() {
    for trusted in ["127.0.0.0/8", "1"] {
        let settings = EdgeSettings { trusted_proxies: vec![trusted.to_owned()], ..two() };
        let server = Server::with(server_settings(), settings).await;
        let ask = |list: &str| request("/do/a/seen", &[&format!("x-forwarded-for: {list}")]);
        for spoofed in ["6.6.6.6, 9.9.9.9", "7.7.7.7, 9.9.9.9"] {
            assert_eq!(server.ask(&ask(spoofed)).await.status, 200, "{trusted}");
        }
        assert_eq!(server.ask(&ask("8.8.8.8, 9.9.9.9")).await.status, 429, "{trusted}");
        assert_eq!(server.ask(&ask("9.9.9.9, 8.8.8.8")).await.status, 200, "{trusted}");
        // An IPv6 client has a whole network to itself.
        for (address, status) in [
            ("2001:db8::1", 200),
            ("2001:db8::2", 200),
            ("2001:db8::ffff:3", 429),
            ("2001:db8:0:1::1", 200),
        ] {
            assert_eq!(server.ask(&ask(address)).await.status, status, "{trusted} {address}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_are_limited_by_name_and_refused_requests_by_address() {
    let auth =
        AuthSettings { tokens: Some(Secret::new(TOKENS.join(","))), ..AuthSettings::default() };
    let server = Server::with(server_settings(), EdgeSettings { auth, ..two() }).await;
    let ask = |token: &str| request("/do/a/seen", &[&format!("authorization: Bearer {token}")]);
    for status in [200, 200, 429] {
        assert_eq!(server.ask(&ask(TOKENS[0])).await.status, status);
    }
    for status in [401, 401, 429] {
        assert_eq!(server.ask(&ask("guessed")).await.status, status);
    }
    assert_eq!(
        server.ask(&ask(TOKENS[1])).await.status,
        200,
        "who has a token does not wait for those who guess"
    );
}
