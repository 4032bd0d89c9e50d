//! One storm, and what it leaves: some processes, some ledgers, trouble for a while, then peace, in
//! which all must be well again.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dotdo_tests::{Chance, Seaweed, say, target};
use tokio::task::JoinSet;

use crate::bank::Bank;
use crate::clients::Clients;
use crate::figures::Figures;
use crate::fleet::{self, Member, Place, SharedStore};
use crate::trouble;

/// How long anything may take that must happen, but not by when.
pub(crate) const PATIENCE_SECONDS: u64 = 180;
/// How long there is trouble.
const STORM: Duration = Duration::from_secs(20);
/// How many ledgers there are.
const LEDGERS: u64 = 6;

/// Everything that takes part. When the test fails, what it knows is written down.
pub(crate) struct Phase {
    number: u64,
    chance: Chance,
    shared: Arc<SharedStore>,
    members: Vec<Member>,
    clients: Arc<Clients>,
    bank: Arc<Bank>,
    figures: Figures,
}

impl Phase {
    pub(crate) async fn start(number: u64, chance: &Chance, figures: &Figures) -> Self {
        let chance = chance.split();
        let shared = if chance.below(2) == 0 {
            figures.count("phases with forwarding");
            SharedStore::with_peers().await
        } else {
            SharedStore::new().await
        };
        let shared = Arc::new(shared);
        let members = fleet::start(&shared, &chance, figures).await;
        let objects = (0..LEDGERS).map(|ledger| format!("chaos-{number}-{ledger}")).collect();
        let places: Vec<Place> = members.iter().map(|member| member.place.clone()).collect();
        let bank = Bank::open(number, places.clone(), figures.share()).await;
        let clients = Clients::new(objects, places, figures.share());
        Self { number, chance, shared, members, clients, bank, figures: figures.share() }
    }

    /// Trouble, then peace; the ledgers as every process knows them, and as the store does.
    pub(crate) async fn run(mut self) {
        let (running, transfers) =
            (self.clients.start(&self.chance), self.bank.start(&self.chance));
        self.storm().await;
        self.clients.every_ledger_goes_on().await;
        self.clients.stop(running).await;
        self.bank.stop(transfers).await;
        let lies = self.shared.proxy.lies();
        assert!(
            lies.is_empty(),
            "the store says that it created these twice, so nothing can be said of the ledgers: {lies:?}"
        );
        self.bank.all_arrives(&self.members[0].place).await;
        for member in &self.members {
            self.clients.check(&member.place).await;
            self.bank.check(&member.place).await;
        }
        // What they have in memory is in the store too.
        self.members.iter_mut().for_each(Member::kill);
        self.members.push(Member::start("afterwards".to_owned(), "leased", &self.shared).await);
        let afterwards = &self.members.last().expect("it was started").place;
        self.clients.check(afterwards).await;
        self.bank.check(afterwards).await;
    }

    /// Trouble for every process and for the store, until it is over; then everything is as it
    /// should be.
    async fn storm(&mut self) {
        let over = Instant::now() + STORM;
        let mut troubled = JoinSet::new();
        for member in self.members.drain(..) {
            troubled.spawn(trouble::of_a_process(
                member,
                over,
                self.chance.split(),
                self.figures.share(),
            ));
        }
        let store = trouble::of_the_store(
            Arc::clone(&self.shared),
            over,
            self.chance.split(),
            self.figures.share(),
        );
        let store = tokio::spawn(store);
        while let Some(member) = troubled.join_next().await {
            self.members.push(member.expect("no process fails"));
        }
        store.await.expect("the store's trouble ends");
        self.members.sort_by(|one, other| one.name.cmp(&other.name));
    }
}

impl Drop for Phase {
    /// What a failed test leaves for whoever looks into it: what every process logged and every
    /// client was told.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let folder: PathBuf =
            target().join(format!("rigs/chaos-{}-{}", std::process::id(), self.number));
        let mut files: Vec<(String, String)> = self
            .members
            .iter()
            .map(|member| (format!("{}.log", member.name), member.log()))
            .collect();
        for (index, object) in self.clients.objects().iter().enumerate() {
            files.push((format!("{object}.txt"), told(&self.clients, index)));
        }
        files.push((
            "store.log".to_owned(),
            format!("lies: {:?}\n{}", self.shared.proxy.lies(), Seaweed::shared().stderr()),
        ));
        let written = std::fs::create_dir_all(&folder).is_ok()
            && files.iter().all(|(name, text)| std::fs::write(folder.join(name), text).is_ok());
        say(&format!(
            "what happened is in {}{}",
            folder.display(),
            if written { "" } else { ", as far as it could be written" }
        ));
    }
}

/// What the clients of one ledger were told, one thing a line.
fn told(clients: &Clients, index: usize) -> String {
    let (history, mut text) = (clients.history(index), String::new());
    for append in &history.appends {
        let _ = writeln!(text, "{append:?}");
    }
    for look in &history.looks {
        let _ = writeln!(text, "{look:?}");
    }
    text
}
