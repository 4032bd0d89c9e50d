//! Vercel: the Build Output API, version 3.

use std::path::Path;

use serde_json::json;

use super::Arch;
use super::contents::{Contents, files_in};
use super::draft::Draft;
use super::program::Program;
use crate::failure::Failure;

const FUNCTION: &str = "functions/index.func";
/// How long a request may take, in seconds: the maximum of every plan.
const SECONDS_MAX: u64 = 300;
/// When alarms are looked after: once a day, which every plan accepts.
const TICK: &str = "0 5 * * *";

/// Files of assets that are rules, not assets.
const RULES: [&str; 2] = ["_headers", "_redirects"];

/// Writes the output.
///
/// # Errors
///
/// `Failed` when a file can't be read or written.
pub(super) fn write(
    draft: &mut Draft,
    program: &Program,
    arch: Arch,
    contents: &Contents,
) -> Result<(), Failure> {
    let pretty = |value| serde_json::to_string_pretty(&value).unwrap_or_default() + "\n";
    let config = json!({
        "version": 3,
        "routes": [{ "handle": "filesystem" }, { "src": "/(.*)", "dest": "/index" }],
        "crons": [{ "path": "/_dotdo/tick", "schedule": TICK }],
    });
    draft.text("config.json", &pretty(config))?;
    let function = json!({
        "runtime": "executable",
        "runtimeLanguage": "rust",
        "handler": "executable",
        "architecture": arch.of_functions(),
        "maxDuration": SECONDS_MAX,
        "supportsResponseStreaming": true,
        "environment": {},
    });
    draft.text(&format!("{FUNCTION}/.vc-config.json"), &pretty(function))?;
    draft.copy(&format!("{FUNCTION}/executable"), program.path())?;
    contents.write(draft, &format!("{FUNCTION}/"))?;
    match contents.assets().filter(|_| !contents.worker_comes_first()) {
        Some(assets) => publish(draft, assets),
        None => Ok(()),
    }
}

/// Has Vercel's network answer with the files whose address is their name. The function has them all,
/// and answers for pages (`/about` for `about.html`) and where rules say how.
fn publish(draft: &mut Draft, assets: &Path) -> Result<(), Failure> {
    let files = files_in(assets);
    if files.iter().any(|file| RULES.iter().any(|rules| file.as_os_str() == *rules)) {
        return Ok(());
    }
    let is_page = |file: &Path| file.extension().is_some_and(|end| end == "html");
    for file in files.iter().filter(|file| !is_page(file)) {
        draft.copy(&format!("static/{}", file.display()), &assets.join(file))?;
    }
    Ok(())
}
