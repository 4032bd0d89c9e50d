//! Around all platforms: what a program writes on one of them, the programs on every other read, on
//! the same bucket.

use dotdo_tests::say;
use futures_util::future::join_all;
use nix::sys::signal::Signal;

use crate::host::{Host, Hosted};
use crate::hosts::{Http, around};
use crate::message::{get, post};
use crate::stage::{World, add, ask, count, counted, run};

/// Whoever waits for such a lease does not wait long.
const SHORT_LEASE_MS: &str = "400";
/// Nobody waits for such a lease.
const ENDLESS_LEASE_MS: &str = "600000";
/// What all programs know that send requests on to each other.
const SECRET: &str = "fedcba9876543210fedcba9876543210";

/// A program, and the name of its platform.
type Named = (&'static str, Box<dyn Hosted>);

/// Starts a program on every platform.
async fn start_all(world: &World) -> Vec<Named> {
    join_all(
        around()
            .into_iter()
            .map(|(name, host)| async move { (name, world.start(host.as_ref()).await) }),
    )
    .await
}

/// Ends a program in order where its platform does, and otherwise as a loss of power would.
fn end(host: &dyn Host, program: &dyn Hosted) {
    program.signal(if host.abilities().ends_in_order { Signal::SIGTERM } else { Signal::SIGKILL });
    program.wait();
}

#[test]
fn what_one_platform_writes_every_other_reads_in_a_folder() {
    run(async { one_after_the_other(&World::new()).await });
}

#[test]
fn what_one_platform_writes_every_other_reads_on_s3() {
    run(async { one_after_the_other(&World::seaweed()).await });
}

/// Every platform takes every object over from the one before it, with a lease where the platform
/// allows one; then all of them live at once, without.
async fn one_after_the_other(world: &World) {
    let world = world.clone().env("DOTDO_FORWARDING", "off");
    let leased = world
        .clone()
        .env("DOTDO_OWNERSHIP", "leased")
        .env("DOTDO_LEASE_DURATION_MS", SHORT_LEASE_MS);
    let per_request = world.clone().env("DOTDO_OWNERSHIP", "per-request");
    let names: Vec<_> = around().into_iter().map(|(name, _)| name).collect();
    for (turn, (name, host)) in around().into_iter().enumerate() {
        let world = if host.abilities().takes_leases { &leased } else { &per_request };
        let program = world.start(host.as_ref()).await;
        for (before, other) in names.iter().enumerate() {
            assert_eq!(
                count(program.as_ref(), other).await,
                u64::from(before < turn),
                "{name} reads what {other} wrote"
            );
        }
        assert_eq!(add(program.as_ref(), name).await, 1);
        assert_eq!(
            add(program.as_ref(), "everybody").await,
            turn as u64 + 1,
            "{name} goes on where the others were"
        );
        end(host.as_ref(), program.as_ref());
    }
    let programs = start_all(&per_request).await;
    let mut written = names.len() as u64;
    for (name, program) in &programs {
        written += 1;
        assert_eq!(
            add(program.as_ref(), "everybody").await,
            written,
            "{name} goes on where the others were"
        );
        for (other, reader) in &programs {
            assert_eq!(
                count(reader.as_ref(), "everybody").await,
                written,
                "{other} reads at once what {name} has just written"
            );
            assert_eq!(
                count(reader.as_ref(), name).await,
                1,
                "{other} reads what {name} wrote when it was alone"
            );
        }
    }
    let mut adds =
        join_all(programs.iter().map(|(_, program)| add(program.as_ref(), "contended"))).await;
    adds.sort_unstable();
    assert_eq!(
        adds,
        (1..=names.len() as u64).collect::<Vec<_>>(),
        "together, each has a number of its own"
    );
    say(&format!("around {names:?}"));
}

#[test]
fn functions_do_not_write_under_the_lease_of_a_server() {
    run(async {
        let world = World::seaweed()
            .env("DOTDO_LEASE_DURATION_MS", ENDLESS_LEASE_MS)
            .env("DOTDO_FORWARDING", "off");
        let (server, functions) = server_and_functions(&world).await;
        assert_eq!(add(server.as_ref(), "held").await, 1);
        for (name, function) in &functions {
            let refused = ask(function.as_ref(), post("/do/Counter/held/add", "")).await;
            assert_eq!(
                (refused.status, refused.error()["code"].as_str()),
                (503, Some("OWNED_BY_OTHER_INSTANCE")),
                "{name}"
            );
            assert_eq!(refused.values("retry-after").len(), 1, "{name}");
            let read = ask(function.as_ref(), get("/do/Counter/held/count")).await;
            assert_eq!(counted(&read), 1, "{name} reads without a lease");
        }
        assert_eq!(add(server.as_ref(), "held").await, 2, "the server was not disturbed");
    });
}

#[test]
fn functions_that_know_the_secret_send_requests_on_to_the_server_that_holds_the_object() {
    run(async {
        let world = World::seaweed()
            .env("DOTDO_LEASE_DURATION_MS", ENDLESS_LEASE_MS)
            .env("DOTDO_PEER_SECRET", SECRET)
            .env("DOTDO_FORWARDING", "proxy");
        let (server, functions) = server_and_functions(&world).await;
        assert_eq!(add(server.as_ref(), "held").await, 1);
        for (before, (name, function)) in functions.iter().enumerate() {
            let sent = ask(function.as_ref(), post("/do/Counter/held/add", "")).await;
            assert_eq!(counted(&sent), before as u64 + 2, "{name} sends it on");
        }
        assert_eq!(count(server.as_ref(), "held").await, functions.len() as u64 + 1);
    });
}

/// A server with leases, and a function on every platform.
async fn server_and_functions(world: &World) -> (Box<dyn Hosted>, Vec<Named>) {
    let server = world.clone().env("DOTDO_OWNERSHIP", "leased").start(&Http::started()).await;
    (server, start_all(&world.clone().env("DOTDO_OWNERSHIP", "per-request")).await)
}
