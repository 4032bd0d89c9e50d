//! Real processes on a real store, and everything that can happen to them at once: kills, pauses
//! longer than a lease (also with a record on its way), stops and hand-overs, processes cut off
//! from the store, a store that is away, slow, or loses what it is asked and what it answers.
//! Whatever happens, each ledger must be exactly what its clients were told, at any time: nothing
//! lost, nothing twice, nothing in another order, and no read of a past that others had left
//! behind. When the trouble ends, every ledger goes on.
//!
//! Which trouble comes when is drawn from a seed, which is printed; what the machine makes of it is
//! not.

mod bank;
mod clients;
mod figures;
mod fleet;
mod phase;
mod seen;
mod trouble;

use std::time::{Duration, Instant};

use dotdo_tests::{Chance, say};

use crate::figures::Figures;
use crate::phase::Phase;

/// Sets how long it goes on.
const SECONDS: &str = "DOTDO_TEST_CHAOS_SECONDS";
/// How long it goes on otherwise.
const SECONDS_USUAL: u64 = 90;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_to_processes_and_store_every_ledger_is_what_its_clients_were_told() {
    let seconds = std::env::var(SECONDS)
        .map_or(SECONDS_USUAL, |text| text.parse().expect("DOTDO_TEST_CHAOS_SECONDS is a number"));
    let (chance, figures, begin) = (Chance::new(), Figures::default(), Instant::now());
    let mut phases = 0;
    while phases == 0 || begin.elapsed() < Duration::from_secs(seconds) {
        let before = figures.clone();
        Phase::start(phases, &chance, &figures).await.run().await;
        say(&format!("phase {phases}: {}", figures.since(&before)));
        phases += 1;
    }
    say(&format!("{phases} phases in {} s: {figures}", begin.elapsed().as_secs()));
}
