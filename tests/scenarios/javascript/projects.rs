//! Projects over real packages: what their clients see is what they see on workerd.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use dotdo_tests::{Process, dotdo, project_packages, scratch};
use serde_json::Value;

/// What a project has told, by the names of its steps.
type Answers = BTreeMap<String, Value>;

/// Each conversation of `projects/*/conversation.js`, with requests, WebSockets, the packages' own
/// clients, and kills of the server, has the answers that `projects/record` has written of workerd.
#[test]
fn projects_over_packages_have_the_answers_of_workerd() {
    let projects = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/javascript/projects");
    let (folder, packages) = (scratch(), project_packages());
    let (out, work) = (folder.path().join("told.json"), folder.path().join("work"));
    let mut node = Command::new("node");
    node.arg(projects.join("run.js")).arg("--packages").arg(packages).arg("--folder").arg(work);
    node.arg("--program").arg(dotdo()).arg("--out").arg(&out);
    let (status, log) = Process::start(&mut node).last_words();
    assert!(status.success(), "this test needs Node 20 or newer: {status}\n{log}");
    let told = std::fs::read_to_string(out).expect("it has told");
    let told: BTreeMap<String, Answers> = serde_json::from_str(&told).expect("JSON");
    let mut wrong = Vec::new();
    for (name, told) in &told {
        let recorded = projects.join(name).join("answers.json");
        let recorded = std::fs::read_to_string(&recorded).expect("run projects/record");
        let expected: Answers = serde_json::from_str(&recorded).expect("JSON");
        assert!(
            told.keys().eq(expected.keys()),
            "{name}: steps were added or removed: run projects/record again"
        );
        for (step, expected) in &expected {
            if told[step] != *expected {
                wrong.push(format!("{name}, {step}: expected {expected}, got {}", told[step]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(told.len(), 10, "a project has no conversation");
}
