//! SeaweedFS: a real S3 store on this machine, and a token service that gives keys for it.

mod tokens;

use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use dotdo_core::{Key, S3Config, S3Credentials, Secret, StoreConfig};
use tempfile::TempDir;

pub use self::tokens::{GivenKeys, ShortKeys};
use crate::chores::{Deadline, runtime, scratch};
use crate::openid::OpenId;
use crate::own::{open, unique};
use crate::ports;
use crate::process::Process;
use crate::tools::Tool;

const ACCESS_KEY_ID: &str = "admin";
const SECRET_ACCESS_KEY: &str = "secretsecret";

/// After its first answer it takes about a second to hear from its own master which of its parts
/// guards which key. Until then two creates of one key can both succeed (7 of 140 races of 8 did,
/// none of 504 later), and a test would find what is not dotdo's fault.
const SETTLING: Duration = Duration::from_secs(3);

/// Whose tokens are exchanged for keys, and which tenants have a role.
type Trust<'a> = (&'a OpenId, &'a [(&'a str, &'a str)]);

/// A running SeaweedFS with one bucket.
pub struct Seaweed {
    process: Process,
    endpoint: String,
    bucket: String,
    _data: TempDir,
}

impl Seaweed {
    /// The role of a token service that may use the whole bucket.
    pub const SERVER_ROLE: &str = "arn:aws:iam::role/server";

    /// The one that all tests of this binary share; started by the first. Each should use a prefix
    /// of its own.
    ///
    /// # Panics
    ///
    /// When it can't be installed or started.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Seaweed> = OnceLock::new();
        // Waiting for it may not block a runtime's thread that it needs, so a thread of its own
        // does.
        SHARED.get_or_init(|| {
            std::thread::scope(|scope| scope.spawn(|| runtime().block_on(Self::start())).join())
                .expect("SeaweedFS starts")
        })
    }

    /// Starts one more.
    ///
    /// # Panics
    ///
    /// When it can't be installed or started.
    pub async fn start() -> Self {
        Self::start_with(None).await
    }

    /// Starts one more, which gives keys for tokens of `issuer`. Its role `server` may use the whole
    /// bucket, and is as careless as one can be: any keys may assume it. A role `{org}-{tenant}`
    /// may use only what is below `production/{org}/{tenant}/`.
    ///
    /// # Panics
    ///
    /// When it can't be installed or started.
    pub async fn trusting(issuer: &OpenId, tenants: &[(&str, &str)]) -> Self {
        Self::start_with(Some((issuer, tenants))).await
    }

    async fn start_with(trust: Option<Trust<'_>>) -> Self {
        for _ in 0..3 {
            if let Some(seaweed) = Self::try_start(trust).await {
                return seaweed;
            }
        }
        panic!("SeaweedFS did not answer in three starts");
    }

    /// `None` when somebody else got hold of one of its ports.
    async fn try_start(trust: Option<Trust<'_>>) -> Option<Self> {
        let data = scratch();
        // The name tells this instance from any other that may have got the port.
        let bucket = format!("bucket-{}", unique().simple());
        let [
            master,
            master_grpc,
            volume,
            volume_grpc,
            filer,
            filer_grpc,
            s3,
            s3_grpc,
            admin,
            admin_grpc,
            debug,
        ] = ports::free();
        let mut command = Command::new(Tool::Seaweed.program("weed"));
        command.args([
            "mini",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            "-webdav=false",
            "-admin.ui=false",
        ]);
        command.args([
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-master.telemetry=false",
            "-master.volumeSizeLimitMB=128",
        ]);
        command.arg(format!("-dir={}", data.path().display())).arg(format!("-bucket={bucket}"));
        command
            .args([format!("-master.port={master}"), format!("-master.port.grpc={master_grpc}")]);
        command
            .args([format!("-volume.port={volume}"), format!("-volume.port.grpc={volume_grpc}")]);
        command.args([format!("-filer.port={filer}"), format!("-filer.port.grpc={filer_grpc}")]);
        command.args([format!("-s3.port={s3}"), format!("-s3.port.grpc={s3_grpc}")]);
        command.args([
            format!("-admin.port={admin}"),
            format!("-admin.port.grpc={admin_grpc}"),
            format!("-debug.port={debug}"),
        ]);
        command
            .env("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID)
            .env("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY);
        if let Some((issuer, tenants)) = trust {
            let file = data.path().join("iam.json");
            let iam = tokens::iam(issuer, &bucket, tenants).to_string();
            std::fs::write(&file, iam).expect("the build folder is writable");
            command.arg(format!("-s3.iam.config={}", file.display()));
        }
        // It reads configuration from the home folder, which is none of a test's business.
        command.env("HOME", data.path()).current_dir(data.path());
        let process = Process::start(&mut command);
        let seaweed =
            Self { process, endpoint: format!("http://127.0.0.1:{s3}"), bucket, _data: data };
        seaweed.answers().await.then_some(seaweed)
    }

    /// Waits until a write succeeds.
    async fn answers(&self) -> bool {
        let bucket = open(&self.config("ready")).expect("the configuration is good");
        let deadline = Deadline::in_seconds(60);
        let answers = deadline
            .until(|| async { bucket.put(&Key::new("1"), Bytes::new()).await.ok() })
            .await
            .is_some();
        tokio::time::sleep(SETTLING).await;
        answers
    }

    /// Where its S3 is, such as `http://127.0.0.1:40123`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Its bucket's name.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// How to reach a part of its bucket.
    pub fn config(&self, prefix: &str) -> StoreConfig {
        self.config_through(&self.endpoint, prefix)
    }

    /// The same through another address, such as a [`Proxy`](crate::Proxy)'s.
    pub fn config_through(&self, endpoint: &str, prefix: &str) -> StoreConfig {
        StoreConfig::S3(S3Config {
            bucket: self.bucket.clone(),
            prefix: prefix.to_owned(),
            endpoint: Some(endpoint.to_owned()),
            credentials: S3Credentials::Keys {
                access_key_id: ACCESS_KEY_ID.to_owned(),
                secret_access_key: Secret::new(SECRET_ACCESS_KEY),
                session_token: None,
            },
            ..S3Config::default()
        })
    }

    /// The environment variables with which a server or a reader reaches it.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.endpoint.clone()),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY.to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
        ]
    }

    /// The environment variables with which a server exchanges a token for the keys of `role`.
    pub fn role(&self, role: &str) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.endpoint.clone()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ROLE_ARN", tokens::arn(role)),
        ]
    }

    /// A token service for it whose keys end after `seconds`, and say so.
    pub async fn short_keys(&self, seconds: u64) -> ShortKeys {
        ShortKeys::start(&self.endpoint, seconds, true).await
    }

    /// A token service for it whose keys end after `seconds` although they promise an hour.
    pub async fn revoked_keys(&self, seconds: u64) -> ShortKeys {
        ShortKeys::start(&self.endpoint, seconds, false).await
    }

    /// What it has written to its standard error.
    pub fn stderr(&self) -> String {
        self.process.stderr()
    }
}
