//! The two files with settings, and which of them a command means.

use std::path::{Path, PathBuf};

use clap::Args;
use dotdo::commands::{Origin, project_file, user_file};

use crate::failure::Failure;

/// Which file is meant.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(super) struct Target {
    /// The user's file, ~/.config/dotdo/config.toml (set and unset: the default)
    #[arg(long)]
    user: bool,
    /// The project's file, ./dotdo.toml
    #[arg(long)]
    project: bool,
}

/// A file with settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum File {
    /// The user's.
    User(PathBuf),
    /// The project's.
    Project(PathBuf),
}

impl Target {
    /// The file that was named, if any.
    ///
    /// # Errors
    ///
    /// `Usage` when the user has no folder for files.
    pub(super) fn chosen(&self) -> Result<Option<File>, Failure> {
        if self.user || self.project { self.to_write().map(Some) } else { Ok(None) }
    }

    /// The file to write to.
    ///
    /// # Errors
    ///
    /// `Usage` when the user has no folder for files.
    pub(super) fn to_write(&self) -> Result<File, Failure> {
        if self.project {
            return Ok(File::Project(project_file().to_owned()));
        }
        user_file().map(File::User).ok_or_else(|| {
            Failure::Usage(
                "there is no folder for the user's settings; set HOME or XDG_CONFIG_HOME to an absolute path, or use --project"
                    .to_owned(),
            )
        })
    }
}

impl File {
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::User(path) | Self::Project(path) => path,
        }
    }

    /// The path for people.
    pub(super) fn name(&self) -> String {
        self.path().display().to_string()
    }

    /// The kind as in an origin.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Project(_) => "project",
        }
    }

    pub(super) fn is_of_project(&self) -> bool {
        matches!(self, Self::Project(_))
    }

    /// Whether a value with this origin comes from this file.
    pub(super) fn is_origin(&self, origin: &Origin) -> bool {
        match self {
            Self::User(_) => matches!(origin, Origin::User(_)),
            Self::Project(_) => matches!(origin, Origin::Project(_)),
        }
    }
}
