//! The program that serves a worker elsewhere: which machine a file is for.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::Arch;
use crate::failure::Failure;

/// A program, and the machine that it is for.
pub(super) struct Program {
    path: PathBuf,
    machine: Machine,
}

/// What a program's file says of its machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Machine {
    Linux(Arch),
    Other,
}

impl Program {
    /// The program in a file, or this one.
    ///
    /// # Errors
    ///
    /// `Usage` when it can't be read.
    pub(super) fn of(file: Option<PathBuf>) -> Result<Self, Failure> {
        let path = match file {
            Some(path) => path,
            None => std::env::current_exe()
                .map_err(|cause| Failure::of("can't find this program's own file", cause))?,
        };
        let mut head = [0; 20];
        let read = File::open(&path).and_then(|mut file| file.read_exact(&mut head));
        read.map_err(|cause| Failure::Usage(format!("{}: {cause}", path.display())))?;
        Ok(Self { path, machine: machine_of(&head) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Checks that it is for Linux on `arch`.
    ///
    /// # Errors
    ///
    /// `Usage` when it is not, with what to install.
    pub(super) fn expect_linux(&self, arch: Arch) -> Result<(), Failure> {
        if self.machine == Machine::Linux(arch) {
            return Ok(());
        }
        let package = match arch {
            Arch::X64 => "@dotdo/linux-x64",
            Arch::Arm64 => "@dotdo/linux-arm64",
        };
        let version = env!("CARGO_PKG_VERSION");
        Err(Failure::Usage(format!(
            "expected the program for Linux on {}, got {}, which is for {}; run `npm install --no-save --force {package}@{version}`, or name one by --program",
            arch.of_functions(),
            self.path.display(),
            self.machine.name()
        )))
    }

    /// Checks that it runs on this machine.
    ///
    /// # Errors
    ///
    /// `Usage` when it does not.
    pub(super) fn expect_runnable(&self) -> Result<(), Failure> {
        if cfg!(target_os = "linux") {
            return self.expect_linux(Arch::of_this_machine());
        }
        match self.machine {
            Machine::Other => Ok(()),
            Machine::Linux(_) => Err(Failure::Usage(format!(
                "{} is for Linux; say so by --arch, if the folder is for another machine",
                self.path.display()
            ))),
        }
    }
}

impl Machine {
    fn name(self) -> &'static str {
        match self {
            Self::Linux(Arch::X64) => "Linux on x86_64",
            Self::Linux(Arch::Arm64) => "Linux on arm64",
            Self::Other => "another system",
        }
    }
}

/// The machine that the head of a file names: ELF, 64 bits, little endian.
fn machine_of(head: &[u8; 20]) -> Machine {
    if head[..6] != *b"\x7fELF\x02\x01" {
        return Machine::Other;
    }
    match u16::from_le_bytes([head[18], head[19]]) {
        62 => Machine::Linux(Arch::X64),
        183 => Machine::Linux(Arch::Arm64),
        _ => Machine::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_says_for_which_machine_it_is() {
        let head = |machine: u8| {
            let mut head = [0; 20];
            head[..6].copy_from_slice(b"\x7fELF\x02\x01");
            head[18] = machine;
            head
        };
        assert_eq!(machine_of(&head(62)), Machine::Linux(Arch::X64));
        assert_eq!(machine_of(&head(183)), Machine::Linux(Arch::Arm64));
        assert_eq!(machine_of(&head(40)), Machine::Other);
        assert_eq!(machine_of(&[0; 20]), Machine::Other);
        let program = Program { path: PathBuf::from("dotdo"), machine: Machine::Linux(Arch::X64) };
        assert!(program.expect_linux(Arch::X64).is_ok());
        let Err(failure) = program.expect_linux(Arch::Arm64) else { panic!("another machine") };
        assert!(failure.message().contains("@dotdo/linux-arm64@"), "{}", failure.message());
    }
}
