//! The names in the root of `dotdo`: what those need who write classes, and no more; and an example
//! of each name, there and in the modules.

use std::collections::BTreeMap;

use crate::source::{Source, files, word_at};

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

/// The modules in the file of the facade.
const MODULES: &[&str] = &["commands", "engine", "identity", "schedules", "sockets", "sql"];

/// The modules that have a file of their own.
const FILES: &[&str] = &["client", "service", "testing"];

/// Items that need no example: name, reason.
const WITHOUT: &[(&str, &str)] = &[];

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

/// Where an item is defined: its name, and what the path of its file begins with.
type Place = (String, String);

/// The code of a file.
fn code_of(sources: &[Source], path: &str) -> String {
    let file = sources.iter().find(|file| file.path == path);
    file.unwrap_or_else(|| panic!("{path} is there")).code()
}

/// What the items `pub use …;` of a file name, each with its path. Those of a file of modules have
/// one step of indentation.
fn used(code: &str) -> Vec<(String, Vec<String>)> {
    let items = code.split("\npub use ").skip(1).chain(code.split("\n    pub use ").skip(1));
    let items = items.filter_map(|item| item.split(';').next());
    let path = |item: &str| {
        let path = item.split_once('{').or_else(|| item.rsplit_once("::")).map_or("", |(at, _)| at);
        path.trim_end_matches("::").trim_start_matches("self::").to_owned()
    };
    items.map(|item| (path(item), names_of_item(item))).collect()
}

/// Where the names of a file that is a module are defined: there, or in what it uses.
fn exports_of_file(sources: &[Source], path: &str, core: &BTreeMap<String, String>) -> Vec<Place> {
    let code = code_of(sources, path);
    let folder = path.trim_end_matches("lib.rs").trim_end_matches("mod.rs");
    let root = folder.split_inclusive("src/").next().expect("a path has a first part");
    let mut found = Vec::new();
    for (used, names) in used(&code) {
        let place = match used.split_once("::").unwrap_or((&used, "")) {
            ("dotdo_core", "") if names == ["*"] => {
                found.extend(core.clone());
                continue;
            }
            ("dotdo_core", "") => {
                found.extend(names.into_iter().map(|name| {
                    let place = core.get(&name).cloned().unwrap_or_default();
                    (name, place)
                }));
                continue;
            }
            ("dotdo_core", rest) => format!("core/src/{}", rest.replace("::", "/")),
            ("crate", rest) => format!("{root}{}", rest.replace("::", "/")),
            _ if is_there(sources, folder, &used) => format!("{folder}{}", used.replace("::", "/")),
            // Another crate's.
            _ => continue,
        };
        found.extend(names.into_iter().map(|name| (name, place.clone())));
    }
    let public = code.lines().filter_map(|line| line.strip_prefix("pub "));
    let names = public.filter_map(|line| {
        let after = KINDS.iter().find_map(|kind| line.strip_prefix(kind))?.trim_start();
        after.split(|letter: char| !letter.is_alphanumeric() && letter != '_').next()
    });
    found.extend(names.map(|name| (name.to_owned(), path.to_owned())));
    found
}

/// Whether a module is in this folder.
fn is_there(sources: &[Source], folder: &str, path: &str) -> bool {
    let file = format!("{folder}{}", path.replace("::", "/"));
    let names = [format!("{file}.rs"), format!("{file}/mod.rs")];
    sources.iter().any(|source| names.contains(&source.path))
}

/// Every name that users find in the facade, and where it is defined.
fn exports(sources: &[Source]) -> Vec<Place> {
    let core = exports_of_file(sources, "core/src/lib.rs", &BTreeMap::new());
    let core = core.into_iter().collect();
    let files = FILES.iter().map(|module| format!("adapters/src/{module}/mod.rs"));
    let files = files.chain(["adapters/src/lib.rs".into(), "core/src/testing/mod.rs".into()]);
    let mut found: Vec<Place> =
        files.flat_map(|path| exports_of_file(sources, &path, &core)).collect();
    found.sort();
    found.dedup();
    found
}

/// The kinds of items that have examples.
const KINDS: [&str; 7] = ["async fn ", "const ", "enum ", "fn ", "struct ", "trait ", "type "];

/// The number of the line that defines the public item `name`, and the text of its documentation;
/// that is `None` for one which is hidden there.
fn definition(text: &str, name: &str) -> Option<(usize, Option<String>)> {
    let lines: Vec<&str> = text.lines().collect();
    let defines = |line: &&str| {
        let kind = |kind: &&str| word_at(line, &format!("{kind}{name}")).is_some();
        line.starts_with("pub ") && KINDS.iter().any(kind)
    };
    let at = lines.iter().position(defines)?;
    // Attributes may take several lines.
    let above = lines[..at].iter().rev().take_while(|line| line.starts_with(['/', '#', ' ', ')']));
    let above: Vec<&str> = above.copied().collect();
    let comment: String = above.iter().rev().filter_map(|line| line.strip_prefix("///")).collect();
    Some((at + 1, (!above.contains(&"#[doc(hidden)]")).then_some(comment)))
}

/// Whether an item's documentation shows how it is used, or says where that is shown. Items that
/// users find are in `shown`, if they have an example.
fn shows(text: &str, names: &[String], shown: &[String]) -> bool {
    if text.contains("```") {
        return true;
    }
    let Some((before, _)) = text.split_once("has an example") else { return false };
    let named = before.rsplit("[`").next().and_then(|rest| rest.split('`').next());
    // Of a method, it is not looked for.
    let is_ours = |name: &&str| names.iter().any(|other| other == name);
    named.filter(is_ours).is_none_or(|name| shown.iter().any(|other| other == name))
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
    let (mut found, mut items) = (Vec::new(), Vec::new());
    for (name, place) in exports(&sources) {
        let mut below = sources.iter().filter(|file| file.path.starts_with(&place));
        match below.find_map(|file| Some((file, definition(&file.text, &name)?))) {
            None => found.push(format!("{name}, which is not found below {place:?}")),
            Some((_, (_, None))) => {}
            Some((file, (line, Some(text)))) => {
                items.push((name, format!("{}:{line}", file.path), text));
            }
        }
    }
    let names: Vec<String> = items.iter().map(|(name, ..)| name.clone()).collect();
    let has = items.iter().filter(|(.., text)| text.contains("```"));
    let shown: Vec<String> = has.map(|(name, ..)| name.clone()).collect();
    for (name, place, text) in &items {
        if WITHOUT.iter().all(|(other, _)| other != name) && !shows(text, &names, &shown) {
            found.push(format!("{place}: {name}"));
        }
    }
    assert!(
        found.is_empty(),
        "add an example, or \"[`…`] has an example.\" where there is one:\n{}",
        found.join("\n")
    );
    assert!(WITHOUT.iter().all(|(other, _)| names.iter().any(|name| name == other)));
}

/// An example that is compiled in the core alone would not show it.
#[test]
fn documentation_names_items_where_users_find_them() {
    let mut found = Vec::new();
    let sources = files(".rs");
    let shown = |path: &str| path.starts_with("core/src/") || path.starts_with("adapters/src/");
    for file in sources.iter().filter(|file| shown(&file.path)) {
        for name in named_in_documentation(&file.text) {
            let known = [ROOT, MODULES, FILES].iter().any(|list| list.contains(&name.as_str()));
            if !known {
                found.push(format!("{}: dotdo::{name}", file.path));
            }
        }
        let uses = |line: &&str| {
            let line = line.trim_start().trim_start_matches(['/', '!']).trim_start();
            line.starts_with("use dotdo_core")
        };
        let comments = file.text.lines().filter(|line| line.trim_start().starts_with("//"));
        found.extend(comments.filter(uses).map(|line| format!("{}: {}", file.path, line.trim())));
    }
    assert!(
        found.is_empty(),
        "these are in a module of dotdo, or not in it at all; users do not see dotdo_core:\n{}",
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
    let text = "/// Not this.\nfn f() {}\n\n/// A has\n/// an example.\n#[a(\n    b\n)]\npub struct A;\n#[doc(hidden)]\npub async fn g() {}\n";
    assert_eq!(definition(text, "A"), Some((9, Some(" A has an example.".to_owned()))));
    assert_eq!(definition(text, "g"), Some((11, None)));
    assert_eq!(definition(text, "f"), None);
}

#[test]
fn the_file_of_an_item_is_found() {
    let source = |path: &str, text: &str| Source { path: path.into(), text: text.into() };
    let sources = [
        source(
            "adapters/src/lib.rs",
            "\npub use dotdo_core::A;\npub mod m {\n    pub use crate::n::{B, c::D};\n}\n",
        ),
        source("adapters/src/o/mod.rs", "\npub use self::p::E;\npub use http::F;\npub struct G;\n"),
        source("adapters/src/o/p.rs", "pub struct E;\n"),
    ];
    let core = BTreeMap::from([("A".to_owned(), "core/src/a".to_owned())]);
    let found = |path: &str| -> Vec<String> {
        let places = exports_of_file(&sources, path, &core).into_iter();
        places.map(|(name, place)| format!("{name} {place}")).collect()
    };
    let expected = ["A core/src/a", "B adapters/src/n", "D adapters/src/n"];
    assert_eq!(found("adapters/src/lib.rs"), expected);
    assert_eq!(found("adapters/src/o/mod.rs"), ["E adapters/src/o/p", "G adapters/src/o/mod.rs"]);
}

#[test]
fn an_example_elsewhere_must_be_there() {
    let (names, shown) = (["A".to_owned(), "B".to_owned()], ["A".to_owned()]);
    let shows = |text: &str| shows(text, &names, &shown);
    assert!(shows("It is. ```") && shows("It is. [`A`] has an example."));
    assert!(shows("Of a [`B`]. [`B::c`](crate::B::c) has an example."));
    assert!(!shows("It is.") && !shows("Of an [`A`]. [`B`] has an example."));
}
