//! Requests that come together, come twice, or look back.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use http::Request;
use serde_json::json;

use crate::gate::Gate;
use crate::host::Body;
use crate::message::{get, post, with};
use crate::stage::{Stage, add, ask, count, counted, fresh, insist};

/// How many requests come together.
const REQUESTS: usize = 8;

pub(crate) async fn requests_to_several_objects_are_under_way_together(on: &Stage) {
    let (gate, program) = (Gate::closed().await, on.program().await);
    let ids: Vec<_> = (0..REQUESTS).map(|_| fresh("meeting")).collect();
    let sent = join_all(ids.iter().map(|id| {
        ask(program, post(&format!("/do/Counter/{id}/add?gate={}", gate.address()), ""))
    }));
    let keeper = async {
        // Where they are answered one after the other, the others wait until the first has passed.
        gate.come(if on.abilities().is_concurrent { REQUESTS } else { 1 }).await;
        gate.open();
    };
    let (answers, ()) = tokio::join!(sent, keeper);
    assert_eq!(answers.iter().map(counted).collect::<Vec<_>>(), [1; REQUESTS]);
}

pub(crate) async fn requests_to_one_object_have_their_turns(on: &Stage) {
    let (program, id) = (on.program().await, fresh("turns"));
    let adds = join_all((0..2 * REQUESTS).map(|_| add(program, &id))).await;
    assert_eq!(
        adds.iter().copied().collect::<BTreeSet<_>>(),
        (1..=2 * REQUESTS as u64).collect(),
        "each has a number of its own"
    );
    assert_eq!(count(program, &id).await, 2 * REQUESTS as u64);
}

pub(crate) async fn a_request_with_a_key_is_done_once(on: &Stage) {
    let (program, id) = (on.program().await, fresh("once"));
    let path = format!("/do/Counter/{id}/add");
    let keyed = |key: &str| -> Request<Body> {
        with(post(&path, "the same"), "idempotency-key", key.as_bytes())
    };
    let first = insist(program, || keyed("\"one\"")).await;
    assert_eq!((counted(&first), first.values("idempotency-replayed")), (1, vec![]));
    let again = insist(program, || keyed("\"one\"")).await;
    assert_eq!((counted(&again), again.values("idempotency-replayed")), (1, vec![&b"true"[..]]));
    assert_eq!(counted(&insist(program, || keyed("\"two\"")).await), 2);
    let other =
        insist(program, || with(post(&path, "another"), "idempotency-key", b"\"one\"")).await;
    assert_eq!((other.status, other.error()["status"].as_u64()), (422, Some(422)));
    assert_eq!(count(program, &id).await, 2);
}

pub(crate) async fn an_object_is_read_as_it_was(on: &Stage) {
    let (program, id) = (on.program().await, fresh("past"));
    for expected in 1..=3 {
        assert_eq!(add(program, &id).await, expected);
    }
    let path = format!("/do/Counter/{id}/count");
    let mut seen = BTreeSet::new();
    // A lease is a record too, so which number belongs to which addition is the platform's own
    // affair.
    for sequence in 1..=6 {
        let answer =
            insist(program, || with(get(&path), "x-do-at", sequence.to_string().as_bytes())).await;
        if answer.status == 200 {
            seen.insert(counted(&answer));
        }
    }
    assert!(seen.is_superset(&BTreeSet::from([1, 2, 3])), "{seen:?}");
    let before = insist(program, || with(get(&path), "x-do-at", b"2001-01-01T00:00:00Z")).await;
    assert!(before.status == 404 || counted(&before) == 0, "{before:?}");
    let refused = on.ask(with(post(&format!("/do/Counter/{id}/add"), ""), "x-do-at", b"1")).await;
    assert_eq!((refused.status, &refused.error()["code"]), (400, &json!("BAD_AT")));
    assert_eq!(count(program, &id).await, 3);
}
