//! `dotdo serve`.

use std::process::ExitCode;

use clap::Args;
use dotdo::{App, ServeOptions};
use dotdo_builtin::Graph;

#[cfg(feature = "javascript")]
use crate::failure::report;
use crate::login;
#[cfg(feature = "javascript")]
use crate::worker::{self, Named};

/// What follows the options in its help.
pub(crate) const HELP: &str = "\
Examples:
  dotdo                               Serve on 127.0.0.1:8787 from ./.dotdo
  dotdo -p 3000 --storage /srv/state  Serve on another port, from another folder
  dotdo --storage s3://bucket/prefix  Keep the state in a bucket (AWS_* are the
                                      credentials, or R2_* for Cloudflare R2)
  dotdo --storage memory://           Keep nothing
  dotdo serve worker.js               Serve classes in JavaScript
  dotdo serve wrangler.jsonc          And their configuration

  curl http://127.0.0.1:8787/do/hello/things  Query the object hello

Without WORKER, it is that of the setting worker or of a wrangler file here; if
there is neither, the built-in class.

A setting without a flag is read from its environment variable, ./dotdo.toml or
~/.config/dotdo/config.toml. `dotdo settings` lists all settings.

Exit codes: 0 success, 1 failure or a second signal, 2 wrong usage or settings.";

/// The arguments of `dotdo serve`.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Address to listen on [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    host: Option<String>,
    /// Port to listen on; 0 picks a free port [default: 8787]
    #[arg(long, short, value_name = "PORT")]
    port: Option<String>,
    /// Folder, s3://, gs://, az:// or memory:// for all state [default: ./.dotdo]
    #[arg(long, value_name = "STORAGE")]
    storage: Option<String>,
    /// Class for requests that do not name one
    #[arg(long, value_name = "CLASS")]
    default_class: Option<String>,
    /// off, error, warn, info, debug or trace [default: info]
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// Accept requests from other machines without authentication; for private networks only
    #[arg(long)]
    allow_unauthenticated: bool,
}

/// The arguments of the command `serve` when it is named.
#[derive(Debug, Args)]
pub(crate) struct ServeWorker {
    #[cfg(feature = "javascript")]
    #[command(flatten)]
    named: Named,
    #[command(flatten)]
    serve: Serve,
}

impl ServeWorker {
    /// Serves until it is told to stop.
    #[cfg(feature = "javascript")]
    pub(crate) fn run(self) -> ExitCode {
        let loaded = self
            .named
            .project()
            .and_then(|project| project.as_ref().map(worker::load_to_serve).transpose());
        match loaded {
            Ok(None) => self.serve.run_on(built_in()),
            Ok(Some(bundle)) => {
                self.serve.run_on(dotdo::Serve::new(bundle.app()).gateway(bundle.gateway()))
            }
            Err(failure) => report(Err(failure)),
        }
    }

    /// Serves until it is told to stop.
    #[cfg(not(feature = "javascript"))]
    pub(crate) fn run(self) -> ExitCode {
        self.serve.run_on(built_in())
    }
}

/// A server of the built-in class.
fn built_in() -> dotdo::Serve {
    dotdo::Serve::new(App::new().register::<Graph>())
}

impl Serve {
    /// Serves the worker that is here, or the built-in class, until it is told to stop.
    pub(crate) fn run(self) -> ExitCode {
        ServeWorker {
            #[cfg(feature = "javascript")]
            named: Named::default(),
            serve: self,
        }
        .run()
    }

    fn run_on(self, serve: dotdo::Serve) -> ExitCode {
        let serve = serve.options(self.into());
        match login::of_settings() {
            Some(login) => serve.login(login).run(),
            None => serve.run(),
        }
    }
}

impl From<Serve> for ServeOptions {
    fn from(serve: Serve) -> Self {
        Self {
            host: serve.host,
            port: serve.port,
            storage: serve.storage,
            default_class: serve.default_class,
            log_level: serve.log_level,
            allow_unauthenticated: serve.allow_unauthenticated,
        }
    }
}
