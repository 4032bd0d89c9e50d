//! The names in the root of `dotdo`: what those need who write classes, and no more; and an example
//! of each name, there and in the modules.

use crate::source::{files, word_at};

/// Every name in the root, modules besides. One more is one more word to learn: what belongs to
/// programs with parts of their own goes into `dotdo::engine`, and what few classes name into a
/// module that says what for.
const ROOT: &[&str] = &[
    "AlarmInfo",
    "App",
    "At",
    "Authenticator",
    "Body",
    "Caller",
    "Class",
    "Context",
    "DurableObject",
    "Error",
    "ErrorKind",
    "FencingToken",
    "IntoResponse",
    "Json",
    "ListOptions",
    "Matcher",
    "Message",
    "ObjectId",
    "RemoteObject",
    "Request",
    "RequestExt",
    "Response",
    "Result",
    "ResultExt",
    "Serve",
    "ServeOptions",
    "Sql",
    "Step",
    "Storage",
    "Stub",
    "Turns",
    "bytes",
    "http",
    "json",
    "run",
];

/// The most names in the root.
const NAMES_MAX: usize = 36;

/// The modules whose names have examples, as those in the root do.
const MODULES: &[&str] = &["commands", "identity", "schedules", "sockets", "sql"];

/// The names that the items `pub use …;` in the root of a file give it.
fn names_in_root(code: &str) -> Vec<String> {
    let items = code.split("\npub use ").skip(1).filter_map(|item| item.split(';').next());
    let mut names: Vec<String> = items.flat_map(names_of_item).collect();
    names.sort();
    names
}

/// The names of one item, such as `a::{B, c as D}`.
fn names_of_item(item: &str) -> Vec<String> {
    let list = item.split_once('{').map_or(item, |(_, list)| list);
    let paths = list.split([',', '}']).map(str::trim).filter(|path| !path.is_empty());
    paths
        .map(|path| path.rsplit([':', ' ']).next().expect("a path has a last part").to_owned())
        .collect()
}

/// The modules besides, whose items are shown together.
const OTHERS: &[&str] = &["client", "engine", "service", "testing"];

/// What documentation names of `dotdo`, by the first word after `dotdo::`. Hidden lines of examples
/// are left out.
fn named_in_documentation(text: &str) -> Vec<String> {
    let comments = text.lines().map(str::trim_start).filter(|line| line.starts_with("//"));
    let shown = comments
        .map(|line| line.trim_start_matches(['/', '!']).trim_start())
        .filter(|line| !line.starts_with('#'));
    let text = shown.collect::<Vec<_>>().join("\n");
    let word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let mut found = Vec::new();
    for (at, path) in text.match_indices("dotdo::") {
        let rest = &text[at + path.len()..];
        if text[..at].ends_with(|before| word(before) || before == ':') {
            continue;
        }
        let list = rest.strip_prefix('{').and_then(|rest| rest.split('}').next()).unwrap_or(rest);
        let items = if list.len() == rest.len() { vec![rest] } else { list.split(',').collect() };
        let first =
            |item: &str| item.trim().split(|letter| !word(letter)).next().map(str::to_owned);
        found.extend(items.into_iter().filter_map(first).filter(|name| !name.is_empty()));
    }
    found
}

/// The names in the root and in [`MODULES`], each with the place below which it is defined, such as
/// `adapters/src/run`; without names of other crates.
fn exports(code: &str) -> Vec<(String, String)> {
    let mut items: Vec<&str> = code.split("\npub use ").skip(1).collect();
    for module in MODULES {
        let (_, body) =
            code.split_once(&format!("\npub mod {module} {{")).expect("the module is there");
        let body = body.split("\n}").next().unwrap_or_default();
        items.extend(body.split("\n    pub use ").skip(1));
    }
    let mut found = Vec::new();
    for item in items.into_iter().filter_map(|item| item.split(';').next()) {
        let path = item.split_once('{').or_else(|| item.rsplit_once("::")).map_or("", |(at, _)| at);
        let place = match path.trim_end_matches("::").split_once("::") {
            None if path.starts_with("dotdo_core") => "core/src/".to_owned(),
            Some(("crate", module)) => format!("adapters/src/{}", module.replace("::", "/")),
            _ => continue,
        };
        found.extend(names_of_item(item).into_iter().map(|name| (name, place.clone())));
    }
    found
}

/// The number of the line that defines the public item `name`, and the text of its documentation.
fn definition(text: &str, name: &str) -> Option<(usize, String)> {
    let lines: Vec<&str> = text.lines().collect();
    let kinds = ["enum", "fn", "struct", "trait", "type"].map(|kind| format!("{kind} {name}"));
    let defines = |line: &&str| {
        line.starts_with("pub ") && kinds.iter().any(|kind| word_at(line, kind).is_some())
    };
    let at = lines.iter().position(defines)?;
    // Attributes may take several lines.
    let above = lines[..at].iter().rev().take_while(|line| line.starts_with(['/', '#', ' ', ')']));
    let mut comment: Vec<&str> = above.filter_map(|line| line.strip_prefix("///")).collect();
    comment.reverse();
    Some((at + 1, comment.concat()))
}

#[test]
fn the_root_of_the_facade_has_only_what_classes_need() {
    let facade = files("lib.rs");
    let facade = facade.iter().find(|file| file.path == "adapters/src/lib.rs");
    let found = names_in_root(&facade.expect("the facade is there").code());
    assert_eq!(found, ROOT, "the names in the root of dotdo, and the list in {}", file!());
    assert!(ROOT.len() <= NAMES_MAX, "{} names are in the root of dotdo", ROOT.len());
}

#[test]
fn every_item_of_the_facade_has_an_example_or_names_one() {
    let sources = files(".rs");
    let facade = sources.iter().find(|file| file.path == "adapters/src/lib.rs");
    let facade = facade.expect("the facade is there");
    let mut found = Vec::new();
    for (name, place) in exports(&facade.code()) {
        let mut below = sources.iter().filter(|file| file.path.starts_with(&place));
        let defined = below.find_map(|file| Some((file, definition(&file.text, &name)?)));
        match defined {
            None => found.push(format!("{}: {name}, not found below {place}", facade.path)),
            Some((_, (_, text))) if text.contains("```") || text.contains("has an example") => {}
            Some((file, (line, _))) => found.push(format!("{}:{line}: {name}", file.path)),
        }
    }
    assert!(
        found.is_empty(),
        "add an example, or \"[`…`] has an example.\":\n{}",
        found.join("\n")
    );
}

/// An example that is compiled in the core alone would not show it.
#[test]
fn documentation_names_items_where_users_find_them() {
    let mut found = Vec::new();
    let sources = files(".rs");
    let shown = |path: &str| path.starts_with("core/src/") || path.starts_with("adapters/src/");
    for file in sources.iter().filter(|file| shown(&file.path)) {
        for name in named_in_documentation(&file.text) {
            let known = [ROOT, MODULES, OTHERS].iter().any(|list| list.contains(&name.as_str()));
            if !known {
                found.push(format!("{}: dotdo::{name}", file.path));
            }
        }
    }
    assert!(
        found.is_empty(),
        "these are in a module of dotdo, or not in it at all:\n{}",
        found.join("\n")
    );
}

#[test]
fn names_are_read_from_documentation() {
    let text = "/// # use dotdo::hidden;\n    /// use dotdo::a::{b};\n//! use dotdo::{C,\n//!     d::E};\nuse dotdo::code;\n/// dotdo::F::g my_dotdo::h";
    assert_eq!(named_in_documentation(text), ["a", "C", "d", "F"]);
}

#[test]
fn names_are_read_from_items() {
    let code = "x\npub use a::{\n    B, c as D,\n};\npub use {e, f};\npub use g::H;\nmod i {\n    pub use j::K;\n}\n";
    assert_eq!(names_in_root(code), ["B", "D", "H", "e", "f"]);
}

#[test]
fn an_item_is_found_with_its_documentation() {
    let body = "    pub use crate::run::{B, C};\n";
    let modules = MODULES.iter().map(|name| format!("pub mod {name} {{\n{body}}}\n"));
    let code =
        format!("\npub use dotdo_core::A;\npub use {{d, e}};\n{}", modules.collect::<String>());
    let pair = |name: &str, place: &str| (name.to_owned(), place.to_owned());
    let found = exports(&code);
    assert_eq!(found[0], pair("A", "core/src/"));
    assert_eq!(found[1..3], ["B", "C"].map(|name| pair(name, "adapters/src/run")));
    assert_eq!(found.len(), 1 + 2 * MODULES.len());
    let text =
        "/// Not this.\nfn f() {}\n\n/// A has\n/// an example.\n#[a(\n    b\n)]\npub struct A;\n";
    assert_eq!(definition(text, "A"), Some((9, " A has an example.".to_owned())));
    assert_eq!(definition(text, "f"), None);
}
