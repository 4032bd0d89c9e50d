//! What objects fail with: the status, the one shape that errors have, and that nothing of the
//! request remains.

use serde_json::json;

use crate::message::{Answer, get, post};
use crate::stage::{Stage, add, count, fresh};

/// The answer to an addition that fails after it has written.
async fn failed(on: &Stage, then: &str) -> Answer {
    let id = fresh(then);
    let answer = on.ask(post(&format!("/do/Counter/{id}/add?then={then}"), "")).await;
    let program = on.program().await;
    assert_eq!(count(program, &id).await, 0, "nothing of it remains");
    assert_eq!(add(program, &id).await, 1, "and the object goes on");
    answer
}

pub(crate) async fn objects_say_what_is_wrong(on: &Stage) {
    let conflict = failed(on, "conflict").await;
    let error = conflict.error();
    assert_eq!(
        (conflict.status, &error["code"], &error["error"]),
        (409, &json!("AS_ASKED"), &json!("it is as you asked"))
    );
    assert_eq!(error["details"], json!({ "why": ["asked", "for"] }));
    let missing = failed(on, "missing").await;
    assert_eq!(
        (missing.status, &missing.error()["error"]),
        (404, &json!("there is no such thing"))
    );
    let invalid = failed(on, "anything").await;
    assert_eq!((invalid.status, invalid.values("retry-after")), (400, vec![]));
}

pub(crate) async fn errors_say_when_to_come_again(on: &Stage) {
    let busy = failed(on, "busy").await;
    busy.error();
    assert_eq!((busy.status, busy.values("retry-after")), (503, vec![&b"7"[..]]));
}

pub(crate) async fn a_handler_that_fails_or_panics_is_a_500(on: &Stage) {
    for then in ["fail", "panic"] {
        let answer = failed(on, then).await;
        answer.error();
        assert_eq!(answer.status, 500, "{then}");
    }
}

pub(crate) async fn the_servers_own_paths_answer(on: &Stage) {
    assert_eq!(on.ask(get("/health")).await.json(), json!({ "status": "ok" }));
    assert_eq!(on.ask(get("/ready")).await.json(), json!({ "status": "ready" }));
    let figures = on.ask(get("/metrics")).await;
    assert_eq!(
        (figures.status, figures.values("content-type")),
        (200, vec![&b"text/plain; version=0.0.4; charset=utf-8"[..]])
    );
    let refused = on.ask(post("/health", "")).await;
    assert_eq!((refused.status, &refused.error()["code"]), (404, &json!("NO_OBJECT")));
}
