//! A crate outside of this workspace: what docs/GETTING-STARTED.md has a newcomer type, and what
//! comes of it.

mod alike;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use dotdo_tests::{Deadline, Server, Setup, code_blocks, scratch, target};

const PAGE: &str = "docs/GETTING-STARTED.md";

/// How the page has the program started that makes a project.
const FROM_SOURCE: &str = "cargo run --manifest-path dotdo/Cargo.toml --bin dotdo --";

/// The commands of the page that make a project and test it.
fn commands() -> String {
    let block = code_blocks(PAGE).into_iter().find(|block| block.text.contains(FROM_SOURCE));
    block.unwrap_or_else(|| panic!("the page does not make a project")).text
}

/// A newcomer's project with the given name, beside the sources of dotdo, in a folder where no
/// configuration of ours is found.
fn project(name: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("the system has a folder for temporary files");
    std::os::unix::fs::symlink(root(), folder.path().join("dotdo")).expect("it is writable");
    let commands = commands();
    let new = commands.lines().find_map(|line| line.strip_prefix(FROM_SOURCE));
    let new = new.expect("the command begins a line").replace("my-counter", name);
    let program = Setup::new("memory://").command().get_program().to_owned();
    let made = Command::new(program)
        .args(new.split_whitespace())
        .current_dir(folder.path())
        .output()
        .expect("the program can be started");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let project = folder.path().join(name);
    alike::build_as_here(&project);
    (folder, project)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("this crate is in the workspace")
        .to_owned()
}

fn text(manifest: &Path) -> String {
    std::fs::read_to_string(manifest).expect("there is a manifest")
}

/// cargo as in the newcomer's own terminal, where no cargo has set anything.
fn cargo(what: &str, project: &Path) -> Output {
    let mut command = Command::new(env!("CARGO"));
    alone(command.arg(what).current_dir(project).args(profile()))
}

/// Runs cargo where no cargo has set anything.
fn alone(command: &mut Command) -> Output {
    let ours =
        |name: &str| name.starts_with("CARGO_") && name != "CARGO_HOME" || name == "RUSTFLAGS";
    for (name, _) in std::env::vars().filter(|(name, _)| ours(name)) {
        command.env_remove(name);
    }
    let output = command.env("CARGO_TARGET_DIR", target()).output();
    output.expect("cargo, which has built this test, can be started")
}

/// This workspace's development profile, so that what is built already need not be built again.
fn profile() -> Vec<String> {
    let manifest: toml::Table = text(&root().join("Cargo.toml")).parse().expect("it is TOML");
    let dev = &manifest["profile"]["dev"];
    let packages = dev["package"].as_table().expect("some packages are built in another way");
    let settings = packages.iter().flat_map(|(name, settings)| {
        let settings = settings.as_table().expect("settings have names").iter();
        settings.map(move |(key, value)| {
            let number = value.as_integer().map(|number| number.to_string());
            let value = number.or_else(|| value.as_bool().map(|is_set| is_set.to_string()));
            let value = value.expect("a number, or whether it is set");
            format!("profile.dev.package.{name:?}.{key}={value}")
        })
    });
    let debug = format!("profile.dev.debug={:?}", dev["debug"].as_str().expect("a text"));
    let scripts = dev["build-override"]["debug"].as_bool().expect("it is set");
    let scripts = format!("profile.dev.build-override.debug={scripts}");
    settings.chain([debug, scripts]).flat_map(|setting| ["--config".to_owned(), setting]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_project_of_the_page_passes_its_test_and_keeps_its_state() {
    let commands = commands();
    let typed: Vec<&str> = commands.lines().skip(1).collect();
    assert_eq!(typed, ["cd my-counter", "cargo test"]);
    let (_folder, project) = project("my-counter");
    for what in ["test", "build"] {
        let output = cargo(what, &project);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(what == "build" || said.contains("test result: ok. 1 passed"), "{said}");
    }
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

/// A program of which another part keeps a database of its own, in the SQLite that rusqlite bundles.
const WITH_RUSQLITE: &str = r#"
use std::process::ExitCode;

use dotdo::{App, Context, DurableObject, Request, Response, Result};

struct Both;

fn beside() -> rusqlite::Result<rusqlite::Connection> {
    rusqlite::Connection::open(std::env::var("BESIDE").expect("the test sets it"))
}

impl DurableObject for Both {
    async fn start(&mut self, ctx: &mut Context) -> Result<()> {
        ctx.migrate(&["CREATE TABLE visits (at_ms INTEGER)"])
    }

    async fn fetch(&mut self, _request: Request, ctx: &mut Context) -> Result<Response> {
        ctx.sql().exec("INSERT INTO visits VALUES (1)", ())?;
        let here: u64 = ctx.sql().exec("SELECT count(*) FROM visits", ())?.one()?;
        let there = beside().and_then(|other| {
            other.execute("INSERT INTO visits VALUES (2), (3)", ())?;
            other.query_row("SELECT count(*) FROM visits", (), |row| row.get::<_, i64>(0))
        });
        let there = there.map_err(|cause| dotdo::Error::internal(cause.to_string()))?;
        Ok(Response::new(format!("{here} here, {there} there").into()))
    }
}

fn main() -> ExitCode {
    let other = beside().expect("the folder is writable");
    other.execute_batch("CREATE TABLE IF NOT EXISTS visits (at_ms)").expect("a table can be made");
    dotdo::run(App::new().class("Both", || Both))
}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_program_may_have_another_sqlite_as_well() {
    let (_folder, project) = project("my-databases");
    let workspace = text(&root().join("Cargo.toml"));
    let other = workspace.lines().find(|line| line.starts_with("rusqlite = "));
    let other = other.expect("the tests use it");
    let manifest = project.join("Cargo.toml");
    let dependencies = format!("[dependencies]\n{other}\n");
    let changed = text(&manifest).replace("[dependencies]\n", &dependencies);
    std::fs::write(&manifest, changed).expect("the folder is writable");
    std::fs::write(project.join("src/main.rs"), WITH_RUSQLITE).expect("the folder is writable");
    let output = cargo("build", &project);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let folder = scratch();
    let storage = format!("file://{}", folder.path().join("objects").display());
    let beside = folder.path().join("beside.db").display().to_string();
    let setup = Setup::of(target().join("debug/my-databases"), &storage).env("BESIDE", beside);
    let server = setup.start().await;
    let client = reqwest::Client::new();
    for expected in ["1 here, 2 there", "2 here, 4 there"] {
        assert_eq!(visit(&client, &server, reqwest::Method::GET).await.as_deref(), Some(expected));
    }
    assert!(server.terminate().success(), "{}", server.stderr());
}

#[test]
fn the_page_shows_the_class_that_is_made() {
    let made = text(&root().join("cli/template/main.rs"));
    let shown =
        code_blocks(PAGE).into_iter().find(|block| block.intro.starts_with("`src/main.rs`"));
    let shown = shown.expect("the page shows the class").text;
    for part in shown.split("\n// …\n") {
        assert!(made.contains(part.trim()), "cli/template/main.rs has not:\n{part}");
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
