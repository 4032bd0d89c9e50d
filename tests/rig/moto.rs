//! moto: S3 by other people, for a second opinion. It checks no signatures.

use std::process::Command;
use std::sync::OnceLock;

use dotdo_core::{S3Config, S3Credentials, Secret, StoreConfig};
use tempfile::TempDir;

use crate::chores::{Deadline, runtime, scratch};
use crate::ports;
use crate::process::Process;
use crate::tools::Tool;

const BUCKET: &str = "second-opinion";

/// A running moto with one bucket.
pub struct Moto {
    endpoint: String,
    _process: Process,
    _folder: TempDir,
}

impl Moto {
    /// The one that all tests of this binary share; started by the first.
    ///
    /// # Panics
    ///
    /// When it can't be installed or started.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Moto> = OnceLock::new();
        SHARED.get_or_init(|| {
            std::thread::scope(|scope| scope.spawn(|| runtime().block_on(Self::start())).join())
                .expect("moto starts")
        })
    }

    async fn start() -> Self {
        for _ in 0..3 {
            let folder = scratch();
            let [port] = ports::free();
            let mut command = Command::new(Tool::Moto.program("moto_server"));
            command.args(["-H", "127.0.0.1", "-p", &port.to_string()]).current_dir(folder.path());
            let _process = Process::start(&mut command);
            let moto =
                Self { endpoint: format!("http://127.0.0.1:{port}"), _process, _folder: folder };
            if moto.makes_a_bucket().await {
                return moto;
            }
        }
        panic!("moto did not answer in three starts");
    }

    async fn makes_a_bucket(&self) -> bool {
        let client = reqwest::Client::new();
        let url = format!("{}/{BUCKET}", self.endpoint);
        let make = || async {
            client.put(&url).send().await.ok().filter(|answer| answer.status().is_success())
        };
        Deadline::in_seconds(60).until(make).await.is_some()
    }

    /// How to reach a part of its bucket.
    pub fn config(&self, prefix: &str) -> StoreConfig {
        StoreConfig::S3(S3Config {
            bucket: BUCKET.to_owned(),
            prefix: prefix.to_owned(),
            endpoint: Some(self.endpoint.clone()),
            credentials: S3Credentials::Keys {
                access_key_id: "anybody".to_owned(),
                secret_access_key: Secret::new("anything"),
                session_token: None,
            },
            ..S3Config::default()
        })
    }
}
