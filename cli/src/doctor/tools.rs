//! Versions, and the tools of platforms.

use serde_json::json;

use super::finding::Finding;
use crate::deploy::tools_of;

/// This program and its machine.
pub(super) fn versions() -> Finding {
    let (version, os, arch) =
        (env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH);
    Finding::ok("version", format!("dotdo {version} on {os}, {arch}"))
        .with(json!({ "dotdo": version, "os": os, "arch": arch }))
}

/// The tools of a platform, which have to be there, or those of all platforms that are.
pub(super) fn check(platform: Option<&str>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut absent = Vec::new();
    for tool in tools_of(platform) {
        match tool.find() {
            Some(found) => {
                let version =
                    if found.version.is_empty() { "version unknown" } else { &found.version };
                let path = found.path.display().to_string();
                let seen = format!("{}: {version} ({path})", tool.name());
                findings.push(Finding::ok("tool", seen).with(
                    json!({ "program": tool.name(), "path": path, "version": found.version }),
                ));
            }
            None if platform.is_some() => findings.push(
                Finding::failed("tool", format!("{} is not on the PATH", tool.name()))
                    .with_next(tool.how_to_install()),
            ),
            None => absent.push(tool.name()),
        }
    }
    if !absent.is_empty() {
        let seen = format!("not here: {}", absent.join(", "));
        findings.push(Finding::skipped(
            "tools",
            format!("{seen}\nonly `dotdo deploy` needs them, one platform's each"),
        ));
    }
    findings
}
