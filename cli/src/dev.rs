//! `dotdo dev`: builds the project in the working directory, serves it, and does both again when its
//! sources change.
//!
//! Promises: a build that fails leaves the server of the last one running; the state is kept;
//! afterwards no process that it has started is left.
//! Must not know: what the project does.

mod build;
mod child;
mod watch;

use std::path::Path;

use clap::Args;

use self::build::Built;
use self::child::Child;
use self::watch::{Changes, Watch};
use crate::failure::{Failure, note};

/// Text below the help of `dotdo dev`.
pub(crate) const HELP: &str = "\
Watches the files of this folder, except target and hidden ones. Without a
Cargo.toml it serves the built-in class. The state is kept in ./.dotdo.

Example:
  dotdo dev -p 3000 -- --features admin

Exit codes: 0 ended by Ctrl-C or SIGTERM; 1 nothing could be served;
2 wrong usage.";

/// The arguments of `dotdo dev`.
#[derive(Debug, Args)]
pub(crate) struct Dev {
    /// Port to listen on; 0 picks a free port [default: the setting port]
    #[arg(long, short, value_name = "PORT")]
    port: Option<u16>,
    /// Folder or bucket for all state [default: the setting storage]
    #[arg(long, value_name = "STORAGE")]
    storage: Option<String>,
    /// Arguments for `cargo build`
    #[arg(last = true, value_name = "ARGUMENTS")]
    arguments: Vec<String>,
}

/// What ends the waiting for a change.
enum Event {
    Changed(Changes),
    Ended(String),
    Stopped,
}

impl Dev {
    /// Builds and serves until it is told to stop.
    ///
    /// # Errors
    ///
    /// `Failed` when there is nothing that can be watched or started.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|cause| Failure::of("cannot start", cause))?;
        runtime.block_on(async {
            let mut stop = Stop::new()?;
            if Path::new("Cargo.toml").exists() {
                return self.develop(&mut stop).await;
            }
            note("dotdo dev: no Cargo.toml here, so this serves the built-in class; `dotdo new` makes a project");
            self.serve_alone(&mut stop).await
        })
    }

    /// Builds and serves the project.
    async fn develop(&self, stop: &mut Stop) -> Result<(), Failure> {
        let mut watch = Watch::new(Path::new("."));
        let mut server: Option<Child> = None;
        let mut changes = Changes::default();
        loop {
            note("dotdo dev: building");
            let built = tokio::select! {
                biased;
                () = stop.asked() => None,
                built = build::build(&self.arguments) => Some(built?),
            };
            match built {
                None => return end(server).await,
                Some(Built::Failed) if server.is_some() => {
                    note("dotdo dev: the build failed; the server of the last one keeps running");
                }
                Some(Built::Failed) => note("dotdo dev: the build failed; waiting for a change"),
                Some(Built::Program { fresh: true, .. })
                    if server.is_some() && !changes.settings =>
                {
                    note("dotdo dev: nothing to build");
                }
                Some(Built::Program { path, .. }) => {
                    end(server.take()).await?;
                    server = Some(self.start(&path, &[])?);
                }
            }
            changes = match next(&mut watch, &mut server, stop).await {
                Event::Changed(changes) => changes,
                Event::Stopped => return end(server).await,
                Event::Ended(how) => {
                    note(&format!("dotdo dev: the server has ended ({how}); waiting for a change"));
                    server = None;
                    tokio::select! {
                        changes = watch.changed() => changes,
                        () = stop.asked() => return Ok(()),
                    }
                }
            };
            note(&format!("dotdo dev: {} changed", changes.first));
        }
    }

    /// Serves the built-in class.
    async fn serve_alone(&self, stop: &mut Stop) -> Result<(), Failure> {
        let program = std::env::current_exe()
            .map_err(|cause| Failure::of("can't find this program's own file", cause))?;
        let mut server = self.start(&program, &["serve"])?;
        tokio::select! {
            how = server.ended() => {
                Err(Failure::Failed(format!("the server has ended ({how}); what it said is above")))
            }
            () = stop.asked() => end(Some(server)).await,
        }
    }

    /// Starts a server.
    fn start(&self, program: &Path, arguments: &[&str]) -> Result<Child, Failure> {
        let mut variables = Vec::new();
        if std::env::var_os("DOTDO_LOG_FORMAT").is_none() {
            variables.push(("DOTDO_LOG_FORMAT", "human".to_owned()));
        }
        if let Some(port) = self.port {
            variables.push(("DOTDO_PORT", port.to_string()));
        }
        if let Some(storage) = &self.storage {
            variables.push(("DOTDO_STORAGE", storage.clone()));
        }
        Child::start(program, arguments, variables)
    }
}

/// Waits for a change, for the end of the server, or to be told to stop.
async fn next(watch: &mut Watch, server: &mut Option<Child>, stop: &mut Stop) -> Event {
    let ended = async {
        match server {
            Some(server) => server.ended().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        () = stop.asked() => Event::Stopped,
        changes = watch.changed() => Event::Changed(changes),
        how = ended => Event::Ended(how),
    }
}

/// Ends the server, if there is one.
async fn end(server: Option<Child>) -> Result<(), Failure> {
    match server {
        Some(server) => server.end().await,
        None => Ok(()),
    }
}

/// Ctrl-C, SIGTERM, and the end of the terminal.
#[cfg(unix)]
struct Stop([tokio::signal::unix::Signal; 3]);

#[cfg(unix)]
impl Stop {
    fn new() -> Result<Self, Failure> {
        use tokio::signal::unix::{SignalKind, signal};
        let heard =
            |kind| signal(kind).map_err(|cause| Failure::of("cannot listen for signals", cause));
        Ok(Self([
            heard(SignalKind::interrupt())?,
            heard(SignalKind::terminate())?,
            heard(SignalKind::hangup())?,
        ]))
    }

    /// Waits until one of them arrives.
    async fn asked(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Stop;

#[cfg(not(unix))]
impl Stop {
    fn new() -> Result<Self, Failure> {
        Ok(Self)
    }

    async fn asked(&mut self) {
        // Without a handler Ctrl-C ends the process, and with it the wait.
        let _ = tokio::signal::ctrl_c().await;
    }
}
