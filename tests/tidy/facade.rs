//! The names in the root of `dotdo`: what those need who write classes, and no more.

use crate::source::files;

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

#[test]
fn the_root_of_the_facade_has_only_what_classes_need() {
    let facade = files("lib.rs");
    let facade = facade.iter().find(|file| file.path == "adapters/src/lib.rs");
    let found = names_in_root(&facade.expect("the facade is there").code());
    assert_eq!(found, ROOT, "the names in the root of dotdo, and the list in {}", file!());
    assert!(ROOT.len() <= NAMES_MAX, "{} names are in the root of dotdo", ROOT.len());
}

#[test]
fn names_are_read_from_items() {
    let code = "x\npub use a::{\n    B, c as D,\n};\npub use {e, f};\npub use g::H;\nmod i {\n    pub use j::K;\n}\n";
    assert_eq!(names_in_root(code), ["B", "D", "H", "e", "f"]);
}
