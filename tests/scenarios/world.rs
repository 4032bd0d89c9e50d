//! A store, and servers on it.

use std::path::Path;

use dotdo_core::{Bucket, Entry, Key, StoreConfig};
use dotdo_tests::history::State;
use dotdo_tests::{Deadline, Seaweed, Server, Setup, Sqld, open, scratch, unique};
use reqwest::{Client, Response};
use tempfile::TempDir;

/// How long anything may take that must happen, but not by when.
pub(crate) const PATIENCE_SECONDS: u64 = 180;
/// A lease that is never over while a test runs, however slow the machine is. A request of another
/// server waits up to 15 s for the end of a lease, so one of 20 s is not enough.
pub(crate) const ENDLESS_LEASE_MS: &str = "600000";

/// One store with nothing in it.
pub(crate) struct World {
    storage: String,
    environment: Vec<(&'static str, String)>,
    config: StoreConfig,
    /// The database that holds the log, if one does.
    database: Option<&'static Sqld>,
    _folder: Option<TempDir>,
}

impl World {
    /// A local folder.
    pub(crate) fn folder() -> Self {
        let folder = scratch();
        let world = Self::at(folder.path());
        Self { _folder: Some(folder), ..world }
    }

    /// A local folder whose log is in a libSQL database.
    pub(crate) fn libsql() -> Self {
        let sqld = Sqld::shared();
        let environment = vec![("TURSO_URL", sqld.url())];
        Self { environment, database: Some(sqld), ..Self::folder() }
    }

    /// The folder at `path`.
    pub(crate) fn at(path: &Path) -> Self {
        let config = StoreConfig::Folder { path: path.to_owned() };
        Self {
            storage: format!("file://{}", path.display()),
            environment: Vec::new(),
            config,
            database: None,
            _folder: None,
        }
    }

    /// SeaweedFS.
    pub(crate) fn seaweed() -> Self {
        Self::seaweed_through(Seaweed::shared().endpoint())
    }

    /// SeaweedFS behind a proxy; the test itself reaches it directly.
    pub(crate) fn seaweed_through(endpoint: &str) -> Self {
        let (seaweed, prefix) = (Seaweed::shared(), format!("scenario-{}", unique().simple()));
        let storage = format!("s3://{}/{prefix}", seaweed.bucket());
        let mut environment = seaweed.environment();
        environment.push(("AWS_ENDPOINT_URL", endpoint.to_owned()));
        let config = seaweed.config(&prefix);
        Self { storage, environment, config, database: None, _folder: None }
    }

    /// The storage, as a setting names it.
    pub(crate) fn storage(&self) -> &str {
        &self.storage
    }

    /// A server of ledgers on this store: a short lease, and snapshots all the time.
    pub(crate) fn setup(&self) -> Setup {
        let setup = Setup::of(env!("CARGO_BIN_EXE_scenario-app"), &self.storage);
        let quick = [
            ("DOTDO_LEASE_DURATION_MS", "400"),
            ("DOTDO_CHECKPOINT_INTERVAL_MS", "100"),
            ("DOTDO_CHECKPOINT_MIN_CHANGES", "4"),
            ("DOTDO_CHECKPOINT_LOG_RECORDS", "12"),
        ];
        let setup = quick.into_iter().fold(setup, |setup, (name, value)| setup.env(name, value));
        self.environment.iter().fold(setup, |setup, (name, value)| setup.env(*name, value))
    }

    /// The store as the test sees it.
    pub(crate) fn bucket(&self) -> std::sync::Arc<dyn Bucket> {
        match self.database {
            Some(sqld) => sqld.with_files(&self.config),
            None => open(&self.config).expect("the store that the server uses can be opened"),
        }
    }
}

/// Everything in the bucket below a part of one ledger: `log` or `snapshots`.
pub(crate) async fn entries(bucket: &dyn Bucket, object: &str, part: &str) -> Vec<Entry> {
    let prefix = Key::new(format!("local/local/do/ledger/{object}/{part}"));
    let mut found: Vec<Entry> = Vec::new();
    loop {
        let after = found.last().map(|entry| entry.key.clone());
        let page = bucket.list(&prefix, after.as_ref(), 1000).await.expect("the store answers");
        let is_last = page.len() < 1000;
        found.extend(page);
        if is_last {
            return found;
        }
    }
}

/// The newest record of a ledger's log.
pub(crate) async fn newest_record(bucket: &dyn Bucket, object: &str) -> u64 {
    let sequence = |entry: &Entry| {
        entry.key.as_str().rsplit('-').next().and_then(|digits| digits.parse().ok())
    };
    entries(bucket, object, "log").await.iter().filter_map(sequence).max().unwrap_or(0)
}

/// The snapshots of a ledger: the complete ones' last records, and how many were given up half-way.
pub(crate) async fn snapshots(bucket: &dyn Bucket, object: &str) -> (Vec<u64>, usize) {
    let (mut begun, mut complete) = (std::collections::BTreeSet::new(), Vec::new());
    for entry in entries(bucket, object, "snapshots").await {
        let segments = entry.key.as_str().split('/').skip_while(|segment| *segment != "snapshots");
        let (stem, is_complete) = match segments.skip(1).collect::<Vec<_>>()[..] {
            [folder, name] if folder.starts_with("seq-") => (&folder[4..], name == "snapshot.json"),
            // The sequence in ten digits, and a UUID.
            ["iceberg", _, _, name] => (&name[..10 + 1 + 36], false),
            _ => continue,
        };
        begun.insert(stem.to_owned());
        if is_complete {
            let digits = stem.split('-').next().and_then(|digits| digits.parse().ok());
            complete.push(digits.expect("the name says the sequence"));
        }
    }
    let given_up = begun.len() - complete.len();
    (complete, given_up)
}

/// Asks until the answer is a success.
///
/// # Panics
///
/// When it never is, with what the server wrote.
pub(crate) async fn insist(server: &Server, client: &Client, path: &str) -> Response {
    let url = server.url(path);
    let ask = || async {
        client.get(&url).send().await.ok().filter(|answer| answer.status().is_success())
    };
    let answer = Deadline::in_seconds(PATIENCE_SECONDS).until(ask).await;
    answer.unwrap_or_else(|| {
        panic!("{url} has no answer in {PATIENCE_SECONDS} s:\n{}", server.stderr())
    })
}

/// The whole ledger.
pub(crate) async fn state(server: &Server, client: &Client, object: &str) -> State {
    insist(server, client, &format!("/do/{object}/all"))
        .await
        .json()
        .await
        .expect("a ledger tells its entries")
}
