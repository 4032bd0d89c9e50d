//! AWS Lambda: a function behind a URL, by SAM's template.

use crate::deploy::plan::{Content, File, Filter, Plan, Step, URL, Url};
use crate::deploy::row::{Clients, Need, Row};
use crate::deploy::source::Source;
use crate::deploy::tools::Tool;
use crate::deploy::wanted::Wanted;
use crate::failure::Failure;

pub(super) const ROW: Row = Row {
    name: "lambda",
    title: "AWS Lambda",
    page: "docs/platforms/lambda.md",
    tools: &[
        Tool {
            program: "cargo-lambda",
            version: &["lambda", "--version"],
            who: None,
            log_in: "",
            install: "run `pip install cargo-lambda==1.9.2`",
        },
        Tool {
            program: "sam",
            version: &["--version"],
            who: None,
            log_in: "aws configure",
            install: "install the AWS SAM command line (https://docs.aws.amazon.com/serverless-application-model/)",
        },
    ],
    identity: Some("s3://"),
    clients: Clients::Platform,
    has_peers: false,
    token_header: None,
    needs: &[Need::Region],
    plan,
};

const TEMPLATE: &str = "deploy/lambda/template.yaml";
const TEXT: &str = include_str!("../../../template/deploy/lambda.yaml");

fn plan(wanted: &Wanted) -> Result<Plan, Failure> {
    let (bucket, prefix) = wanted.bucket();
    let mut steps = Vec::new();
    let mut files = Vec::new();
    let mut architecture = "arm64";
    match &wanted.source {
        Source::Program(program) => {
            let program = Source::for_linux(program)?.to_owned();
            architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
            let path = "deploy/lambda/function/bootstrap".to_owned();
            files.push(File { path, content: Content::CopyOf(program) });
            files.push(template("function/"));
        }
        source => {
            let (_, program) = source.built().expect("the others are built");
            let build = ["lambda", "build", "--release", "--arm64", "--bin", program];
            steps.push(Step::new("cargo", &build));
            if *source != Source::Repository {
                files.push(template(&format!("../../target/lambda/{program}/")));
            }
        }
    }
    let name = &*wanted.name;
    let (stack, region) = (["--stack-name", name], ["--region", wanted.region()]);
    let prefix = if prefix.is_empty() { "state" } else { prefix };
    let parameters = [
        format!("Bucket={bucket}"),
        format!("Prefix={prefix}"),
        format!("Architecture={architecture}"),
    ];
    let quiet = ["--resolve-s3", "--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset"];
    let deploy = Step::new("sam", &["deploy", "--template", TEMPLATE])
        .and(stack)
        .and(region)
        .and(quiet)
        .and(["--no-fail-on-empty-changeset", "--parameter-overrides"])
        .and(parameters);
    let outputs = Step::new("sam", &["list", "stack-outputs"]).and(stack).and(region);
    let outputs = outputs.and(["--output", "json"]).captured_as(URL, Some(Filter::Url));
    steps.extend([deploy, outputs]);
    let notes = vec![
        "requests to the URL must be signed, because the template's Auth is AWS_IAM; an answer that asks for a signature is one of the function's front end, which is ready".to_owned(),
    ];
    Ok(Plan { files, steps, url: Url::Captured, notes })
}

/// The template, for a program in another folder.
fn template(folder: &str) -> File {
    File::text(TEMPLATE, of_code(folder))
}

/// The template's text, for code in another place.
fn of_code(code: &str) -> String {
    TEXT.replace("../../target/lambda/dotdo/", code)
}

/// The template's text, for code in another place that was built for `architecture`.
#[cfg(feature = "javascript")]
pub(in crate::deploy) fn text_of(code: &str, architecture: &str) -> String {
    of_code(code).replace("    Default: arm64\n", &format!("    Default: {architecture}\n"))
}
