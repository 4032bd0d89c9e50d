//! docs/CLI.md, which is made from the parser; the test below compares it with what is there.

use std::fmt::Write as _;
use std::path::Path;

use clap::Command;

use crate::args;

/// The page in the repository.
const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/CLI.md");
/// What stands before and after the commands.
const HEAD: &str = include_str!("head.txt");
const SHAPES: &str = include_str!("shapes.txt");

/// The whole page.
fn page() -> String {
    let mut command = args::command();
    command.build();
    let mut text = format!("{HEAD}\n");
    add(&mut text, &command, "dotdo");
    text.push_str(SHAPES);
    text
}

fn add(text: &mut String, command: &Command, name: &str) {
    let mut shown = command.clone().bin_name(name);
    let help = shown.render_help().to_string();
    let help: Vec<&str> = help.lines().map(str::trim_end).collect();
    let _ = write!(text, "## `{name}`\n\n```text\n{}\n```\n\n", help.join("\n").trim_end());
    let inner = command.get_subcommands().filter(|inner| inner.get_name() != "help");
    for inner in inner.filter(|inner| !inner.is_hide_set()) {
        let inner_name = format!("{name} {}", inner.get_name());
        add(text, inner, &inner_name);
    }
}

#[test]
fn the_page_is_what_the_parser_says() {
    let (page, found) = (page(), std::fs::read_to_string(PATH).unwrap_or_default());
    if page != found {
        let new = std::env::temp_dir().join("CLI.md");
        std::fs::write(&new, &page).expect("the folder for temporary files can be written");
        panic!(
            "docs/CLI.md differs from the parser; copy {} to {}",
            new.display(),
            Path::new(PATH).display()
        );
    }
}
