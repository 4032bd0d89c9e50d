//! Files and functions that can be read in one sitting.

use crate::source::{Source, files};

const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;

/// Files that are longer and may be, up to so many lines, each with its reason. Lower the number
/// when the file shrinks.
const LONG_FILES: &[(&str, usize, &str)] =
    &[("core/src/simulation/history.rs", 448, WIDTH), ("tests/rig/random_sql.rs", 457, WIDTH)];

const WIDTH: &str = "was within the limit at a width of 140; split it when it is touched";

/// Functions that are longer and may be: file, function, lines, reason.
const LONG_FUNCTIONS: &[(&str, &str, usize, &str)] = &[];

#[test]
fn files_are_short() {
    let mut found = Vec::new();
    for source in files(".rs") {
        let lines = source.text.lines().count();
        let listed = LONG_FILES.iter().find(|(path, ..)| *path == source.path);
        match listed {
            None if lines > FILE_LINES_MAX => {
                found.push(format!("{}: {lines} lines, at most {FILE_LINES_MAX}", source.path))
            }
            Some((_, most, why)) if lines > *most => {
                found.push(format!("{}: {lines} lines, at most {most} ({why})", source.path))
            }
            Some((_, most, _)) if lines + 20 < *most => {
                found.push(format!("{}: has shrunk to {lines} lines, so list that", source.path))
            }
            _ => {}
        }
    }
    assert!(found.is_empty(), "split these files:\n{}", found.join("\n"));
}

#[test]
fn functions_are_short() {
    let mut found = Vec::new();
    for source in files(".rs") {
        for (name, lines) in functions(&source) {
            let listed = LONG_FUNCTIONS
                .iter()
                .find(|(path, function, ..)| *path == source.path && *function == name);
            let most = listed.map_or(FUNCTION_LINES_MAX, |(_, _, most, _)| *most);
            if lines > most {
                found.push(format!("{}: fn {name}: {lines} lines, at most {most}", source.path));
            }
        }
    }
    assert!(found.is_empty(), "split these functions:\n{}", found.join("\n"));
}

#[test]
fn every_exception_is_still_there() {
    let sources = files(".rs");
    for path in
        LONG_FILES.iter().map(|(path, ..)| path).chain(LONG_FUNCTIONS.iter().map(|(path, ..)| path))
    {
        assert!(
            sources.iter().any(|source| source.path == *path),
            "{path} is listed and does not exist"
        );
    }
}

/// The functions of a file, each with its length from `fn` to its closing brace.
fn functions(source: &Source) -> Vec<(String, usize)> {
    let code = source.code();
    let starts = code.match_indices("fn ").map(|(at, _)| at).filter(|at| {
        let before = code[..*at].chars().next_back();
        before.is_none_or(|char| !char.is_alphanumeric() && char != '_')
    });
    starts.filter_map(|at| function(&code[at + 3..])).collect()
}

/// The function whose name `rest` begins with; `None` for one without a body, or a type such as `fn
/// (u8)`.
fn function(rest: &str) -> Option<(String, usize)> {
    let name: String =
        rest.chars().take_while(|char| char.is_alphanumeric() || *char == '_').collect();
    if name.is_empty() {
        return None;
    }
    let mut depth = 0_usize;
    // Brackets before the body (types, parameters) may hold a `;`, as in `[u8; 16]`.
    let mut brackets = 0_i32;
    for (at, char) in rest.char_indices() {
        match char {
            '(' | '[' if depth == 0 => brackets += 1,
            ')' | ']' if depth == 0 => brackets -= 1,
            ';' if depth == 0 && brackets == 0 => return None,
            '{' => depth += 1,
            '}' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some((name, rest[..=at].lines().count()));
                }
            }
            _ => {}
        }
    }
    None
}

#[test]
fn a_function_is_measured() {
    let text = "trait T { fn a(&self) -> [u8; 2]; }\nfn b() {\n    if c { d }\n}\n";
    let source = Source { path: "x.rs".into(), text: text.into() };
    assert_eq!(functions(&source), [("b".to_owned(), 3)]);
}
