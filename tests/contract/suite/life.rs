//! Programs that start, freeze, overrun their time and end; what they have answered is there for
//! the next one.

use dotdo_tests::Deadline;
use nix::sys::signal::Signal;

use crate::gate::Gate;
use crate::host::Hosted;
use crate::message::{Answer, get, post};
use crate::stage::{
    PATIENCE_SECONDS, Stage, World, add, ask, count, counted, eventually, fresh, insist, soon,
};

/// Nobody waits for long until such a lease is over.
const SHORT_LEASE_MS: &str = "400";

/// A store whose objects are soon free again.
fn world() -> World {
    World::new().env("DOTDO_LEASE_DURATION_MS", SHORT_LEASE_MS)
}

/// Ends a program as a loss of power would.
fn kill(program: Box<dyn Hosted>) {
    program.signal(Signal::SIGKILL);
    program.wait();
}

pub(crate) async fn what_was_answered_is_there_after_a_cold_start(on: &Stage) {
    if !on.is_ours() {
        return;
    }
    let world = world();
    for round in 0..2 {
        let program = on.start(&world).await;
        for id in ["one", "two"] {
            assert_eq!(count(program.as_ref(), id).await, 3 * round);
            for addition in 1..=3 {
                assert_eq!(add(program.as_ref(), id).await, 3 * round + addition);
            }
        }
        kill(program);
    }
    let program = on.start(&world).await;
    assert_eq!(
        (count(program.as_ref(), "one").await, count(program.as_ref(), "two").await),
        (6, 6)
    );
}

pub(crate) async fn a_program_that_was_frozen_knows_what_others_wrote(on: &Stage) {
    if !on.is_ours() {
        return;
    }
    let world = world();
    let (frozen, other) = (on.start(&world).await, on.start(&world).await);
    assert_eq!((add(frozen.as_ref(), "written").await, add(frozen.as_ref(), "read").await), (1, 1));
    frozen.signal(Signal::SIGSTOP);
    // It succeeds as soon as the lease of the frozen one is over, if that had any.
    assert_eq!((add(other.as_ref(), "written").await, add(other.as_ref(), "read").await), (2, 2));
    frozen.signal(Signal::SIGCONT);
    assert_eq!(count(frozen.as_ref(), "read").await, 2, "a read is not from before");
    assert_eq!(add(frozen.as_ref(), "written").await, 3, "a write is not on top of before");
    for program in [&other, &frozen] {
        assert_eq!(
            (count(program.as_ref(), "written").await, count(program.as_ref(), "read").await),
            (3, 2)
        );
    }
}

pub(crate) async fn what_a_request_left_behind_is_done_though_its_program_is_frozen(on: &Stage) {
    if !on.is_ours() {
        return;
    }
    let world = world().env("DOTDO_OUTBOX_SCAN_MS", "200");
    let (frozen, other) = (on.start(&world).await, on.start(&world).await);
    let answer = ask(frozen.as_ref(), post("/do/Counter/sender/add?tell=receiver", "")).await;
    frozen.signal(Signal::SIGSTOP);
    assert_eq!(counted(&answer), 1);
    // A platform that freezes programs waits for the message first, or another program looks for
    // it; it wakes up as functions do: by requests.
    let told =
        || async { Some(count(other.as_ref(), "receiver").await).filter(|count| *count > 0) };
    let told = Deadline::in_seconds(PATIENCE_SECONDS).until(told).await;
    assert_eq!(told, Some(1), "{}", other.stderr());
    frozen.signal(Signal::SIGCONT);
    for program in [&other, &frozen] {
        assert_eq!(
            (count(program.as_ref(), "sender").await, count(program.as_ref(), "receiver").await),
            (1, 1),
            "it is taken once"
        );
    }
}

pub(crate) async fn a_handler_that_overruns_its_time_leaves_nothing(on: &Stage) {
    if !on.is_ours() {
        return;
    }
    let world = world().env("DOTDO_HANDLER_TIME_MAX_MS", "2000");
    let (program, gate) = (on.start(&world).await, Gate::closed().await);
    let answer =
        ask(program.as_ref(), post(&format!("/do/Counter/slow/add?gate={}", gate.address()), ""))
            .await;
    answer.error();
    assert_eq!(answer.status, 504);
    assert_eq!(gate.come(1).await, ["add"], "it had written");
    assert_eq!(count(program.as_ref(), "slow").await, 0);
    assert_eq!(add(program.as_ref(), "slow").await, 1);
}

pub(crate) async fn a_request_that_is_under_way_when_the_program_is_to_end_is_answered(on: &Stage) {
    if !on.is_ours() {
        return;
    }
    let (world, gate, id) =
        (world().env("DOTDO_SHUTDOWN_DEADLINE_MS", "60000"), Gate::closed().await, fresh("last"));
    let program = on.start(&world).await;
    let path = format!("/do/Counter/{id}/add?gate={}", gate.address());
    let end = async {
        gate.come(1).await;
        program.signal(Signal::SIGTERM);
        if on.abilities().ends_in_order {
            eventually("the program says that it stops", || {
                program.stderr().contains("shutting down")
            })
            .await;
        }
        gate.open();
    };
    let (answer, ()) = tokio::join!(
        soon("an answer although the program ends", program.send(post(&path, ""))),
        end
    );
    if on.abilities().ends_in_order {
        assert_eq!(counted(&Answer::of(answer.expect("it is answered")).await), 1);
        assert_eq!(program.wait().code(), Some(0), "{}", program.stderr());
        assert_eq!(count(on.start(&world).await.as_ref(), &id).await, 1);
    } else {
        let is_done = match answer {
            Ok(answer) => Answer::of(answer).await.status == 200,
            Err(_) => false,
        };
        kill(program);
        let there = count(on.start(&world).await.as_ref(), &id).await;
        assert!(there == 1 || there == 0 && !is_done, "what was answered is there: {there}");
    }
}

pub(crate) async fn a_program_that_is_to_end_releases_its_objects(on: &Stage) {
    if !on.is_ours() || !on.abilities().ends_in_order {
        return;
    }
    // Nobody waits for such a lease.
    let world = World::new().env("DOTDO_LEASE_DURATION_MS", "600000");
    let program = on.start(&world).await;
    assert_eq!(add(program.as_ref(), "released").await, 1);
    program.signal(Signal::SIGTERM);
    assert_eq!(program.wait().code(), Some(0), "{}", program.stderr());
    let next = on.start(&world).await;
    let answer = insist(next.as_ref(), || get("/do/Counter/released/count")).await;
    assert_eq!(counted(&answer), 1);
}
