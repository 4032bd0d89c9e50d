//! The headers that name an object stand in one place: whoever has a list of their own would let
//! the next name pass.

use crate::source::files;

/// Where they stand.
const HOME: [&str; 2] = ["core/src/router.rs", "core/src/router/object_headers.rs"];

/// Whether a line of code has one of them as a text.
fn has_one(line: &str) -> bool {
    let line = line.trim_start().to_ascii_lowercase();
    !line.starts_with("//") && ["\"x-do-", "\"x-dotdo-"].iter().any(|text| line.contains(text))
}

#[test]
fn headers_that_name_an_object_stand_in_one_place() {
    let product = ["core/", "adapters/", "builtin/", "js/", "cli/", "api/"];
    let ours = files(".rs")
        .into_iter()
        .filter(|source| product.iter().any(|folder| source.path.starts_with(folder)));
    let mut found = Vec::new();
    for source in ours.filter(|source| !source.is_test() && !HOME.contains(&&*source.path)) {
        let code = source.text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        found.extend(
            code.lines()
                .filter(|line| has_one(line))
                .map(|line| format!("{}: {}", source.path, line.trim())),
        );
    }
    assert!(found.is_empty(), "take them from {}:\n{}", HOME[1], found.join("\n"));
    assert!(has_one("    const A: &str = \"X-DotDo-Id\";") && !has_one("    // \"x-do-id\""));
}
