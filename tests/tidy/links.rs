//! Links in the documents lead somewhere, and programs in them are compiled.

use std::path::Path;

use crate::source::{Source, files, root};

#[test]
fn every_link_to_a_file_leads_to_it() {
    let mut found = Vec::new();
    for page in files(".md") {
        let folder = root().join(Path::new(&page.path).parent().unwrap_or(Path::new("")));
        for link in links(&page).into_iter().filter(|link| !is_elsewhere(link)) {
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() { root().join(&page.path) } else { folder.join(file) };
            if !target.exists() {
                found.push(format!("{}: {link}: there is no such file", page.path));
            } else if !anchor.is_empty()
                && target.extension().is_some_and(|extension| extension == "md")
                && !has_heading(&target, anchor)
            {
                found.push(format!("{}: {link}: there is no such heading", page.path));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Documents point to tests as `path/to/file.rs: name_of_the_test`.
#[test]
fn every_pointer_to_a_test_leads_to_it() {
    let (mut seen, mut found) = (0, Vec::new());
    for page in files(".md") {
        for (file, name) in page.text.split('`').skip(1).step_by(2).filter_map(pointer) {
            seen += 1;
            let text = std::fs::read_to_string(root().join(file)).unwrap_or_default();
            if !text.contains(&format!("fn {name}(")) {
                found.push(format!("{}: {file} has no test {name}", page.path));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert!(seen > 0, "no document points to a test");
}

/// The statement of what is promised is one page, and every promise on it says which test shows it.
#[test]
fn every_promise_names_its_tests() {
    let page = files(".md")
        .into_iter()
        .find(|page| page.path == "docs/GUARANTEES.md")
        .expect("the page of promises is there");
    let promises: Vec<&str> = page.text.lines().filter(|line| line.starts_with("| **")).collect();
    let without: Vec<&&str> = promises
        .iter()
        .filter(|line| !line.split('`').any(|code| pointer(code).is_some()))
        .collect();
    assert!(
        promises.len() >= 10,
        "expected a table of promises, got {} rows that begin with | **",
        promises.len()
    );
    assert!(without.is_empty(), "promises that no test shows: {without:#?}");
    let readme = std::fs::read_to_string(root().join("README.md")).expect("README.md is there");
    assert!(readme.contains("](docs/GUARANTEES.md)"), "README.md must link docs/GUARANTEES.md");
}

/// The crate `dotdo` takes a page in as documentation, whose programs are tests, or a test builds
/// what the page says.
#[test]
fn every_program_in_a_document_is_compiled() {
    let compilers = ["adapters/src/lib.rs", "tests/outside/main.rs"]
        .map(|file| std::fs::read_to_string(root().join(file)));
    let compilers = compilers.map(|text| text.expect("it is a file of this workspace"));
    let (with, without): (Vec<_>, Vec<_>) = files(".md")
        .into_iter()
        .filter(|page| page.text.lines().any(|line| line.trim_start().starts_with("```rust")))
        .map(|page| page.path.clone())
        .partition(|path| compilers.iter().any(|text| text.contains(&format!("{path}\""))));
    assert!(without.is_empty(), "nobody compiles the programs in {}", without.join(", "));
    assert!(!with.is_empty(), "no document has a program");
}

fn pointer(code: &str) -> Option<(&str, &str)> {
    let (file, name) = code.split_once(": ")?;
    let is_name = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    (file.ends_with(".rs") && is_name).then_some((file, name))
}

fn is_elsewhere(link: &str) -> bool {
    link.contains("://") || link.starts_with("mailto:")
}

/// The targets of `[text](target)` outside of code.
fn links(page: &Source) -> Vec<String> {
    let prose = page.text.split("```").step_by(2).collect::<String>();
    let prose = prose.split('`').step_by(2).collect::<String>();
    let target = |rest: &str| {
        Some(rest.split_once(')')?.0.split_whitespace().next()?.trim_matches(['<', '>']).to_owned())
    };
    prose.split("](").skip(1).filter_map(target).collect()
}

/// Whether the page has a heading whose anchor this is, made as GitHub makes them.
fn has_heading(page: &Path, anchor: &str) -> bool {
    let text = std::fs::read_to_string(page).expect("a page is UTF-8");
    let headings = text
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| line.trim_start_matches('#').trim().to_lowercase());
    let slug = |heading: String| -> String {
        let kept = heading
            .chars()
            .filter(|char| char.is_alphanumeric() || matches!(char, ' ' | '-' | '_'));
        kept.map(|char| if char == ' ' { '-' } else { char }).collect()
    };
    headings.map(slug).any(|slug| slug == anchor)
}

#[test]
fn links_are_found_and_code_is_not() {
    let text = "see [a](b.md#c) and `[d](e)`\n```\n[f](g)\n```\n[h](<i j.md>)";
    let page = Source { path: "x.md".into(), text: text.into() };
    assert_eq!(links(&page), ["b.md#c", "i"]);
}
