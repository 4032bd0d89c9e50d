//! The licences and the origins of all dependencies, by the rules of `deny.toml`: what cargo-deny
//! checks, without having to install it. It checks more (advisories, bans), and needs the network
//! for that.

use std::process::Command;

use serde_json::Value;

use crate::source::root;

/// Every package that this machine's build uses, as cargo tells.
fn packages() -> Vec<Value> {
    // Those of other platforms may not have been downloaded.
    let compiler = run(Command::new("rustc").arg("-vV"));
    let host = compiler
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .expect("the compiler names its host");
    let arguments = ["metadata", "--locked", "--format-version", "1", "--filter-platform", host];
    let metadata = run(Command::new(env!("CARGO")).args(arguments));
    let metadata: Value = serde_json::from_str(&metadata).expect("cargo writes JSON");
    metadata["packages"].as_array().expect("a list of packages").clone()
}

fn run(command: &mut Command) -> String {
    let output = command
        .current_dir(root())
        .output()
        .expect("cargo and the compiler, which have built this test, can be started");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it is UTF-8")
}

fn rules() -> toml::Table {
    std::fs::read_to_string(root().join("deny.toml"))
        .expect("deny.toml is there")
        .parse()
        .expect("deny.toml is TOML")
}

fn texts(list: &toml::Value) -> Vec<String> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(|text| Some(text.as_str()?.to_owned()))
        .collect()
}

#[test]
fn every_dependency_has_an_allowed_licence() {
    let allowed = texts(&rules()["licenses"]["allow"]);
    for package in packages() {
        let name = &package["name"];
        let licence =
            package["license"].as_str().unwrap_or_else(|| panic!("{name} names no licence"));
        assert!(
            is_allowed(licence, &allowed),
            "{name} is under {licence}; deny.toml allows {allowed:?}"
        );
    }
}

#[test]
fn every_dependency_comes_from_the_registry() {
    for package in packages() {
        let Some(source) = package["source"].as_str() else { continue };
        assert_eq!(
            source, "registry+https://github.com/rust-lang/crates.io-index",
            "{}",
            package["name"]
        );
    }
}

/// Whether an SPDX expression leaves a choice that is allowed. Old manifests write `/` for `OR`.
fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace(" WITH ", "+WITH+");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let (verdict, rest) = any_of(&tokens, allowed);
    assert!(rest.is_empty(), "{expression:?} is no licence expression");
    verdict
}

fn any_of<'a, 'b>(tokens: &'b [&'a str], allowed: &[String]) -> (bool, &'b [&'a str]) {
    let (mut verdict, mut rest) = all_of(tokens, allowed);
    while let ["OR", more @ ..] = rest {
        let (next, after) = all_of(more, allowed);
        verdict |= next;
        rest = after;
    }
    (verdict, rest)
}

fn all_of<'a, 'b>(tokens: &'b [&'a str], allowed: &[String]) -> (bool, &'b [&'a str]) {
    let (mut verdict, mut rest) = one(tokens, allowed);
    while let ["AND", more @ ..] = rest {
        let (next, after) = one(more, allowed);
        verdict &= next;
        rest = after;
    }
    (verdict, rest)
}

fn one<'a, 'b>(tokens: &'b [&'a str], allowed: &[String]) -> (bool, &'b [&'a str]) {
    match tokens {
        ["(", inner @ ..] => {
            let (verdict, rest) = any_of(inner, allowed);
            (verdict, rest.strip_prefix(&[")"]).unwrap_or(rest))
        }
        [name, rest @ ..] => {
            (allowed.iter().any(|allowed| allowed.replace(' ', "+") == *name), rest)
        }
        [] => (false, tokens),
    }
}

#[test]
fn licence_expressions_are_understood() {
    let allowed = ["MIT".to_owned(), "Apache-2.0 WITH LLVM-exception".to_owned()];
    for good in [
        "MIT",
        "GPL-3.0 OR MIT",
        "MIT/GPL-3.0",
        "MIT AND (GPL-3.0 OR MIT)",
        "Apache-2.0 WITH LLVM-exception",
    ] {
        assert!(is_allowed(good, &allowed), "{good}");
    }
    for bad in ["GPL-3.0", "MIT AND GPL-3.0", "GPL-3.0 OR MIT AND GPL-3.0", "Apache-2.0"] {
        assert!(!is_allowed(bad, &allowed), "{bad}");
    }
}
