//! The bindings say what `vendor/sqlite3.h` says: they are written again in C, and a C compiler
//! holds both against each other.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use dotdo_sqlite_sys as ffi;

const CONSTANTS: &str = include_str!("../src/constants.rs");
const FUNCTIONS: &str = include_str!("../src/functions.rs");

/// The text without line breaks and with one space at most between words.
fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = line.replace("< ", "<").replace("( ", "(").replace(" )", ")").replace(" >", ">");
    // An arrow is no bracket, and a comma before a closing bracket separates nothing.
    line.replace("->", "=>").replace(",)", ")").replace(",>", ">")
}

/// Splits a list at the commas that are outside of all brackets.
fn parts(list: &str) -> Vec<&str> {
    let (mut depth, mut begin, mut found) = (0_i32, 0, Vec::new());
    let bytes = list.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'(' | b'<' => depth += 1,
            b')' => depth -= 1,
            b'>' if bytes[at - 1] != b'=' => depth -= 1,
            b',' if depth == 0 => {
                found.push(list[begin..at].trim());
                begin = at + 1;
            }
            _ => {}
        }
    }
    found.push(list[begin..].trim());
    found.retain(|part| !part.is_empty());
    found
}

/// The parameters of a function in C, and what it returns, from `a: A, b: B) => R`.
fn signature(rest: &str) -> (String, String) {
    let end = closing(rest);
    let types = parts(&rest[..end]).into_iter().map(|parameter| {
        parameter.split_once(": ").map_or_else(|| parameter.to_owned(), |(_, kind)| c_type(kind))
    });
    let types: Vec<String> = types.collect();
    let returned = rest[end + 1..].trim().strip_prefix("=> ").map_or("void".to_owned(), c_type);
    (if types.is_empty() { "void".to_owned() } else { types.join(", ") }, returned)
}

/// Where the bracket is closed that was opened before `rest`.
fn closing(rest: &str) -> usize {
    let mut depth = 1;
    for (at, byte) in rest.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    panic!("no bracket closes {rest}");
}

/// A type of the bindings in C.
fn c_type(kind: &str) -> String {
    if let Some(to) = kind.strip_prefix("*mut ") {
        return format!("{} *", c_type(to));
    }
    if let Some(to) = kind.strip_prefix("*const ") {
        return format!("{} const *", c_type(to));
    }
    if let Some(function) = kind.strip_prefix("Option<unsafe extern \"C\" fn(") {
        let function = function.strip_suffix('>').expect("the option ends");
        let (parameters, returned) = signature(function);
        return format!("__typeof__({returned} (*)({parameters}))");
    }
    let known = [
        ("f64", "double"),
        ("c_char", "char"),
        ("c_uchar", "unsigned char"),
        ("c_int", "int"),
        ("c_uint", "unsigned int"),
        ("c_void", "void"),
    ];
    known.iter().find(|(rust, _)| *rust == kind).map_or(kind, |(_, c)| c).to_owned()
}

/// Every function of the bindings, declared once more.
fn declarations(bindings: &str) -> (String, usize) {
    let line = one_line(bindings);
    let mut text = String::new();
    let functions = line.split("pub fn ").skip(1);
    let mut count = 0;
    for function in functions {
        let (name, rest) = function.split_once('(').expect("a function has parameters");
        let (parameters, returned) = signature(rest.split(';').next().expect("there is a first"));
        writeln!(text, "{returned} {name}({parameters});").expect("a string takes text");
        count += 1;
    }
    (text, count)
}

/// Asserts that every field of the bindings' structures has its type in C.
fn structures(bindings: &str) -> (String, usize) {
    let line = one_line(bindings);
    let (mut text, mut count) = (String::new(), 0);
    for structure in line.split("pub struct ").skip(1) {
        let (name, rest) = structure.split_once(" {").expect("a structure has fields");
        let fields = rest.split('}').next().expect("there is a first");
        for (field, kind) in parts(fields)
            .into_iter()
            .filter_map(|field| field.strip_prefix("pub ")?.split_once(": "))
        {
            let of = format!("(({name} *)0)->{field}");
            let same = format!("__builtin_types_compatible_p(__typeof__({of}), {})", c_type(kind));
            writeln!(text, "_Static_assert({same}, \"{name}.{field}\");").expect("as above");
            count += 1;
        }
    }
    (text, count)
}

/// Asserts that every constant of the bindings has its value in C.
fn values(bindings: &str) -> (String, usize) {
    let (mut text, mut count) = (String::new(), 0);
    for constant in bindings.lines().filter_map(|line| line.strip_prefix("pub const ")) {
        let (name, rest) = constant.split_once(": ").expect("a constant has a type");
        let (_, value) = rest.split_once(" = ").expect("a constant has a value");
        let value = value.trim_end_matches(';');
        writeln!(text, "_Static_assert({name} == {value}, \"{name}\");").expect("as above");
        count += 1;
    }
    (text, count)
}

fn compile(text: &str) -> Output {
    let mut compiler = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()))
        .args(["-fsyntax-only", "-x", "c", "-DSQLITE_ENABLE_PREUPDATE_HOOK", "-I"])
        .args([concat!(env!("CARGO_MANIFEST_DIR"), "/vendor"), "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a C compiler has compiled SQLite");
    let mut input = compiler.stdin.take().expect("it is piped");
    write!(input, "#include <stddef.h>\n#include \"sqlite3.h\"\n{text}")
        .expect("the compiler reads");
    drop(input);
    compiler.wait_with_output().expect("the compiler ends")
}

fn complaint(text: &str) -> String {
    let output = compile(text);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.success(), said.is_empty(), "{said}");
    said
}

#[test]
fn functions_have_the_types_of_the_header() {
    let (text, count) = declarations(FUNCTIONS);
    assert!(count > 50, "only {count} functions were found");
    assert_eq!(complaint(&text), "");
}

#[test]
fn structures_have_the_fields_of_the_header() {
    let (mut text, count) = structures(FUNCTIONS);
    assert!(count > 20, "only {count} fields were found");
    // A field more in C would make them longer.
    for (name, bytes) in [
        ("sqlite3_mem_methods", size_of::<ffi::sqlite3_mem_methods>()),
        ("sqlite3_pcache_page", size_of::<ffi::sqlite3_pcache_page>()),
        ("sqlite3_pcache_methods2", size_of::<ffi::sqlite3_pcache_methods2>()),
    ] {
        writeln!(text, "_Static_assert(sizeof({name}) == {bytes}, \"{name}\");").expect("as above");
    }
    assert_eq!(complaint(&text), "");
}

#[test]
fn constants_have_the_values_of_the_header() {
    let (text, count) = values(CONSTANTS);
    assert!(count > 50, "only {count} constants were found");
    assert_eq!(complaint(&text), "");
}

#[test]
fn a_binding_that_differs_is_found() {
    let wrong = [
        declarations("pub fn sqlite3_close(arg1: *mut sqlite3) -> *mut c_void;").0,
        declarations("pub fn sqlite3_limit(a: *mut sqlite3, b: c_int) -> c_int;").0,
        declarations("pub fn sqlite3_errmsg(arg1: *mut sqlite3) -> *mut c_char;").0,
        structures("pub struct sqlite3_pcache_page { pub pBuf: *mut c_char, }").0,
        values("pub const SQLITE_OK: i32 = 1;").0,
    ];
    for text in wrong {
        assert!(!complaint(&text).is_empty(), "the compiler takes {text}");
    }
}
