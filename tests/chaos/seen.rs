//! What clients see of each failure, and for how long: a client that writes and one that reads,
//! both again and again, at the process that suffers and at another that is well. Which answers
//! they may get is checked; how long they went without a good one is printed, and
//! docs/OPERATIONS.md tells it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use dotdo_tests::history::Outcome;
use dotdo_tests::ledger::{append, error_of};
use dotdo_tests::{Deadline, say};
use nix::sys::signal::Signal;
use reqwest::Client;
use tokio::task::JoinHandle;

use crate::fleet::{Member, Place, SharedStore};
use crate::phase::PATIENCE_SECONDS;

/// Longer than the lease that a server has when nothing says another.
const LONG: Duration = Duration::from_secs(15);
/// Between two requests of a client.
const PAUSE: Duration = Duration::from_millis(50);

/// What one client saw.
struct Seen {
    what: String,
    /// How often it got which answer.
    answers: BTreeMap<String, u64>,
    /// The longest time without a good answer, from the answer before it or from the failure.
    without: Duration,
    /// After how long the first answer came that was not good.
    bad_after: Option<Duration>,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let answers: Vec<String> =
            self.answers.iter().map(|(answer, count)| format!("{count} × {answer}")).collect();
        let bad = self.bad_after.map_or_else(String::new, |after| {
            format!(", the first bad one after {:.1} s", after.as_secs_f64())
        });
        write!(
            f,
            "{}: {:.1} s without a good answer{bad}; {}",
            self.what,
            self.without.as_secs_f64(),
            answers.join(", ")
        )
    }
}

/// What a client asks for.
#[derive(Debug, Clone, Copy)]
enum Ask {
    Write,
    Read,
}

/// Servers of a store of their own, with settings that nobody has changed, and clients that watch
/// them.
struct Scene {
    name: &'static str,
    shared: SharedStore,
    over: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Seen>>,
}

impl Scene {
    async fn new(name: &'static str) -> Self {
        Self { name, shared: SharedStore::new().await, over: Arc::default(), clients: Vec::new() }
    }

    /// A server that is well; the ledger is of no concern to it yet.
    async fn other(&self) -> Member {
        Member::start_usual("other".to_owned(), "leased", &self.shared).await
    }

    /// A process that owns objects for one request at a time.
    async fn function(&self) -> Member {
        Member::start_usual("function".to_owned(), "per-request", &self.shared).await
    }

    /// The server that owns the ledger.
    async fn owner(&self) -> Member {
        let member = Member::start_usual("owner".to_owned(), "leased", &self.shared).await;
        let (http, object) = (Client::new(), member.place.url("/do/seen"));
        assert_eq!(
            append(&http, &object, 0, 0).await,
            Outcome::Appended(1),
            "a healthy server takes an entry"
        );
        member
    }

    /// Begins to watch a process.
    fn watch(&mut self, member: &Member) {
        self.watch_each(member, &[Ask::Write, Ask::Read]);
    }

    /// Begins to watch a process with a client for each of these.
    fn watch_each(&mut self, member: &Member, asks: &[Ask]) {
        for ask in asks.iter().copied() {
            let what = format!("{}, {ask:?} at the {}", self.name, member.name);
            self.clients.push(tokio::spawn(watch(
                what,
                ask,
                member.place.clone(),
                Arc::clone(&self.over),
            )));
        }
    }

    /// The failure is over: waits until every client has a good answer again, and compares what
    /// they saw with what they may see.
    async fn ends(self, may: &[&str]) {
        self.over.store(true, Ordering::Relaxed);
        for client in self.clients {
            let seen = client.await.expect("a client does not fail");
            say(&seen.to_string());
            let unheard: Vec<&String> = seen
                .answers
                .keys()
                .filter(|answer| !answer.starts_with("200") && !may.contains(&answer.as_str()))
                .collect();
            assert!(unheard.is_empty(), "nobody has said that clients see {unheard:?}: {seen}");
        }
    }
}

/// Asks again and again, until the failure is over and an answer is good.
async fn watch(what: String, ask: Ask, place: Place, over: Arc<AtomicBool>) -> Seen {
    let (http, deadline) = (Client::new(), Deadline::in_seconds(PATIENCE_SECONDS));
    let mut seen =
        Seen { what, answers: BTreeMap::new(), without: Duration::ZERO, bad_after: None };
    let begin = Instant::now();
    let mut good = begin;
    for n in 1.. {
        let was_over = over.load(Ordering::Relaxed);
        let answer = match ask {
            Ask::Write => http.post(place.url(&format!("/do/seen/append?client=1&n={n}"))),
            Ask::Read => http.get(place.url("/do/seen/count")),
        };
        let answer = match answer.send().await {
            Err(_) => "a broken connection".to_owned(),
            Ok(answer) if answer.status().is_success() => "200".to_owned(),
            Ok(answer) => {
                let (status, code, _) = error_of(answer).await;
                format!("{} {code}", status.as_u16())
            }
        };
        let is_good = answer == "200";
        *seen.answers.entry(answer).or_default() += 1;
        if is_good {
            seen.without = seen.without.max(good.elapsed());
            good = Instant::now();
        } else {
            seen.bad_after.get_or_insert_with(|| begin.elapsed());
        }
        if is_good && was_over {
            break;
        }
        assert!(!deadline.is_over(), "no good answer in {PATIENCE_SECONDS} s: {seen}");
        tokio::time::sleep(PAUSE).await;
    }
    seen
}

const AWAY: [&str; 2] = ["503 STORE_UNAVAILABLE", "503 OUTCOME_UNKNOWN"];
const TAKEN: [&str; 2] = ["503 OWNED_BY_OTHER_INSTANCE", "409 FENCED"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_see_of_each_failure_what_the_document_says() {
    tokio::join!(
        killed(),
        killed_for_good(),
        stopped(),
        paused(),
        cut_off(),
        away(),
        away_for_readers(),
        slow()
    );
    tokio::join!(beside_a_server(), after_a_function(), function_killed());
}

async fn killed() {
    let mut scene = Scene::new("killed and started again").await;
    let mut owner = scene.owner().await;
    scene.watch(&owner);
    owner.kill();
    owner.start_again().await;
    scene.ends(&["a broken connection"]).await;
}

async fn killed_for_good() {
    let mut scene = Scene::new("killed").await;
    let (mut owner, other) = (scene.owner().await, scene.other().await);
    owner.kill();
    scene.watch(&other);
    scene.ends(&TAKEN).await;
}

async fn stopped() {
    let mut scene = Scene::new("stopped in order and started again").await;
    let mut owner = scene.owner().await;
    scene.watch(&owner);
    owner.stop().await;
    owner.start_again().await;
    scene.ends(&["a broken connection", "503 BUSY"]).await;
}

async fn paused() {
    let mut scene = Scene::new("paused").await;
    let (mut owner, other) = (scene.owner().await, scene.other().await);
    owner.signal(Signal::SIGSTOP);
    scene.watch(&owner);
    scene.watch(&other);
    tokio::time::sleep(LONG).await;
    owner.signal(Signal::SIGCONT);
    // Both ask for the ledger all the time, so one of them is refused now and then.
    scene.ends(&TAKEN).await;
}

async fn cut_off() {
    let mut scene = Scene::new("cut off from the store").await;
    let (owner, other) = (scene.owner().await, scene.other().await);
    owner.proxy.hold();
    scene.watch(&owner);
    scene.watch(&other);
    tokio::time::sleep(LONG).await;
    owner.proxy.heal();
    scene.ends(&[AWAY, TAKEN].concat()).await;
}

async fn away() {
    let mut scene = Scene::new("the store is away").await;
    let owner = scene.owner().await;
    scene.shared.proxy.outage(true);
    scene.watch(&owner);
    tokio::time::sleep(LONG).await;
    scene.shared.proxy.heal();
    scene.ends(&AWAY).await;
}

/// Nothing waits for a record that can't be written.
async fn away_for_readers() {
    let mut scene = Scene::new("the store is away and nobody writes").await;
    let owner = scene.owner().await;
    scene.shared.proxy.outage(true);
    scene.watch_each(&owner, &[Ask::Read]);
    tokio::time::sleep(LONG).await;
    scene.shared.proxy.heal();
    scene.ends(&AWAY).await;
}

/// A server keeps its object while it is busy; a function beside it can read.
async fn beside_a_server() {
    let mut scene = Scene::new("a server beside a function").await;
    let (owner, function) = (scene.owner().await, scene.function().await);
    scene.watch(&owner);
    scene.watch(&function);
    tokio::time::sleep(LONG).await;
    scene.ends(&TAKEN).await;
}

/// A function leaves nothing behind that a server would have to wait for.
async fn after_a_function() {
    let mut scene = Scene::new("after a function").await;
    let (function, other) = (scene.function().await, scene.other().await);
    assert_eq!(
        append(&Client::new(), &function.place.url("/do/seen"), 0, 0).await,
        Outcome::Appended(1)
    );
    scene.watch(&other);
    scene.ends(&[]).await;
}

/// Neither does one that is killed.
async fn function_killed() {
    let mut scene = Scene::new("after a function that was killed").await;
    let (mut function, other) = (scene.function().await, scene.function().await);
    assert_eq!(
        append(&Client::new(), &function.place.url("/do/seen"), 0, 0).await,
        Outcome::Appended(1)
    );
    function.kill();
    scene.watch(&other);
    scene.ends(&[]).await;
}

async fn slow() {
    let mut scene = Scene::new("the store takes 500 ms longer").await;
    let owner = scene.owner().await;
    scene.shared.proxy.delay(Duration::from_millis(500));
    scene.watch(&owner);
    tokio::time::sleep(LONG).await;
    scene.ends(&[]).await;
}
