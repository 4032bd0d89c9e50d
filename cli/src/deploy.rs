//! `dotdo deploy`: a deployment on a platform, by the platform's own tool.
//!
//! Promises: every file and command is shown before anything happens; a secret is never an argument
//! and never printed; the platform's page has the same commands.
//! Must not know: how a server works.

mod carry;
mod image;
mod kept;
mod plan;
mod platforms;
mod ready;
mod row;
mod source;
mod tools;
mod wanted;

use std::path::Path;
#[cfg(feature = "javascript")]
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::PossibleValuesParser;
use dotdo::engine::Secret;
use serde_json::json;

use self::plan::{Plan, TOKEN, URL, Url};
use self::ready::Pass;
use self::row::{Clients, Row};
use self::source::Source;
use self::tools::Missing;
use self::tools::Tool;
use self::wanted::{Given, Wanted};
use crate::failure::{Failure, note, print};
use crate::terminal;

/// Text below the help of `dotdo deploy`.
pub(crate) const HELP: &str = "\
Deploys the project in this folder (`dotdo new`); in dotdo's repository, the
built-in class from there; elsewhere the built-in class with this program.
The settings that hold here hold there, except those about this machine. Secrets
go to the platform's tool on standard input. A token for clients is generated if
there is none, and kept in ~/.config/dotdo/deployments.

Example:
  dotdo deploy --platform=fly --name my-objects --region fra --dry-run

Exit codes: 0 deployed and ready; 1 a tool is missing or fails, or it is not
ready in time; 2 wrong usage or settings.";

/// The arguments of `dotdo deploy`.
#[derive(Debug, Args)]
pub(crate) struct Deploy {
    /// Platform to deploy to
    #[arg(long, value_name = "PLATFORM", value_parser = PossibleValuesParser::new(platforms::NAMES))]
    platform: String,
    /// Name of the app, service or stack [default: the project's, or objects]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Bucket for the state: s3://, gs:// or az:// [default: the setting storage]
    #[arg(long, value_name = "STORAGE")]
    storage: Option<String>,
    /// Region (fly, lambda, cloudrun, azure, render)
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// Image in a registry, with a tag (k8s, cloudrun)
    #[arg(long, value_name = "IMAGE")]
    image: Option<String>,
    /// Project of Google Cloud (cloudrun)
    #[arg(long, value_name = "PROJECT")]
    cloud_project: Option<String>,
    /// Port on this machine (docker)
    #[arg(long, value_name = "PORT", default_value_t = 8787)]
    port: u16,
    /// URL of the deployment, if it is not the platform's own
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// How long to wait until it is ready, in seconds; 0 does not wait
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    wait: u64,
    /// Show the files and commands, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask before it begins
    #[arg(long, short)]
    yes: bool,
    /// Print {"platform", "name", "files", "commands", "notes", "secrets", "url", "ready"}
    #[arg(long)]
    json: bool,
}

impl Deploy {
    /// Deploys.
    ///
    /// # Errors
    ///
    /// Why it is not done, with what to do.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let row = platforms::named(&self.platform).expect("clap lets only platforms through");
        let source = Source::of(Path::new("."))?;
        let mut wanted = Wanted::gather(row, source, &self.given())?;
        let mut plan = (row.plan)(&wanted)?;
        let left_out = plan.left_out(wanted.secret_names());
        if row.clients == Clients::Platform && !left_out.is_empty() {
            plan.notes.push(format!(
                "the settings here have {}, which this does not pass on; {} says how to set secrets there",
                left_out.join(", "),
                row.page
            ));
        }
        if self.dry_run {
            self.show(row, &wanted, &plan);
            return Ok(());
        }
        require_tools(row, &plan)?;
        if !self.json {
            note(&format!(
                "{}: {}, {}\n\n{}",
                row.title,
                wanted.name,
                wanted.source.about(),
                plan.text()
            ));
        }
        if !self.yes && terminal::is_attended() && !agreed()? {
            return Err(Failure::Failed("nothing was done".to_owned()));
        }
        kept::complete(&mut wanted, row.name)?;
        carry::write(&plan.files)?;
        let outputs = carry::run(&plan, &wanted)?;
        let url = self.url.clone().or_else(|| match &plan.url {
            Url::Inside => None,
            Url::At(url) => Some(url.clone()),
            Url::Captured => outputs.get(URL).cloned(),
        });
        let pass = row.token_header.zip(outputs.get(TOKEN));
        let pass = pass.map(|(header, token)| Pass { header, token: Secret::new(token.clone()) });
        if let Some(url) = url.as_ref().filter(|_| self.wait > 0) {
            ready::wait(url, pass.as_ref(), Duration::from_secs(self.wait))?;
        }
        self.tell(row, &wanted, &plan, url.as_deref());
        Ok(())
    }

    fn given(&self) -> Given<'_> {
        Given {
            name: self.name.as_deref(),
            storage: self.storage.as_deref(),
            region: self.region.as_deref(),
            image: self.image.as_deref(),
            cloud_project: self.cloud_project.as_deref(),
            port: self.port,
        }
    }

    /// Prints the plan.
    fn show(&self, row: &Row, wanted: &Wanted, plan: &Plan) {
        if self.json {
            print(&self.json_of(row, wanted, plan, None).to_string());
        } else {
            let head = format!("{}: {}, {}", row.title, wanted.name, wanted.source.about());
            print(&format!("{head}\n\n{}", plan.text().trim_end()));
        }
    }

    /// Prints where the deployment is.
    fn tell(&self, row: &Row, wanted: &Wanted, plan: &Plan, url: Option<&str>) {
        if self.json {
            print(&self.json_of(row, wanted, plan, url).to_string());
            return;
        }
        plan.notes.iter().for_each(|text| note(&format!("note: {text}")));
        match url {
            Some(url) => print(url),
            None => print(&format!("{} is deployed", wanted.name)),
        }
    }

    fn json_of(
        &self,
        row: &Row,
        wanted: &Wanted,
        plan: &Plan,
        url: Option<&str>,
    ) -> serde_json::Value {
        let mut said = plan.json();
        said["platform"] = row.name.into();
        said["name"] = json!(wanted.name);
        said["secrets"] = json!(wanted.secret_names());
        said["url"] = json!(url);
        said["ready"] = (!self.dry_run && url.is_some() && self.wait > 0).into();
        said
    }
}

fn agreed() -> Result<bool, Failure> {
    terminal::agrees("Deploy?").map_err(|cause| Failure::of("can't read from the terminal", cause))
}

/// Makes sure that the tools of a plan can be used.
fn require_tools(row: &Row, plan: &Plan) -> Result<(), Failure> {
    let mut problems = Vec::new();
    for tool in row.tools.iter().filter(|tool| plan.runs(tool.program)) {
        match tool.find() {
            None => problems.push(tool.remedy(&Missing::Program)),
            Some(found) if !tool.is_logged_in(&found) => {
                problems.push(tool.remedy(&Missing::Login));
            }
            Some(_) => {}
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    Err(Failure::Failed(format!("{} needs:\n  {}", row.title, problems.join("\n  "))))
}

/// The tools of a platform, or of all, each once.
pub(crate) fn tools_of(platform: Option<&str>) -> Vec<Tool> {
    let mut tools: Vec<Tool> = Vec::new();
    let rows = platforms::TABLE.into_iter();
    for row in rows.filter(|row| platform.is_none_or(|name| row.name == name)) {
        for tool in row.tools {
            if !tools.iter().any(|known| known.program == tool.program) {
                tools.push(*tool);
            }
        }
    }
    tools
}

/// The names of the platforms.
pub(crate) const PLATFORMS: [&str; platforms::NAMES.len()] = platforms::NAMES;

/// The Dockerfile of a program that is compiled already, which is `out/bin/program`.
#[cfg(feature = "javascript")]
pub(crate) fn dockerfile() -> String {
    image::without_build()
}

/// The certificate authorities of this machine, for an image.
///
/// # Errors
///
/// `Failed` when it has none.
#[cfg(feature = "javascript")]
pub(crate) fn authorities() -> Result<PathBuf, Failure> {
    image::authorities()
}

/// The template of a function on AWS Lambda whose code is in `code`.
#[cfg(feature = "javascript")]
pub(crate) fn lambda_template(code: &str, architecture: &str) -> String {
    platforms::lambda_template(code, architecture)
}
