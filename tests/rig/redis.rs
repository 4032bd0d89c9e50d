//! A real Redis on this machine, which keeps nothing.

use ::redis::{Client, FromRedisValue};
use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::chores::{Deadline, scratch};
use crate::debian::Package;
use crate::ports;
use crate::process::Process;

/// How long it may take to answer.
const START_SECONDS_MAX: u64 = 60;

/// A running Redis.
pub struct Redis {
    process: Process,
    port: u16,
    password: String,
    _folder: TempDir,
}

impl Redis {
    /// Starts one that asks for no password.
    ///
    /// # Panics
    ///
    /// When it can't be had or started, with what it wrote.
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
            let [port] = ports::free();
            if let Some(redis) = Self::try_start(port, password).await {
                return redis;
            }
        }
        panic!("Redis did not answer in three starts");
    }

    /// Starts it again where it was, empty.
    ///
    /// # Panics
    ///
    /// When it does not start, as when somebody else got hold of its port.
    #[must_use]
    pub async fn again(self) -> Self {
        self.kill9();
        Self::try_start(self.port, &self.password).await.expect("its port is free")
    }

    /// `None` when it ended, as it does when somebody else got hold of its port, or never answered.
    async fn try_start(port: u16, password: &str) -> Option<Self> {
        let folder = scratch();
        let mut command = Package::Redis.command();
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"]).arg(port.to_string());
        if !password.is_empty() {
            command.args(["--requirepass", password]);
        }
        command.arg("--dir").arg(folder.path()).current_dir(folder.path());
        let redis = Self { process: Process::start(&mut command), port, password: password.to_owned(), _folder: folder };
        // An answer, or the end of the process.
        let answers = || async {
            if redis.process.ended().is_some() {
                return Some(false);
            }
            redis.try_ask::<String>(&["PING"]).await.ok().map(|_| true)
        };
        let answered = Deadline::in_seconds(START_SECONDS_MAX).until(answers).await.unwrap_or(false);
        (answered && redis.process.ended().is_none()).then_some(redis)
    }

    /// Where it is, with this password.
    pub fn url_with(&self, password: &str) -> String {
        format!("redis://:{password}@127.0.0.1:{}", self.port)
    }

    /// Where it is.
    pub fn url(&self) -> String {
        if self.password.is_empty() { format!("redis://127.0.0.1:{}", self.port) } else { self.url_with(&self.password) }
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

    async fn try_ask<T: FromRedisValue>(&self, command: &[impl AsRef<[u8]>]) -> ::redis::RedisResult<T> {
        let mut connection = Client::open(self.url())?.get_multiplexed_async_connection().await?;
        let mut words = command.iter().map(AsRef::as_ref);
        let mut question = ::redis::Cmd::new();
        question.arg(words.next().unwrap_or_default());
        words.for_each(|word| _ = question.arg(word));
        question.query_async(&mut connection).await
    }
}
