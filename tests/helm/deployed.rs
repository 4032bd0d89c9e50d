//! The release that `dotdo deploy --platform=k8s` makes: the chart that it writes is this one, and
//! its values give objects that Kubernetes takes.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use dotdo_tests::Cli;

use crate::rendered::{chart, with_values};

/// The options of the deployment.
const OPTIONS: [&str; 8] = [
    "deploy",
    "--platform=k8s",
    "--name=shop",
    "--image=registry.example.com/team/shop:1",
    "--storage=s3://my-bucket/state",
    "--wait=0",
    "--yes",
    "--json",
];

#[test]
fn the_release_of_a_deployment_is_one_of_this_chart() {
    let cli = Cli::new()
        .env("AWS_REGION", "eu-central-1")
        .env("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", "hunter2")
        .env("DOTDO_CHECKPOINT_INTERVAL_MS", "5000");
    // The cluster is left out: this is about what it would get.
    for tool in ["docker", "kubectl", "helm"] {
        let path = cli.home().join("bin").join(tool);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("writable");
        std::fs::write(&path, "#!/bin/sh\ncat > /dev/null\n").expect("writable");
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&path, mode).expect("the file is ours");
    }
    let path = format!("{}:/usr/bin:/bin", cli.home().join("bin").display());
    let mut command = cli.command(&OPTIONS);
    let output = command.as_std_mut().env("PATH", path).output().expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let written = cli.home().join("deploy/helm/dotdo");
    is_same(&chart(), &written);
    let values = cli.home().join("values.yaml");
    let text = std::fs::read_to_string(&values).expect("written");
    assert!(!text.contains("hunter2"), "{text}");
    let release = with_values(&values);
    assert_eq!(release.findings, Vec::<String>::new(), "Helm's lint");
    assert_eq!(release.invalid, Vec::<String>::new(), "Kubernetes' schemas");
    assert_eq!(release.variable("DOTDO_STORAGE"), "s3://my-bucket/state");
    assert_eq!(release.variable("DOTDO_CHECKPOINT_INTERVAL_MS"), "5000");
    assert_eq!(release.container()["image"], "registry.example.com/team/shop:1");
    for name in
        ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "DOTDO_AUTH_TOKENS", "DOTDO_PEER_SECRET"]
    {
        let environment = release.environment();
        let (_, variable) = environment
            .iter()
            .find(|(found, _)| *found == name)
            .unwrap_or_else(|| panic!("{name}"));
        let from = &variable["valueFrom"]["secretKeyRef"];
        assert_eq!((&from["name"], &from["key"]), (&"shop-dotdo".into(), &name.into()));
    }
}

/// Every file of the chart was written as it is here, except its own tests.
fn is_same(here: &Path, there: &Path) {
    for entry in std::fs::read_dir(here).expect("the chart is there") {
        let entry = entry.expect("readable");
        let (name, path) = (entry.file_name(), entry.path());
        if name == "ci" {
            continue;
        }
        if path.is_dir() {
            is_same(&path, &there.join(&name));
            continue;
        }
        let written = std::fs::read(there.join(&name)).unwrap_or_else(|_| panic!("{name:?}"));
        assert!(written == std::fs::read(&path).expect("readable"), "{name:?} is another");
    }
}
