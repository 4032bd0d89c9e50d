//! Files that import each other in a circle have to be read together; there are few of them.
//!
//! What counts is which file names what is defined in which: `use` lines and paths in product code.
//! Re-exports are followed to the definition and are no import by themselves. A method that is
//! called is not seen, unless the file names its type.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{Source, files};

const CIRCLE_FILES_MAX: usize = 3;

/// Larger circles that are there: their first file, how many files they have, and why. Lower the
/// number when the circle shrinks.
const CIRCLES: &[(&str, usize, &str)] = &[];

/// The crates whose files are looked at.
const CRATES: &[&str] = &["core/src/", "adapters/src/", "builtin/src/", "js/src/"];

/// A module's path below its crate.
type Path = Vec<String>;

/// One `use` of a name.
struct Use {
    /// From the crate's root.
    path: Path,
    /// The name that it has here.
    name: String,
    is_public: bool,
}

struct File {
    path: String,
    module: Path,
    uses: Vec<Use>,
    /// Paths in the code, from the crate's root.
    named: Vec<Path>,
}

struct Crate {
    files: BTreeMap<Path, File>,
}

impl Crate {
    fn of(folder: &str, sources: &[Source]) -> Self {
        let product = sources.iter().filter(|source| source.path.starts_with(folder));
        let parsed = product.filter(|source| !source.is_test()).map(|source| {
            let file = File::of(source, &source.path[folder.len()..]);
            (file.module.clone(), file)
        });
        Self { files: parsed.collect() }
    }

    /// The module in whose file `path` is defined, where re-exports have been followed.
    fn definition(&self, path: &[String], steps: usize) -> Option<Path> {
        let mut module = Path::new();
        for (at, segment) in path.iter().enumerate() {
            let mut child = module.clone();
            child.push(segment.clone());
            if self.files.contains_key(&child) {
                module = child;
                continue;
            }
            let known = self.files.get(&module)?.uses.iter().find(|used| used.name == *segment);
            return match known.filter(|_| steps > 0) {
                Some(used) => {
                    let rest = [&used.path, &path[at + 1..]].concat();
                    self.definition(&rest, steps - 1)
                }
                None => Some(module),
            };
        }
        Some(module)
    }

    /// Which modules each module imports.
    fn arrows(&self) -> BTreeMap<&Path, BTreeSet<Path>> {
        let imports = |file: &File| {
            let used = file.uses.iter().filter(|used| !used.is_public).map(|used| &used.path);
            let all = used.chain(&file.named).filter_map(|path| self.definition(path, 8));
            all.filter(|module| *module != file.module).collect()
        };
        self.files.iter().map(|(module, file)| (module, imports(file))).collect()
    }

    /// The circles, each as the sorted paths of its files.
    fn circles(&self) -> Vec<Vec<&str>> {
        let arrows = self.arrows();
        let reached: BTreeMap<&Path, BTreeSet<&Path>> =
            arrows.keys().map(|start| (*start, reach(start, &arrows))).collect();
        let mut seen = BTreeSet::new();
        let mut circles = Vec::new();
        for module in self.files.keys() {
            if !reached[module].contains(module) || !seen.insert(module) {
                continue;
            }
            let circle: Vec<&Path> = reached[module]
                .iter()
                .copied()
                .filter(|other| reached[*other].contains(module))
                .collect();
            seen.extend(&circle);
            let mut paths: Vec<&str> =
                circle.iter().map(|module| self.files[*module].path.as_str()).collect();
            paths.sort_unstable();
            circles.push(paths);
        }
        circles
    }
}

/// The modules that `start` imports, over however many others.
fn reach<'a>(start: &Path, arrows: &'a BTreeMap<&'a Path, BTreeSet<Path>>) -> BTreeSet<&'a Path> {
    let (mut found, mut next) = (BTreeSet::new(), vec![start]);
    while let Some(module) = next.pop() {
        for imported in arrows.get(module).into_iter().flatten() {
            if found.insert(imported) {
                next.push(imported);
            }
        }
    }
    found
}

impl File {
    /// `below` is the path below the crate's folder.
    fn of(source: &Source, below: &str) -> Self {
        let stem = below.trim_end_matches(".rs");
        let stem = stem.strip_suffix("/mod").unwrap_or(stem);
        let module: Path = match stem {
            "lib" | "main" => Path::new(),
            stem => stem.split('/').map(str::to_owned).collect(),
        };
        let mut code = String::new();
        let mut uses = Vec::new();
        let text = source.product_code();
        let mut rest = text.as_str();
        while let Some((before, is_public, tree, after)) = next_use(rest) {
            code.push_str(before);
            if !is_for_tests(before) {
                leaves(tree, &Path::new(), &module, is_public, &mut uses);
            }
            rest = after;
        }
        code.push_str(rest);
        let mut named = paths(&code, &module);
        for used in &uses {
            named.extend(paths_below(&code, &used.name, &used.path));
        }
        Self { path: source.path.clone(), module, uses, named }
    }
}

/// The next `use` item of `code`: what is before it, whether it is public, its tree, and what
/// follows.
fn next_use(code: &str) -> Option<(&str, bool, &str, &str)> {
    let mut from = 0;
    loop {
        let at = from + code[from..].find("use ")?;
        let line = code[..at].rfind('\n').map_or(0, |at| at + 1);
        let lead = code[line..at].trim();
        if lead.is_empty() || lead == "pub" || (lead.starts_with("pub(") && lead.ends_with(')')) {
            let end = at + code[at..].find(';')?;
            return Some((&code[..line], !lead.is_empty(), &code[at + 4..end], &code[end + 1..]));
        }
        from = at + 4;
    }
}

/// Whether the attribute right before an item keeps it for tests and fuzzers.
fn is_for_tests(before: &str) -> bool {
    let attribute = before.trim_end().lines().next_back().unwrap_or_default().trim();
    attribute.starts_with("#[cfg(") && attribute.contains("test")
}

/// The names that a `use` tree brings.
fn leaves(tree: &str, prefix: &[String], module: &[String], is_public: bool, found: &mut Vec<Use>) {
    let tree = tree.trim();
    if let Some(at) = tree.find('{') {
        let prefix = join(prefix, &tree[..at]);
        let inner = tree[at + 1..].trim_end().trim_end_matches('}');
        split(inner).into_iter().for_each(|part| leaves(part, &prefix, module, is_public, found));
        return;
    }
    let (tree, alias) = tree.split_once(" as ").map_or((tree, None), |(a, b)| (a, Some(b.trim())));
    let mut path = join(prefix, tree);
    if path.last().is_some_and(|last| last == "self" || last == "*") && path.len() > 1 {
        path.pop();
    }
    let Some(path) = absolute(&path, module) else { return };
    let name = alias.or(path.last().map(String::as_str)).unwrap_or_default().to_owned();
    found.push(Use { path, name, is_public });
}

/// The parts of a list, at its commas outside of braces.
fn split(list: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, char) in list.char_indices() {
        match char {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&list[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&list[start..]);
    parts.into_iter().filter(|part| !part.trim().is_empty()).collect()
}

fn join(prefix: &[String], path: &str) -> Path {
    let more = path.split("::").map(str::trim).filter(|part| !part.is_empty());
    prefix.iter().cloned().chain(more.map(str::to_owned)).collect()
}

/// A path from the crate's root; `None` when it leads to another crate, or is a name from here.
fn absolute(path: &[String], module: &[String]) -> Option<Path> {
    let supers = path.iter().take_while(|part| *part == "super").count();
    match path.first()?.as_str() {
        "crate" => Some(path[1..].to_vec()),
        "self" => Some([module, &path[1..]].concat()),
        "super" => {
            let parent = &module[..module.len().checked_sub(supers)?];
            Some([parent, &path[supers..]].concat())
        }
        // A child of this module, or another crate: the crate's files tell them apart.
        _ => Some([module, path].concat()),
    }
}

/// The paths in `code` that begin at the crate's root, at a parent, or here.
fn paths(code: &str, module: &[String]) -> Vec<Path> {
    let starts = ["crate", "super", "self"];
    let found = starts.into_iter().flat_map(|start| words(code, start));
    found.filter_map(|path| absolute(&path, module)).collect()
}

/// The paths in `code` that begin with `name`, which stands for `target`.
fn paths_below(code: &str, name: &str, target: &[String]) -> Vec<Path> {
    words(code, name).into_iter().map(|path| [target, &path[1..]].concat()).collect()
}

/// The paths of several segments in `code` that begin with the word `start`.
fn words(code: &str, start: &str) -> Vec<Path> {
    let is_name = |char: char| char.is_alphanumeric() || char == '_';
    let opening = format!("{start}::");
    let found = code.match_indices(&opening).filter(|(at, _)| {
        let before = &code[..*at];
        !before.ends_with(is_name) && !before.ends_with("::")
    });
    let ends = |rest: &str| {
        let end = rest.find(|char: char| !is_name(char) && char != ':').unwrap_or(rest.len());
        join(&[], &rest[..end])
    };
    found.map(|(at, _)| ends(&code[at..])).collect()
}

#[test]
fn circles_of_imports_are_small() {
    let sources = files(".rs");
    let mut found = Vec::new();
    for folder in CRATES {
        let code = Crate::of(folder, &sources);
        for circle in code.circles() {
            let listed = CIRCLES.iter().find(|(first, ..)| circle[0] == *first);
            let most = listed.map_or(CIRCLE_FILES_MAX, |(_, most, _)| *most);
            if circle.len() > most || listed.is_some_and(|(_, most, _)| circle.len() < *most) {
                found.push(format!("{} files, listed are {most}: {circle:?}", circle.len()));
            }
        }
    }
    assert!(found.is_empty(), "files import each other:\n{}", found.join("\n"));
}

#[test]
fn a_circle_over_re_exports_is_found() {
    let source = |path: &str, text: &str| Source { path: path.into(), text: text.into() };
    let sources = [
        source("core/src/lib.rs", "mod a;\nmod b;\n"),
        source("core/src/a/mod.rs", "mod x;\nmod y;\npub(crate) use x::X;\nuse self::y::Y;\n"),
        source("core/src/a/x.rs", "use crate::b::{self, Other};\npub(crate) struct X(b::B);\n"),
        source(
            "core/src/a/y.rs",
            "// use crate::b::B;\n#[cfg(test)]\nuse crate::b::B;\nstruct Y;\n",
        ),
        source("core/src/b.rs", "fn f(x: &crate::a::X) {}\nstruct B;\nstruct Other;\n"),
    ];
    let code = Crate::of("core/src/", &sources);
    assert_eq!(code.circles(), [["core/src/a/x.rs", "core/src/b.rs"]]);
}
