//! The optional parts of the product are the same wherever they are listed.

use std::collections::BTreeSet;

use crate::source::root;

fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|cause| panic!("{path}: {cause}"))
}

/// The words between `begin` and `end` in the file at `path`, in any order.
fn listed(path: &str, begin: &str, end: &str) -> BTreeSet<String> {
    let text = text(path);
    let (_, rest) = text.split_once(begin).unwrap_or_else(|| panic!("{path} has no {begin:?}"));
    let list = rest.split(end).next().unwrap_or_default();
    let words = list.split([' ', ',', '"', '\n']).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

#[test]
fn each_optional_feature_is_compiled_by_itself_and_documented() {
    let mut features = listed("adapters/Cargo.toml", "\ndefault = [", "]");
    assert!(features.len() > 5, "{features:?}");
    let readme = text("adapters/README.md");
    for feature in &features {
        assert!(readme.contains(&format!("`{feature}`")), "adapters/README.md has no {feature}");
    }
    features.insert("none".to_owned());
    assert_eq!(listed(".ci/features", "\nall=(", ")"), features);
    assert_eq!(listed(".github/workflows/ci.yml", " features: [", "]"), features);
}
