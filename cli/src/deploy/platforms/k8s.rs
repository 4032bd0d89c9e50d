//! Kubernetes: the chart, with an image in a registry.

use serde_json::json;

use super::DOCKER;
use crate::deploy::image::{Builder, Image};
use crate::deploy::plan::{File, Input, Plan, Step, Url};
use crate::deploy::row::{Clients, Need, Row};
use crate::deploy::source::Source;
use crate::deploy::tools::Tool;
use crate::deploy::wanted::Wanted;
use crate::failure::Failure;

pub(super) const ROW: Row = Row {
    name: "k8s",
    title: "Kubernetes",
    page: "docs/platforms/kubernetes.md",
    tools: &[
        DOCKER,
        Tool {
            program: "kubectl",
            version: &["version", "--client"],
            who: Some(&["auth", "whoami"]),
            log_in: "kubectl config use-context CONTEXT",
            install: "install kubectl (https://kubernetes.io/docs/tasks/tools/)",
        },
        Tool {
            program: "helm",
            version: &["version", "--short"],
            who: None,
            log_in: "",
            install: "install Helm 3 or 4 (https://helm.sh/docs/intro/install/)",
        },
    ],
    identity: None,
    clients: Clients::Server,
    has_peers: true,
    token_header: None,
    needs: &[Need::Image],
    plan,
};

/// The chart, where dotdo's repository has it.
const CHART: &str = "deploy/helm/dotdo";

/// Its files.
macro_rules! chart {
    ($($name:literal: $file:literal),+ $(,)?) => {
        [$(($name, include_str!(concat!("../../../template/deploy/chart/", $file)))),+]
    };
}

const FILES: [(&str, &str); 14] = chart![
    ".helmignore": "helmignore",
    "Chart.yaml": "Chart.yaml",
    "values.schema.json": "values.schema.json",
    "values.yaml": "values.yaml",
    "templates/NOTES.txt": "templates/NOTES.txt",
    "templates/_helpers.tpl": "templates/_helpers.tpl",
    "templates/autoscaling.yaml": "templates/autoscaling.yaml",
    "templates/deployment.yaml": "templates/deployment.yaml",
    "templates/disruption.yaml": "templates/disruption.yaml",
    "templates/ingress.yaml": "templates/ingress.yaml",
    "templates/monitor.yaml": "templates/monitor.yaml",
    "templates/network.yaml": "templates/network.yaml",
    "templates/service.yaml": "templates/service.yaml",
    "templates/serviceaccount.yaml": "templates/serviceaccount.yaml",
];

fn plan(wanted: &Wanted) -> Result<Plan, Failure> {
    let name = &*wanted.name;
    let tag = wanted.image.as_deref().unwrap_or_default();
    let image = Image::of(&wanted.source, Builder::Here)?;
    let secret = format!("{name}-dotdo");
    let here = ["--namespace", name];
    let kubectl = |words: &[&str]| Step::new("kubectl", &here).and(words);
    let input = Input::KubernetesSecret { name: secret.clone(), variables: wanted.secret_names() };
    let steps = vec![
        image.build(tag),
        Step::new("docker", &["push", tag]),
        Step::new("kubectl", &["create", "namespace", name]).unless(&["get", "namespace", name]),
        kubectl(&["apply", "--filename", "-"]).with_input(input),
        Step::new("helm", &here).and([
            "upgrade",
            "--install",
            name,
            CHART,
            "--values",
            "values.yaml",
        ]),
        kubectl(&["rollout", "status", &format!("deployment/{secret}")]),
    ];
    let mut files = image.files;
    if wanted.source != Source::Repository {
        files.extend(FILES.map(|(file, text)| File::default(format!("{CHART}/{file}"), text)));
    }
    files.push(File::text("values.yaml", values(wanted, &secret, tag)?));
    let notes = vec![format!(
        "`helm --namespace {name} get notes {name}` says how the objects are reached; for requests from outside of the cluster, set `ingress` in values.yaml"
    )];
    Ok(Plan { files, steps, url: Url::Inside, notes })
}

/// The values: JSON is YAML, and has one way to write a text.
fn values(wanted: &Wanted, secret: &str, tag: &str) -> Result<String, Failure> {
    let (repository, tag) = tag.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).ok_or_else(|| {
        Failure::Usage(format!(
            "--image: expected a name with a tag, such as registry.example.com/team/objects:1, got {tag:?}"
        ))
    })?;
    let own = ["DOTDO_PEER_SECRET", "DOTDO_AUTH_TOKENS"];
    let names = wanted.secret_names();
    let from_secret = |name: &String| (name.clone(), json!({ "secret": secret, "key": name }));
    let others = names.iter().filter(|name| !own.contains(&&***name)).map(from_secret);
    let settings = wanted.plain().into_iter().filter(|(name, _)| name != "DOTDO_STORAGE");
    let settings = settings.map(|(name, value)| (name, value.into()));
    let mut values = json!({
        "image": { "repository": repository, "tag": tag },
        "storage": wanted.storage,
        "peerSecret": { "existingSecret": secret, "key": "DOTDO_PEER_SECRET" },
        "settings": serde_json::Map::from_iter(settings),
        "secretEnv": serde_json::Map::from_iter(others),
    });
    if names.iter().any(|name| name == "DOTDO_AUTH_TOKENS") {
        values["auth"] = json!({ "existingSecret": secret, "key": "DOTDO_AUTH_TOKENS" });
    }
    let text = serde_json::to_string_pretty(&values).unwrap_or_default();
    Ok(format!(
        "# What `dotdo deploy` was told. JSON is YAML; deploy/helm/dotdo/values.yaml documents every value.\n{text}\n"
    ))
}
