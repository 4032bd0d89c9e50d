//! `dotdo check`: loads a worker, and says what it has.

use clap::Args;
use serde_json::json;

use crate::failure::{Failure, print};
use crate::worker::{self, Named};

/// What follows the options in its help.
pub(crate) const HELP: &str = "\
Nothing is served and no object is touched: the worker is loaded once, as a
server does at its start.

Examples:
  dotdo check worker.js
  dotdo check --json

Exit codes: 0 it can be served; 2 it can't, with what is wrong.";

/// The arguments of `dotdo check`.
#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    named: Named,
    /// Read the configuration only; prints it with --json
    #[arg(long, hide = true)]
    config_only: bool,
    /// Print {"config", "main", "classes", "bindings"}
    #[arg(long)]
    json: bool,
}

impl Check {
    /// Loads the worker.
    ///
    /// # Errors
    ///
    /// `Usage` when it can't be served.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let project = self.named.expected()?;
        let config = project.file().map(worker::absolute).transpose()?;
        let mut said = json!({ "config": config, "main": worker::absolute(project.main())? });
        if self.config_only {
            said["settings"] = json!(project.settings());
            print(&said.to_string());
            return Ok(());
        }
        let bundle = worker::load_to_serve(&project)?;
        // Without a configuration each class has one by its own name.
        let bindings: Vec<_> = project.bindings().into_iter().flatten().collect();
        if self.json {
            said["classes"] = json!(bundle.classes());
            said["bindings"] = bindings
                .into_iter()
                .map(|(name, class)| json!({ "name": name, "class": class }))
                .collect();
            print(&said.to_string());
            return Ok(());
        }
        print(&format!("{}: {}", project.main().display(), bundle.classes().join(", ")));
        bindings.iter().for_each(|(name, class)| print(&format!("  env.{name}  {class}")));
        Ok(())
    }
}
