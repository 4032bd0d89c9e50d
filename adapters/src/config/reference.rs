//! The documentation of the settings, written from the table.

use std::fmt::Write as _;

use super::Config;
use super::setting::Setting;
use super::table::TABLE;

const HEAD: &str = "# Settings

A setting has one value: that of its flag, else of its environment variable, else of the project's file `dotdo.toml` in the working
directory, else of the user's file `~/.config/dotdo/config.toml`, else its default. An empty variable counts as not set. A variable
`DOTDO_…` that is not listed here, an unknown key in a file, and a value that can't be read stop the start.

In files, a dot in a key is a TOML table:

```toml
storage = \"s3://my-bucket/state\"

[checkpoint]
interval_ms = 10000
```

";

/// All settings of a server as Markdown: where they are read from, their names, what they do, what
/// they take. The text of `docs/SETTINGS.md`.
pub fn settings_reference() -> String {
    let mut out = HEAD.to_owned();
    let mut defaults = Config::default();
    let mut section = None;
    for setting in TABLE.iter() {
        let named = section_of(setting);
        if section != Some(named) {
            section = Some(named);
            let _ = write!(out, "## {named}\n\n");
        }
        let variables: Vec<String> = setting.variables().map(|name| format!("`{name}`")).collect();
        let _ =
            writeln!(out, "- **`{}`** ({}): {}", setting.key, variables.join(", "), setting.about);
        let default = match &*setting.kind.shown(&mut defaults) {
            "" => "no default".to_owned(),
            value => format!("default `{value}`"),
        };
        let _ = writeln!(out, "  Takes {}; {default}.", setting.kind.accepts());
        if TABLE
            .iter()
            .skip_while(|other| other.key != setting.key)
            .nth(1)
            .is_none_or(|next| section_of(next) != named)
        {
            out.push('\n');
        }
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn section_of(setting: &Setting) -> &'static str {
    if setting.key == "trusted_proxies" {
        return "Middleware";
    }
    match setting.key.split_once('.').map_or("", |(table, _)| table) {
        "" => "The server and its storage",
        "log" => "Logs",
        "auth" | "rate_limit" | "cors" | "compression" => "Middleware",
        "otel" => "Traces",
        "checkpoint" => "Snapshots",
        "lease" | "commit" | "handler" | "turn" | "retention" => "Ownership, commits and history",
        "idempotency" | "outbox" => "Exactly once",
        "limits" => "Limits",
        "http" | "shutdown" => "Connections",
        "azure_functions" => "Azure Functions",
        "lambda" => "AWS Lambda",
        "r2" => "Ways in: R2",
        "aws" => "Ways in: S3 and what speaks it",
        "google" => "Ways in: Google Cloud Storage",
        _ => "Ways in: Azure Blob Storage",
    }
}
