//! Gathers the settings that flags, the environment and files give; `resolve` interprets them.

use std::env;
use std::path::{Path, PathBuf};

use dotdo_core::{Error, Result};

/// The project's file, in the working directory.
const PROJECT_FILE: &str = "dotdo.toml";

/// A setting that a flag gives.
#[derive(Debug)]
pub(crate) struct Flag {
    /// The setting's key.
    pub(crate) key: &'static str,
    /// The flag as it was written.
    pub(crate) name: &'static str,
    pub(crate) value: String,
}

/// All settings as they were given, not interpreted yet.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    /// The flags.
    pub(crate) flags: Vec<Flag>,
    /// The environment. Values that are not UTF-8 keep their place with a replacement character.
    pub(crate) environment: Vec<(String, String)>,
    /// The project's file: its name and its text.
    pub(crate) project: Option<(String, String)>,
    /// The user's file.
    pub(crate) user: Option<(String, String)>,
    /// The login of whoever started the program.
    pub(crate) login: Option<Login>,
}

/// A login, whose tokens say who the server is if nothing else does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Login {
    /// The broker that exchanges its tokens, unless the settings name somebody.
    pub(crate) broker: Option<String>,
}

impl Sources {
    /// Reads the environment and the files.
    ///
    /// # Errors
    ///
    /// `Invalid` when a file is there and can't be read.
    pub(crate) fn gather(flags: Vec<Flag>) -> Result<Self> {
        let lossy = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        let environment = env::vars_os().map(|(name, value)| (lossy(name), lossy(value))).collect();
        let user = user_file().map(|path| read(&path)).transpose()?.flatten();
        Ok(Self { flags, environment, project: read(Path::new(PROJECT_FILE))?, user, login: None })
    }

    /// The environment's value for `variable`, unless it is empty.
    pub(crate) fn value(&self, variable: &str) -> Option<&str> {
        self.environment
            .iter()
            .find(|(name, value)| name == variable && !value.is_empty())
            .map(|(_, value)| &**value)
    }
}

/// The project's file for settings: `dotdo.toml` in the working directory.
///
/// ```
/// use dotdo::commands::{project_file, user_file};
///
/// for path in [Some(project_file().to_owned()), user_file()].into_iter().flatten() {
///     println!("{}: {}", path.display(), if path.exists() { "is read" } else { "is not there" });
/// }
/// ```
pub fn project_file() -> &'static Path {
    Path::new(PROJECT_FILE)
}

/// The user's file for settings: `~/.config/dotdo/config.toml`, or the same below
/// `XDG_CONFIG_HOME`. `None` without a home folder. [`project_file`] has an example.
pub fn user_file() -> Option<PathBuf> {
    Some(user_folder()?.join("config.toml"))
}

/// `~/.config/dotdo`, or where `XDG_CONFIG_HOME` says that `~/.config` is.
pub(crate) fn user_folder() -> Option<PathBuf> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")))?;
    Some(folder.join("dotdo"))
}

/// The text of a file, `None` when there is none.
fn read(path: &Path) -> Result<Option<(String, String)>> {
    let name = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some((name, text))),
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(cause) => {
            Err(Error::invalid(format!("cannot read {name}: {cause}")).with_code("BAD_CONFIG"))
        }
    }
}
