//! What `dotdo build` writes for a worker in JavaScript, started as the platforms do: a function that
//! finds its worker beside itself, and an object that outlives every copy of it.

use std::path::{Path, PathBuf};
use std::process::Command;

use dotdo_tests::{Cli, Setup, scratch};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::host::Host;
use crate::hosts::{Front, Lambda, Vercel};
use crate::message::{get, post};
use crate::stage::{insist, run};

const WORKER: &str = r#"
import { DurableObject } from 'cloudflare:workers';
export class Counter extends DurableObject {
  async add(by) {
    const count = (this.ctx.storage.kv.get('count') ?? 0) + by;
    this.ctx.storage.kv.put('count', count);
    return count;
  }
}
export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    const count = await env.COUNTERS.getByName(pathname).add(request.method === 'POST' ? env.STEP : 0);
    return Response.json({ pathname, count });
  },
};
"#;

const CONFIG: &str = r#"{
  "name": "counters", "main": "src/worker.js", "vars": { "STEP": 2 },
  "durable_objects": { "bindings": [{ "name": "COUNTERS", "class_name": "Counter" }] },
}"#;

/// Takes a zip file apart as Lambda does, with the permissions in it.
const UNZIP: &str = "
import os, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as file:
    for entry in file.infolist():
        os.chmod(file.extract(entry, sys.argv[2]), entry.external_attr >> 16)
";

fn succeeds(command: &mut Command) {
    let output = command.output().expect("it can be started");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A project, and this program without what only a debugger reads: it is copied and compressed.
fn project() -> (Cli, PathBuf) {
    let cli = Cli::new();
    let folder = cli.home().join("src");
    std::fs::create_dir_all(&folder).expect("the folder is writable");
    std::fs::write(folder.join("worker.js"), WORKER).expect("the folder is writable");
    std::fs::write(cli.home().join("wrangler.jsonc"), CONFIG).expect("the folder is writable");
    // Secrets of this machine, which belong to no function.
    std::fs::write(cli.home().join(".dev.vars"), "STEP=5").expect("the folder is writable");
    let program = cli.home().join("program");
    let built = Setup::new("memory://").command().get_program().to_owned();
    succeeds(Command::new("strip").arg("--strip-debug").arg("-o").arg(&program).arg(built));
    (cli, program)
}

/// Writes what a target needs, and says which files that are.
async fn build(cli: &Cli, program: &Path, target: &str) -> Value {
    let program = program.to_str().expect("a path of letters");
    let arguments = ["build", "--target", target, "--program", program, "--json"];
    let said: Value = serde_json::from_str(&cli.run(&arguments).await.ok()).expect("JSON");
    assert_eq!(said["classes"], json!(["Counter"]));
    said["files"].clone()
}

/// A write, and a read by another copy after a cold start.
async fn keeps_its_state(host: &dyn Host, program: &Path) {
    let folder = scratch();
    let storage = format!("file://{}", folder.path().display());
    let setup = Setup::of(program, &storage);
    for count in [2, 4] {
        let function = host.start(&setup).await;
        let answer = insist(function.as_ref(), || post("/tea/cup", "")).await;
        assert_eq!(answer.json(), json!({ "pathname": "/tea/cup", "count": count }));
        function.signal(Signal::SIGKILL);
        function.wait();
    }
    let function = host.start(&setup).await;
    let answer = insist(function.as_ref(), || get("/tea/cup")).await;
    assert_eq!(answer.json(), json!({ "pathname": "/tea/cup", "count": 4 }));
}

#[test]
fn a_worker_that_was_built_runs_on_vercel() {
    run(async {
        let (cli, program) = project();
        let files = build(&cli, &program, "vercel").await;
        let function = ["functions/index.func/.vc-config.json", "functions/index.func/executable"];
        let worker =
            ["functions/index.func/worker/worker.js", "functions/index.func/worker/wrangler.json"];
        assert_eq!(files, json!([&["config.json"], &function[..], &worker[..]].concat()));
        let output = cli.home().join(".vercel/output");
        let config = std::fs::read_to_string(output.join("config.json")).expect("a file");
        let config: Value = serde_json::from_str(&config).expect("JSON");
        assert_eq!(config["crons"][0]["path"], "/_dotdo/tick");
        assert_eq!(config["routes"][1], json!({ "src": "/(.*)", "dest": "/index" }));
        keeps_its_state(&Vercel, &output.join(function[1])).await;
    });
}

#[test]
fn a_worker_that_was_built_runs_on_lambda() {
    run(async {
        let (cli, program) = project();
        let files = build(&cli, &program, "lambda").await;
        assert_eq!(files, json!(["bootstrap.zip", "template.yaml"]));
        let (folder, task) = (cli.home().join("dist/lambda"), cli.home().join("task"));
        succeeds(
            Command::new("python3")
                .args(["-c", UNZIP])
                .arg(folder.join("bootstrap.zip"))
                .arg(&task),
        );
        let template = std::fs::read_to_string(folder.join("template.yaml")).expect("a file");
        assert!(template.contains("CodeUri: bootstrap.zip\n"), "{template}");
        keeps_its_state(&Lambda(Front::FunctionUrl), &task.join("bootstrap")).await;
    });
}
