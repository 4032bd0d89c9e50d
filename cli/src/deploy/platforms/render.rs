//! Render: a web service from a Blueprint, which Render builds from a Git repository.

use crate::deploy::image::{Builder, Image};
use crate::deploy::plan::{File, Filter, Plan, Step, Url};
use crate::deploy::row::{Clients, Row};
use crate::deploy::source::Source;
use crate::deploy::tools::Tool;
use crate::deploy::wanted::Wanted;
use crate::failure::Failure;

pub(super) const ROW: Row = Row {
    name: "render",
    title: "Render",
    page: "docs/platforms/render.md",
    tools: &[
        Tool {
            program: "render",
            version: &["--version"],
            who: Some(&["whoami", "--output", "json"]),
            log_in: "render login",
            install: "install Render's command line (https://render.com/docs/cli)",
        },
        Tool {
            program: "git",
            version: &["--version"],
            who: None,
            log_in: "",
            install: "install Git (https://git-scm.com)",
        },
    ],
    identity: None,
    clients: Clients::Generated,
    has_peers: false,
    token_header: None,
    needs: &[],
    plan,
};

const BLUEPRINT: &str = include_str!("../../../template/deploy/render.yaml");

fn plan(wanted: &Wanted) -> Result<Plan, Failure> {
    if let Source::Program(_) = &wanted.source {
        return Err(Failure::Usage(
            "Render builds from a Git repository: run the command in a clone of dotdo's repository, or in a project of yours (`dotdo new`)"
                .to_owned(),
        ));
    }
    let service = &*wanted.name;
    let image = Image::of(&wanted.source, Builder::Platform("Render"))?;
    let mut text = blueprint(wanted);
    for (name, value) in &image.arguments {
        text.push_str(&format!("      - key: {name}\n        value: {value}\n"));
    }
    let mut files = image.files;
    files.push(File::text("render.yaml", text));
    let mut to_commit = vec!["render.yaml"];
    to_commit.extend(files.iter().map(|file| &*file.path).filter(|path| *path != "render.yaml"));
    let steps = vec![
        Step::new("render", &["blueprints", "validate", "render.yaml"]),
        // What is not committed would not be deployed.
        Step::new("git", &["ls-files", "--error-unmatch", "--"]).and(&to_commit),
        Step::new("git", &["diff", "--exit-code", "HEAD", "--"]).and(&to_commit),
        Step::new("git", &["push"]),
        Step::new("render", &["services", "--output", "json"])
            .captured_as("SERVICE", Some(Filter::IdOf(service.to_owned()))),
        Step::new("render", &["deploys", "create", "$SERVICE", "--wait", "--confirm"])
            .and(["--output", "json"]),
    ];
    let notes = vec![format!(
        "the first time, there is no service {service} yet: choose New → Blueprint at https://dashboard.render.com, with this repository. \
         Render asks for {} and generates the tokens; then run this command again",
        wanted.secret_names().join(", ")
    )];
    let url = Url::At(format!("https://{service}.onrender.com"));
    Ok(Plan { files, steps, url, notes })
}

/// dotdo's Blueprint with the values of this deployment, or the one that is here.
fn blueprint(wanted: &Wanted) -> String {
    let text = std::fs::read_to_string("render.yaml").unwrap_or_else(|_| BLUEPRINT.to_owned());
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let replace = |lines: &mut Vec<String>, after: &str, prefix: &str, value: &str| {
        let Some(at) = lines.iter().position(|line| line.trim() == after) else { return };
        if let Some(line) = lines[at..].iter_mut().find(|line| line.trim().starts_with(prefix)) {
            let indent = &line[..line.len() - line.trim_start().len()];
            *line = format!("{indent}{prefix} {value}");
        }
    };
    replace(&mut lines, "- type: web", "name:", &wanted.name);
    replace(&mut lines, "- key: DOTDO_STORAGE", "value:", &wanted.storage);
    if let Some(region) = &wanted.region {
        replace(&mut lines, "- type: web", "region:", region);
    }
    for (name, value) in wanted.plain().into_iter().filter(|(name, _)| name != "DOTDO_STORAGE") {
        let key = format!("- key: {name}");
        let Some(at) = lines.iter().position(|line| line.trim() == key) else {
            lines.push(format!("      {key}"));
            lines.push(format!("        value: {}", serde_json::Value::from(value)));
            continue;
        };
        if let Some(line) = lines.get_mut(at + 1) {
            *line = format!("        value: {}", serde_json::Value::from(value));
        }
    }
    lines.join("\n") + "\n"
}
