//! `dotdo doctor`: whether a server could run here, and what to do if not.
//!
//! Promises: it changes nothing, and leaves nothing in the store; no secret is shown.
//! Must not know: how a store is checked.

mod finding;
mod login;
mod machine;
mod network;
mod settings;
mod store;
mod tools;

use std::sync::Arc;

use clap::Args;
use clap::builder::PossibleValuesParser;
use dotdo::ServeOptions;
use dotdo::commands::{EffectiveSettings, Premises, TokenSource};
use serde_json::json;

use self::finding::{Finding, Outcome};
use crate::deploy;
use crate::failure::{Failure, print};
use crate::login::of_settings;

/// Text below the help of `dotdo doctor`.
pub(crate) const HELP: &str = "\
Each line is a check: ok, warning or failed, what was seen, and what to do next.
The store is checked with a few objects of 1 KiB that are removed again.

With --json: {\"ok\", \"checks\": [{\"name\", \"outcome\", \"seen\", \"next\", \"details\"}]},
where outcome is ok, warning, failed or skipped.

Exit codes: 0 nothing failed; 1 something failed; 2 wrong usage.";

/// The arguments of `dotdo doctor`.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Folder or bucket to check [default: the setting storage]
    #[arg(long, value_name = "STORAGE")]
    storage: Option<String>,
    /// Address to listen on [default: the setting host]
    #[arg(long, value_name = "ADDRESS")]
    host: Option<String>,
    /// Port to listen on [default: the setting port]
    #[arg(long, short, value_name = "PORT")]
    port: Option<String>,
    /// Platform to deploy to: its tools have to be there
    #[arg(long, value_name = "PLATFORM", value_parser = PossibleValuesParser::new(deploy::PLATFORMS))]
    platform: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Doctor {
    /// Checks everything and prints what was found.
    ///
    /// # Errors
    ///
    /// `Failed` when a check failed.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|cause| Failure::of("cannot start", cause))?;
        let mut findings = vec![tools::versions()];
        findings.push(settings::check(&EffectiveSettings::of(self.options())?));
        let login = of_settings().map(|login| Arc::new(login) as Arc<dyn TokenSource>);
        let premises = Premises::of(self.options(), login);
        findings.extend(login::check());
        match &premises {
            // The settings' own check says why.
            Err(_) => {
                findings.push(Finding::skipped("store", "the settings have to be valid first"))
            }
            Ok(premises) => runtime.block_on(async {
                findings.extend(network::check(premises).await);
                findings.extend(store::check(premises).await);
                findings.push(machine::port(premises).await);
                findings.push(machine::memory(premises));
            }),
        }
        findings.extend(tools::check(self.platform.as_deref()));
        self.tell(&findings)
    }

    fn options(&self) -> ServeOptions {
        ServeOptions {
            storage: self.storage.clone(),
            host: self.host.clone(),
            port: self.port.clone(),
            ..ServeOptions::default()
        }
    }

    fn tell(&self, findings: &[Finding]) -> Result<(), Failure> {
        let count = |outcome| findings.iter().filter(|finding| finding.outcome == outcome).count();
        let (failed, warnings) = (count(Outcome::Failed), count(Outcome::Warning));
        if self.json {
            let checks: Vec<_> = findings.iter().map(Finding::json).collect();
            print(&json!({ "ok": failed == 0, "checks": checks }).to_string());
        } else {
            findings.iter().for_each(|finding| print(&finding.text()));
        }
        let checks = |count: usize| {
            if count == 1 { "1 check".to_owned() } else { format!("{count} checks") }
        };
        match (failed, warnings) {
            (0, 0) if !self.json => print("\nA server can run here."),
            (0, _) if !self.json => {
                print(&format!("\nA server can run here; {} with a warning.", checks(warnings)))
            }
            (0, _) => {}
            _ => return Err(Failure::Failed(format!("{} failed", checks(failed)))),
        }
        Ok(())
    }
}
