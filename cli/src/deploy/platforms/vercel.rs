//! Vercel: one function that answers every path.

use serde_json::json;

use crate::deploy::plan::{Content, File, Filter, Input, Plan, Step, URL, Url};
use crate::deploy::row::{Clients, Row};
use crate::deploy::source::Source;
use crate::deploy::tools::Tool;
use crate::deploy::wanted::Wanted;
use crate::failure::Failure;

pub(super) const ROW: Row = Row {
    name: "vercel",
    title: "Vercel",
    page: "docs/platforms/vercel.md",
    tools: &[Tool {
        program: "vercel",
        version: &["--version"],
        who: Some(&["whoami"]),
        log_in: "vercel login",
        install: "run `npm install --global vercel`",
    }],
    identity: None,
    clients: Clients::Server,
    has_peers: false,
    token_header: None,
    needs: &[],
    plan,
};

/// What Vercel would build, already built (Vercel's Build Output API, version 3).
const OUTPUT: &str = ".vercel/output";
/// The function's folder there.
const FUNCTION: &str = ".vercel/output/functions/api/object.func";
/// How long a request may take, in seconds: the maximum of every plan, as in vercel.json.
const SECONDS_MAX: u64 = 300;

fn plan(wanted: &Wanted) -> Result<Plan, Failure> {
    let mut files = Vec::new();
    let mut build = Vec::new();
    let mut deploy = Step::new("vercel", &["deploy", "--prod", "--yes"]);
    if wanted.source != Source::Repository {
        deploy = deploy.and(["--prebuilt"]);
        files = output();
        build = function(&wanted.source, &mut files)?;
    }
    let mut steps = build;
    steps.push(Step::new("vercel", &["link", "--yes", "--project", &wanted.name]));
    for name in wanted.names() {
        let add = Step::new("vercel", &["env", "add", &name, "production", "--force"]);
        steps.push(add.with_input(Input::Value(name)));
    }
    steps.push(deploy.captured_as(URL, Some(Filter::Url)));
    Ok(Plan { files, steps, url: Url::Captured, notes: Vec::new() })
}

/// What Vercel is told of the function and of the paths.
fn output() -> Vec<File> {
    let routes = json!({ "version": 3, "routes": [{ "handle": "filesystem" }, { "src": "/(.*)", "dest": "/api/object" }] });
    let function = json!({
        "runtime": "executable",
        "runtimeLanguage": "rust",
        "handler": "executable",
        "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" },
        "maxDuration": SECONDS_MAX,
        "supportsResponseStreaming": true,
        "environment": {},
    });
    let text = |value| serde_json::to_string_pretty(&value).unwrap_or_default() + "\n";
    vec![
        File::text(format!("{OUTPUT}/config.json"), text(routes)),
        File::text(format!("{FUNCTION}/.vc-config.json"), text(function)),
    ]
}

/// Puts the program into the function's folder.
fn function(source: &Source, files: &mut Vec<File>) -> Result<Vec<Step>, Failure> {
    let path = format!("{FUNCTION}/executable");
    if let Source::Program(program) = source {
        let program = Source::for_linux(program)?.to_owned();
        files.push(File { path, content: Content::CopyOf(program) });
        return Ok(Vec::new());
    }
    let (package, program) = source.built().expect("the others are built");
    let build = ["build", "--release", "--package", package, "--bin", program];
    let built = format!("target/release/{program}");
    Ok(vec![Step::new("cargo", &build), Step::new("cp", &[&built, &path])])
}
