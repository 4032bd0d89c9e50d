//! `dotdo check` and `dotdo build`: what they say and write, and that a folder runs where it is put.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::server::{Server, dotdo, folder, outcome};

const WORKER: &str = "import { DurableObject } from 'cloudflare:workers';
export class Room extends DurableObject {}
export default { fetch(request, env) { return new Response(`in front with ${env.KEY} and ${typeof env.ROOM}`); } };
//# sourceMappingURL=bundle.js.map
";

const CONFIG: &str = r#"{
  "name": "rooms", "main": "out/bundle.js", "vars": { "COLOR": "red" }, "secrets": { "required": ["KEY"] },
  "durable_objects": { "bindings": [{ "name": "ROOM", "class_name": "Room" }] },
  "rules": [{ "type": "Text", "globs": ["**/*.md"] }], "tsconfig": "tsconfig.json", // about bundling
}"#;

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("the folder is ours");
        fs::write(path, text).expect("the folder is ours");
    }
}

/// What a command refuses, with the exit code 2.
fn refusal(folder: &Path, arguments: &[&str]) -> String {
    let (code, stdout, stderr) = outcome(dotdo(folder).args(arguments));
    assert_eq!((code, &*stdout), (Some(2), ""), "{arguments:?}: {stderr}");
    stderr
}

#[test]
fn a_worker_is_checked_without_serving_it() {
    let folder = folder();
    write(folder.path(), &[("wrangler.jsonc", CONFIG), ("out/bundle.js", WORKER)]);
    assert!(refusal(folder.path(), &["check"]).contains("needs the secrets KEY"));
    let (code, stdout, stderr) = outcome(dotdo(folder.path()).args(["check"]).env("KEY", "k"));
    assert_eq!(
        (code, &*stdout),
        (Some(0), "./out/bundle.js: Room\n  env.ROOM  Room\n"),
        "{stderr}"
    );
    let bundle = ["check", "wrangler.jsonc", "--bundle", "other.mjs", "--json"];
    write(folder.path(), &[("other.mjs", WORKER)]);
    let (_, stdout, stderr) = outcome(dotdo(folder.path()).args(bundle).env("KEY", "k"));
    let said: Value = serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("{stderr}"));
    assert_eq!(said["bindings"], json!([{ "name": "ROOM", "class": "Room" }]));
    assert!(said["main"].as_str().is_some_and(|path| path.ends_with("/other.mjs")), "{said}");
    for (text, why) in [("export default {", "SyntaxError"), ("throw new Error('no')", "Error: no")]
    {
        write(folder.path(), &[("out/bundle.js", text)]);
        let (code, _, stderr) = outcome(dotdo(folder.path()).args(["check"]).env("KEY", "k"));
        assert!(code == Some(2) && stderr.contains(why), "{stderr}");
    }
    let empty = self::folder();
    assert!(refusal(empty.path(), &["check"]).contains("expected a worker, got none"));
}

#[test]
fn a_built_folder_runs_where_it_is_put_and_has_no_secrets() {
    let folder = folder();
    let map = r#"{"version":3,"sources":[],"mappings":""}"#;
    let files = [
        ("app/wrangler.jsonc", CONFIG),
        ("app/out/bundle.js", WORKER),
        ("app/out/bundle.js.map", map),
        ("app/.dev.vars", "KEY=mine"),
    ];
    write(folder.path(), &files);
    let build = ["build", "--target", "binary", "--out", "built", "app"];
    let (code, stdout, stderr) = outcome(dotdo(folder.path()).args(build));
    let expected = "built: Room\n  dotdo\n  worker/worker.js\n  worker/worker.js.map\n  worker/wrangler.json\n";
    assert_eq!((code, &*stdout), (Some(0), expected), "{stderr}");
    let read = |name: &str| {
        fs::read_to_string(folder.path().join("built/worker").join(name)).expect("a file")
    };
    let config: Value = serde_json::from_str(&read("wrangler.json")).expect("JSON");
    assert_eq!(config["main"], "worker.js");
    assert!(config.get("rules").is_none() && config.get("tsconfig").is_none(), "{config}");
    assert!(!read("wrangler.json").contains("mine"));
    assert!(read("worker.js").ends_with("\n//# sourceMappingURL=worker.js.map\n"));

    fs::rename(folder.path().join("built"), folder.path().join("moved"))
        .expect("the folder is ours");
    let elsewhere = self::folder();
    let variables = [("KEY", "theirs"), ("PORT", "0"), ("DOTDO_STORAGE", "memory://")];
    let mut command = Command::new(folder.path().join("moved/dotdo"));
    command.env_clear().envs(variables).current_dir(elsewhere.path());
    command.stdin(Stdio::null()).stderr(Stdio::piped());
    let server = Server::start(&mut command);
    assert!(server.get("/").contains("in front with theirs and object"), "{}", server.get("/"));
    drop(server);

    // The setting names another worker, and comes first.
    write(folder.path(), &[("other.js", &WORKER.replace("in front", "another"))]);
    let server = Server::start(command.env("DOTDO_WORKER", folder.path().join("other.js")));
    assert!(server.get("/").contains("another with undefined"), "{}", server.get("/"));
}

#[test]
fn what_can_not_be_built_is_refused_and_nothing_is_replaced() {
    let folder = folder();
    let import = "import { help } from './help.js';\n";
    let several = format!("{import}{WORKER}");
    let later = format!("{WORKER}export const later = () => import('./help.js');\n");
    let files = [
        ("worker.js", WORKER),
        ("several.js", &several),
        ("later.js", &later),
        ("help.js", "export const help = 1;"),
    ];
    write(folder.path(), &files);
    write(
        folder.path(),
        &[("program", "#!/bin/sh\necho no program of dotdo\n"), ("mine/notes.md", "")],
    );
    let refused =
        |arguments: &[&str]| refusal(folder.path(), &[&["build", "--target"], arguments].concat());
    for worker in ["several.js", "later.js"] {
        let said = refused(&["binary", worker]);
        assert!(said.contains("expected a bundle in one file"), "{said}");
    }
    let said = refused(&["lambda", "--program", "program", "worker.js"]);
    assert!(
        said.contains("is for another system; run `npm install") && said.contains("@dotdo/linux-"),
        "{said}"
    );
    let said = refused(&["binary", "--out", "mine", "worker.js"]);
    assert!(said.contains("got mine with notes.md in it"), "{said}");
    assert!(folder.path().join("mine/notes.md").exists());
    assert!(!folder.path().join("dist").exists(), "nothing was written");
}
