//! The measured server, and the stores that it runs on.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use dotdo::engine::{OsRandom, SystemClock};
use dotdo_core::{Bucket, Clock, Key, open};
use dotdo_tests::{Proxy, Seaweed, Server, Setup};

/// How long the slow store takes longer than the fast one it stands on.
pub(crate) const STORE_DELAY: Duration = Duration::from_millis(30);

/// A real S3 server behind a proxy that delays every answer.
pub(crate) struct SlowStore {
    pub(crate) proxy: Proxy,
    prefix: String,
}

impl SlowStore {
    pub(crate) async fn start(prefix: &str) -> Self {
        let proxy = Proxy::start(Seaweed::shared().endpoint()).await;
        proxy.delay(STORE_DELAY);
        Self { proxy, prefix: prefix.to_owned() }
    }

    /// The measured server on this store.
    pub(crate) async fn server(&self) -> Server {
        self.setup().start().await
    }

    /// How to start the measured program on this store.
    pub(crate) fn setup(&self) -> Setup {
        let seaweed = Seaweed::shared();
        let storage = format!("s3://{}/{}", seaweed.bucket(), self.prefix);
        let setup = seaweed
            .environment()
            .into_iter()
            .fold(measured(&storage), |setup, (name, value)| setup.env(name, value));
        setup.env("AWS_ENDPOINT_URL", self.proxy.endpoint())
    }

    /// The same store for raw requests, through the same client library.
    pub(crate) fn bucket(&self) -> Arc<dyn Bucket> {
        let config = Seaweed::shared()
            .config_through(&self.proxy.endpoint(), &format!("{}-raw", self.prefix));
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        open(&config, uuid::Uuid::from_u128(1), clock, Arc::new(OsRandom))
            .expect("the store's configuration is right")
    }
}

/// How to start the measured server.
pub(crate) fn measured(storage: &str) -> Setup {
    Setup::of(sibling("measured"), storage)
}

/// Another program of this crate.
pub(crate) fn sibling(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("this program has a path");
    own.with_file_name(name)
}

/// `127.0.0.1:port` of a server.
pub(crate) fn address(server: &Server) -> String {
    server.url("").trim_start_matches("http://").to_owned()
}

/// A key that nobody has used.
pub(crate) fn fresh_key(number: usize) -> Key {
    Key::new(format!("raw/{}-{number}", std::process::id()))
}
