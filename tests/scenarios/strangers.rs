//! Strangers at the door of a server: pages of other sites in its user's browser, callers without a
//! token, other users of the machine.

use reqwest::{Client, Method, StatusCode};
use serde_json::Value;

use crate::forward::good;
use crate::world::World;
use dotdo_tests::ledger::error_of;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_another_site_neither_writes_nor_reads() {
    let world = World::folder();
    let (server, http) = (world.setup().start().await, Client::new());
    good(&http, Method::POST, server.url("/do/object/append?client=1&n=0")).await;
    let append = || http.post(server.url("/do/object/append?client=1&n=1"));
    // A form, or a fetch without a preflight, from any page that the machine's user looks at.
    let simple = append()
        .header("origin", "https://evil.example")
        .header("content-type", "text/plain")
        .body("{}");
    let fetched =
        append().header("origin", "https://evil.example").header("sec-fetch-site", "cross-site");
    let image = http
        .get(server.url("/do/object/append?client=1&n=1"))
        .header("sec-fetch-site", "cross-site");
    for (what, sent) in [("simple", simple), ("fetched", fetched), ("image", image)] {
        let (status, code, message) =
            error_of(sent.send().await.expect("the server answers")).await;
        assert_eq!(
            (status, code.as_str()),
            (StatusCode::FORBIDDEN, "ORIGIN_NOT_ALLOWED"),
            "{what}: {message}"
        );
        assert!(message.contains("DOTDO_CORS_ORIGINS"), "{message}");
    }
    // A page whose name has come to point to this machine is of the same origin, by its own word.
    for path in ["/do/object/count", "/metrics", "/nothing"] {
        let rebound = http
            .get(server.url(path))
            .header("host", "evil.example:8787")
            .header("sec-fetch-site", "same-origin");
        let (status, code, message) =
            error_of(rebound.send().await.expect("the server answers")).await;
        assert_eq!(
            (status, code.as_str()),
            (StatusCode::FORBIDDEN, "HOST_NOT_ALLOWED"),
            "{path}: {message}"
        );
        assert!(message.contains("DOTDO_ALLOWED_HOSTS"), "{message}");
    }
    let probed = http
        .get(server.url("/ready"))
        .header("host", "replica")
        .send()
        .await
        .expect("the server answers");
    assert_eq!(probed.status(), StatusCode::OK, "whoever probes a server calls it by any name");
    let count: Value =
        good(&http, Method::GET, server.url("/do/object/count")).await.json().await.expect("JSON");
    assert_eq!(count["count"], 1, "nothing was written");
    let own = append()
        .header("origin", server.url("").trim_end_matches('/'))
        .send()
        .await
        .expect("the server answers");
    assert_eq!(own.status(), StatusCode::OK, "its own pages may");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_and_names_that_were_allowed_come_in_and_tokens_need_no_name() {
    let world = World::folder();
    let allowing = world
        .setup()
        .env("DOTDO_ALLOWED_HOSTS", "objects.example")
        .env("DOTDO_CORS_ORIGINS", "https://app.example");
    let (server, http) = (allowing.start().await, Client::new());
    let append = |server: &dotdo_tests::Server, n| {
        http.post(server.url(&format!("/do/object/append?client=1&n={n}")))
    };
    let named = append(&server, 0)
        .header("host", "objects.example")
        .send()
        .await
        .expect("the server answers");
    let page = append(&server, 1)
        .header("origin", "https://app.example")
        .send()
        .await
        .expect("the server answers");
    assert_eq!((named.status(), page.status()), (StatusCode::OK, StatusCode::OK));
    assert_eq!(page.headers()["access-control-allow-origin"], "https://app.example");
    let guarded = world.setup().env("DOTDO_AUTH_TOKENS", TOKEN).start().await;
    let sent = append(&guarded, 0)
        .header("host", "any.example")
        .header("origin", "https://other.example")
        .bearer_auth(TOKEN);
    let answer = sent.send().await.expect("the server answers");
    assert_ne!(
        answer.status(),
        StatusCode::FORBIDDEN,
        "who has a token is no page of another site"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_no_token_hears_nothing_of_the_store() {
    let folder = dotdo_tests::scratch();
    let path = folder.path().join("state-of-mine");
    let server = World::at(&path).setup().env("DOTDO_AUTH_TOKENS", TOKEN).start().await;
    let http = Client::new();
    let ready = |token: Option<&'static str>| {
        let question = http.get(server.url("/ready"));
        async move {
            let answer = token
                .map_or(question.try_clone().expect("no body"), |token| question.bearer_auth(token))
                .send()
                .await;
            let answer = answer.expect("the server answers");
            (answer.status(), answer.text().await.expect("text"))
        }
    };
    assert_eq!(ready(None).await.0, StatusCode::OK);
    std::fs::remove_dir_all(&path).expect("the folder can be removed");
    let failed = || async {
        Some(ready(None).await).filter(|(status, _)| *status == StatusCode::SERVICE_UNAVAILABLE)
    };
    let (_, told) = dotdo_tests::Deadline::in_seconds(crate::world::PATIENCE_SECONDS)
        .until(failed)
        .await
        .expect("it notices");
    for word in ["state-of-mine", ".dotdo", "probe.json", "is gone", "folder"] {
        assert!(!told.contains(word), "a stranger is told {word:?}: {told}");
    }
    assert!(told.contains("STORE_") && told.contains("requestId"), "{told}");
    // What a server writes to its log arrives a moment later than its answer.
    let logged = || async { server.stderr().contains("is gone").then_some(()) };
    let logged =
        dotdo_tests::Deadline::in_seconds(crate::world::PATIENCE_SECONDS).until(logged).await;
    assert!(logged.is_some(), "the log says what happened: {}", server.stderr());
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_users_of_the_machine_can_not_read_the_state() {
    use std::os::unix::fs::PermissionsExt;

    let folder = dotdo_tests::scratch();
    let path = folder.path().join("state");
    let server = World::at(&path).setup().start().await;
    let http = Client::new();
    for n in 0..8 {
        good(&http, Method::POST, server.url(&format!("/do/object/append?client=1&n={n}"))).await;
    }
    let (mut left, mut files) = (vec![path], 0);
    while let Some(path) = left.pop() {
        // Files come and go while the server works.
        let Ok(metadata) = path.symlink_metadata() else { continue };
        let expected = if metadata.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(metadata.permissions().mode() & 0o777, expected, "{}", path.display());
        if metadata.is_dir() {
            left.extend(
                std::fs::read_dir(&path)
                    .into_iter()
                    .flatten()
                    .filter_map(|entry| Some(entry.ok()?.path())),
            );
        } else {
            files += 1;
        }
    }
    assert!(files > 8, "{files} files");
}
