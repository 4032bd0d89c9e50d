//! `dotdo man`.

use std::fs;
use std::io;
use std::path::PathBuf;

use clap::{Args, Command};
use clap_mangen::Man;

use crate::args;
use crate::failure::{Failure, print};

/// What follows the options in its help.
pub(crate) const HELP: &str = "\
Example, for packages:
  dotdo man target/man && install -m 644 target/man/*.1 /usr/share/man/man1

Writes dotdo.1 and a page for each command, such as dotdo-sql.1.

Exit codes: 0 success, 1 failure, 2 wrong usage.";

/// The arguments of `dotdo man`.
#[derive(Debug, Args)]
pub(crate) struct ManPages {
    /// Folder for the pages; it is made when missing
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

impl ManPages {
    /// Writes the pages.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let shown = self.folder.display();
        let failed = |cause: io::Error| Failure::of(&format!("cannot write to {shown}"), cause);
        fs::create_dir_all(&self.folder).map_err(failed)?;
        let mut count = 0;
        for (name, page) in pages(&args::command()).map_err(failed)? {
            fs::write(self.folder.join(format!("{name}.1")), page).map_err(failed)?;
            count += 1;
        }
        print(&format!("{count} pages are in {shown}"));
        Ok(())
    }
}

/// The pages of a command and all below it, with their names.
fn pages(command: &Command) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut built = command.clone().disable_help_subcommand(true);
    // Gives every command below its whole name, such as `dotdo-snapshot-export`.
    built.build();
    let (mut found, mut waiting) = (Vec::new(), vec![built]);
    while let Some(command) = waiting.pop() {
        let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
        waiting.extend(command.get_subcommands().cloned());
        let mut page = Vec::new();
        Man::new(command.version(env!("CARGO_PKG_VERSION"))).render(&mut page)?;
        found.push((name, page));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names of a command and all below it, as those of pages.
    fn names(command: &Command, name: &str) -> Vec<String> {
        let inner = command.get_subcommands();
        let inner = inner.flat_map(|inner| names(inner, &format!("{name}-{}", inner.get_name())));
        [name.to_owned()].into_iter().chain(inner).collect()
    }

    #[test]
    fn every_command_has_a_page() {
        let pages = pages(&args::command()).expect("memory can be written");
        let mut found: Vec<&str> = pages.iter().map(|(name, _)| &**name).collect();
        found.sort_unstable();
        let mut expected = names(&args::command(), "dotdo");
        expected.sort_unstable();
        assert_eq!(found, expected);
        for (name, page) in &pages {
            let text = String::from_utf8_lossy(page);
            assert!(text.contains(".SH SYNOPSIS") && text.contains(".SH NAME"), "{name}: {text}");
        }
    }
}
