//! What is made from the parser: completions for shells, man pages, and docs/CLI.md.

pub(crate) mod completions;
pub(crate) mod man;
#[cfg(test)]
mod page;
