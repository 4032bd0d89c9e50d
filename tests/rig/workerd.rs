//! Cloudflare's own runtime, for comparison.

use std::path::Path;
use std::process::Command;

use crate::chores::Deadline;
use crate::npm::project_packages;
use crate::ports;
use crate::process::Process;
use crate::tools::{node_packages, run};

const MANIFEST: &str = include_str!("tools/workerd/package.json");
const LOCK: &str = include_str!("tools/workerd/package-lock.json");

/// How long it may take to listen.
const START_SECONDS_MAX: u64 = 60;

/// A running workerd.
pub struct Workerd {
    process: Process,
    port: u16,
}

impl Workerd {
    /// Serves one of `scenarios/javascript/projects`, bundled as its users do it. `folder` must not
    /// exist; its file `bundle.js` is the bundle afterwards.
    ///
    /// # Panics
    ///
    /// When something can't be had, bundled or started.
    pub async fn start(project: &str, folder: &Path) -> Self {
        let home = node_packages("workerd", MANIFEST, LOCK);
        let [port] = ports::free();
        let projects = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/javascript/projects");
        let mut node = Command::new("node");
        node.arg(projects.join("run.js")).arg("--packages").arg(project_packages());
        node.arg("--folder").arg(folder).args(["--port", &port.to_string()]).arg(project);
        run(&mut node, "Node 20 or newer");
        let mut node = Command::new("node");
        let named = "process.stdout.write(require('workerd').default)";
        let program = run(node.args(["--eval", named]).current_dir(home), "Node 20 or newer");
        let config = folder.join("config.capnp");
        let process = Process::start(Command::new(program).arg("serve").arg(config));
        let listens = || async { tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok() };
        let came = Deadline::in_seconds(START_SECONDS_MAX).until(listens).await;
        assert!(came.is_some(), "workerd does not listen:\n{}", process.stderr());
        Self { process, port }
    }

    /// `127.0.0.1:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The operating system's number of its process.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }
}
