//! What is read of wrangler's files, and what is refused.

use serde_json::json;

use super::*;

fn written(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).expect("a file");
    }
    folder
}

fn refusal(text: &str) -> String {
    let folder = written(&[("wrangler.jsonc", text)]);
    Config::find(folder.path(), None).expect_err(text).message().to_owned()
}

#[test]
fn all_three_forms_say_the_same() {
    let jsonc = r#"{
        // A comment with "quotes" and a comma,
        "name": "chat", "main": "dist/worker.js", /* a "block" */ "compatibility_date": "2026-11-01",
        "durable_objects": { "bindings": [ { "name": "ROOM", "class_name": "Room" }, ], },
        "migrations": [{ "tag": "v1", "new_sqlite_classes": ["Room"] }],
        "vars": { "URL": "https://example.com/*not a comment*/", "LIMIT": 5, },
        "limits": { "cpu_ms": 50 },
        "kv_namespaces": [],
    }"#;
    let toml = "name = 'chat'\nmain = 'dist/worker.js'\n[[durable_objects.bindings]]\nname = 'ROOM'\nclass_name = 'Room'\n\
        [[migrations]]\ntag = 'v1'\nnew_classes = ['Room']\n[vars]\nURL = 'https://example.com/*not a comment*/'\nLIMIT = 5\n[limits]\ncpu_ms = 50\n";
    let vars = "# secrets\nTOKEN = \"abc = d\"\n\nLIMIT=6\n";
    let one = written(&[("wrangler.jsonc", jsonc), (".dev.vars", vars)]);
    let other = written(&[("wrangler.toml", toml), (".dev.vars", vars)]);
    let config = Config::find(one.path(), None).expect("it is read");
    assert_eq!(config.main, one.path().join("dist/worker.js"));
    assert_eq!(config.classes, Some(BTreeMap::from([("ROOM".to_owned(), "Room".to_owned())])));
    assert_eq!(config.time_max, Duration::from_millis(50));
    assert_eq!(
        Value::Object(config.vars.clone()),
        json!({ "URL": "https://example.com/*not a comment*/", "LIMIT": "6", "TOKEN": "abc = d" })
    );
    let same = Config::find(&other.path().join("wrangler.toml"), None).expect("it is read");
    assert_eq!(Config { main: config.main.clone(), ..same }, config);
}

#[test]
fn what_is_not_here_is_refused_by_its_name() {
    for (text, why) in [
        (
            r#"{"main": "a.js", "hyperdrive": [{"binding": "DB"}], "ai": {"binding": "AI"}}"#,
            "ai, hyperdrive",
        ),
        (r#"{"main": "a.js", "ai": {"binding": "AI"}}"#, "does not have ai"),
        (r#"{"main": "a.js", "assets": {"directory": "none"}}"#, "assets: "),
        (r#"{"main": "a.js", "triggers": {"crons": ["no cron"]}}"#, "a cron expression"),
        (
            r#"{"main": "a.js", "migrations": [{"tag": "v2", "renamed_classes": [{"from": "A", "to": "B"}]}]}"#,
            "renamed_classes",
        ),
        (
            r#"{"main": "a.js", "durable_objects": {"bindings": [{"name": "A", "class_name": "A", "script_name": "other"}]}}"#,
            "got one of other",
        ),
        (
            r#"{"main": "a.js", "name": "own", "services": [{"binding": "B", "service": "billing"}]}"#,
            "B is of the worker \"billing\", expected one of this worker, \"own\"; put both into one",
        ),
        (
            r#"{"main": "a.js", "services": [{"binding": "B", "service": "billing"}]}"#,
            "which has no name",
        ),
        (
            r#"{"main": "a.js", "name": "own", "services": [{"binding": "B", "service": "own", "remote": true}]}"#,
            "does not have remote of B",
        ),
        (
            r#"{"main": "a.js", "name": "own", "vars": {}, "services": [{"binding": "B", "service": "own"}], "kv_namespaces": [{"binding": "B"}]}"#,
            "two bindings have the name B",
        ),
        (r#"{"main": "a.js", "limits": {"cpu_ms": -1}}"#, "limits.cpu_ms"),
        (r#"{"name": "a"}"#, "as `main`"),
        ("{", "wrangler.jsonc"),
    ] {
        let refused = refusal(text);
        assert!(refused.contains(why), "{text}: {refused}");
    }
    let secret =
        written(&[("wrangler.json", r#"{"main": "a.js"}"#), (".dev.vars", "A=b\nsecret\n")]);
    let refused = Config::find(secret.path(), None).expect_err("no variable").message().to_owned();
    assert!(refused.contains(".dev.vars:2") && !refused.contains("secret\n"), "{refused}");
}

#[test]
fn what_is_not_there_is_named_with_what_is_accepted() {
    let folder = written(&[]);
    for name in ["nothing.jsonc", "nothing.js", "nothing"] {
        let path = folder.path().join(name);
        let refused = Config::find(&path, None).expect_err(name).message().to_owned();
        let path = path.display().to_string();
        assert!(refused.contains(&path) && refused.contains("wrangler.toml"), "{refused}");
    }
}

#[test]
fn secrets_come_from_the_environment_unless_they_are_here() {
    let text =
        r#"{ "main": "worker.js", "secrets": { "required": ["HERE", "THERE", "NOWHERE"] } }"#;
    let folder = written(&[("wrangler.jsonc", text), (".dev.vars", "HERE=file")]);
    let mut config = Config::find(folder.path(), None).expect("it is read");
    assert_eq!(config.absent, ["THERE", "NOWHERE"]);
    config.absent.clear();
    let settings = json!({ "required": ["HERE", "THERE", "NOWHERE"] });
    let variable = |name: &str| (name != "NOWHERE").then(|| "environment".to_owned());
    config.take_secrets(Some(&settings), variable).expect("names");
    let expected = json!({ "HERE": "file", "THERE": "environment" });
    assert_eq!((json!(config.vars), config.absent), (expected, vec!["NOWHERE".to_owned()]));
    assert!(refusal(r#"{ "main": "w.js", "secrets": { "required": [1] } }"#).contains("names"));
}
