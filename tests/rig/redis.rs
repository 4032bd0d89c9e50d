//! A real Redis on this machine, which keeps nothing.

use std::path::{Path, PathBuf};

use ::redis::{Client, Cmd, FromRedisValue, RedisResult};
use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::chores::{Deadline, scratch};
use crate::debian::Package;
use crate::ports;
use crate::process::Process;
use crate::tools::run;

/// How long it may take to answer.
const START_SECONDS_MAX: u64 = 60;

/// A running Redis.
pub struct Redis {
    process: Process,
    place: Place,
}

/// Where a Redis is, and what it asks for.
struct Place {
    port: u16,
    tls_port: u16,
    password: String,
    folder: TempDir,
}

impl Redis {
    /// Starts one that asks for no password.
    ///
    /// # Panics
    ///
    /// When it can't be had or started.
    pub async fn start() -> Self {
        Self::start_with("").await
    }

    /// Starts one that asks for this password, unless it is empty.
    ///
    /// # Panics
    ///
    /// When it can't be had or started.
    pub async fn start_with(password: &str) -> Self {
        for _ in 0..3 {
            let [port, tls_port] = ports::free();
            let place = Place { port, tls_port, password: password.to_owned(), folder: scratch() };
            certify(place.folder.path());
            if let Some(redis) = Self::try_start(place).await {
                return redis;
            }
        }
        panic!("Redis did not answer in three starts");
    }

    /// Ends it as `kill -9` does and starts it again where it was, empty.
    ///
    /// # Panics
    ///
    /// When it does not start, as when somebody else got hold of its port.
    #[must_use]
    pub async fn again(self) -> Self {
        self.kill9();
        Self::try_start(self.place).await.expect("its ports are free")
    }

    /// `None` when it ended, as it does when somebody else got hold of one of its ports, or never
    /// answered.
    async fn try_start(place: Place) -> Option<Self> {
        let mut command = Package::Redis.command();
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        command.args([
            "--port",
            &place.port.to_string(),
            "--tls-port",
            &place.tls_port.to_string(),
            "--tls-auth-clients",
            "no",
        ]);
        command.args([
            "--tls-cert-file",
            "server.pem",
            "--tls-key-file",
            "server.key",
            "--tls-ca-cert-file",
            "authority.pem",
        ]);
        if !place.password.is_empty() {
            command.args(["--requirepass", &place.password]);
        }
        command.current_dir(place.folder.path());
        let redis = Self { process: Process::start(&mut command), place };
        // An answer, or the end of the process.
        let answers = || async {
            if redis.process.ended().is_some() {
                return Some(false);
            }
            redis.try_ask::<String>(&["PING"]).await.ok().map(|_| true)
        };
        let answered =
            Deadline::in_seconds(START_SECONDS_MAX).until(answers).await.unwrap_or(false);
        (answered && redis.process.ended().is_none()).then_some(redis)
    }

    /// Where it is.
    pub fn url(&self) -> String {
        self.url_of("", &self.place.password)
    }

    /// Where it is, for a user with this password.
    pub fn url_of(&self, user: &str, password: &str) -> String {
        format!("redis://{user}:{password}@127.0.0.1:{}", self.place.port)
    }

    /// Where it is, with TLS.
    pub fn url_with_tls(&self) -> String {
        format!("rediss://:{}@127.0.0.1:{}", self.place.password, self.place.tls_port)
    }

    /// The certificate of the authority that vouches for it.
    pub fn authority(&self) -> PathBuf {
        self.place.folder.path().join("authority.pem")
    }

    /// Ends it as `kill -9` does.
    pub fn kill9(&self) {
        self.process.kill9();
    }

    /// Sends it any other signal.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// What it answers to a command.
    ///
    /// # Panics
    ///
    /// When it does not, or with an error.
    pub async fn ask<T: FromRedisValue>(&self, command: &[impl AsRef<[u8]>]) -> T {
        self.try_ask(command).await.expect("Redis answers")
    }

    async fn try_ask<T: FromRedisValue>(&self, command: &[impl AsRef<[u8]>]) -> RedisResult<T> {
        let mut connection = Client::open(self.url())?.get_multiplexed_async_connection().await?;
        let mut question = Cmd::new();
        for word in command {
            question.arg(word.as_ref());
        }
        question.query_async(&mut connection).await
    }
}

/// Makes an authority in `folder`, and a certificate of it for the loopback address.
fn certify(folder: &Path) {
    let request = |arguments: &[&str]| {
        let mut command = Package::Openssl.command();
        command
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-days",
                "2",
            ])
            .args(arguments);
        run(command.current_dir(folder), "openssl, which makes certificates for tests");
    };
    request(&["-subj", "/CN=authority", "-keyout", "authority.key", "-out", "authority.pem"]);
    let server = [
        "-subj",
        "/CN=server",
        "-keyout",
        "server.key",
        "-out",
        "server.pem",
        "-CA",
        "authority.pem",
        "-CAkey",
        "authority.key",
    ];
    let extensions =
        ["-addext", "basicConstraints=critical,CA:FALSE", "-addext", "subjectAltName=IP:127.0.0.1"];
    request(&[server.as_slice(), &extensions].concat());
}
