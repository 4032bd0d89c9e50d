//! Google Cloud Run: a service with an image in Artifact Registry.

use super::DOCKER;
use crate::deploy::image::{Builder, Image};
use crate::deploy::plan::{File, Filter, Plan, Step, TOKEN, URL, Url};
use crate::deploy::row::{Clients, Need, Row};
use crate::deploy::tools::Tool;
use crate::deploy::wanted::Wanted;
use crate::failure::Failure;

pub(super) const ROW: Row = Row {
    name: "cloudrun",
    title: "Google Cloud Run",
    page: "docs/platforms/cloud-run.md",
    tools: &[
        Tool {
            program: "gcloud",
            version: &["--version"],
            who: Some(&["auth", "print-access-token", "--quiet"]),
            log_in: "gcloud auth login",
            install: "install the Google Cloud CLI (https://cloud.google.com/sdk/docs/install)",
        },
        DOCKER,
    ],
    identity: Some("gs://"),
    clients: Clients::Platform,
    has_peers: false,
    token_header: Some("authorization"),
    needs: &[Need::CloudProject, Need::Region],
    plan,
};

const SERVICE: &str = include_str!("../../../template/deploy/service.yaml");

fn plan(wanted: &Wanted) -> Result<Plan, Failure> {
    let (name, region) = (&*wanted.name, wanted.region());
    let project = wanted.cloud_project.as_deref().unwrap_or_default();
    let (bucket, _) = wanted.bucket();
    let tag = match &wanted.image {
        Some(image) => image.clone(),
        None => format!("{region}-docker.pkg.dev/{project}/{name}/{name}:1"),
    };
    let image = Image::of(&wanted.source, Builder::Here)?;
    let account = format!("{name}@{project}.iam.gserviceaccount.com");
    let in_project = ["--project", project];
    let gcloud = |words: &[&str]| Step::new("gcloud", words).and(in_project);
    let unless = |words: &[&'static str], what: &str, more: &[&str]| {
        let mut all: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        all.push(what.to_owned());
        all.extend(more.iter().chain(&in_project).map(|word| (*word).to_owned()));
        Some(all)
    };
    let address = format!("gs://{bucket}");
    let location = ["--location", region];
    let member = format!("serviceAccount:{account}");
    let steps = vec![
        Step {
            unless: unless(&["storage", "buckets", "describe"], &address, &[]),
            ..gcloud(&["storage", "buckets", "create", &address, "--location", region])
                .and(["--uniform-bucket-level-access"])
        },
        Step {
            unless: unless(&["iam", "service-accounts", "describe"], &account, &[]),
            ..gcloud(&["iam", "service-accounts", "create", name])
        },
        gcloud(&["storage", "buckets", "add-iam-policy-binding", &address, "--member", &member])
            .and(["--role", "roles/storage.objectUser"]),
        Step {
            unless: unless(&["artifacts", "repositories", "describe"], name, &location),
            ..gcloud(&["artifacts", "repositories", "create", name])
                .and(["--repository-format", "docker"])
                .and(location)
        },
        image.build(&tag),
        Step::new("docker", &["push", &tag]),
        gcloud(&["run", "services", "replace", "service.yaml", "--region", region]),
        gcloud(&["run", "services", "describe", name, "--region", region])
            .and(["--format", "value(status.url)"])
            .captured_as(URL, Some(Filter::Url)),
        Step::new("gcloud", &["auth", "print-identity-token"]).captured_as(TOKEN, None),
    ];
    let mut files = image.files;
    files.push(File::text("service.yaml", service(wanted, &tag, &account)));
    let notes =
        vec!["`gcloud auth configure-docker` lets docker push to Artifact Registry".to_owned()];
    Ok(Plan { files, steps, url: Url::Captured, notes })
}

/// dotdo's service, with the values of this deployment.
fn service(wanted: &Wanted, image: &str, account: &str) -> String {
    let (_, rest) = SERVICE.split_once("apiVersion:").unwrap_or(("", SERVICE));
    let text = format!("apiVersion:{rest}")
        .replace("objects@PROJECT.iam.gserviceaccount.com", account)
        .replace("location: REGION", &format!("location: {}", wanted.region()))
        .replace("image: IMAGE", &format!("image: {image}"))
        .replace("name: objects\n", &format!("name: {}\n", wanted.name));
    let mut settings = String::new();
    for (name, value) in wanted.plain() {
        let value = serde_json::Value::from(value);
        settings.push_str(&format!("            - name: {name}\n              value: {value}\n"));
    }
    text.replace(
        "            - name: DOTDO_STORAGE\n              value: gs://BUCKET/state\n",
        &settings,
    )
}
