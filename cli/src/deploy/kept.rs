//! Secrets that a deployment generates: they are kept in a file of their user, because the next
//! deployment needs the same ones, and whoever calls the objects needs the token.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use dotdo::commands::user_file;
use dotdo::engine::{OsRandom, Random as _, Secret};

use super::wanted::{PEERS, TOKENS, Wanted};
use crate::failure::{Failure, note};
use crate::terminal;

/// Gives every secret of a deployment a value: one that was generated before, a new one, or the
/// answer to a question.
///
/// # Errors
///
/// `Usage` when a secret is missing and nobody can be asked; `Failed` when the file can't be used.
pub(super) fn complete(wanted: &mut Wanted, platform: &str) -> Result<(), Failure> {
    let missing = wanted.secrets.iter().filter(|(_, value)| value.is_none());
    let missing: Vec<String> = missing.map(|(name, _)| name.clone()).collect();
    let (generated, asked): (Vec<_>, Vec<_>) =
        missing.into_iter().partition(|name| [TOKENS, PEERS].contains(&&**name));
    if !asked.is_empty() && !terminal::is_attended() {
        return Err(Failure::Usage(format!(
            "{} missing: set the variable, or run `dotdo config set {} < FILE`",
            are(&asked),
            asked[0]
        )));
    }
    for name in asked {
        let answer = terminal::ask_hidden(&format!("{name} (not shown): "));
        let answer = answer.map_err(|cause| Failure::of("can't read from the terminal", cause))?;
        let answer = answer
            .ok_or_else(|| Failure::Usage(format!("{name} is missing: nothing was entered")))?;
        wanted.secrets.insert(name, Some(Secret::new(answer)));
    }
    if generated.is_empty() {
        return Ok(());
    }
    let path = file(platform, &wanted.name)?;
    let failed = |cause: io::Error| Failure::of(&format!("can't use {}", path.display()), cause);
    let mut kept = read(&path).map_err(failed)?;
    let before = kept.len();
    for name in &generated {
        kept.entry(name.clone()).or_insert_with(random);
    }
    if kept.len() > before {
        write(&path, &kept).map_err(failed)?;
    }
    if generated.iter().any(|name| name == TOKENS) {
        note(&format!("the token for clients is in {} ({TOKENS})", path.display()));
    }
    for name in generated {
        let value = kept.get(&name).map(|value| Secret::new(value.clone()));
        wanted.secrets.insert(name, value);
    }
    Ok(())
}

fn are(names: &[String]) -> String {
    let verb = if names.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", names.join(", "))
}

/// The file with the generated secrets of a deployment.
fn file(platform: &str, name: &str) -> Result<PathBuf, Failure> {
    let settings = user_file().ok_or_else(|| {
        Failure::Usage(
            "there is no folder for generated secrets; set HOME to an absolute path, or set DOTDO_AUTH_TOKENS and DOTDO_PEER_SECRET"
                .to_owned(),
        )
    })?;
    Ok(settings.with_file_name("deployments").join(format!("{platform}-{name}.env")))
}

fn read(path: &Path) -> io::Result<BTreeMap<String, String>> {
    let text = match fs::read_to_string(path) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => String::new(),
        text => text?,
    };
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    Ok(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

fn write(path: &Path, kept: &BTreeMap<String, String>) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::NotFound)?;
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    // A temporary file is its user's alone.
    let mut draft = tempfile::NamedTempFile::new_in(folder)?;
    for (name, value) in kept {
        writeln!(draft, "{name}={value}")?;
    }
    draft.as_file().sync_all()?;
    draft.persist(path).map_err(|cause| cause.error)?;
    Ok(())
}

/// 256 random bits as hexadecimal digits.
fn random() -> String {
    let bytes = [OsRandom.bytes16(), OsRandom.bytes16()].concat();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
