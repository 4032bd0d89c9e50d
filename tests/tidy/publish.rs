//! What a registry asks of the crates that are published; `.ci/publish-check` asks cargo as well.

use toml::{Table, Value};

use crate::source::{files, root};

/// The manifests of the crates that are published, by their paths.
fn published() -> Vec<(String, Table)> {
    let parse = |text: &str| text.parse::<Table>().expect("a manifest is TOML");
    let all = files("Cargo.toml").into_iter().map(|source| (source.path, parse(&source.text)));
    let is_published = |manifest: &Table| {
        let package = manifest.get("package").and_then(Value::as_table);
        package.is_some_and(|package| package.get("publish") != Some(&Value::Boolean(false)))
    };
    all.filter(|(_, manifest)| is_published(manifest)).collect()
}

#[test]
fn crates_that_are_published_say_what_they_are() {
    let published = published();
    assert!(
        published.len() >= 4,
        "{:?}",
        published.iter().map(|(path, _)| path).collect::<Vec<_>>()
    );
    for (path, manifest) in published {
        let package = &manifest["package"];
        for key in ["description", "readme", "keywords", "categories", "license", "rust-version"] {
            assert!(package.get(key).is_some(), "{path}: a crate that is published has a {key}");
        }
        let length = |key| package[key].as_array().map_or(0, Vec::len);
        assert!((1..=5).contains(&length("keywords")), "{path}: crates.io takes up to 5 keywords");
        assert!((1..=5).contains(&length("categories")), "{path}: and up to 5 categories");
        let readme = package["readme"].as_str().expect("a path");
        let folder = path.trim_end_matches("Cargo.toml");
        assert!(root().join(folder).join(readme).is_file(), "{path}: there is no {readme}");
        for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
            let text = |folder: &str| std::fs::read(root().join(folder).join(licence)).ok();
            assert!(
                text(folder).is_some() && text(folder) == text(""),
                "{path}: a package has the texts of its licences; link {licence} to the root's"
            );
        }
    }
}

#[test]
fn crates_of_ours_are_depended_on_by_version() {
    let workspace: Table = std::fs::read_to_string(root().join("Cargo.toml"))
        .expect("the workspace has a manifest")
        .parse()
        .expect("it is TOML");
    let version = &workspace["workspace"]["package"]["version"];
    let shared = &workspace["workspace"]["dependencies"];
    for (path, manifest) in published() {
        let tables = ["dependencies", "build-dependencies"];
        let names = tables.iter().filter_map(|table| manifest.get(*table)?.as_table());
        for name in names.flat_map(Table::keys).filter(|name| shared[*name].get("path").is_some()) {
            assert_eq!(
                shared[name].get("version"),
                Some(version),
                "{path}: a registry has no paths, so {name} needs its version in the root manifest"
            );
        }
    }
}
