//! A faulty object does not affect others.

use dotdo_tests::Deadline;
use dotdo_tests::history::Outcome;
use dotdo_tests::ledger::{append, error_of};
use reqwest::{Client, StatusCode};

use crate::world::{PATIENCE_SECONDS, World, state};

/// How long a handler may run here: long enough for the others to get on, also on a slow machine.
const TIME_MAX_MS: u64 = 12_000;
/// Number of faulty objects: more than the spare threads of the server.
const FAULTY: u64 = 18;
/// How much the others do meanwhile, if they get to it.
const OTHERS: u64 = 40;
/// How much they do at least, also where the machine is slow: one request each.
const OTHERS_LEAST: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endless_handlers_stop_no_other_object() {
    let world = World::folder();
    let server =
        world.setup().env("DOTDO_HANDLER_TIME_MAX_MS", TIME_MAX_MS.to_string()).start().await;
    let http = Client::new();
    let faulty = |number: u64| {
        // Half of them query without end, half compute past their time without ever giving way.
        let what = if number.is_multiple_of(2) {
            "endless".to_owned()
        } else {
            format!("compute?ms={}", TIME_MAX_MS + 500)
        };
        let request = http.post(server.url(&format!("/do/faulty-{number}/{what}")));
        tokio::spawn(async move { request.send().await.expect("the server answers") })
    };
    let faulty: Vec<_> = (0..FAULTY).map(faulty).collect();
    let begun = || {
        std::future::ready(
            (server.stderr().matches("fault begins").count() as u64 >= FAULTY).then_some(()),
        )
    };
    Deadline::in_seconds(PATIENCE_SECONDS).until(begun).await.expect("they begin");
    let mut meanwhile = 0;
    for n in 0..OTHERS {
        assert_eq!(
            append(&http, &server.url(&format!("/do/other-{}", n % 4)), 1, n).await,
            Outcome::Appended(n / 4 + 1)
        );
        meanwhile += usize::from(faulty.iter().all(|request| !request.is_finished()));
    }
    assert!(meanwhile >= OTHERS_LEAST, "requests to others are answered in between");
    for (number, request) in faulty.into_iter().enumerate() {
        let (status, code, message) = error_of(request.await.expect("it does not panic")).await;
        assert_eq!(
            (status, code.as_str()),
            (StatusCode::GATEWAY_TIMEOUT, "TIMED_OUT"),
            "{message}"
        );
        let left = state(&server, &http, &format!("faulty-{number}")).await;
        assert!(left.entries.is_empty(), "nothing of it remains: {left:?}");
    }
}
