//! What can happen to a process and to the store.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dotdo_tests::{Chance, Lost, Proxy};
use http::Method;
use nix::sys::signal::Signal;

use crate::figures::Figures;
use crate::fleet::{LEASE, Member, SharedStore};

/// Between two troubles of the same process there is peace for this long, in milliseconds, and up
/// to as much again.
const PEACE_MS: u64 = 2500;
/// The same for the store, which is everybody's.
const STORE_PEACE_MS: u64 = 3000;
/// A record should be on its way within this time, or the process is paused without one.
const RECORD_MAX: Duration = Duration::from_secs(2);

/// Longer than the lease, so that others take over: in milliseconds, with a chance of much longer.
fn long(chance: &Chance) -> Duration {
    let lease = u64::try_from(LEASE.as_millis()).expect("a short lease");
    chance.millis(lease + lease / 5, 3 * lease)
}

/// Troubles one process until it is over, and gives it back in peace.
pub(crate) async fn of_a_process(
    mut member: Member,
    over: Instant,
    chance: Chance,
    figures: Figures,
) -> Member {
    loop {
        tokio::time::sleep(chance.millis(PEACE_MS / 3, PEACE_MS)).await;
        if Instant::now() >= over {
            return member;
        }
        match chance.below(10) {
            0 | 1 => {
                figures.count("kills");
                member.kill();
                tokio::time::sleep(chance.millis(0, 1500)).await;
                member.start_again().await;
            }
            2 => {
                figures.count("stops");
                member.stop().await;
                member.start_again().await;
            }
            3 | 4 => {
                figures.count("pauses");
                pause(&mut member, long(&chance)).await;
            }
            5 => pause_with_a_record_on_its_way(&mut member, &chance, &figures).await,
            6 => {
                figures.count("partitions");
                member.proxy.outage(true);
                tokio::time::sleep(long(&chance)).await;
            }
            7 => {
                figures.count("silent partitions");
                member.proxy.hold();
                tokio::time::sleep(long(&chance)).await;
            }
            _ => {
                figures.count("losses of one");
                lose(&member.proxy, &chance).await;
            }
        }
        member.proxy.heal();
    }
}

/// Stops its time for so long.
async fn pause(member: &mut Member, time: Duration) {
    member.signal(Signal::SIGSTOP);
    tokio::time::sleep(time).await;
    member.signal(Signal::SIGCONT);
}

/// Stops its time when a record of it is on its way to the store, which it may reach before or
/// after the others have taken over.
async fn pause_with_a_record_on_its_way(member: &mut Member, chance: &Chance, figures: &Figures) {
    member.proxy.hold();
    member.proxy.take_seen();
    let begin = Instant::now();
    let is_record =
        |(method, path): &(Method, String)| *method == Method::PUT && path.contains("/log/");
    while !member.proxy.take_seen().iter().any(is_record) {
        if begin.elapsed() > RECORD_MAX {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    figures.count("pauses with a record on its way");
    member.signal(Signal::SIGSTOP);
    if chance.below(2) == 0 {
        member.proxy.release();
    }
    tokio::time::sleep(long(chance)).await;
    // The late record and its awakened writer race each other.
    if chance.below(2) == 0 {
        member.proxy.release();
        tokio::time::sleep(chance.millis(0, 20)).await;
    }
    member.signal(Signal::SIGCONT);
    tokio::time::sleep(chance.millis(0, 200)).await;
}

/// Troubles everybody's way to the store until it is over, and ends in peace.
pub(crate) async fn of_the_store(
    shared: Arc<SharedStore>,
    over: Instant,
    chance: Chance,
    figures: Figures,
) {
    loop {
        tokio::time::sleep(chance.millis(STORE_PEACE_MS / 3, STORE_PEACE_MS)).await;
        if Instant::now() >= over {
            return;
        }
        match chance.below(8) {
            0 => {
                figures.count("outages");
                shared.proxy.outage(true);
                tokio::time::sleep(chance.millis(100, 3000)).await;
            }
            1 => {
                figures.count("silent outages");
                shared.proxy.hold();
                tokio::time::sleep(chance.millis(100, 3000)).await;
            }
            2 | 3 => {
                figures.count("slow times");
                shared.proxy.delay(chance.millis(10, 400));
                tokio::time::sleep(chance.millis(500, 3000)).await;
            }
            _ => {
                figures.count("losses of all");
                lose(&shared.proxy, &chance).await;
            }
        }
        shared.proxy.heal();
    }
}

/// Loses some requests and answers, and cuts connections.
async fn lose(proxy: &Proxy, chance: &Chance) {
    for _ in 0..=chance.below(6) {
        let lost =
            *chance.pick(&[Lost::Request, Lost::Answer, Lost::Answer, Lost::Error, Lost::Busy]);
        match chance.below(5) {
            0 => proxy.cut_connections(),
            1 => proxy.lose(Method::GET, lost),
            _ => proxy.lose(Method::PUT, lost),
        }
        tokio::time::sleep(chance.millis(0, 150)).await;
    }
}
