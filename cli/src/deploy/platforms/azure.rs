//! Azure Functions: a custom handler on Flex Consumption.

use crate::deploy::plan::{Content, File, Plan, Step, TOKEN, Url};
use crate::deploy::row::{Clients, Need, Row};
use crate::deploy::source::Source;
use crate::deploy::tools::Tool;
use crate::deploy::wanted::Wanted;
use crate::failure::Failure;

pub(super) const ROW: Row = Row {
    name: "azure",
    title: "Azure Functions",
    page: "docs/platforms/azure-functions.md",
    tools: &[
        Tool {
            program: "az",
            version: &["version", "--output", "tsv"],
            who: Some(&["account", "show"]),
            log_in: "az login",
            install: "install the Azure CLI (https://learn.microsoft.com/cli/azure/install-azure-cli)",
        },
        Tool {
            program: "func",
            version: &["--version"],
            who: None,
            log_in: "",
            install: "run `npm install --global azure-functions-core-tools@4`",
        },
    ],
    identity: Some("az://"),
    clients: Clients::Platform,
    has_peers: false,
    token_header: Some("x-functions-key"),
    needs: &[Need::Name, Need::Region],
    plan,
};

/// The folder of the app.
const APP: &str = "app";
const HOST: &str = include_str!("../../../template/deploy/host.json");
const FUNCTION: &str = include_str!("../../../template/deploy/function.json");
const TICK: &str = include_str!("../../../template/deploy/tick.json");
const IGNORED: &str = include_str!("../../../template/deploy/funcignore");

fn plan(wanted: &Wanted) -> Result<Plan, Failure> {
    let name = &*wanted.name;
    let mut steps = Vec::new();
    let mut files = vec![
        File::default(format!("{APP}/host.json"), HOST),
        File::default(format!("{APP}/object/function.json"), FUNCTION),
        File::default(format!("{APP}/tick/function.json"), TICK),
        File::default(format!("{APP}/.funcignore"), IGNORED),
    ];
    match wanted.source.built() {
        Some((package, program)) => {
            let build = ["build", "--release", "--package", package, "--bin", program];
            steps.push(Step::new("cargo", &build));
            let built = format!("target/release/{program}");
            steps.push(Step::new("cp", &[&built, &format!("{APP}/dotdo")]));
        }
        None => {
            let Source::Program(program) = &wanted.source else {
                unreachable!("the others are built")
            };
            let program = Source::for_linux(program)?.to_owned();
            files.push(File { path: format!("{APP}/dotdo"), content: Content::CopyOf(program) });
        }
    }
    steps.extend(resources(wanted));
    steps.push(Step::new("func", &["azure", "functionapp", "publish", name]).in_folder(APP));
    let keys = ["functionapp", "keys", "list", "--name", name, "--resource-group", name];
    let key = Step::new("az", &keys).and(["--query", "functionKeys.default", "--output", "tsv"]);
    steps.push(key.captured_as(TOKEN, None));
    let url = Url::At(format!("https://{name}.azurewebsites.net"));
    Ok(Plan { files, steps, url, notes: Vec::new() })
}

/// What the app consists of at Azure: all of it can be asked for again.
fn resources(wanted: &Wanted) -> Vec<Step> {
    let (name, region) = (&*wanted.name, wanted.region());
    let (container, _) = wanted.bucket();
    let plain = wanted.plain();
    let account = plain.iter().find(|(name, _)| name.starts_with("AZURE_STORAGE_ACCOUNT"));
    let account = account.map_or("", |(_, account)| account);
    let group = ["--resource-group", name];
    let to_app = ["--name", name, "--resource-group", name];
    let az = |words: &[&str]| Step::new("az", words);
    let tsv = |step: Step, query: &str, variable| {
        step.and(["--query", query, "--output", "tsv"]).captured_as(variable, None)
    };
    let scope = format!("$ACCOUNT/blobServices/default/containers/{container}");
    let settings = plain.iter().map(|(name, value)| format!("{name}={value}"));
    vec![
        az(&["group", "create", "--name", name, "--location", region]),
        az(&["storage", "account", "create", "--name", account, "--sku", "Standard_LRS"])
            .and(group),
        az(&["storage", "container", "create", "--name", container, "--account-name", account])
            .and(["--auth-mode", "login"]),
        az(&["functionapp", "create", "--storage-account", account])
            .and(to_app)
            .and(["--flexconsumption-location", region, "--runtime", "custom"])
            .unless(&["functionapp", "show", "--name", name, "--resource-group", name]),
        tsv(az(&["functionapp", "identity", "assign"]).and(to_app), "principalId", "PRINCIPAL"),
        tsv(az(&["storage", "account", "show", "--name", account]), "id", "ACCOUNT"),
        az(&["role", "assignment", "create", "--role", "Storage Blob Data Contributor"]).and([
            "--assignee",
            "$PRINCIPAL",
            "--scope",
            &scope,
        ]),
        az(&["functionapp", "config", "appsettings", "set"])
            .and(to_app)
            .and(["--settings", "AzureWebJobsDisableHomepage=true"])
            .and(settings),
    ]
}
