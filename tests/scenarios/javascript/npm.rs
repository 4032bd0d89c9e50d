//! From an empty folder to a server that follows its sources, by npm alone.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use dotdo_tests::{Deadline, Npm, Process, code_blocks, scratch};
use nix::sys::signal::Signal;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use crate::world::PATIENCE_SECONDS;

/// A server that the package's command has started in a project, and its address.
struct Serving {
    process: Process,
    base: String,
}

impl Serving {
    async fn start(npm: &Npm, project: &Path, arguments: &[&str]) -> Self {
        let mut command = npm.command("node_modules/.bin/dotdo", project);
        let process = Process::start(command.args(arguments));
        let address = || async {
            let log = process.stderr();
            assert!(process.ended().is_none(), "{log}");
            let line = log.lines().find(|line| line.contains("listening"))?.to_owned();
            let from = line.find("127.0.0.1:")?;
            let is_address = |letter: &char| letter.is_ascii_digit() || ".:".contains(*letter);
            Some(line[from..].chars().take_while(is_address).collect::<String>())
        };
        let found = Deadline::in_seconds(PATIENCE_SECONDS).until(address).await;
        let base = format!("http://{}", found.unwrap_or_else(|| panic!("{}", process.stderr())));
        Self { process, base }
    }

    /// The answer to a request; `None` while there is none.
    async fn ask(&self, http: &Client, method: reqwest::Method) -> Option<(StatusCode, Value)> {
        let answer = http.request(method, format!("{}/tea", self.base)).send().await.ok()?;
        Some((answer.status(), answer.json().await.ok()?))
    }

    /// Waits for an answer that is `expected`.
    async fn answers(&self, http: &Client, method: reqwest::Method, expected: &Value) {
        let once = || async {
            let (_, answer) = self.ask(http, method.clone()).await?;
            (answer == *expected).then_some(())
        };
        let came = Deadline::in_seconds(PATIENCE_SECONDS).until(once).await;
        assert!(came.is_some(), "{expected} never comes:\n{}", self.process.stderr());
    }

    /// Waits until it has said `text` to people.
    async fn says(&self, text: &str) {
        let said = || async { self.process.stderr().contains(text).then_some(()) };
        let said = Deadline::in_seconds(PATIENCE_SECONDS).until(said).await;
        assert!(said.is_some(), "{text:?} is not in:\n{}", self.process.stderr());
    }

    /// Waits until nobody listens any more.
    async fn is_gone(&self, http: &Client) {
        let refused = || async {
            http.get(&self.base).send().await.err().filter(reqwest::Error::is_connect).map(|_| ())
        };
        let gone = Deadline::in_seconds(PATIENCE_SECONDS).until(refused).await;
        assert!(gone.is_some(), "the server outlives the command");
    }
}

/// A new project as `npm create dotdo` makes it, with its packages.
fn project(npm: &Npm, folder: &Path) -> PathBuf {
    let blocks = code_blocks("docs/JAVASCRIPT.md");
    assert_eq!(
        blocks[0].text.trim(),
        "npm create dotdo@latest my-app\ncd my-app\nnpm install\nnpm test\nnpx dotdo dev"
    );
    // The same from files instead of a registry.
    let create = format!("--package={}", npm.tarball("create-dotdo"));
    npm.run(folder, &["npm", "exec", "--yes", &create, "--", "create-dotdo", "my-app"]);
    let project = folder.join("my-app");
    npm.run(&project, &["npm", "install", &npm.tarball("dotdo"), &npm.program()]);
    project
}

/// Replaces a part of a file.
fn edit(file: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(file).expect("it is there");
    assert!(text.contains(from), "{from}: {text}");
    std::fs::write(file, text.replace(from, to)).expect("it is writable");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_of_npm_is_served_follows_its_sources_and_keeps_its_state() {
    let (npm, folder, http) = (Npm::packed(), scratch(), Client::new());
    let project = project(&npm, folder.path());
    npm.run(&project, &["npm", "test"]);
    let said = npm.run(&project, &["npx", "dotdo", "check", "--json"]);
    let said: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(said["bindings"], json!([{ "name": "COUNTER", "class": "Counter" }]));

    let source = project.join("src/index.ts");
    let (get, post) = (reqwest::Method::GET, reqwest::Method::POST);
    let tea = |count: u64| json!({ "name": "/tea", "count": count });
    let serving = Serving::start(&npm, &project, &["serve", "--port=0"]).await;
    for count in 1..=2 {
        serving.answers(&http, post.clone(), &tea(count)).await;
    }
    edit(&source, "json({ name, count })", "json({ name, count, changed: true })");
    let changed = json!({ "name": "/tea", "count": 2, "changed": true });
    serving.answers(&http, get.clone(), &changed).await;
    // What can't be bundled leaves the server alone, and so does what can't be loaded.
    edit(&source, "changed: true })", "changed: true )");
    serving.says("src/index.ts:30:").await;
    serving.says("the running server stays").await;
    serving.answers(&http, get.clone(), &changed).await;
    edit(&source, "changed: true )", "changed: nowhere })");
    serving.says("src/index.ts changed").await;
    let thrown = || async {
        let (status, _) = serving.ask(&http, get.clone()).await?;
        (status == StatusCode::INTERNAL_SERVER_ERROR).then_some(())
    };
    Deadline::in_seconds(PATIENCE_SECONDS).until(thrown).await.expect("the code throws");
    serving.says("uncaught ReferenceError: nowhere is not defined").await;
    serving.says("at fetch (src/index.ts:30:").await;
    edit(&source, ", changed: nowhere", "");
    serving.answers(&http, get, &tea(2)).await;
    serving.process.kill9();
    serving.is_gone(&http).await;
    ends_and_builds(&npm, &project, &tea(3)).await;
    base_is_like_on_workerd(&npm, &project).await;
    a_kill_loses_no_greeting(&npm, &project).await;
}

/// The state is there after a kill, the command ends as the program does, and what is built has all.
async fn ends_and_builds(npm: &Npm, project: &Path, expected: &Value) {
    let http = Client::new();
    let serving = Serving::start(npm, project, &["serve", "--no-watch", "--port=0"]).await;
    serving.answers(&http, reqwest::Method::POST, expected).await;
    serving.process.signal(Signal::SIGTERM);
    assert_eq!(serving.process.wait().code(), Some(0), "{}", serving.process.stderr());
    serving.is_gone(&http).await;
    let mut refused = npm.command("node_modules/.bin/dotdo", project);
    let refused = refused.args(["serve", "--storage=nonsense://"]).output().expect("it starts");
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");

    let built = npm.run(project, &["npx", "dotdo", "build", "--target", "vercel", "--json"]);
    let built: Value = serde_json::from_str(&built).expect("JSON");
    let files = built["files"].as_array().expect("a list");
    for name in ["executable", "worker/worker.js", "worker/worker.js.map", "worker/wrangler.json"] {
        assert!(files.contains(&json!(format!("functions/index.func/{name}"))), "{files:?}");
    }
}

/// `DOBase` has the answers that `javascript/record` has written of workerd, and its types hold.
async fn base_is_like_on_workerd(npm: &Npm, project: &Path) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/javascript");
    for name in ["base.ts", "base.sql", "base.bin"] {
        std::fs::copy(folder.join(name), project.join("src").join(name)).expect("it is writable");
    }
    npm.run(project, &["npx", "tsc"]);
    let arguments = ["serve", "src/base.ts", "--no-watch", "--port=0", "--storage=memory://"];
    let (http, serving) = (Client::new(), Serving::start(npm, project, &arguments).await);
    let ask = |name: &str| {
        let mut url = reqwest::Url::parse(&serving.base).expect("an address");
        url.set_path(name);
        let request = http.get(url);
        async move { request.send().await.expect("an answer").json::<Value>().await.expect("JSON") }
    };
    let recorded = std::fs::read_to_string(folder.join("base.json")).expect("answers");
    let expected: BTreeMap<String, Value> = serde_json::from_str(&recorded).expect("JSON");
    let names = ask("names").await;
    assert_eq!(names.as_array().map(Vec::len), Some(expected.len()), "run javascript/record again");
    for (name, expected) in &expected {
        assert_eq!(ask(name).await, *expected, "{name}");
    }
    serving.process.signal(Signal::SIGTERM);
    serving.process.wait();
}

/// Greets until the server is gone; who was greeted.
async fn greet_until_it_breaks(http: Client, url: String, client: u32) -> Vec<String> {
    let mut greeted = Vec::new();
    for number in 0.. {
        let name = format!("{client}-{number}");
        let Ok(answer) = http.get(format!("{url}?name={name}")).send().await else { break };
        if answer.text().await.is_ok_and(|text| text == format!("Hello, {name}!")) {
            greeted.push(name);
        }
    }
    greeted
}

/// A project in the shape of `npm create cloudflare` is served as it is. A loss of power under load,
/// which ends the program and then the command, loses no greeting that somebody has heard.
async fn a_kill_loses_no_greeting(npm: &Npm, project: &Path) {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/javascript/template");
    let (folder, http) = (scratch(), Client::new());
    std::fs::create_dir(folder.path().join("src")).expect("it is writable");
    for name in ["wrangler.jsonc", "tsconfig.json", "worker-configuration.d.ts", "src/index.ts"] {
        std::fs::copy(sources.join(name), folder.path().join(name)).expect("it is writable");
    }
    let packages = folder.path().join("node_modules");
    std::os::unix::fs::symlink(project.join("node_modules"), packages).expect("it is writable");
    npm.run(folder.path(), &["npx", "tsc"]);
    let mut greeted: Vec<String> = Vec::new();
    for round in 0..2 {
        let serving = Serving::start(npm, folder.path(), &["serve", "--port=0"]).await;
        let url = format!("{}/room", serving.base);
        let clients: Vec<_> = (0..4)
            .map(|client| {
                tokio::spawn(greet_until_it_breaks(http.clone(), url.clone(), 4 * round + client))
            })
            .collect();
        let expected = greeted.len() + 30;
        let enough = || async {
            let told: Vec<String> = http.get(&url).send().await.ok()?.json().await.ok()?;
            (told.len() >= expected).then_some(())
        };
        let came = Deadline::in_seconds(PATIENCE_SECONDS).until(enough).await;
        assert!(came.is_some(), "{}", serving.process.stderr());
        let command = serving.process.pid().to_string();
        let killed = Command::new("pkill").args(["-KILL", "-P", &command]).status();
        assert!(killed.expect("pkill is there").success(), "the command has no child");
        assert_eq!(serving.process.wait().signal(), Some(Signal::SIGKILL as i32));
        for client in clients {
            greeted.extend(client.await.expect("a client does not panic"));
        }
    }
    let serving = Serving::start(npm, folder.path(), &["serve", "--port=0"]).await;
    let told = http.get(format!("{}/room", serving.base)).send().await.expect("an answer");
    let told: Vec<String> = told.json().await.expect("JSON");
    let lost: Vec<&String> = greeted.iter().filter(|name| !told.contains(name)).collect();
    assert!(lost.is_empty() && greeted.len() > 50, "{lost:?} of {}", greeted.len());
    serving.process.signal(Signal::SIGTERM);
    serving.process.wait();
}
