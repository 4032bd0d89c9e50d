//! Which crate may depend on which, and the names of the programs.

use std::collections::BTreeMap;

use toml::{Table, Value};

use crate::source::{files, root};

struct Package {
    path: String,
    name: String,
    manifest: Table,
}

fn packages() -> Vec<Package> {
    let parse = |text: &str| text.parse::<Table>().expect("a manifest is TOML");
    let manifests =
        files("Cargo.toml").into_iter().map(|source| (source.path.clone(), parse(&source.text)));
    let named = manifests.filter_map(|(path, manifest)| {
        let name = manifest.get("package")?.get("name")?.as_str()?.to_owned();
        Some(Package { path, name, manifest })
    });
    named.collect()
}

impl Package {
    /// The names of what it needs to run, or (with `dev`) to be tested.
    fn dependencies(&self, dev: bool) -> Vec<String> {
        let mut tables = vec!["dependencies", "build-dependencies"];
        tables.extend(dev.then_some("dev-dependencies"));
        let names = |table: &str| {
            self.manifest
                .get(table)
                .and_then(Value::as_table)
                .map(|table| table.keys().cloned().collect::<Vec<_>>())
        };
        tables.into_iter().filter_map(names).flatten().collect()
    }

    /// The names of its programs.
    fn programs(&self) -> Vec<String> {
        let folder = self.path.trim_end_matches("Cargo.toml");
        let listed = self.manifest.get("bin").and_then(Value::as_array).into_iter().flatten();
        let mut names: Vec<String> =
            listed.filter_map(|bin| Some(bin.get("name")?.as_str()?.to_owned())).collect();
        let is_default = names.is_empty() && root().join(folder).join("src/main.rs").exists();
        names.extend(is_default.then(|| self.name.clone()));
        names
    }
}

/// What each crate of ours may use of ours. Tests, benches and examples may use what they test.
const DIRECTION: &[(&str, &[&str])] = &[
    ("dotdo-sqlite-sys", &[]),
    ("dotdo-core", &["dotdo-sqlite-sys"]),
    ("dotdo", &["dotdo-core"]),
    ("dotdo-builtin", &["dotdo"]),
    ("dotdo-js", &["dotdo"]),
    ("dotdo-cli", &["dotdo", "dotdo-builtin", "dotdo-js"]),
    ("dotdo-vercel", &["dotdo", "dotdo-builtin"]),
    ("dotdo-model", &[]),
];

#[test]
fn dependencies_point_from_the_command_line_to_the_core() {
    let packages = packages();
    let ours: Vec<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    for (name, may) in DIRECTION {
        let package = packages
            .iter()
            .find(|package| package.name == *name)
            .unwrap_or_else(|| panic!("there is no {name}"));
        for used in package.dependencies(true).iter().filter(|used| ours.contains(&used.as_str())) {
            // Tests may use the crate itself with one more feature.
            let is_itself = used == name && !package.dependencies(false).contains(used);
            if is_itself {
                continue;
            }
            assert!(may.contains(&used.as_str()), "{name} may not depend on {used}");
        }
    }
}

#[test]
fn only_the_core_depends_on_stores_engines_and_formats() {
    let inner = [
        "object_store",
        "dotdo-sqlite-sys",
        "rusqlite",
        "iceberg",
        "parquet",
        "arrow-array",
        "arrow-schema",
        "arrow-buffer",
    ];
    for package in packages().iter().filter(|package| {
        !matches!(package.name.as_str(), "dotdo-core" | "dotdo-tests" | "dotdo-benches")
    }) {
        for used in package.dependencies(false) {
            assert!(
                !inner.contains(&used.as_str()),
                "{} depends on {used}: that is the core's business",
                package.name
            );
        }
    }
}

#[test]
fn versions_are_written_once() {
    for package in packages().iter().filter(|package| package.path != "Cargo.toml") {
        for table in ["dependencies", "dev-dependencies", "build-dependencies"] {
            for (name, value) in
                package.manifest.get(table).and_then(Value::as_table).into_iter().flatten()
            {
                let is_shared = value.get("workspace").and_then(Value::as_bool) == Some(true);
                // What stands outside the workspace can't inherit from it.
                let is_outside =
                    package.manifest.contains_key("workspace") || value.get("path").is_some();
                assert!(
                    is_shared || is_outside,
                    "{}: {name} has a version of its own; put it into the workspace's",
                    package.path
                );
            }
        }
    }
}

#[test]
fn programs_have_different_names() {
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    for package in packages() {
        for name in package.programs() {
            if let Some(other) = seen.insert(name.clone(), package.path.clone()) {
                panic!(
                    "{} and {other} both build a program {name}; one would overwrite the other",
                    package.path
                );
            }
        }
    }
    assert!(seen.contains_key("dotdo"), "{seen:?}");
}

#[test]
fn the_root_is_no_program() {
    assert!(
        !root().join("src").exists(),
        "src/ in the root would make hosts take the workspace for one program"
    );
}
