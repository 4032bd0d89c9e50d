//! A user of `dotdo deploy`, with small programs in the place of the platforms' tools.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::{program, with};
use crate::server::folder;

/// The secret access key of the user.
pub(super) const SECRET: &str = "hunter2/hunter2+hunter2=";

/// A tool that records its arguments, its environment and its input. What asks whether something
/// exists fails, unless `EXISTS` is set; `FAILS` names a word with which it fails.
const TOOL: &str = r#"#!/bin/sh
name=${0##*/}
count=$(($(cat "$RECORD/count" 2>/dev/null || echo 0) + 1))
echo $count > "$RECORD/count"
{ printf '%s' "$name"; for argument; do printf ' %s' "$argument"; done; echo; } >> "$RECORD/calls"
env > "$RECORD/environment.$count"
[ -t 0 ] || cat > "$RECORD/input.$count"
if [ -n "$FAILS" ]; then case "$*" in *"$FAILS"*) echo "no: $(cat "$RECORD/input.$count")" >&2; exit 3;; esac; fi
case "$name $*" in
    "fly status"*|"railway status"|"railway service"*|"kubectl get"*|*" describe "*"--project"*|"az functionapp show"*)
        case "$*" in "run services describe"*) ;; *) [ -n "$EXISTS" ] || exit 1;; esac;;
esac
case "$name $*" in
    "render services"*) echo '[{"service": {"id": "srv-1", "name": "objects"}}]';;
    "az functionapp identity"*) echo principal-1;;
    "az storage account show"*) echo /subscriptions/1/account;;
    *) echo https://deployed.example;;
esac
"#;

/// A user with tools, and with a bucket in the settings.
pub(super) struct User {
    pub(super) home: tempfile::TempDir,
}

impl User {
    pub(super) fn new() -> Self {
        let user = Self { home: folder() };
        fs::create_dir(user.path("record")).expect("writable");
        for tool in [
            "vercel",
            "railway",
            "render",
            "git",
            "fly",
            "docker",
            "kubectl",
            "helm",
            "cargo-lambda",
            "cargo",
            "cp",
            "sam",
            "gcloud",
            "az",
            "func",
        ] {
            program(&user.path("bin").join(tool), TOOL);
        }
        let settings = user.path(".config/dotdo/config.toml");
        fs::create_dir_all(settings.parent().expect("a folder")).expect("writable");
        let text = format!(
            "[aws]\nregion = \"eu-central-1\"\naccess_key_id = \"AKIAEXAMPLE\"\nsecret_access_key = \"{SECRET}\"\n"
        );
        fs::write(settings, text).expect("writable");
        user
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// The command in a folder below the home folder, with the tools first on the path.
    pub(super) fn command(&self, folder: &str, arguments: &[&str]) -> Command {
        fs::create_dir_all(self.path(folder)).expect("writable");
        let mut command = with(&self.path(folder), &["deploy"]);
        let path = format!("{}:/usr/bin:/bin", self.path("bin").display());
        command.args(arguments).env("HOME", self.home.path()).env("PATH", path);
        command.env("RECORD", self.path("record"));
        command
    }

    /// The calls of tools so far.
    pub(super) fn calls(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("record/calls")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// What the calls got on standard input or in the environment.
    pub(super) fn recorded(&self, kind: &str) -> String {
        let entries = fs::read_dir(self.path("record")).expect("it is there");
        let paths = entries.map(|entry| entry.expect("readable").path());
        let of_kind = paths.filter(|path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(kind))
        });
        of_kind.map(|path| fs::read_to_string(path).expect("readable")).collect()
    }
}
