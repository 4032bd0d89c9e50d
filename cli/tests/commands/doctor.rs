//! `dotdo doctor` on a folder; tests/scenarios has buckets.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{program, with};
use crate::server::{folder, outcome};

/// The check without any tool of a platform.
fn doctor(home: &Path, arguments: &[&str]) -> Command {
    let mut command = with(home, &["doctor", "--port", "0"]);
    command.args(arguments).env("PATH", home.join("bin"));
    command.env("DOTDO_LIMITS_MEMORY_BYTES_MAX", "16777216");
    command
}

/// What differs from run to run and from machine to machine, named.
fn settled(text: &str, home: &Path) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let line = line.replace(&home.display().to_string(), "HOME");
        let mut words = Vec::new();
        let mut previous = "";
        for word in line.split(' ') {
            let is_number = word.starts_with(|char: char| char.is_ascii_digit());
            let is_measured = is_number
                && (["create", "put", "get", "list", "has", "within"].contains(&previous)
                    || word.starts_with("127.0.0.1:"));
            words.push(if is_measured { "N" } else { word });
            previous = word;
        }
        out.push_str(&words.join(" "));
        out.push('\n');
    }
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    out.replace(&format!("on {os}, {arch}"), "on OS, ARCH")
        .replace(env!("CARGO_PKG_VERSION"), "VERSION")
        .replace("the machine has", "the MACHINE has")
        .replace("the container has", "the MACHINE has")
}

#[test]
fn a_folder_is_healthy_and_nothing_is_left_in_it() {
    let folder = folder();
    let home = folder.path();
    let (code, stdout, stderr) = outcome(&mut doctor(home, &[]));
    assert_eq!((code, &*stderr), (Some(0), ""), "{stdout}");
    let expected = include_str!("doctor.txt");
    let found = settled(&stdout, home);
    assert_eq!(found, expected, "expected:\n{expected}\nfound:\n{found}");
    assert_eq!(fs::read_dir(home).expect("it is there").count(), 0);

    // With a state there already, it is as before.
    fs::create_dir(home.join(".dotdo")).expect("writable");
    fs::write(home.join(".dotdo/theirs"), "precious").expect("writable");
    let (code, stdout, _) = outcome(&mut doctor(home, &["--json"]));
    assert_eq!(code, Some(0), "{stdout}");
    let said: Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(said["ok"], true);
    let checks = said["checks"].as_array().expect("a list");
    let check = |name: &str| checks.iter().find(|check| check["name"] == name).expect("a check");
    for name in ["createMs", "putMs", "getMs", "listMs"] {
        assert!(check("latency")["details"][name].as_f64().expect("a number") > 0.0, "{stdout}");
    }
    assert!(check("clock")["details"]["storeAheadMs"].is_i64(), "{stdout}");
    let left: Vec<_> = fs::read_dir(home.join(".dotdo"))
        .expect("it is there")
        .map(|entry| entry.expect("readable").file_name())
        .collect();
    assert_eq!(left, ["theirs"]);
}

#[test]
fn what_is_wrong_is_named_with_what_to_do() {
    let folder = folder();
    let home = folder.path();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("it is bound").port().to_string();
    let (code, stdout, stderr) = outcome(with(home, &["doctor", "--port", &port]).env("PATH", ""));
    assert_eq!((code, &*stderr), (Some(1), "dotdo: 1 check failed\n"), "{stdout}");
    assert!(
        stdout.contains("failed   port      cannot listen on 127.0.0.1")
            && stdout.contains("next: if the server runs already"),
        "{stdout}"
    );

    let (code, stdout, _) = outcome(doctor(home, &[]).env("DOTDO_LEASE_DURATION_MS", "x"));
    assert_eq!(code, Some(1), "{stdout}");
    for line in
        ["failed   settings", "DOTDO_LEASE_DURATION_MS: expected a whole number", "skipped  store"]
    {
        assert!(stdout.contains(line), "{stdout}");
    }

    fs::write(home.join("file"), "").expect("writable");
    let (code, stdout, _) = outcome(&mut doctor(home, &["--storage", "file/state"]));
    assert_eq!(code, Some(1), "{stdout}");
    assert!(stdout.contains("failed   store     cannot use the folder"), "{stdout}");

    // Nobody listens there.
    drop(taken);
    let mut command = doctor(home, &["--storage", "s3://bucket/state"]);
    command.env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}"));
    command.env("AWS_ACCESS_KEY_ID", "id").env("AWS_SECRET_ACCESS_KEY", "hunter2");
    let (code, stdout, stderr) = outcome(&mut command);
    assert_eq!(code, Some(1), "{stdout}");
    assert!(stdout.contains("failed   network   store: http://127.0.0.1"), "{stdout}");
    assert!(stdout.contains("failed   store     the store s3://bucket/state"), "{stdout}");
    assert!(!stdout.contains("hunter2") && !stderr.contains("hunter2"));
}

#[test]
fn a_platform_s_tools_have_to_be_there() {
    let folder = folder();
    let home = folder.path();
    let (code, stdout, _) = outcome(&mut doctor(home, &["--platform", "k8s"]));
    assert_eq!(code, Some(1), "{stdout}");
    assert!(
        stdout.contains("failed   tool      helm is not on the PATH")
            && stdout.contains("next: install Helm"),
        "{stdout}"
    );
    for (name, version) in [("helm", "v4.0.1"), ("kubectl", "v1.37"), ("docker", "28.2")] {
        program(&home.join("bin").join(name), &format!("#!/bin/sh\necho {version}\n"));
    }
    let (code, stdout, _) = outcome(&mut doctor(home, &["--platform", "k8s"]));
    assert_eq!(code, Some(0), "{stdout}");
    assert!(stdout.contains("ok       tool      helm: v4.0.1 ("), "{stdout}");
    let (code, _, stderr) = outcome(&mut doctor(home, &["--platform", "heroku"]));
    assert_eq!(code, Some(2), "{stderr}");
}
