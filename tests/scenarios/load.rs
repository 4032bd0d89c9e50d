//! Clients that append to ledgers as fast as they are answered, and remember what they were told.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};

use dotdo_core::sync::Mutex;
use dotdo_tests::history::{Append, History, Look, Outcome};
use dotdo_tests::ledger::{append, count};
use dotdo_tests::{Deadline, Server};
use reqwest::Client;
use tokio::task::JoinSet;

use crate::world::{self, PATIENCE_SECONDS};

/// How many clients there are.
const CLIENTS: u64 = 8;
/// One request in this many reads.
const READS: u64 = 4;
/// After a failure, a client waits this long.
const PAUSE: Duration = Duration::from_millis(10);

/// The ledgers, and what happened to them.
pub(crate) struct Load {
    objects: Vec<String>,
    histories: Vec<Mutex<History>>,
    /// What each client asks for next.
    next: Vec<AtomicU64>,
}

/// Clients at work.
pub(crate) struct Running {
    stop: Arc<AtomicBool>,
    clients: JoinSet<()>,
}

impl Load {
    /// For ledgers with these names, which nobody else uses.
    pub(crate) fn new(objects: impl IntoIterator<Item = String>) -> Arc<Self> {
        let objects: Vec<String> = objects.into_iter().collect();
        let histories = objects.iter().map(|_| Mutex::default()).collect();
        Arc::new(Self {
            objects,
            histories,
            next: (0..CLIENTS).map(|_| AtomicU64::new(0)).collect(),
        })
    }

    /// The ledgers.
    pub(crate) fn objects(&self) -> &[String] {
        &self.objects
    }

    /// What happened to the ledger `index`.
    pub(crate) fn history(&self, index: usize) -> MutexGuard<'_, History> {
        self.histories[index].lock()
    }

    /// How many entries were acknowledged.
    pub(crate) fn acknowledged(&self) -> usize {
        (0..self.objects.len()).map(|index| self.history(index).acknowledged()).sum()
    }

    /// Waits until this many more entries are acknowledged. Each may take its time, so that a slow
    /// machine needs more of it and no other test.
    ///
    /// # Panics
    ///
    /// When one does not come.
    pub(crate) async fn goes_on(&self, entries: usize) {
        for wanted in self.acknowledged()..self.acknowledged() + entries {
            let more = || std::future::ready((self.acknowledged() > wanted).then_some(()));
            let more = Deadline::in_seconds(PATIENCE_SECONDS).until(more).await;
            more.unwrap_or_else(|| panic!("the load does not go on: {wanted} acknowledged entries, no more in {PATIENCE_SECONDS} s"));
        }
    }

    /// Starts the clients.
    pub(crate) fn start(self: &Arc<Self>, servers: &[&Server]) -> Running {
        self.start_at(servers.iter().map(|server| server.url("")).collect())
    }

    /// Starts the clients of whatever is at these URLs.
    pub(crate) fn start_at(self: &Arc<Self>, bases: Vec<String>) -> Running {
        let stop = Arc::new(AtomicBool::new(false));
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            let (load, bases, stop) = (Arc::clone(self), bases.clone(), Arc::clone(&stop));
            clients.spawn(async move {
                let http = Client::new();
                while !stop.load(Ordering::Relaxed) {
                    if !load.step(&http, client, &bases).await {
                        tokio::time::sleep(PAUSE).await;
                    }
                }
            });
        }
        Running { stop, clients }
    }

    /// One request of one client; whether it succeeded.
    async fn step(&self, http: &Client, client: u64, bases: &[String]) -> bool {
        let n = self.next[usize::try_from(client).expect("a small number")]
            .fetch_add(1, Ordering::Relaxed);
        let turn = usize::try_from(client + n / 2).expect("a small number");
        // Half of the clients go from server to server; the others stay, so that a server that is
        // paused does not catch all of them.
        let server = if client < CLIENTS / 2 {
            turn
        } else {
            usize::try_from(client).expect("a small number")
        };
        let (index, base) = (turn % self.objects.len(), &bases[server % bases.len()]);
        let object = format!("{base}/do/{}", self.objects[index]);
        let asked = Instant::now();
        if n.is_multiple_of(READS) {
            let Some(count) = count(http, &object).await else { return false };
            self.history(index).looks.push(Look::counted(count, asked));
            return true;
        }
        let outcome = append(http, &object, client, n).await;
        let is_done = matches!(outcome, Outcome::Appended(_));
        self.history(index).appends.push(Append {
            client,
            n,
            asked,
            answered: Instant::now(),
            outcome,
        });
        is_done
    }

    /// Compares every ledger with what happened to it.
    pub(crate) async fn check(&self, server: &Server) {
        let http = Client::new();
        for (index, object) in self.objects.iter().enumerate() {
            let state = world::state(server, &http, object).await;
            self.history(index).check(&state);
        }
    }
}

impl Running {
    /// Lets every client finish what it has asked for.
    pub(crate) async fn stop(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.clients.join_next().await {
            ended.expect("a client does not fail");
        }
    }
}
