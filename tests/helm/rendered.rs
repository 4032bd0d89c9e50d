//! Releases of the chart: rendered all at once, when the first test asks.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use dotdo_tests::Tool;
use serde::Deserialize;
use serde_json::{Value, json};

/// The oldest Kubernetes that the chart asks for, and the newest whose schemas the validator has.
const VERSIONS: [&str; 2] = ["1.30", "1.37"];

/// What a value set gives.
#[derive(Debug, Deserialize)]
pub(crate) struct Release {
    /// What Helm's lint has against it.
    pub(crate) findings: Vec<String>,
    /// The objects.
    pub(crate) objects: Vec<Value>,
    /// What Kubernetes has against them.
    pub(crate) invalid: Vec<String>,
    /// The kinds that it has no schema for.
    pub(crate) unknown: Vec<String>,
    /// What is said after an installation.
    pub(crate) notes: String,
}

impl Release {
    /// The objects of a kind.
    pub(crate) fn all(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.objects.iter().filter(move |object| object["kind"] == kind)
    }

    /// The only object of a kind.
    pub(crate) fn one(&self, kind: &str) -> &Value {
        let found: Vec<&Value> = self.all(kind).collect();
        assert_eq!(found.len(), 1, "one {kind}");
        found[0]
    }

    /// What the Deployment makes pods of.
    pub(crate) fn pod(&self) -> &Value {
        &self.one("Deployment")["spec"]["template"]
    }

    /// Its only container.
    pub(crate) fn container(&self) -> &Value {
        let containers = self.pod()["spec"]["containers"].as_array().expect("containers");
        assert_eq!(containers.len(), 1);
        &containers[0]
    }

    /// The variables of the container, in their order.
    pub(crate) fn environment(&self) -> Vec<(&str, &Value)> {
        let variables = self.container()["env"].as_array().expect("variables");
        variables
            .iter()
            .map(|variable| (variable["name"].as_str().expect("a name"), variable))
            .collect()
    }

    /// The value of a variable.
    pub(crate) fn variable(&self, name: &str) -> &str {
        let found = self.environment().into_iter().find(|(found, _)| *found == name);
        found
            .and_then(|(_, variable)| variable["value"].as_str())
            .unwrap_or_else(|| panic!("{name} has a value"))
    }
}

/// The value sets of the chart's folder `ci/`, by name.
pub(crate) fn sets() -> impl Iterator<Item = (&'static str, &'static Release)> {
    static RELEASES: OnceLock<BTreeMap<String, Release>> = OnceLock::new();
    let releases = RELEASES.get_or_init(|| {
        let files: Vec<PathBuf> = fs::read_dir(chart().join("ci"))
            .expect("value sets")
            .map(|file| file.expect("a file").path())
            .collect();
        let answers = run(files.iter().map(|file| json!([file])).collect());
        let name = |file: &PathBuf| {
            file.file_name()?.to_str()?.strip_suffix("-values.yaml").map(str::to_owned)
        };
        let names = files.iter().map(|file| name(file).expect("NAME-values.yaml"));
        names.zip(answers).map(|(name, answer)| (name, release(answer))).collect()
    });
    releases.iter().map(|(name, release)| (name.as_str(), release))
}

/// The value set `name`.
pub(crate) fn rendered(name: &str) -> &'static Release {
    sets()
        .find(|(found, _)| *found == name)
        .unwrap_or_else(|| panic!("deploy/helm/dotdo/ci/{name}-values.yaml"))
        .1
}

/// What a file with values gives.
pub(crate) fn with_values(file: &Path) -> Release {
    let answers = run(vec![json!([file])]);
    release(answers.into_iter().next().expect("an answer a set"))
}

/// Why the smallest values that are taken are refused with each of these changes.
pub(crate) fn refusals(changes: &[Value]) -> Vec<String> {
    let minimal = chart().join("ci/minimal-values.yaml");
    let answers = run(changes.iter().map(|change| json!([minimal, change])).collect());
    let said = |(change, answer): (&Value, Value)| {
        answer["refused"].as_str().unwrap_or_else(|| panic!("{change} is not refused")).to_owned()
    };
    changes.iter().zip(answers).map(said).collect()
}

fn release(answer: Value) -> Release {
    assert_eq!(answer["refused"], Value::Null, "a value set is refused");
    serde_json::from_value(answer).expect("a release")
}

pub(crate) fn chart() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/helm/dotdo"))
}

/// Renders each set: a list of value files and values.
fn run(sets: Vec<Value>) -> Vec<Value> {
    let asked = json!({ "chart": chart(), "versions": VERSIONS, "sets": sets });
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/rig/tools/helm.py");
    let mut command = Command::new(Tool::Helm.program("python"));
    command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the interpreter was installed with the tool");
    let mut input = child.stdin.take().expect("it is piped");
    input.write_all(asked.to_string().as_bytes()).expect("the script reads");
    drop(input);
    let output = child.wait_with_output().expect("a child can be waited for");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("an answer a set")
}
