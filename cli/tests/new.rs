//! `dotdo new`: what it makes, what it refuses, and that nothing is left of what fails. That the
//! project runs is shown by the test of docs/GETTING-STARTED.md.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// `dotdo new` with these arguments, in `folder`.
fn new(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_dotdo"))
        .arg("new")
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("the program can be started")
}

/// What it says when it makes nothing; and nothing is there but what was there before.
fn refusal(folder: &Path, arguments: &[&str]) -> String {
    let before = entries(folder);
    let output = new(folder, arguments);
    let said = String::from_utf8(output.stderr).expect("it is a text");
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert_eq!(entries(folder), before, "{said}");
    said
}

fn entries(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the folder is there");
    let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    let mut names: Vec<String> =
        entries.map(|entry| name(entry.expect("the folder can be read"))).collect();
    names.sort();
    names
}

/// What cargo makes of the manifest in `folder`.
fn metadata(folder: &Path) -> serde_json::Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(folder)
        .output()
        .expect("cargo, which has built this test, can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo writes JSON")
}

#[test]
fn what_was_made_is_said_for_programs() {
    let folder = tempfile::tempdir().expect("the system has a folder for temporary files");
    let output = new(folder.path(), &["made", "--dotdo-path", ROOT, "--json"]);
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(said, serde_json::json!({ "name": "made", "path": "made" }));
}

#[test]
fn a_project_is_made_that_cargo_understands() {
    let folder = tempfile::tempdir().expect("the system has a folder for temporary files");
    let output = new(folder.path(), &["my-counter", "--dotdo-path", ROOT]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("cd my-counter"));
    let project = folder.path().join("my-counter");
    assert_eq!(entries(&project), [".gitignore", "Cargo.toml", "README.md", "src"]);
    let metadata = metadata(&project);
    let package = &metadata["packages"][0];
    assert_eq!(package["name"], "my-counter");
    let dependencies = package["dependencies"].as_array().expect("a list");
    assert_eq!(dependencies.len(), 2, "to run, and with `testing` to be tested");
    let adapters = fs::canonicalize(Path::new(ROOT).join("adapters")).expect("it is there");
    for dependency in dependencies {
        let path = dependency["path"].as_str().expect("a path");
        assert_eq!(fs::canonicalize(path).expect("it leads somewhere"), adapters);
    }
    for file in ["Cargo.toml", "README.md", "src/main.rs"] {
        let text = fs::read_to_string(project.join(file)).expect("it was made");
        for hole in ["{name}", "{version}", "{dotdo}", "{workspace}"] {
            assert!(!text.contains(hole), "{file} has {hole}");
        }
    }
}

#[test]
fn a_project_takes_dotdo_from_git() {
    let folder = tempfile::tempdir().expect("the system has a folder for temporary files");
    let url = "https://git.example/dotdo.git";
    let output = new(folder.path(), &["counter", "--dotdo-git", url]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata = metadata(&folder.path().join("counter"));
    assert_eq!(metadata["packages"][0]["dependencies"][0]["source"], format!("git+{url}"));
}

#[test]
fn a_project_inside_of_a_workspace_is_one_of_its_own() {
    let folder = tempfile::tempdir().expect("the system has a folder for temporary files");
    fs::write(folder.path().join("Cargo.toml"), "[workspace]\n").expect("it is writable");
    let output = new(folder.path(), &["counter", "--dotdo-path", ROOT]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(metadata(&folder.path().join("counter"))["packages"][0]["name"], "counter");
}

#[test]
fn an_empty_folder_is_filled_and_another_is_left_alone() {
    let folder = tempfile::tempdir().expect("the system has a folder for temporary files");
    let project = folder.path().join("counter");
    fs::create_dir(&project).expect("it is writable");
    fs::write(project.join("mine"), "precious").expect("it is writable");
    let said = refusal(folder.path(), &["counter", "--dotdo-path", ROOT]);
    assert!(said.contains("expected a new or empty folder"), "{said}");
    assert_eq!(entries(&project), ["mine"]);
    fs::remove_file(project.join("mine")).expect("it is there");
    let output = new(folder.path(), &["counter", "--dotdo-path", ROOT]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(project.join("src/main.rs").exists());
}

#[test]
fn what_can_be_no_project_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().expect("the system has a folder for temporary files");
    let refusal = |arguments: &[&str]| refusal(folder.path(), arguments);
    let said = refusal(&["2fast", "--dotdo-path", ROOT]);
    assert!(said.contains("beginning with a letter") && said.contains("\"2fast\""), "{said}");
    assert!(refusal(&["fn", "--dotdo-path", ROOT]).contains("a keyword of Rust"));
    assert!(refusal(&["..", "--dotdo-path", ROOT]).contains("ends with the project's name"));
    let said = refusal(&["counter", "--dotdo-path", "nowhere"]);
    assert!(said.contains("the root of dotdo's repository") && said.contains("nowhere"), "{said}");
    let said = refusal(&["counter"]);
    assert!(said.contains("--dotdo-path") && said.contains("--dotdo-git"), "{said}");
}

#[test]
fn what_can_not_be_written_leaves_nothing() {
    let folder = tempfile::tempdir().expect("the system has a folder for temporary files");
    fs::write(folder.path().join("file"), "").expect("it is writable");
    for path in ["file/counter", "missing/counter"] {
        let output = new(folder.path(), &[path, "--dotdo-path", ROOT]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("can't"), "{said}");
        assert_eq!(entries(folder.path()), ["file"]);
    }
}
