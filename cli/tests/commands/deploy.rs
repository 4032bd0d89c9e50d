//! `dotdo deploy`, with small programs in the place of the platforms' tools, which record how they
//! are called.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::typed;
use super::user::{SECRET, User};
use crate::server::{Server, dotdo, folder, outcome};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The options of each platform that a plan can't do without.
const PLATFORMS: [(&str, &str, &[&str]); 9] = [
    ("vercel", "s3://my-bucket/state", &[]),
    ("railway", "s3://my-bucket/state", &[]),
    ("render", "s3://my-bucket/state", &[]),
    ("fly", "s3://my-bucket/state", &["--name", "my-objects", "--region", "fra"]),
    ("docker", "s3://my-bucket/state", &[]),
    ("k8s", "s3://my-bucket/state", &["--image", "registry.example.com/team/objects:1"]),
    ("lambda", "s3://my-bucket/state", &["--region", "eu-central-1"]),
    ("cloudrun", "gs://my-bucket/state", &["--region", "europe-west1", "--cloud-project", "shop"]),
    ("azure", "az://objects/state", &["--name", "my-objects", "--region", "westeurope"]),
];

fn arguments<'a>((platform, storage, more): (&'a str, &'a str, &[&'a str])) -> Vec<&'a str> {
    [&["--platform", platform, "--storage", storage][..], more].concat()
}

/// A project of `dotdo new`, in the folder `shop`.
fn project(user: &User) {
    let manifest = "[package]\nname = \"shop\"\nversion = \"0.1.0\"\n\n[dependencies]\ndotdo = { git = \"https://git.example/dotdo\" }\n";
    fs::create_dir_all(user.path("shop")).expect("writable");
    fs::write(user.path("shop/Cargo.toml"), manifest).expect("writable");
}

/// A server that answers `/ready`, as what was deployed.
fn deployed(home: &Path) -> Server {
    Server::start(dotdo(home).args(["serve", "--port=0", "--storage=memory://"]))
}

#[test]
fn each_platform_gets_the_commands_of_its_plan_and_no_secret_in_them() {
    let server_home = folder();
    let server = deployed(server_home.path());
    let url = format!("http://{}", server.address);
    for row in PLATFORMS {
        let user = User::new();
        project(&user);
        let name = if row.2.contains(&"my-objects") { "my-objects" } else { "objects" };
        let options = [arguments(row), vec!["--name", name]].concat();
        let options: Vec<&str> = dedup(&options);
        let plan = [&options[..], &["--dry-run", "--json"]].concat();
        let mut command = user.command("shop", &plan);
        command.env("AZURE_STORAGE_ACCOUNT", "acc").env("DOTDO_PEER_SECRET", "hunter2".repeat(5));
        let (code, stdout, stderr) = outcome(&mut command);
        assert_eq!((code, &*stderr), (Some(0), ""), "{}: {stdout}", row.0);
        let plan: Value = serde_json::from_str(&stdout).expect("JSON");
        assert!(user.calls().is_empty(), "a dry run runs nothing");
        assert_eq!(entries(&user.path("shop")), ["Cargo.toml"], "a dry run writes nothing");

        let run = [&options[..], &["--url", &url, "--json"]].concat();
        let mut command = user.command("shop", &run);
        command.env("AZURE_STORAGE_ACCOUNT", "acc").env("DOTDO_PEER_SECRET", "hunter2".repeat(5));
        let (code, stdout, stderr) = outcome(&mut command);
        assert_eq!(code, Some(0), "{}: {stdout}{stderr}", row.0);
        let said: Value = serde_json::from_str(&stdout).expect("JSON");
        assert_eq!((&said["url"], &said["ready"]), (&url.clone().into(), &true.into()));
        is_carried_out(&user, row.0, &plan);
        for text in [&stdout, &stderr, &user.calls().join("\n"), &user.recorded("environment")] {
            assert!(!text.contains("hunter2"), "{}: {text}", row.0);
        }
        for file in plan["files"].as_array().expect("a list") {
            let path = user.path("shop").join(file["path"].as_str().expect("a path"));
            let text =
                fs::read_to_string(&path).unwrap_or_else(|cause| panic!("{path:?}: {cause}"));
            assert!(!text.contains("hunter2"), "{path:?}");
        }
        let input = user.recorded("input");
        let has_keys = !["lambda", "cloudrun", "azure", "render"].contains(&row.0);
        assert_eq!(input.contains(SECRET) || input.contains("aHVudGVyMi9o"), has_keys, "{}", row.0);
    }
}

/// The options, each only once.
fn dedup<'a>(options: &[&'a str]) -> Vec<&'a str> {
    let mut kept: Vec<&str> = Vec::new();
    for pair in options.chunks(2) {
        if !kept.contains(&pair[0]) {
            kept.extend(pair);
        }
    }
    kept
}

/// Every command of the plan was run, in its order, and no other.
fn is_carried_out(user: &User, platform: &str, plan: &Value) {
    let planned = plan["commands"].as_array().expect("a list").iter();
    let planned = planned.flat_map(|line| steps(line.as_str().expect("a text")));
    let planned: Vec<String> = planned.collect();
    // Versions and logins are asked for first.
    let checks = ["version", "--version", "whoami", "show", "print-access-token"];
    let is_check = |call: &String| {
        call.split(' ').any(|word| checks.contains(&word)) && !planned.contains(call)
    };
    let calls: Vec<String> = user.calls().into_iter().filter(|call| !is_check(call)).collect();
    assert_eq!(calls, planned, "{platform}");
}

/// The commands of a line, as a tool records them.
fn steps(line: &str) -> Vec<String> {
    let line = line.split("   # ").next().unwrap_or(line).replace(" || true", "");
    let inner = |text: &str| text.strip_suffix(')').expect("it ends").to_owned();
    let line = match (line.split_once("=$("), line.strip_prefix("(cd ")) {
        (Some((_, rest)), _) => inner(rest),
        (None, Some(rest)) => inner(rest.split_once("&& ").expect("a command").1),
        (None, None) => line,
    };
    let outputs = [
        ("$SERVICE", "srv-1"),
        ("$PRINCIPAL", "principal-1"),
        ("$ACCOUNT", "/subscriptions/1/account"),
    ];
    let filled = |text: &str| {
        let text = outputs
            .iter()
            .fold(text.replace('\'', ""), |text, (name, value)| text.replace(name, value));
        text.trim().to_owned()
    };
    line.split(" || ").map(filled).collect()
}

fn entries(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("it is there");
    entries
        .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
        .collect()
}

#[test]
fn the_page_of_each_platform_shows_what_is_done() {
    let mut wrong = Vec::new();
    for (platform, _, _) in PLATFORMS {
        let user = User::new();
        let keys = "[aws]\naccess_key_id = \"AKIAEXAMPLE\"\nsecret_access_key = \"hunter2\"\n";
        fs::write(user.path(".config/dotdo/config.toml"), keys).expect("writable");
        let page = page(platform);
        let text = fs::read_to_string(Path::new(ROOT).join(&page)).expect("the page is there");
        let line = text.lines().find(|line| line.starts_with("dotdo deploy --platform="));
        let line = line.unwrap_or_else(|| panic!("{page} does not show `dotdo deploy`"));
        let mut command = user.command(".", &[]);
        command.args(line.split_whitespace().skip(2)).arg("--dry-run").current_dir(ROOT);
        command.env("AZURE_STORAGE_ACCOUNT", "myobjects");
        let (code, stdout, stderr) = outcome(&mut command);
        assert_eq!(code, Some(0), "{page}: {stderr}");
        let shown = text.split("```text\n").nth(1).and_then(|rest| rest.split("```").next());
        if shown != Some(&stdout) {
            wrong.push(format!("{page} shows another plan than this one:\n{stdout}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn page(platform: &str) -> String {
    let name = match platform {
        "k8s" => "kubernetes",
        "cloudrun" => "cloud-run",
        "azure" => "azure-functions",
        other => other,
    };
    format!("docs/platforms/{name}.md")
}

#[test]
fn without_a_project_this_program_is_deployed() {
    let user = User::new();
    let options = [arguments(PLATFORMS[3]), vec!["--wait", "0"]].concat();
    let (code, stdout, stderr) = outcome(&mut user.command("empty", &options));
    assert_eq!((code, &*stdout), (Some(0), "https://my-objects.fly.dev\n"), "{stderr}");
    let folder = user.path("empty/deploy/docker");
    let copy = fs::metadata(folder.join("out/bin/program")).expect("a copy of this program");
    let own = fs::metadata(env!("CARGO_BIN_EXE_dotdo")).expect("it runs");
    assert_eq!(copy.len(), own.len());
    let text = fs::read_to_string(folder.join("Dockerfile")).expect("written");
    assert!(text.contains("COPY out/bin/ /usr/local/bin/") && !text.contains("cargo"), "{text}");
    let calls = user.calls();
    assert!(
        calls
            .iter()
            .any(|call| call.starts_with("fly deploy deploy/docker --config deploy/fly/fly.toml")),
        "{calls:?}"
    );
    let config = fs::read_to_string(user.path("empty/deploy/fly/fly.toml")).expect("written");
    assert!(config.contains("app = \"my-objects\"\nprimary_region = \"fra\""), "{config}");
    assert!(
        config.contains("DOTDO_STORAGE = \"s3://my-bucket/state\"")
            && config.contains("# Must be less than kill_timeout."),
        "{config}"
    );

    // The token for clients is kept for its user, and is the same the next time.
    let kept = user.path(".config/dotdo/deployments/fly-my-objects.env");
    let token = fs::read_to_string(&kept).expect("kept");
    assert!(stderr.contains(&kept.display().to_string()), "{stderr}");
    assert!(user.recorded("input").contains(token.trim()), "it is the server's too");
    assert!(!stderr.contains(token.trim()) && !stdout.contains(token.trim()));
    let (code, _, stderr) = outcome(user.command("empty", &options).env("EXISTS", "1"));
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(fs::read_to_string(&kept).expect("kept"), token);
    let created = |call: &&String| call.starts_with("fly apps create");
    assert_eq!(user.calls().iter().filter(created).count(), 1, "the second time it is there");
}

#[test]
fn what_is_missing_is_said_at_once_and_nothing_is_done() {
    let user = User::new();
    for (options, expected) in [
        (&["--platform", "fly"][..], "the state needs a bucket: use --storage"),
        (&["--platform", "fly", "--storage", "./state"], "--storage"),
        (&["--platform", "fly", "--storage", "s3://b"], "Fly needs --name"),
        (
            &["--platform", "heroku"],
            "[possible values: vercel, railway, render, fly, docker, k8s, lambda, cloudrun, azure]",
        ),
        (
            &[
                "--platform",
                "cloudrun",
                "--storage",
                "s3://b",
                "--cloud-project",
                "p",
                "--region",
                "r",
            ],
            "gs://",
        ),
        (
            &["--platform", "k8s", "--storage", "s3://b", "--image", "objects"],
            "expected a name with a tag",
        ),
        (&["--platform", "docker", "--storage", "s3://b", "--name", "No Name"], "--name: expected"),
        (&["--platform", "render", "--storage", "s3://b"], "Render builds from a Git repository"),
    ] {
        let (code, stdout, stderr) = outcome(&mut user.command("empty", options));
        assert_eq!((code, &*stdout), (Some(2), ""), "{options:?}: {stderr}");
        assert!(stderr.contains(expected), "{options:?}: {stderr}");
    }
    fs::remove_file(user.path(".config/dotdo/config.toml")).expect("it is there");
    let options = ["--platform", "docker", "--storage", "s3://b/p"];
    let (code, _, stderr) = outcome(&mut user.command("empty", &options));
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY are missing"), "{stderr}");
    assert!(!user.calls().iter().any(|call| call.contains("build")));
    assert!(entries(&user.path("empty")).is_empty(), "nothing was written");

    fs::remove_file(user.path("bin/fly")).expect("it is there");
    let (code, _, stderr) = outcome(&mut user.command("empty", &arguments(PLATFORMS[3])));
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("fly is not on the PATH: install flyctl"), "{stderr}");
    let (code, _, stderr) =
        outcome(user.command("empty", &arguments(PLATFORMS[1])).env("FAILS", "whoami"));
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("railway is not logged in: run `railway login`"), "{stderr}");
}

#[test]
fn a_tool_that_fails_ends_it_and_its_words_are_shown_without_secrets() {
    let user = User::new();
    let mut command = user.command("empty", &arguments(PLATFORMS[3]));
    let (code, stdout, stderr) = outcome(command.env("FAILS", "secrets import"));
    assert_eq!((code, &*stdout), (Some(1), ""), "{stderr}");
    assert!(stderr.contains("`fly secrets import --app my-objects --stage"), "{stderr}");
    assert!(
        stderr.contains("no: ") && stderr.contains("AWS_SECRET_ACCESS_KEY=(hidden)"),
        "{stderr}"
    );
    assert!(!stderr.contains("hunter2"), "{stderr}");
    assert!(!user.calls().iter().any(|call| call.starts_with("fly deploy")));
}

#[test]
fn a_deployment_that_is_not_ready_in_time_is_a_failure() {
    let user = User::new();
    let options = ["--url", "http://127.0.0.1:9", "--wait", "1"];
    let options = [arguments(PLATFORMS[4]), options.to_vec()].concat();
    let (code, stdout, stderr) = outcome(&mut user.command("empty", &options));
    assert_eq!((code, &*stdout), (Some(1), ""), "{stderr}");
    assert!(stderr.contains("http://127.0.0.1:9/ready is not ready after 1 s"), "{stderr}");
}

#[test]
fn a_person_is_asked_for_what_is_missing_and_agrees() {
    let user = User::new();
    fs::remove_file(user.path(".config/dotdo/config.toml")).expect("it is there");
    let command = user.command("empty", &["--platform", "docker", "--wait", "0"]);
    let talk = [
        ("bucket for the state, such as s3://my-bucket/state: ", "s3://mine/state\n"),
        ("Deploy? [y/N] ", "y\n"),
        ("AWS_ACCESS_KEY_ID (not shown): ", "AKIAEXAMPLE\n"),
        ("AWS_SECRET_ACCESS_KEY (not shown): ", &format!("{SECRET}\n")),
    ];
    let (code, shown, _) = outcome(&mut typed(&command, &talk));
    assert_eq!(code, Some(0), "{shown}");
    assert!(!shown.contains("hunter2") && shown.contains("http://127.0.0.1:8787"), "{shown}");
    let input = user.recorded("input");
    assert!(input.contains(&format!("AWS_SECRET_ACCESS_KEY={SECRET}\n")), "{input}");
    assert!(input.contains("DOTDO_STORAGE=s3://mine/state\n"), "{input}");

    let command = user.command("other", &["--platform", "docker", "--storage", "s3://b"]);
    let before = user.calls().len();
    let (code, shown, _) = outcome(&mut typed(&command, &[("Deploy? [y/N] ", "n\n")]));
    assert_eq!(code, Some(1), "{shown}");
    assert!(shown.contains("nothing was done"), "{shown}");
    assert_eq!(user.calls().len(), before + 1, "only the version was asked for");
}
