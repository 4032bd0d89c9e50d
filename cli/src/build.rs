//! `dotdo build`: what a platform, an image or a machine needs to serve a worker, as files.
//!
//! Promises: the worker was loaded once before anything is written; a folder is written whole, and
//! replaces only what an earlier build has written there.
//! Must not know: how a worker was bundled.

mod contents;
mod draft;
mod lambda;
mod program;
mod vercel;
mod zip;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::json;

use self::contents::Contents;
use self::draft::Draft;
use self::program::Program;
use crate::deploy::{authorities, dockerfile};
use crate::failure::{Failure, print};
use crate::worker::{self, Named};

/// What follows the options in its help.
pub(crate) const HELP: &str = "\
binary  The program and the worker in a folder, which can be moved
docker  The same with a Dockerfile
lambda  A zip file for AWS Lambda, and a template for AWS SAM
vercel  Vercel's Build Output; `vercel deploy --prebuilt` uploads it

Variables of .dev.vars are left out: they are this machine's. What the
configuration requires as secrets is read from the environment there.

Examples:
  dotdo build --target vercel
  dotdo build --target lambda --arch arm64 --out build dist/worker.js

Exit codes: 0 written; 1 not written; 2 wrong usage, or the worker can't be
served.";

/// The arguments of `dotdo build`.
#[derive(Debug, Args)]
pub(crate) struct Build {
    #[command(flatten)]
    named: Named,
    /// What to write
    #[arg(long, value_enum)]
    target: Target,
    /// Folder to write [default: dist/TARGET; vercel: .vercel/output]
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Processor that it runs on [default: that of this machine]
    #[arg(long, value_enum)]
    arch: Option<Arch>,
    /// The program dotdo for that machine [default: this program]
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Print {"target", "folder", "classes", "files"}
    #[arg(long)]
    json: bool,
}

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Target {
    #[value(help = None)]
    Binary,
    Docker,
    Lambda,
    Vercel,
}

/// A processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Arch {
    X64,
    Arm64,
}

impl Target {
    fn name(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Docker => "docker",
            Self::Lambda => "lambda",
            Self::Vercel => "vercel",
        }
    }

    /// The folder that is written if none is named.
    fn usual_folder(self) -> PathBuf {
        match self {
            Self::Vercel => PathBuf::from(".vercel/output"),
            _ => PathBuf::from("dist").join(self.name()),
        }
    }

    /// What the folder has after a build, and may have before one.
    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Binary => &["dotdo", worker::FOLDER],
            Self::Docker => &["Dockerfile", "out"],
            Self::Lambda => &["bootstrap.zip", "template.yaml"],
            // The last two are Vercel's own notes.
            Self::Vercel => &["config.json", "functions", "static", "builds.json", "diagnostics"],
        }
    }
}

impl Arch {
    /// That of this program.
    fn of_this_machine() -> Self {
        if cfg!(target_arch = "aarch64") { Self::Arm64 } else { Self::X64 }
    }

    /// What AWS and Vercel call it.
    fn of_functions(self) -> &'static str {
        match self {
            Self::X64 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }
}

impl Build {
    /// Writes what was asked for.
    ///
    /// # Errors
    ///
    /// `Usage` when the worker can't be served or the program is for another machine, `Failed` when
    /// something can't be written.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let arch = self.arch.unwrap_or(Arch::of_this_machine());
        let program = Program::of(self.program)?;
        if self.target == Target::Binary && self.arch.is_none() {
            program.expect_runnable()?;
        } else {
            program.expect_linux(arch)?;
        }
        let project = self.named.expected()?;
        let bundle = worker::load(&project)?;
        let contents = Contents::of(&project, &bundle)?;
        let folder = self.out.unwrap_or_else(|| self.target.usual_folder());
        let mut draft = Draft::of(&folder, self.target.names())?;
        match self.target {
            Target::Binary => {
                draft.copy("dotdo", program.path())?;
                contents.write(&mut draft, "")?;
            }
            Target::Docker => {
                draft.text("Dockerfile", &dockerfile())?;
                draft.copy("out/ca-certificates.crt", &authorities()?)?;
                draft.copy("out/bin/program", program.path())?;
                contents.write(&mut draft, "out/bin/")?;
            }
            Target::Lambda => lambda::write(&mut draft, &program, arch, &contents)?,
            Target::Vercel => vercel::write(&mut draft, &program, arch, &contents)?,
        }
        let files = draft.finish()?;
        if self.json {
            let classes = bundle.classes();
            let said = json!({ "target": self.target.name(), "folder": folder, "classes": classes, "files": files });
            print(&said.to_string());
        } else {
            print(&format!("{}: {}", folder.display(), bundle.classes().join(", ")));
            files.iter().for_each(|file| print(&format!("  {file}")));
        }
        Ok(())
    }
}
