//! Has a newcomer's project use what this workspace has built already: the same versions with the
//! same features.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use super::{alone, root, text};

/// Direct dependencies whose features may be turned on all the same: they derive traits, or let time
/// stand still.
const HARMLESS: [&str; 2] = ["libc", "tokio"];

/// A package with the features that it is built with.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Featured {
    name: String,
    version: String,
    features: BTreeSet<String>,
}

/// Gives the project dependencies that are never used, but turn on the features that this workspace
/// turns on. What our own crates use directly is left alone: whether they ask for enough is what a
/// stranger's build shows.
pub(super) fn build_as_here(project: &Path) {
    lock(project);
    let workspace: toml::Table = text(&root().join("Cargo.toml")).parse().expect("it is TOML");
    let direct = workspace["workspace"]["dependencies"].as_table().expect("it has dependencies");
    let here = built(&root(), "no-build,no-proc-macro");
    let mut alike = "[dependencies]\n".to_owned();
    for there in built(project, "no-dev,no-build,no-proc-macro") {
        let name = there.name.as_str();
        if direct.contains_key(name) && !HARMLESS.contains(&name) {
            continue;
        }
        let same = here.iter().find(|here| here.name == name && here.version == there.version);
        if let Some(here) = same.filter(|here| here.features != there.features) {
            let (version, features) = (&here.version, here.features.iter().collect::<Vec<_>>());
            let version = version.split('+').next().expect("a version without metadata");
            let key = format!("alike-{name}-{}", version.replace('.', "-"));
            _ = writeln!(
                alike,
                "{key} = {{ package = {name:?}, version = \"={version}\", default-features = false, features = {features:?} }}"
            );
        }
    }
    let manifest = project.join("Cargo.toml");
    let changed = text(&manifest).replacen("[dependencies]\n", &alike, 1);
    std::fs::write(manifest, changed).expect("the folder is writable");
    // Cargo has removed from the file what was not used until now.
    lock(project);
}

/// Locks the project's dependencies to the versions of this workspace.
fn lock(project: &Path) {
    std::fs::copy(root().join("Cargo.lock"), project.join("Cargo.lock"))
        .expect("the folder is writable");
}

/// What is built in a folder by dependencies of these kinds.
fn built(folder: &Path, edges: &str) -> Vec<Featured> {
    let tree = ["tree", "--workspace", "--prefix=none", "--format={p} {f}", "--edges", edges];
    let output = alone(Command::new(env!("CARGO")).args(tree).current_dir(folder));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).expect("names are UTF-8");
    let mut packages: Vec<_> = lines.lines().filter_map(featured).collect();
    packages.sort();
    packages.dedup();
    packages
}

/// A line of the tree: a name, a version, perhaps a path, and the features.
fn featured(line: &str) -> Option<Featured> {
    let mut words = line.trim_end_matches(" (*)").split(' ');
    let (name, version) = (words.next()?.to_owned(), words.next()?.strip_prefix('v')?.to_owned());
    let features = words.rfind(|word| !word.starts_with('(')).unwrap_or_default().split(',');
    let features = features.filter(|name| !name.is_empty()).map(str::to_owned).collect();
    Some(Featured { name, version, features })
}
