//! `dotdo config`.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{typed, with};
use crate::server::{folder, outcome};

const SECRET: &str = "hunter2/hunter2+hunter2";

fn user_file(folder: &Path) -> PathBuf {
    folder.join(".config/dotdo/config.toml")
}

/// The output of a command that succeeds.
fn done(folder: &Path, arguments: &[&str]) -> String {
    let (code, stdout, stderr) = outcome(&mut with(folder, arguments));
    assert_eq!(code, Some(0), "{arguments:?}: {stdout}{stderr}");
    stdout
}

/// What a command says that fails with `code`.
fn refused(folder: &Path, arguments: &[&str], code: i32) -> String {
    let (found, stdout, stderr) = outcome(&mut with(folder, arguments));
    assert_eq!((found, &*stdout), (Some(code), ""), "{arguments:?}: {stderr}");
    stderr
}

/// The outcome of a command that gets `input`.
fn fed(mut command: Command, input: &str) -> (Option<i32>, String, String) {
    let mut child = command.stdin(Stdio::piped()).spawn().expect("the command starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(input.as_bytes()).expect("the command reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it is our child");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_setting_is_written_and_read_and_removed() {
    let folder = folder();
    let home = folder.path();
    let file = user_file(home);
    let said = done(home, &["config", "set", "checkpoint.intervalMs", "5000"]);
    assert_eq!(said, format!("checkpoint.interval_ms = 5000   in {}\n", file.display()));
    assert_eq!(fs::read_to_string(&file).expect("written"), "[checkpoint]\ninterval_ms = 5000\n");
    assert_eq!(done(home, &["config", "get", "checkpoint.interval_ms"]), "5000\n");
    assert_eq!(done(home, &["config", "get", "DOTDO_CHECKPOINT_INTERVAL_MS"]), "5000\n");
    assert_eq!(done(home, &["config", "get", "port"]), "8787\n");

    let project = "# Ours.\nport = 3000 # for now\n";
    fs::write(home.join("dotdo.toml"), project).expect("writable");
    done(home, &["config", "set", "--project", "port", "4000"]);
    let project = fs::read_to_string(home.join("dotdo.toml")).expect("it is there");
    assert_eq!(project, "# Ours.\nport = 4000 # for now\n");
    assert_eq!(done(home, &["config", "get", "port"]), "4000\n");
    assert_eq!(done(home, &["config", "get", "--project", "port"]), "4000\n");
    refused(home, &["config", "get", "--user", "port"], 1);

    done(home, &["config", "unset", "checkpoint.interval_ms"]);
    assert_eq!(fs::read_to_string(&file).expect("it is there"), "");
    let said = done(home, &["config", "unset", "checkpoint.interval_ms"]);
    assert!(said.contains("nothing changed"), "{said}");
    let left: Vec<_> =
        fs::read_dir(file.parent().expect("a folder")).expect("it is there").collect();
    assert_eq!(left.len(), 1, "no draft is left");
}

#[test]
fn the_names_of_the_documents_set_up_a_bucket() {
    let folder = folder();
    let home = folder.path();
    for (name, value) in [
        ("storage.endpoint", "https://s3.eu-west-1.amazonaws.com"),
        ("storage.bucket", "my-company-dotdo"),
        ("storage.accessKeyId", "AKIAEXAMPLE"),
    ] {
        done(home, &["config", "set", name, value]);
    }
    let (code, stdout, stderr) =
        fed(with(home, &["config", "set", "storage.secretAccessKey"]), &format!("{SECRET}\n"));
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.starts_with("aws.secret_access_key = set (hidden)"), "{stdout}");
    assert_eq!(stderr, "");
    let mode = fs::metadata(user_file(home)).expect("written").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "others can't read the secret");
    assert_eq!(done(home, &["config", "get", "storage.bucket"]), "my-company-dotdo\n");
    assert_eq!(done(home, &["config", "get", "storage"]), "s3://my-company-dotdo\n");
    assert_eq!(done(home, &["config", "get", "storage.secretAccessKey"]), "set (hidden)\n");
    let listed = done(home, &["config", "list"]);
    let file = user_file(home).display().to_string();
    let expected = "\
storage = s3://my-company-dotdo               FILE
aws.endpoint_url = https://s3.eu-west-1.amazonaws.com  FILE
aws.access_key_id = AKIAEXAMPLE               FILE
aws.secret_access_key = set (hidden)          FILE
";
    assert_eq!(listed.replace(&file, "FILE"), expected);
    for text in [listed, done(home, &["config", "list", "--json", "--all"])] {
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn the_list_says_where_each_value_comes_from() {
    let folder = folder();
    let home = folder.path();
    let nothing = done(home, &["config", "list"]);
    assert_eq!(nothing, "every setting has its default; `dotdo config list --all` lists them\n");
    fs::write(home.join("dotdo.toml"), "[log]\nlevel = \"debug\"\n").expect("writable");
    done(home, &["config", "set", "port", "3000"]);
    let mut command = with(home, &["config", "list", "--json"]);
    command.env("R2_BUCKET", "b").env("K_SERVICE", "s").env("DOTDO_AUTH_TOKENS", SECRET);
    let (code, stdout, stderr) = outcome(&mut command);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("auth.tokens: expected tokens of at least 32"), "{stderr}");
    let said: Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(said["platform"], "cloud-run");
    let settings = said["settings"].as_array().expect("a list");
    let origin = |key: &str| {
        let found = settings.iter().find(|setting| setting["key"] == key).expect("a setting");
        found["origin"].clone()
    };
    let file = user_file(home).display().to_string();
    for (key, kind, name) in [
        ("log.level", "project", json!("dotdo.toml")),
        ("port", "user", json!(file)),
        ("storage", "environment", json!("R2_BUCKET")),
        ("host", "platform", json!("cloud-run")),
        ("lease.duration_ms", "default", Value::Null),
    ] {
        assert_eq!(origin(key), json!({ "kind": kind, "name": name }), "{key}");
    }
    assert!(!stdout.contains("hunter2"));
}

#[test]
fn what_is_wrong_is_refused_before_anything_is_written() {
    let folder = folder();
    let home = folder.path();
    for (arguments, expected) in [
        (&["config", "set", "prot", "1"][..], "did you mean port?"),
        (&["config", "set", "storage.acessKeyId", "x"], "did you mean storage.access_key_id?"),
        (
            &["config", "set", "port", "eighty"],
            "port: expected a whole number from 0 to 65535, got \"eighty\"",
        ),
        (&["config", "set", "storage", "s3:bucket"], "storage: expected a folder"),
        (&["config", "set", "iceberg.catalog", "https://c.example"], "no catalog to register with"),
        (&["config", "set", "port", ""], "dotdo config unset port"),
        (&["config", "set", "aws.secret_access_key"], "no value for aws.secret_access_key"),
        (&["config", "get", "lease"], "unknown setting lease"),
        (&["config", "set", "--user", "--project", "port", "1"], "cannot be used with"),
    ] {
        let said = refused(home, arguments, 2);
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
    assert_eq!(fs::read_dir(home).expect("it is there").count(), 0, "nothing was written");
    assert!(refused(home, &["config", "get", "address"], 1).contains("is not set anywhere"));

    // A file that is no TOML stays as it is, and its content is not repeated.
    let broken = format!("port = 1\nkey = {SECRET}\n");
    fs::write(home.join("dotdo.toml"), &broken).expect("writable");
    let said = refused(home, &["config", "set", "--project", "port", "2"], 2);
    assert!(said.contains("dotdo.toml, line 2") && !said.contains("hunter2"), "{said}");
    assert_eq!(fs::read_to_string(home.join("dotdo.toml")).expect("it is there"), broken);
}

#[test]
fn a_folder_that_can_not_be_written_is_a_failure() {
    let folder = folder();
    let home = folder.path();
    // A file in the place of the folder: no permission of root's helps.
    fs::write(home.join(".config"), "").expect("writable");
    let said = refused(home, &["config", "set", "port", "1"], 1);
    assert!(said.contains("can't"), "{said}");
}

#[test]
fn a_secret_as_an_argument_comes_with_a_warning() {
    let folder = folder();
    let arguments = ["config", "set", "--project", "aws.secret_access_key", SECRET];
    let mut command = with(folder.path(), &arguments);
    let (code, stdout, stderr) = outcome(command.env("DOTDO_STORAGE", "s3://bucket"));
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains("warning: aws.secret_access_key is a secret"), "{stderr}");
    assert!(stderr.contains("keep it out of version control"), "{stderr}");
    assert!(stderr.contains("AWS_ACCESS_KEY_ID"), "the settings are not complete: {stderr}");
    assert!(!stdout.contains("hunter2") && !stderr.contains("hunter2"));
}

#[test]
fn a_variable_that_wins_is_named() {
    let folder = folder();
    let mut command = with(folder.path(), &["config", "set", "port", "3000"]);
    let (code, _, stderr) = outcome(command.env("PORT", "4000"));
    assert_eq!((code, &*stderr), (Some(0), "note: here the variable PORT still wins over it\n"));
}

#[test]
fn a_secret_is_asked_for_on_a_terminal_and_not_shown() {
    let folder = folder();
    let home = folder.path();
    let command = with(home, &["config", "set", "storage.secretAccessKey"]);
    let prompt = "storage.secretAccessKey (not shown): ";
    let (code, shown, _) = outcome(&mut typed(&command, &[(prompt, &format!("{SECRET}\n"))]));
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("aws.secret_access_key = set (hidden)"), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(fs::read_to_string(user_file(home)).expect("written").contains(SECRET));
    // Ctrl-C leaves everything as it was.
    let (code, shown, _) = outcome(&mut typed(&command, &[(prompt, "half\u{3}")]));
    assert_eq!(code, Some(1), "{shown}");
    assert!(shown.contains("interrupted") && !shown.contains("half"), "{shown}");
    assert!(fs::read_to_string(user_file(home)).expect("written").contains(SECRET));
}
