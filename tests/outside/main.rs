//! A crate outside of this workspace: the files that docs/GETTING-STARTED.md tells a newcomer to
//! write, built and run.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use dotdo_tests::{Deadline, Server, Setup, code_blocks, scratch, target};

const CONFIG: &str = ".cargo/config.toml";

/// The newcomer's project: a folder outside of this repository, where no configuration of ours is
/// found.
fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("the system has a folder for temporary files");
    for name in ["Cargo.toml", CONFIG, "src/main.rs"] {
        let intro = format!("`{name}`:");
        let block = code_blocks("docs/GETTING-STARTED.md")
            .into_iter()
            .find(|block| block.intro.starts_with(&intro));
        let text = block.unwrap_or_else(|| panic!("the document has no {name}")).text;
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("it is in the folder"))
            .expect("the folder is writable");
        std::fs::write(path, text.replace("../dotdo", &root().display().to_string()))
            .expect("the folder is writable");
    }
    std::fs::copy(root().join("Cargo.lock"), folder.path().join("Cargo.lock"))
        .expect("the same versions as here");
    folder
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("this crate is in the workspace")
        .to_owned()
}

/// `cargo build` as in the newcomer's own terminal, where no cargo has set anything.
fn build(project: &Path, target: &Path) -> Output {
    let mut command = Command::new(env!("CARGO"));
    command.arg("build").current_dir(project).env("CARGO_TARGET_DIR", target).args(profile());
    let ours = |name: &str| {
        name.starts_with("CARGO_") && name != "CARGO_HOME"
            || name == "LIBSQLITE3_FLAGS"
            || name == "RUSTFLAGS"
    };
    for (name, _) in std::env::vars().filter(|(name, _)| ours(name) && name != "CARGO_TARGET_DIR") {
        command.env_remove(name);
    }
    command.output().expect("cargo, which has built this test, can be started")
}

/// This workspace's development profile, so that what is built already need not be built again.
fn profile() -> Vec<String> {
    let manifest =
        std::fs::read_to_string(root().join("Cargo.toml")).expect("the workspace has a manifest");
    let manifest: toml::Table = manifest.parse().expect("it is TOML");
    let dev = &manifest["profile"]["dev"];
    let packages = dev["package"].as_table().expect("some packages are optimised").iter();
    let level = |settings: &toml::Value| settings["opt-level"].as_integer().expect("a number");
    let levels = packages.map(|(name, settings)| {
        format!("profile.dev.package.{name}.opt-level={}", level(settings))
    });
    let debug = format!("profile.dev.debug={:?}", dev["debug"].as_str().expect("a text"));
    levels.chain([debug]).flat_map(|setting| ["--config".to_owned(), setting]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_project_of_the_document_keeps_its_state() {
    let project = project();
    let output = build(project.path(), &target());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let folder = scratch();
    let setup = Setup::of(
        target().join("debug/my-counter"),
        &format!("file://{}", folder.path().display()),
    );
    let server = setup.start().await;
    let client = reqwest::Client::new();
    for expected in ["1", "2"] {
        assert_eq!(visit(&client, &server, reqwest::Method::POST).await.as_deref(), Some(expected));
    }
    server.kill9();
    let server = setup.start().await;
    // The lease of the dead program has to end first.
    let again = || visit(&client, &server, reqwest::Method::GET);
    assert_eq!(Deadline::in_seconds(60).until(again).await.as_deref(), Some("2"));
    assert!(server.terminate().success(), "{}", server.stderr());
    let server = setup.start().await;
    assert_eq!(visit(&client, &server, reqwest::Method::POST).await.as_deref(), Some("3"));
}

/// The core's build script looks for the flag. Here it belongs to a crate without dependencies:
/// cargo would compile nearly all of them before it came to the script of the real one, and SQLite
/// without the flag must not replace the one in the build folder.
#[test]
fn without_the_two_lines_the_build_says_what_to_add() {
    let project = project();
    let script = root().join("core/build.rs");
    let manifest = format!(
        "[package]\nname = \"flagged\"\nversion = \"0.1.0\"\nedition = \"2024\"\nbuild = {:?}\n",
        script.display().to_string()
    );
    std::fs::write(project.path().join("Cargo.toml"), manifest).expect("the folder is writable");
    std::fs::write(project.path().join("src/main.rs"), "fn main() {}")
        .expect("the folder is writable");
    let target = project.path().join("target");
    let output = build(project.path(), &target);
    assert!(
        output.status.success(),
        "with the lines:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );

    std::fs::remove_file(project.path().join(CONFIG)).expect("it was written");
    let output = build(project.path(), &target);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "it was built without the flag");
    for line in [
        "Add these two lines to .cargo/config.toml",
        "[env]",
        "LIBSQLITE3_FLAGS = \"-DSQLITE_ENABLE_PREUPDATE_HOOK\"",
    ] {
        assert!(said.contains(line), "{line:?} is not in:\n{said}");
    }
}

/// The answer of the object; `None` while it has no owner.
async fn visit(
    client: &reqwest::Client,
    server: &Server,
    method: reqwest::Method,
) -> Option<String> {
    let response = client.request(method, server.url("/do/visits")).send().await.ok()?;
    response.error_for_status().ok()?.text().await.ok()
}
