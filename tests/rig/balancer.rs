//! A real load balancer with the configuration that the project ships, in front of real servers.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::chores::{Deadline, scratch};
use crate::debian::Package;
use crate::ports;
use crate::process::Process;
use crate::server::Server;

/// How long it may take to answer.
const START_SECONDS_MAX: u64 = 60;

/// A running load balancer.
pub struct Balancer {
    process: Process,
    base: String,
    _folder: TempDir,
}

impl Balancer {
    /// Starts it in front of three replicas whose paths name these classes; returns when it answers
    /// for them.
    ///
    /// # Panics
    ///
    /// When it can't be had or started, with what it wrote.
    pub async fn start(package: Package, replicas: [&Server; 3], classes: &str) -> Self {
        let mut said = String::new();
        for _ in 0..3 {
            match Self::try_start(package, replicas, classes).await {
                Ok(balancer) => return balancer,
                Err(why) => said = why,
            }
        }
        panic!("{package:?} did not answer in three starts:\n{said}");
    }

    /// What it wrote, when it ended, as it does when somebody else got hold of its port, or never
    /// answered.
    async fn try_start(
        package: Package,
        replicas: [&Server; 3],
        classes: &str,
    ) -> Result<Self, String> {
        let (folder, [port]) = (scratch(), ports::free());
        let shipped = match package {
            Package::Haproxy => include_str!("../../deploy/haproxy/haproxy.cfg")
                .replace("maxconn 4000", "maxconn 400"),
            Package::Nginx => include_str!("../../deploy/nginx/nginx.conf").to_owned(),
            _ => panic!("{package:?} balances no loads"),
        };
        let mut text = changed(&shipped, "*:8080", &format!("127.0.0.1:{port}"));
        text = changed(&text, "DO|Counter", classes);
        for (number, replica) in (1..).zip(replicas) {
            let address = replica.url("").trim_start_matches("http://").to_owned();
            text = changed(&text, &format!("replica-{number}.internal:8787"), &address);
        }
        let mut command = command(package, &text, folder.path());
        let balancer = Self {
            process: Process::start(&mut command),
            base: format!("http://127.0.0.1:{port}"),
            _folder: folder,
        };
        let (http, url) = (reqwest::Client::new(), balancer.url("/health"));
        let deadline = Deadline::in_seconds(START_SECONDS_MAX);
        // An answer, or the end of the process.
        let answers = || async {
            if balancer.process.ended().is_some() {
                return Some(false);
            }
            http.get(&url)
                .send()
                .await
                .ok()
                .filter(|answer| answer.status().is_success())
                .map(|_| true)
        };
        let answered = deadline.until(answers).await.unwrap_or(false);
        if answered && balancer.process.ended().is_none() {
            Ok(balancer)
        } else {
            Err(balancer.stderr())
        }
    }

    /// The URL of `path`, which begins with `/`.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// What it has written to its standard error.
    pub fn stderr(&self) -> String {
        self.process.stderr()
    }
}

/// The shipped text with something else instead of `what`, which must be there.
fn changed(text: &str, what: &str, with: &str) -> String {
    assert!(text.contains(what), "the shipped configuration has no {what}");
    text.replace(what, with)
}

/// How to start it in `folder`, in the foreground.
fn command(package: Package, text: &str, folder: &Path) -> Command {
    let (file, mut command) = (folder.join("configuration"), package.command());
    match package {
        Package::Haproxy => {
            fs::write(&file, text).expect("the build folder is writable");
            command.arg("-db").arg("-f").arg(file);
        }
        Package::Nginx => {
            // Debian's own folders for bodies and process ids belong to the system's nginx.
            let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                .map(|kind| format!("{kind}_temp_path {kind};\n"))
                .concat();
            fs::write(&file, changed(text, "http {\n", &format!("http {{\n{paths}")))
                .expect("the build folder is writable");
            command
                .args(["-e", "stderr", "-g", "daemon off; pid nginx.pid;", "-c"])
                .arg(file)
                .arg("-p")
                .arg(folder);
        }
        _ => panic!("{package:?} balances no loads"),
    }
    command
}
