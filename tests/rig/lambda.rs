//! AWS Lambda's APIs on this machine: the runtime API that a function asks for events, the
//! extensions API, and the one that invokes it.

use std::fs;
use std::process::Command;

use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::chores::{Deadline, scratch};
use crate::ports;
use crate::process::Process;
use crate::tools::Tool;

/// How long it may take to listen.
const START_SECONDS_MAX: u64 = 120;

/// A running emulator of one function, which somebody else starts.
pub struct LambdaApis {
    process: Process,
    authority: String,
    _project: TempDir,
}

impl LambdaApis {
    /// Starts an emulator.
    ///
    /// # Panics
    ///
    /// When it can't be installed or started.
    pub async fn start() -> Self {
        for _ in 0..3 {
            if let Some(started) = Self::try_start().await {
                return started;
            }
        }
        panic!("the emulator of AWS Lambda did not listen in three starts");
    }

    /// `None` when somebody else got hold of its port.
    async fn try_start() -> Option<Self> {
        let [port] = ports::free();
        // It wants to stand in a project, and builds nothing of it.
        let project = scratch();
        fs::create_dir(project.path().join("src")).expect("the build folder is writable");
        fs::write(project.path().join("src/main.rs"), "fn main() {}\n")
            .expect("the build folder is writable");
        let manifest = "[package]\nname = \"function\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\n[workspace]\n";
        fs::write(project.path().join("Cargo.toml"), manifest)
            .expect("the build folder is writable");
        let mut command = Command::new(Tool::CargoLambda.program("cargo-lambda"));
        command.args([
            "lambda",
            "watch",
            "--only-lambda-apis",
            "--disable-cors",
            "--invoke-address",
            "127.0.0.1",
            "--invoke-port",
        ]);
        command.arg(port.to_string()).current_dir(project.path());
        let process = Process::start(&mut command);
        let authority = format!("127.0.0.1:{port}");
        let deadline = Deadline::in_seconds(START_SECONDS_MAX);
        while TcpStream::connect(&authority).await.is_err() {
            if process.ended().is_some() {
                return None;
            }
            assert!(
                !deadline.is_over(),
                "the emulator of AWS Lambda does not listen after {START_SECONDS_MAX} s:\n{}",
                process.stderr()
            );
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        process.ended().is_none().then_some(Self { process, authority, _project: project })
    }

    /// The variables that Lambda would set for the function.
    pub fn environment(&self) -> [(&'static str, String); 4] {
        [
            ("AWS_LAMBDA_RUNTIME_API", format!("http://{}/.rt", self.authority)),
            ("AWS_LAMBDA_FUNCTION_NAME", "function".to_owned()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512".to_owned()),
        ]
    }

    /// Where it listens, such as `127.0.0.1:9000`.
    pub fn authority(&self) -> String {
        self.authority.clone()
    }

    /// Where events are sent to.
    pub fn invocations(&self) -> String {
        format!("http://{}/2015-03-31/functions/_/invocations", self.authority)
    }

    /// What it has logged.
    pub fn stderr(&self) -> String {
        self.process.stderr()
    }
}
