//! `dotdo deploy` by the platforms' own tools, as far as they can be had without an account.

use dotdo_tests::{Cli, DEPLOYED_ON_VERCEL, Outcome, Running, Vercel};
use serde_json::Value;

/// Runs a command in a folder below the home folder: tools refuse to deploy that itself.
async fn run(cli: &Cli, arguments: &[&str]) -> Outcome {
    let folder = cli.home().join("project");
    std::fs::create_dir_all(&folder).expect("the home folder is writable");
    Running::start(cli.command(arguments).current_dir(folder)).end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn vercel_s_own_tool_takes_the_settings_the_secrets_and_the_program() {
    let vercel = Vercel::start().await;
    let cli = Cli::new();
    let path = vercel.log_in(cli.home());
    let cli = cli
        .env("PATH", path)
        .env("VERCEL_TELEMETRY_DISABLED", "1")
        .env("NO_UPDATE_NOTIFIER", "1")
        .env("AWS_REGION", "eu-central-1")
        .env("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", "hunter2/hunter2");
    let options = ["--platform=vercel", "--storage=s3://my-bucket/state", "--wait=0", "--json"];
    let plan = [&["deploy", "--dry-run"], &options[..]].concat();
    let plan: Value = serde_json::from_str(&run(&cli, &plan).await.ok()).expect("JSON");
    assert_eq!(vercel.sent("").await, Vec::<Value>::new(), "a dry run sends nothing");

    let outcome = run(&cli, &[&["deploy", "--yes"], &options[..]].concat()).await;
    assert!(!format!("{outcome:?}").contains("hunter2"), "{outcome:?}");
    let said: Value = serde_json::from_str(&outcome.ok()).expect("JSON");
    assert_eq!(said["url"], DEPLOYED_ON_VERCEL);

    // Each variable of the plan arrived, with its value and for production only.
    let variables = vercel.sent("/env").await;
    let commands = plan["commands"].as_array().expect("a list").iter().filter_map(Value::as_str);
    let planned: Vec<&str> = commands
        .filter_map(|command| command.split_once("vercel env add ")?.1.split(' ').next())
        .collect();
    let arrived: Vec<&str> =
        variables.iter().map(|variable| variable["key"].as_str().expect("a name")).collect();
    assert_eq!(arrived, planned);
    let value = |name: &str| {
        let found = variables.iter().find(|variable| variable["key"] == name);
        let found = found.unwrap_or_else(|| panic!("{name} is not in {arrived:?}"));
        assert_eq!(found["target"], serde_json::json!(["production"]), "{name}");
        found["value"].as_str().expect("a text").to_owned()
    };
    assert_eq!(value("DOTDO_STORAGE"), "s3://my-bucket/state");
    assert_eq!(value("AWS_SECRET_ACCESS_KEY"), "hunter2/hunter2");
    assert!(value("DOTDO_AUTH_TOKENS").len() >= 32, "a token for clients was made");

    // The tool has read what Vercel would run, as already built.
    let deployment = vercel.sent("/deployments").await.pop().expect("it was deployed");
    let files = deployment["files"].as_array().expect("a list");
    let mode = |name: &str| {
        let found = files.iter().find(|file| file["file"] == name);
        found.unwrap_or_else(|| panic!("{name} is not in {files:?}"))["mode"].as_u64()
    };
    let function = ".vercel/output/functions/api/object.func";
    assert!(mode(".vercel/output/config.json").is_some());
    assert!(mode(&format!("{function}/.vc-config.json")).is_some());
    let executable = mode(&format!("{function}/executable")).expect("a mode");
    assert_eq!(executable & 0o111, 0o111, "it may be run");
    assert_eq!(files.len(), 3, "nothing else is published: {files:?}");
}

/// A worker in JavaScript with one class.
const WORKER: &str = "import { DurableObject } from 'cloudflare:workers';
export class Thing extends DurableObject {}
export default { fetch() { return new Response('in front'); } };
";

#[tokio::test(flavor = "multi_thread")]
async fn vercel_s_own_tool_takes_a_worker_that_was_built() {
    let (vercel, cli) = (Vercel::start().await, Cli::new());
    let path = vercel.log_in(cli.home());
    let folder = cli.home().join("project");
    std::fs::create_dir_all(&folder).expect("the home folder is writable");
    std::fs::write(folder.join("worker.js"), WORKER).expect("the home folder is writable");
    run(&cli, &["build", "--target", "vercel", "worker.js"]).await.ok();
    for arguments in [
        &["link", "--yes", "--project", "objects"][..],
        &["deploy", "--prebuilt", "--prod", "--yes"],
    ] {
        let mut tool = tokio::process::Command::new("vercel");
        tool.args(arguments).current_dir(&folder).env("PATH", &path).env("HOME", cli.home());
        tool.env_remove("XDG_DATA_HOME")
            .env("VERCEL_TELEMETRY_DISABLED", "1")
            .env("NO_UPDATE_NOTIFIER", "1");
        let output = tool.output().await.expect("the tool starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let deployment = vercel.sent("/deployments").await.pop().expect("it was deployed");
    let files = deployment["files"].as_array().expect("a list");
    let mut names: Vec<&str> = files.iter().filter_map(|file| file["file"].as_str()).collect();
    names.sort_unstable();
    let function = |name: &str| format!(".vercel/output/functions/index.func/{name}");
    let expected = [
        ".vercel/output/config.json".to_owned(),
        function(".vc-config.json"),
        function("executable"),
        function("worker/worker.js"),
    ];
    assert_eq!(names, expected);
}
