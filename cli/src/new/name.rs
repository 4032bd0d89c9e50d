//! The names that a project may have: those that cargo accepts for a program, in ASCII.

/// Names that Rust, cargo or Windows reserve.
const RESERVED: &[(&str, &[&str])] = &[
    (
        "a keyword of Rust",
        &[
            "abstract", "as", "async", "await", "become", "box", "break", "const", "continue",
            "crate", "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen",
            "if", "impl", "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override",
            "priv", "pub", "ref", "return", "self", "static", "struct", "super", "trait", "true",
            "try", "type", "typeof", "unsafe", "unsized", "use", "virtual", "where", "while",
            "yield",
        ],
    ),
    (
        "the name of a crate that comes with Rust",
        &["alloc", "core", "proc-macro", "proc_macro", "std", "test"],
    ),
    ("a folder of cargo's own", &["build", "deps", "examples", "incremental"]),
    (
        "a device on Windows",
        &[
            "aux", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9", "con",
            "lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9", "nul", "prn",
        ],
    ),
    ("the name of the crate that the project depends on", &["dotdo"]),
];

/// Checks whether a project may have this name; otherwise returns what is wrong with it.
pub(super) fn check(name: &str) -> Result<(), String> {
    let accepted = "letters (a-z), digits, - and _, beginning with a letter";
    if name.is_empty() {
        return Err(format!("expected a path that ends with the project's name: {accepted}"));
    }
    let is_taken = |char: char| char.is_ascii_alphanumeric() || char == '-' || char == '_';
    if !name.starts_with(|first: char| first.is_ascii_alphabetic()) || !name.chars().all(is_taken) {
        return Err(format!("expected {accepted} as the project's name, got {name:?}"));
    }
    let lower = name.to_ascii_lowercase();
    match RESERVED.iter().find(|(_, names)| names.contains(&&*lower)) {
        Some((what, _)) => {
            Err(format!("expected another name for the project than {name:?}, which is {what}"))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn names_that_cargo_takes_are_taken() {
        for name in ["counter", "my-counter", "my_counter2", "Counter", "x", "testing"] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn names_that_cargo_refuses_are_refused_with_the_reason() {
        for (name, why) in [
            ("", "expected a path"),
            ("2fast", "beginning with a letter"),
            ("-x", "beginning with a letter"),
            ("a b", "got \"a b\""),
            ("zähler", "letters (a-z)"),
            ("a.b", "got \"a.b\""),
            ("fn", "a keyword"),
            ("Async", "a keyword"),
            ("test", "comes with Rust"),
            ("deps", "cargo's own"),
            ("NUL", "Windows"),
            ("dotdo", "depends on"),
        ] {
            let problem = check(name).expect_err(name);
            assert!(problem.contains(why), "{name}: {problem}");
        }
    }
}
