//! What `dotdo` prints about itself, compared with snapshots in `cli/tests/help/`.
#![cfg(unix)]

mod commands;
#[expect(dead_code, reason = "these tests say little to a server")]
mod server;

use std::path::Path;

use self::server::{dotdo, folder, outcome};

/// The size of two screens of a terminal.
const LINES_MAX: usize = 48;
const COLUMNS_MAX: usize = 80;

/// The standard output of `dotdo` with `arguments`, which must succeed and touch nothing.
fn printed(arguments: &[&str]) -> String {
    let folder = folder();
    let (code, stdout, stderr) = outcome(dotdo(folder.path()).args(arguments));
    assert_eq!((code, &*stderr), (Some(0), ""), "{arguments:?}");
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
    stdout
}

fn fits_two_screens(text: &str) {
    assert!(text.lines().count() <= LINES_MAX, "{} lines\n{text}", text.lines().count());
    for line in text.lines() {
        assert!(line.chars().count() <= COLUMNS_MAX, "{} columns: {line}", line.chars().count());
    }
}

/// Checks `text` against the snapshot `name`; if they differ, writes the text where it can be
/// copied from.
fn is_snapshot(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/help").join(name);
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    if text != expected {
        let new = std::env::temp_dir().join(name);
        std::fs::write(&new, text).expect("the folder for temporary files can be written");
        panic!("{} differs; if it should, copy {} there\n{text}", path.display(), new.display());
    }
}

#[test]
fn help_is_as_in_the_snapshots_and_fits_two_screens() {
    for (name, arguments) in [
        ("dotdo.txt", &["--help"][..]),
        ("serve.txt", &["serve", "--help"]),
        ("broker.txt", &["broker", "--help"]),
        ("health.txt", &["health", "--help"]),
        ("settings.txt", &["settings", "--help"]),
        ("login.txt", &["login", "--help"]),
        ("logout.txt", &["logout", "--help"]),
        ("whoami.txt", &["whoami", "--help"]),
        ("token.txt", &["token", "--help"]),
        ("new.txt", &["new", "--help"]),
        ("ls.txt", &["ls", "--help"]),
        ("inspect.txt", &["inspect", "--help"]),
        ("sql.txt", &["sql", "--help"]),
        ("tail.txt", &["tail", "--help"]),
        ("diff.txt", &["diff", "--help"]),
        ("verify.txt", &["verify", "--help"]),
        ("snapshot.txt", &["snapshot", "--help"]),
        ("snapshot-list.txt", &["snapshot", "list", "--help"]),
        ("snapshot-create.txt", &["snapshot", "create", "--help"]),
        ("snapshot-export.txt", &["snapshot", "export", "--help"]),
        ("snapshot-import.txt", &["snapshot", "import", "--help"]),
        ("snapshot-restore.txt", &["snapshot", "restore", "--help"]),
        ("clone.txt", &["clone", "--help"]),
        ("mv.txt", &["mv", "--help"]),
        ("rm.txt", &["rm", "--help"]),
        ("rollup.txt", &["rollup", "--help"]),
        ("completions.txt", &["completions", "--help"]),
        ("man.txt", &["man", "--help"]),
        ("config.txt", &["config", "--help"]),
        ("config-get.txt", &["config", "get", "--help"]),
        ("config-set.txt", &["config", "set", "--help"]),
        ("config-unset.txt", &["config", "unset", "--help"]),
        ("config-list.txt", &["config", "list", "--help"]),
        ("doctor.txt", &["doctor", "--help"]),
        ("dev.txt", &["dev", "--help"]),
        ("check.txt", &["check", "--help"]),
        ("build.txt", &["build", "--help"]),
        ("deploy.txt", &["deploy", "--help"]),
        ("settings-lease.txt", &["settings", "lease"]),
    ] {
        let text = printed(arguments);
        fits_two_screens(&text);
        is_snapshot(name, &text);
    }
}

#[test]
fn short_help_is_the_same_and_names_the_settings() {
    let text = printed(&["-h"]);
    assert_eq!(text, printed(&["--help"]));
    assert!(text.contains("dotdo settings"), "{text}");
}

#[test]
fn settings_lists_all_of_the_reference() {
    let all = printed(&["settings"]);
    let reference = include_str!("../../docs/SETTINGS.md");
    let keys: Vec<&str> = reference
        .lines()
        .filter_map(|line| line.strip_prefix("- **`")?.split('`').next())
        .collect();
    assert!(keys.len() > 80, "{keys:?}");
    for key in keys {
        assert!(all.lines().any(|line| line.split(' ').next() == Some(key)), "{key} is missing");
    }
}

#[test]
fn settings_are_listed_for_programs() {
    let said: serde_json::Value =
        serde_json::from_str(&printed(&["settings", "lease", "--json"])).expect("JSON");
    let settings = said["settings"].as_array().expect("a list");
    let lease = settings.iter().find(|setting| setting["key"] == "lease.duration_ms");
    let lease = lease.expect("a setting");
    assert_eq!(lease["variables"], serde_json::json!(["DOTDO_LEASE_DURATION_MS"]));
    for name in ["section", "about", "accepts", "default"] {
        assert!(lease[name].as_str().is_some_and(|text| !text.is_empty()), "{name}: {lease}");
    }
}

#[test]
fn a_typo_gets_a_suggestion() {
    let folder = folder();
    for (arguments, suggestion) in [
        (&["--prot=1"][..], "'--port'"),
        (&["serve", "--storag=x"], "'--storage'"),
        (&["helth"], "'health'"),
        (&["setings"], "'settings'"),
        (
            &["settings", "checkpoint.intervall_ms"],
            "no setting matches \"checkpoint.intervall_ms\"; did you mean checkpoint.interval_ms?",
        ),
    ] {
        let (code, stdout, stderr) = outcome(dotdo(folder.path()).args(arguments));
        assert_eq!((code, &*stdout), (Some(2), ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains(suggestion), "{arguments:?}: {stderr}");
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    assert_eq!(printed(&["--version"]), concat!("dotdo ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn every_shell_gets_completions_of_all_commands() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = printed(&["completions", shell]);
        for word in ["settings", "whoami", "revoke", "storage"] {
            assert!(script.contains(word), "{shell}: {word} is missing");
        }
    }
    let folder = folder();
    let script = folder.path().join("dotdo.bash");
    std::fs::write(&script, printed(&["completions", "bash"])).expect("the folder is ours");
    let checked = std::process::Command::new("bash").arg("-n").arg(&script).status();
    assert!(checked.expect("there is a bash").success());
    let (code, stdout, stderr) = outcome(dotdo(folder.path()).args(["completions", "bsh"]));
    assert_eq!((code, &*stdout), (Some(2), ""), "{stderr}");
    assert!(stderr.contains("'bash'"), "{stderr}");
}

#[test]
fn man_pages_are_written_into_a_folder() {
    let folder = folder();
    let (code, stdout, stderr) = outcome(dotdo(folder.path()).args(["man", "share/man1"]));
    assert_eq!((code, &*stderr), (Some(0), ""), "{stdout}");
    let page = folder.path().join("share/man1/dotdo-whoami.1");
    let page = std::fs::read_to_string(page).expect("every command has a page");
    assert!(page.contains(".TH dotdo-whoami 1") && page.contains("Exit codes"), "{page}");
    std::fs::write(folder.path().join("file"), "").expect("the folder is ours");
    let (code, stdout, stderr) = outcome(dotdo(folder.path()).args(["man", "file/man1"]));
    assert_eq!((code, &*stdout), (Some(1), ""), "{stderr}");
    assert!(stderr.contains("cannot write to file/man1"), "{stderr}");
}
