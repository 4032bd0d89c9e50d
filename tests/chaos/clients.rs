//! Clients that append to ledgers and read them, on whichever process, and remember what they were
//! told.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};

use dotdo_core::sync::Mutex;
use dotdo_tests::history::{Append, History, Look, Outcome};
use dotdo_tests::ledger;
use dotdo_tests::{Chance, Deadline};
use futures_util::future::join_all;
use reqwest::Client;
use tokio::task::JoinSet;

use crate::figures::Figures;
use crate::fleet::Place;
use crate::phase::PATIENCE_SECONDS;

/// How many clients there are.
const CLIENTS: u64 = 24;
/// How often a client asks for the same entry, as long as it is told that nothing of it remains.
const TRIES: u64 = 4;
/// A client thinks for up to this long, so that the machine is not busy with clients alone, in
/// milliseconds.
const THINKS_MS: u64 = 20;

/// The ledgers, and what happened to them.
pub(crate) struct Clients {
    objects: Vec<String>,
    histories: Vec<Mutex<History>>,
    places: Vec<Place>,
    figures: Figures,
    stop: AtomicBool,
}

/// Clients at work.
pub(crate) struct Running(JoinSet<()>);

/// What a client asks for.
#[derive(Clone, Copy)]
struct Entry {
    /// The ledger.
    index: usize,
    client: u64,
    n: u64,
    keyed: Keyed,
}

/// Whether a request has a key, so that it may be sent again whatever became of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keyed {
    Yes,
    No,
}

impl Clients {
    /// For ledgers with these names, which nobody else uses.
    pub(crate) fn new(objects: Vec<String>, places: Vec<Place>, figures: Figures) -> Arc<Self> {
        let histories = objects.iter().map(|_| Mutex::default()).collect();
        Arc::new(Self { objects, histories, places, figures, stop: AtomicBool::new(false) })
    }

    /// The ledgers.
    pub(crate) fn objects(&self) -> &[String] {
        &self.objects
    }

    /// What happened to the ledger `index`.
    pub(crate) fn history(&self, index: usize) -> MutexGuard<'_, History> {
        self.histories[index].lock()
    }

    /// Starts them.
    pub(crate) fn start(self: &Arc<Self>, chance: &Chance) -> Running {
        let mut running = JoinSet::new();
        for number in 0..CLIENTS {
            let (clients, chance) = (Arc::clone(self), chance.split());
            running.spawn(async move { clients.run(number, &chance).await });
        }
        Running(running)
    }

    /// Waits until every ledger has one more entry than now.
    ///
    /// # Panics
    ///
    /// When one has not.
    pub(crate) async fn every_ledger_goes_on(&self) {
        for (index, object) in self.objects.iter().enumerate() {
            let before = self.history(index).acknowledged();
            let more =
                || std::future::ready((self.history(index).acknowledged() > before).then_some(()));
            let more = Deadline::in_seconds(PATIENCE_SECONDS).until(more).await;
            assert!(
                more.is_some(),
                "{object} takes no entry in {PATIENCE_SECONDS} s although all is well"
            );
        }
    }

    async fn run(&self, client: u64, chance: &Chance) {
        // Some give up soon, and what they have asked for may still be done: much later, when its
        // process is paused or cut off.
        let patience = Duration::from_secs(if client.is_multiple_of(2) { 2 } else { 30 });
        let http = Client::builder().timeout(patience).build().expect("a client");
        // Some stay with one process as long as it answers, the others go about.
        let home = (client.is_multiple_of(3)).then(|| chance.pick(&self.places));
        let mut n = 0;
        while !self.stop.load(Ordering::Relaxed) {
            let place = || {
                home.filter(|_| chance.below(8) > 0).unwrap_or_else(|| chance.pick(&self.places))
            };
            let index =
                usize::try_from(chance.below(self.objects.len() as u64)).expect("a small number");
            match chance.below(10) {
                0..6 => {
                    let keyed = if chance.below(2) == 0 { Keyed::Yes } else { Keyed::No };
                    self.append(&http, Entry { index, client, n, keyed }, &place).await;
                    n += 1;
                }
                6..8 => self.count(&http, index, place()).await,
                _ => self.read(&http, index, place()).await,
            }
            tokio::time::sleep(chance.millis(0, THINKS_MS)).await;
        }
    }

    /// Asks for an entry; again, and elsewhere, only when nothing of it remains, or when it has a
    /// key.
    async fn append<'a>(&self, http: &Client, entry: Entry, place: &impl Fn() -> &'a Place) {
        let Entry { index, client, n, keyed } = entry;
        let mut doubted = None;
        for tries in 1..=TRIES {
            let (object, asked) =
                (place().url(&format!("/do/{}", self.objects[index])), Instant::now());
            let outcome = match keyed {
                Keyed::Yes => ledger::append_once(http, &object, client, n).await,
                Keyed::No => ledger::append(http, &object, client, n).await,
            };
            self.figures.count(match (&outcome, doubted) {
                (Outcome::Appended(_), None) => "acknowledged",
                (Outcome::Appended(_), Some(_)) => "acknowledged after a doubt",
                (Outcome::Refused, _) => "refused",
                (Outcome::Unknown, _) => "unknown",
            });
            if outcome == Outcome::Unknown {
                doubted.get_or_insert(asked);
            }
            let again =
                outcome == Outcome::Refused || (outcome == Outcome::Unknown && keyed == Keyed::Yes);
            if tries < TRIES && again {
                continue;
            }
            // Nothing remains of this try, but of one before it something may.
            let outcome = if outcome == Outcome::Refused && doubted.is_some() {
                Outcome::Unknown
            } else {
                outcome
            };
            let asked = doubted.unwrap_or(asked);
            return self.history(index).appends.push(Append {
                client,
                n,
                asked,
                answered: Instant::now(),
                outcome,
            });
        }
    }

    async fn count(&self, http: &Client, index: usize, place: &Place) {
        let (object, asked) = (place.url(&format!("/do/{}", self.objects[index])), Instant::now());
        if let Some(count) = ledger::count(http, &object).await {
            self.history(index).looks.push(Look::counted(count, asked));
            self.figures.count("counts");
        }
    }

    async fn read(&self, http: &Client, index: usize, place: &Place) {
        let (object, asked) = (place.url(&format!("/do/{}", self.objects[index])), Instant::now());
        if let Some(state) = ledger::all(http, &object).await {
            self.history(index).looks.push(Look::seen(&state, asked));
            self.figures.count("reads");
        }
    }

    /// Lets every client finish what it has asked for.
    pub(crate) async fn stop(&self, mut running: Running) {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = running.0.join_next().await {
            ended.expect("a client does not fail");
        }
    }

    /// Compares every ledger, as the process at `place` knows it, with what happened to it.
    ///
    /// # Panics
    ///
    /// When it does not fit, or there is no answer.
    pub(crate) async fn check(&self, place: &Place) {
        let http = Client::new();
        let states = self.objects.iter().map(|object| {
            let (http, url) = (&http, place.url(&format!("/do/{object}")));
            async move {
                let state =
                    Deadline::in_seconds(PATIENCE_SECONDS).until(|| ledger::all(http, &url)).await;
                state.unwrap_or_else(|| {
                    panic!("{url} has no answer in {PATIENCE_SECONDS} s although all is well")
                })
            }
        });
        for (index, state) in join_all(states).await.iter().enumerate() {
            self.history(index).check(state);
        }
    }
}
