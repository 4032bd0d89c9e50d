//! Folders, deadlines and the runtime of things that outlive a test.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Once, OnceLock};
use std::time::{Duration, Instant};

/// The build folder: the parent of `debug/deps/`, where the test binary is.
///
/// # Panics
///
/// When the binary is somewhere else.
pub fn target() -> PathBuf {
    profile()
        .parent()
        .map(Path::to_owned)
        .expect("programs are in target/PROFILE, tests in target/PROFILE/deps")
}

/// The folder of the build profile that this program was built with: `target/debug`,
/// `target/release`.
pub(crate) fn profile() -> PathBuf {
    let exe = std::env::current_exe().expect("a running program has a path");
    let folder = exe.parent().expect("a program is in a folder");
    let profile = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    profile.to_owned()
}

/// A folder that is removed with its handle; in the build folder, so that it is a real disk and
/// easily found.
///
/// # Panics
///
/// When it can't be created.
pub fn scratch() -> tempfile::TempDir {
    static SWEPT: Once = Once::new();
    let parent = target().join("rigs/run");
    std::fs::create_dir_all(&parent).expect("the build folder is writable");
    SWEPT.call_once(|| sweep(&parent));
    let prefix = format!("{}-", std::process::id());
    tempfile::Builder::new()
        .prefix(&prefix)
        .tempdir_in(parent)
        .expect("the build folder is writable")
}

/// Removes what test binaries left that have ended: what is shared by all tests of a binary is
/// never dropped.
fn sweep(parent: &Path) {
    let is_alive = |pid: i32| {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None)
            != Err(nix::errno::Errno::ESRCH)
    };
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let owner =
            entry.file_name().to_str().and_then(|name| name.split_once('-')?.0.parse().ok());
        if !owner.is_some_and(is_alive) {
            // Another test binary may be sweeping too.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// A runtime that lives as long as the process, for servers that several tests share (a test's own
/// runtime ends with it).
pub fn runtime() -> &'static tokio::runtime::Runtime {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("threads can be started")
    })
}

/// How long something may take that other processes do; generous, because tests share their
/// machine.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Instant);

impl Deadline {
    /// `seconds` from now.
    pub fn in_seconds(seconds: u64) -> Self {
        Self(Instant::now() + Duration::from_secs(seconds))
    }

    /// Whether it is over.
    pub fn is_over(self) -> bool {
        Instant::now() >= self.0
    }

    /// Asks again and again until there is an answer; `None` when the time is over.
    pub async fn until<T, F: Future<Output = Option<T>>>(self, ask: impl Fn() -> F) -> Option<T> {
        loop {
            if let Some(answer) = ask().await {
                return Some(answer);
            }
            if self.is_over() {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
