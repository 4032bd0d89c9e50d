//! Money that objects send each other while everything breaks: none is lost, and none is made.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dotdo_tests::ledger::error_of;
use dotdo_tests::{Chance, Deadline};
use futures_util::future::join_all;
use reqwest::{Client, Response};
use serde_json::Value;
use tokio::task::JoinSet;

use crate::figures::Figures;
use crate::fleet::Place;
use crate::phase::PATIENCE_SECONDS;

/// How many accounts there are.
const ACCOUNTS: u64 = 4;
/// What each has at the beginning.
const CENTS: i64 = 100_000;
/// How many clients send money.
const CLIENTS: u64 = 3;
/// How often a client sends the same request.
const TRIES: u64 = 3;

/// The accounts of one phase.
pub(crate) struct Bank {
    accounts: Vec<String>,
    places: Vec<Place>,
    figures: Figures,
    stop: AtomicBool,
}

/// Clients at work.
pub(crate) struct Running(JoinSet<()>);

impl Bank {
    /// Opens accounts and pays in.
    ///
    /// # Panics
    ///
    /// When they can't be paid in to.
    pub(crate) async fn open(number: u64, places: Vec<Place>, figures: Figures) -> Arc<Self> {
        let accounts = (0..ACCOUNTS).map(|account| format!("account-{number}-{account}")).collect();
        let bank = Self { accounts, places, figures, stop: AtomicBool::new(false) };
        for account in &bank.accounts {
            let (http, url) = (
                Client::new(),
                bank.places[0].url(&format!("/do/Account/{account}/deposit?cents={CENTS}")),
            );
            let paid = || async {
                post_once(&http, &url, "deposit")
                    .await
                    .ok()
                    .filter(|answer| answer.status().is_success())
            };
            Deadline::in_seconds(PATIENCE_SECONDS).until(paid).await.expect("a bank takes money");
        }
        Arc::new(bank)
    }

    /// Starts the clients.
    pub(crate) fn start(self: &Arc<Self>, chance: &Chance) -> Running {
        let mut running = JoinSet::new();
        for client in 0..CLIENTS {
            let (bank, chance) = (Arc::clone(self), chance.split());
            running.spawn(async move {
                let http =
                    Client::builder().timeout(Duration::from_secs(5)).build().expect("a client");
                for n in 0.. {
                    if bank.stop.load(Ordering::Relaxed) {
                        return;
                    }
                    bank.transfer(&http, &chance, &format!("{client}-{n}")).await;
                    tokio::time::sleep(chance.millis(0, 50)).await;
                }
            });
        }
        Running(running)
    }

    /// Sends money from one account to another; the same request again, and elsewhere, when it is
    /// not known to be done.
    async fn transfer(&self, http: &Client, chance: &Chance, key: &str) {
        let (from, to) = (chance.below(ACCOUNTS), chance.below(ACCOUNTS - 1));
        let [from, to] = [from, (from + 1 + to) % ACCOUNTS]
            .map(|index| &self.accounts[usize::try_from(index).expect("a small number")]);
        let path = format!("/do/Account/{from}/transfer?to={to}&cents={}", 1 + chance.below(100));
        for _ in 0..TRIES {
            let answer = post_once(http, &chance.pick(&self.places).url(&path), key).await;
            match answer {
                Ok(answer) if answer.status().is_success() => {
                    return self.figures.count("transfers");
                }
                Ok(answer) => {
                    let (status, code, message) = error_of(answer).await;
                    let is_expected = matches!((status.as_u16(), code.as_str()), (409 | 503, code) if !code.is_empty());
                    assert!(is_expected, "a transfer was answered with {status} {code}: {message}");
                }
                Err(_) => {}
            }
        }
        self.figures.count("transfers not known to be done");
    }

    /// Lets every client finish what it has asked for.
    pub(crate) async fn stop(&self, mut running: Running) {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = running.0.join_next().await {
            ended.expect("a client does not fail");
        }
    }

    /// Waits until all money has arrived, as the process at `place` sees it.
    ///
    /// # Panics
    ///
    /// When it never is as much as was paid in.
    pub(crate) async fn all_arrives(&self, place: &Place) {
        let whole = || async { (self.sum(place).await == self.paid_in()).then_some(()) };
        if Deadline::in_seconds(PATIENCE_SECONDS).until(whole).await.is_none() {
            self.check(place).await;
        }
    }

    /// Whether there is as much money as was paid in.
    ///
    /// # Panics
    ///
    /// When there is more or less.
    pub(crate) async fn check(&self, place: &Place) {
        assert_eq!(
            self.sum(place).await,
            self.paid_in(),
            "cents in all accounts, and cents that were paid in"
        );
    }

    fn paid_in(&self) -> i64 {
        CENTS * i64::try_from(self.accounts.len()).expect("a small number")
    }

    /// All balances together.
    async fn sum(&self, place: &Place) -> i64 {
        let http = Client::new();
        let balances = self.accounts.iter().map(|account| {
            let (http, url) = (&http, place.url(&format!("/do/Account/{account}/balance")));
            async move {
                let ask = || async { balance(http, &url).await };
                Deadline::in_seconds(PATIENCE_SECONDS)
                    .until(ask)
                    .await
                    .unwrap_or_else(|| panic!("{url} has no answer although all is well"))
            }
        });
        join_all(balances).await.into_iter().sum()
    }
}

async fn balance(http: &Client, url: &str) -> Option<i64> {
    let answer = http.get(url).send().await.ok().filter(|answer| answer.status().is_success())?;
    answer.json::<Value>().await.ok()?["cents"].as_i64()
}

/// Sends a request that is done once, however often it is sent.
async fn post_once(http: &Client, url: &str, key: &str) -> reqwest::Result<Response> {
    http.post(url).header("Idempotency-Key", format!("\"{key}\"")).send().await
}
