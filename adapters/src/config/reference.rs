//! The reference of all settings, generated from the table: as Markdown for docs/SETTINGS.md, and as
//! plain text for a terminal.

use std::fmt::Write as _;

use dotdo_core::Result;

use super::Config;
use super::draft::wrong;
use super::setting::Setting;
use super::settings::TABLE;
use super::suggest::nearest;

const HEAD: &str = "# Settings

A setting is read from its flag, else from its environment variable, else from the project's file `dotdo.toml` in the working directory,
else from the user's file `~/.config/dotdo/config.toml`, else it has its default. An empty variable counts as not set. The program does
not start with an unknown `DOTDO_…` variable, an unknown key in a file, or an invalid value. `dotdo settings` prints this list in a
terminal; `dotdo settings WORD` prints those whose name contains a word. `dotdo config set NAME VALUE` writes a setting into one of the files,
and `dotdo config list` shows where each value comes from.

In files, a dot in a key is a TOML table:

```toml
storage = \"s3://my-bucket/state\"

[checkpoint]
interval_ms = 10000
```

";

/// The width of plain text, in characters.
const WIDTH: usize = 80;

/// The reference of all settings as Markdown: where they are read from, their names, what they do,
/// which values they accept. The text of `docs/SETTINGS.md`.
///
/// ```
/// let page = dotdo::commands::settings_reference();
/// assert!(page.starts_with("# Settings\n"));
/// assert!(page.contains("- **`lease.duration_ms`** (`DOTDO_LEASE_DURATION_MS`): "));
/// ```
pub fn settings_reference() -> String {
    let mut out = HEAD.to_owned();
    let mut section = "";
    for setting in TABLE.iter() {
        if section != section_of(setting) {
            let separator = if section.is_empty() { "" } else { "\n" };
            section = section_of(setting);
            let _ = write!(out, "{separator}## {section}\n\n");
        }
        let variables: Vec<String> = setting.variables().map(|name| format!("`{name}`")).collect();
        let _ =
            writeln!(out, "- **`{}`** ({}): {}", setting.key, variables.join(", "), setting.about);
        let _ = writeln!(out, "  {}", values(setting, '`'));
    }
    out
}

/// The settings whose name in a file or in the environment contains `word`, in any case, as plain
/// text for a terminal of 80 columns; all of them for the empty word.
///
/// ```
/// use dotdo::commands::settings_matching;
///
/// assert!(settings_matching("lease")?.contains("lease.duration_ms  DOTDO_LEASE_DURATION_MS\n"));
/// let error = settings_matching("leese.duration_ms").expect_err("it is misspelt");
/// assert!(error.message().ends_with("did you mean lease.duration_ms?"));
/// # Ok::<(), dotdo::Error>(())
/// ```
///
/// # Errors
///
/// `Invalid` when no name contains `word`; the message suggests the nearest name.
pub fn settings_matching(word: &str) -> Result<String> {
    let mut out = String::new();
    let mut section = "";
    for setting in matching(word)? {
        if section != section_of(setting) {
            section = section_of(setting);
            let _ = writeln!(out, "{}\n", section.to_uppercase());
        }
        let variables: Vec<String> = setting.variables().collect();
        let _ = writeln!(out, "{}  {}", setting.key, variables.join(", "));
        wrap(&mut out, &plain(setting.about));
        wrap(&mut out, &values(setting, '"'));
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    Ok(out)
}

/// The same settings for programs: `{"settings": [{"key", "variables", "section", "about", "accepts",
/// "default"}]}`, where `default` is null when there is none.
///
/// ```
/// let text = dotdo::commands::settings_matching_as_json("lease.duration_ms")?;
/// let found: serde_json::Value = serde_json::from_str(&text)?;
/// assert_eq!(found["settings"][0]["variables"][0], "DOTDO_LEASE_DURATION_MS");
/// # Ok::<(), dotdo::Error>(())
/// ```
///
/// # Errors
///
/// Those of [`settings_matching`].
pub fn settings_matching_as_json(word: &str) -> Result<String> {
    let settings: Vec<serde_json::Value> = matching(word)?
        .into_iter()
        .map(|setting| {
            let default = setting.kind.shown(&mut Config::default());
            serde_json::json!({
                "key": setting.key,
                "variables": setting.variables().collect::<Vec<_>>(),
                "section": section_of(setting),
                "about": plain(setting.about),
                "accepts": setting.kind.accepts(),
                "default": (!default.is_empty()).then_some(&*default),
            })
        })
        .collect();
    Ok(serde_json::json!({ "settings": settings }).to_string())
}

/// The settings with a name that contains `word`.
fn matching(word: &str) -> Result<Vec<&'static Setting>> {
    let wanted = word.to_lowercase();
    let matches = |setting: &Setting| {
        setting.key.contains(&wanted)
            || setting.variables().any(|name| name.to_lowercase().contains(&wanted))
    };
    let found: Vec<_> = TABLE.iter().copied().filter(|setting| matches(setting)).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let hint = nearest(&wanted, TABLE.iter().map(|setting| setting.key)).map_or_else(
        || "\"dotdo settings\" lists all".to_owned(),
        |near| format!("did you mean {near}?"),
    );
    Err(wrong(format!("no setting matches {word:?}; {hint}")))
}

/// The sentence about the values of a setting.
fn values(setting: &Setting, quote: char) -> String {
    let default = match &*setting.kind.shown(&mut Config::default()) {
        "" => "no default".to_owned(),
        value => format!("default {quote}{value}{quote}"),
    };
    format!("Accepts {}; {default}.", setting.kind.accepts())
}

/// Markdown without its marks: the text of links, and no backticks.
fn plain(markdown: &str) -> String {
    let mut out = String::new();
    let mut rest = markdown;
    while let Some((before, link)) = rest.split_once('[') {
        let (text, after) = link.split_once(']').unwrap_or((link, ""));
        out.push_str(before);
        out.push_str(text);
        rest = after
            .strip_prefix('(')
            .and_then(|target| target.split_once(')'))
            .map_or(after, |(_, rest)| rest);
    }
    out.push_str(rest);
    out.replace('`', "")
}

/// Appends `text` in lines of at most [`WIDTH`] characters, indented by four.
fn wrap(out: &mut String, text: &str) {
    let mut line = String::from("   ");
    for word in text.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > WIDTH {
            let _ = writeln!(out, "{line}");
            line = String::from("   ");
        }
        let _ = write!(line, " {word}");
    }
    let _ = writeln!(out, "{line}");
}

fn section_of(setting: &Setting) -> &'static str {
    if ["trusted_proxies", "allowed_hosts"].contains(&setting.key) {
        return "Middleware";
    }
    match setting.key.split_once('.').map_or("", |(table, _)| table) {
        "" if setting.key == "server" => "Logins",
        "" if setting.key == "analytics" => "Snapshots and analytics",
        "" if setting.key == "ownership" => "Ownership, commits and history",
        "" => "The server and its storage",
        "log" => "Logs",
        "login" => "Logins",
        "admin" | "auth" | "tick" | "rate_limit" | "cors" | "compression" => "Middleware",
        "fetch" => "Requests of classes",
        "otel" => "Traces",
        "checkpoint" => "Snapshots and analytics",
        "lease" | "commit" | "handler" | "turn" | "retention" => "Ownership, commits and history",
        "idempotency" | "outbox" | "alarms" => "Idempotency, messages and alarms",
        "limits" => "Limits",
        "http" | "shutdown" => "Connections and shutdown",
        "azure_functions" => "Azure Functions",
        "lambda" => "AWS Lambda",
        "broker" if setting.key != "broker.url" => "The broker",
        "r2" => "Credentials: R2",
        "aws" => "Credentials: S3 and compatible stores",
        "identity" | "broker" | "sts" => "Credentials: tokens that are exchanged for keys of S3",
        "google" => "Credentials: Google Cloud Storage",
        "turso" => "A database that holds the log",
        _ => "Credentials: Azure Blob Storage",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_has_one_section_and_every_section_one_heading() {
        let mut headings: Vec<&str> = TABLE.iter().map(|setting| section_of(setting)).collect();
        headings.dedup();
        let count = headings.len();
        headings.sort_unstable();
        headings.dedup();
        assert_eq!(headings.len(), count, "the table has settings of a section apart");
    }

    #[test]
    fn plain_text_fits_a_terminal() {
        let text = settings_matching("").expect("every name contains nothing");
        for line in text.lines() {
            let is_word = !line.trim().contains(' ');
            assert!(line.chars().count() <= WIDTH || is_word || !line.starts_with(' '), "{line}");
        }
        assert!(TABLE.iter().all(|setting| text.contains(setting.key)));
        assert!(!text.contains('`') && !text.contains("]("), "{text}");
    }

    #[test]
    fn settings_are_found_by_a_part_of_their_key_or_by_a_variable() {
        for word in ["lease", "DURATION", "DOTDO_LEASE_DURATION_MS"] {
            let text = settings_matching(word).expect(word);
            assert!(text.contains("lease.duration_ms  DOTDO_LEASE_DURATION_MS\n"), "{text}");
            assert!(!text.contains("checkpoint.mode"), "{text}");
        }
        assert!(
            settings_matching("REDIS_URL")
                .expect("a variable")
                .contains("redis_url  REDIS_URL, DOTDO_REDIS_URL\n")
        );
        let error = settings_matching("leese.duration_ms").expect_err("no such name");
        assert_eq!(
            error.message(),
            "no setting matches \"leese.duration_ms\"; did you mean lease.duration_ms?"
        );
        let error = settings_matching("something-else").expect_err("no such name");
        assert_eq!(
            error.message(),
            "no setting matches \"something-else\"; \"dotdo settings\" lists all"
        );
    }
}
