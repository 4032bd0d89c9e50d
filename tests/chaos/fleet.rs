//! The processes, each with a way to the store of its own.

use std::sync::Arc;
use std::time::Duration;

use dotdo_core::sync::Mutex;
use dotdo_tests::{Chance, Deadline, Proxy, Seaweed, Server, Setup, unique};
use nix::sys::signal::Signal;

use crate::figures::Figures;
use crate::phase::PATIENCE_SECONDS;

/// How long an owner may answer from memory: short, so that a pause that is longer than it is short
/// too.
pub(crate) const LEASE: Duration = Duration::from_millis(600);

/// The kinds of processes, and what they are called where they are counted.
const KINDS: [(&str, &str); 2] =
    [("leased", "leased processes"), ("per-request", "per-request processes")];

/// Where all of them keep their state.
pub(crate) struct SharedStore {
    /// The way to the store that all have in common.
    pub(crate) proxy: Proxy,
    storage: String,
    /// What they prove to each other that they may send requests on to each other, if they do.
    peer_secret: Option<String>,
}

impl SharedStore {
    pub(crate) async fn new() -> Self {
        let seaweed = Seaweed::shared();
        let storage = format!("s3://{}/chaos-{}", seaweed.bucket(), unique().simple());
        Self { proxy: Proxy::start(seaweed.endpoint()).await, storage, peer_secret: None }
    }

    /// The same, where processes send requests to the owner of their object.
    pub(crate) async fn with_peers() -> Self {
        let secret = format!("{}{}", unique().simple(), unique().simple());
        Self { peer_secret: Some(secret), ..Self::new().await }
    }

    /// A process of ledgers whose store is behind `endpoint`, with settings that nobody has
    /// changed.
    fn usual(&self, endpoint: &str, ownership: &str) -> Setup {
        let setup = Setup::of(env!("CARGO_BIN_EXE_scenario-app"), &self.storage)
            .env("DOTDO_OWNERSHIP", ownership);
        let setup = Seaweed::shared()
            .environment()
            .into_iter()
            .fold(setup, |setup, (name, value)| setup.env(name, value));
        let setup = setup.env("AWS_ENDPOINT_URL", endpoint);
        self.peer_secret.iter().fold(setup, |setup, secret| setup.env("DOTDO_PEER_SECRET", secret))
    }

    /// The same with a short lease, and snapshots all the time.
    fn hurried(&self, endpoint: &str, ownership: &str) -> Setup {
        let quick = [
            ("DOTDO_LEASE_DURATION_MS", LEASE.as_millis().to_string()),
            ("DOTDO_COMMIT_DEADLINE_MS", "4000".to_owned()),
            ("DOTDO_CHECKPOINT_INTERVAL_MS", "100".to_owned()),
            ("DOTDO_CHECKPOINT_MIN_CHANGES", "4".to_owned()),
            ("DOTDO_CHECKPOINT_LOG_RECORDS", "12".to_owned()),
            ("DOTDO_LOG_ACCESS", "all".to_owned()),
        ];
        quick
            .into_iter()
            .fold(self.usual(endpoint, ownership), |setup, (name, value)| setup.env(name, value))
    }
}

/// One process, which is started again whenever it has ended.
pub(crate) struct Member {
    pub(crate) name: String,
    /// Its own way to the store.
    pub(crate) proxy: Proxy,
    pub(crate) place: Place,
    setup: Setup,
    server: Server,
    /// What those before it have logged.
    logged: String,
}

/// Where a process is reached, also for those who don't hold it.
#[derive(Clone)]
pub(crate) struct Place(Arc<Mutex<String>>);

impl Place {
    /// The URL of `path`, which begins with `/`, at the process that runs there now or did last.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.0.lock())
    }

    fn moves_to(&self, server: &Server) {
        *self.0.lock() = server.url("");
    }
}

impl Member {
    /// One with a short lease, which writes snapshots all the time.
    pub(crate) async fn start(name: String, ownership: &str, shared: &SharedStore) -> Self {
        let proxy = Proxy::start(&shared.proxy.endpoint()).await;
        let setup = shared.hurried(&proxy.endpoint(), ownership);
        Self::start_with(name, setup, proxy).await
    }

    /// One with settings that nobody has changed.
    pub(crate) async fn start_usual(name: String, ownership: &str, shared: &SharedStore) -> Self {
        let proxy = Proxy::start(&shared.proxy.endpoint()).await;
        let setup = shared.usual(&proxy.endpoint(), ownership);
        Self::start_with(name, setup, proxy).await
    }

    async fn start_with(name: String, setup: Setup, proxy: Proxy) -> Self {
        let server = setup.start_listening().await;
        let place = Place(Arc::new(Mutex::new(server.url(""))));
        Self { name, proxy, place, setup, server, logged: String::new() }
    }

    /// Ends it without a warning.
    pub(crate) fn kill(&mut self) {
        self.server.kill9();
    }

    /// Stops its time, or lets it go on.
    pub(crate) fn signal(&mut self, signal: Signal) {
        self.server.signal(signal);
    }

    /// Asks it to stop in order, and waits until it has.
    ///
    /// # Panics
    ///
    /// When it does not, or says that it failed.
    pub(crate) async fn stop(&mut self) {
        self.server.signal(Signal::SIGTERM);
        let deadline = Deadline::in_seconds(PATIENCE_SECONDS);
        while self.server.ended().is_none() {
            assert!(!deadline.is_over(), "{} does not stop:\n{}", self.name, self.server.stderr());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let status = self.server.ended().expect("it has ended");
        assert_eq!(
            status.code(),
            Some(0),
            "{} stops in order:\n{}",
            self.name,
            self.server.stderr()
        );
    }

    /// Starts it again; as often as it takes, because a process ends when it finds no store.
    ///
    /// # Panics
    ///
    /// When it never listens.
    pub(crate) async fn start_again(&mut self) {
        self.logged.push_str(&self.server.stderr());
        self.logged.push_str("-- started again --\n");
        let deadline = Deadline::in_seconds(PATIENCE_SECONDS);
        loop {
            match self.setup.try_start().await {
                Ok(server) => {
                    self.place.moves_to(&server);
                    self.server = server;
                    return;
                }
                Err(log) if deadline.is_over() => panic!("{} does not start:\n{log}", self.name),
                Err(log) => self.logged.push_str(&log),
            }
        }
    }

    /// Everything it has ever logged.
    pub(crate) fn log(&self) -> String {
        format!("{}{}", self.logged, self.server.stderr())
    }
}

/// Two to five processes of either kind: those that own an object for a while, and those that own
/// it for a request.
pub(crate) async fn start(shared: &SharedStore, chance: &Chance, figures: &Figures) -> Vec<Member> {
    let mut members = Vec::new();
    for number in 0..2 + chance.below(4) {
        let (ownership, what) = *chance.pick(&KINDS);
        members.push(Member::start(format!("{ownership}-{number}"), ownership, shared).await);
        figures.count(what);
    }
    members
}
