//! Railway: a service that Railway builds from this folder.

use crate::deploy::image::{Builder, Image};
use crate::deploy::plan::{File, Filter, Input, Plan, Step, URL, Url};
use crate::deploy::row::{Clients, Row};
use crate::deploy::tools::Tool;
use crate::deploy::wanted::Wanted;
use crate::failure::Failure;

pub(super) const ROW: Row = Row {
    name: "railway",
    title: "Railway",
    page: "docs/platforms/railway.md",
    tools: &[Tool {
        program: "railway",
        version: &["--version"],
        who: Some(&["whoami"]),
        log_in: "railway login",
        install: "run `npm install --global @railway/cli`",
    }],
    identity: None,
    clients: Clients::Server,
    has_peers: true,
    token_header: None,
    needs: &[],
    plan,
};

const CONFIG: &str = include_str!("../../../template/deploy/railway.json");

/// Less than `drainingSeconds` in railway.json.
const SHUTDOWN: &str = "DOTDO_SHUTDOWN_DEADLINE_MS=25000";

fn plan(wanted: &Wanted) -> Result<Plan, Failure> {
    let service = &*wanted.name;
    let image = Image::of(&wanted.source, Builder::Platform("Railway"))?;
    let to_service = ["--service", service];
    let set = |words: &[&str]| Step::new("railway", &["variable", "set"]).and(words);
    let plain = wanted.plain().into_iter().map(|(name, value)| format!("{name}={value}"));
    let arguments = image.arguments.iter().map(|(name, value)| format!("{name}={value}"));
    let words: Vec<String> = plain.chain(arguments).chain([SHUTDOWN.to_owned()]).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut steps = vec![
        Step::new("railway", &["init", "--name", service]).unless(&["status"]),
        Step::new("railway", &["add"]).and(to_service).unless(&["service", service]),
        set(&words).and(to_service).and(["--skip-deploys"]),
    ];
    for name in wanted.secret_names() {
        let step = set(&[&name, "--stdin"]).and(to_service).and(["--skip-deploys"]);
        steps.push(step.with_input(Input::Value(name)));
    }
    let folder = (image.context != ".").then_some(&*image.context);
    steps.push(Step::new("railway", &["up"]).and(folder).and(to_service).and(["--ci"]));
    let domain = Step::new("railway", &["domain"]).and(to_service);
    steps.push(domain.captured_as(URL, Some(Filter::Url)));
    let path = image.path("railway.json");
    let config = match folder {
        // Railway looks for the Dockerfile in what it was sent.
        Some(_) => File::text(path, CONFIG.replace("deploy/docker/Dockerfile", "Dockerfile")),
        None => File::default(path, CONFIG),
    };
    let mut files = image.files;
    files.push(config);
    Ok(Plan { files, steps, url: Url::Captured, notes: Vec::new() })
}
