//! The source of dotdo for the new project. It is on no registry yet, so it must be given.

use std::fs;
use std::path::{Component, Path, PathBuf};

use clap::Args;

/// Where the crate `dotdo` is.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Source {
    /// Folder with the sources of dotdo: the root of its repository
    #[arg(long, value_name = "FOLDER")]
    dotdo_path: Option<PathBuf>,
    /// Git repository of dotdo
    #[arg(long, value_name = "URL")]
    dotdo_git: Option<String>,
}

impl Source {
    /// The keys of the dependency, such as `path = "../dotdo/adapters"`, for a project in `folder`.
    pub(super) fn dependency(&self, folder: &Path) -> Result<String, String> {
        match (&self.dotdo_path, &self.dotdo_git) {
            (Some(path), _) => {
                let path = relative(folder, &crate_folder(path)?);
                Ok(format!("path = {}", quoted(&path.to_string_lossy().replace('\\', "/"))))
            }
            (None, Some(url)) => Ok(format!("git = {}", quoted(url))),
            (None, None) => Err("expected --dotdo-path or --dotdo-git".to_owned()),
        }
    }
}

/// The folder of the crate `dotdo`: `given`, or a folder below it.
fn crate_folder(given: &Path) -> Result<PathBuf, String> {
    let is_it = |folder: &PathBuf| {
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
        manifest.lines().any(|line| line.trim() == "name = \"dotdo\"")
    };
    let found = [given.join("adapters"), given.to_owned()].into_iter().find(is_it);
    let found = found.and_then(|folder| fs::canonicalize(folder).ok());
    found.ok_or_else(|| {
        format!(
            "expected the root of dotdo's repository at --dotdo-path, got {}, where it is not",
            given.display()
        )
    })
}

/// The relative path from `folder` to `to`, both absolute; `to` itself if there is none.
fn relative(folder: &Path, to: &Path) -> PathBuf {
    let (from, to_parts) = (folder.components(), to.components());
    let shared = from.zip(to_parts).take_while(|(one, other)| one == other).count();
    let is_root = |part: Component<'_>| matches!(part, Component::Prefix(_) | Component::RootDir);
    if to.components().nth(shared.saturating_sub(1)).is_none_or(is_root) {
        return to.to_owned();
    }
    let up = folder.components().skip(shared).map(|_| Component::ParentDir);
    up.chain(to.components().skip(shared)).collect()
}

/// `text` as a string of TOML.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for char in text.chars() {
        match char {
            '"' | '\\' => quoted.extend(['\\', char]),
            char if char.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(char))),
            char => quoted.push(char),
        }
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_leads_up_and_down() {
        for (folder, to, way) in [
            ("/home/me/counter", "/home/me/dotdo/adapters", "../dotdo/adapters"),
            ("/home/me/dotdo/x", "/home/me/dotdo/adapters", "../adapters"),
            ("/home/me/a/b", "/home/other/dotdo", "../../../other/dotdo"),
            // They have only the root in common, so a relative path would be longer.
            ("/tmp/counter", "/home/me/dotdo/adapters", "/home/me/dotdo/adapters"),
        ] {
            assert_eq!(relative(Path::new(folder), Path::new(to)), Path::new(way));
        }
    }

    #[test]
    fn strings_are_quoted_as_toml_has_it() {
        assert_eq!(quoted("a\"b\\c\n"), r#""a\"b\\c\u000A""#);
    }
}
