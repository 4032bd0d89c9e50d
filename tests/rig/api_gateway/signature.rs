//! Signatures of requests to AWS, as botocore makes them.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::{ID, REGION, SECRET, TOKEN};
use crate::tools::Tool;

/// botocore, in a process of its own.
pub(super) struct Botocore {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Botocore {
    pub(super) fn start() -> Self {
        let mut command = Command::new(Tool::Moto.program("python"));
        command.args(["-c", include_str!("../tools/sigv4.py")]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("Python starts");
        let input = process.stdin.take().expect("it is piped");
        let output = BufReader::new(process.stdout.take().expect("it is piped"));
        Self { process, input, output }
    }

    fn signature(&mut self, request: &Value) -> String {
        writeln!(self.input, "{request}").expect("Python reads");
        let mut line = String::new();
        self.output.read_line(&mut line).expect("Python answers");
        line.trim().to_owned()
    }

    /// Whether a request has the signature that botocore would give it for these keys.
    pub(super) fn signs(&mut self, head: &http::request::Parts, body: &[u8]) -> bool {
        let text = |name: &str| head.headers.get(name)?.to_str().ok();
        let Some(said) = text("authorization") else { return false };
        let part = |name: &str| {
            let (_, rest) = said.split_once(&format!("{name}="))?;
            rest.split(',').next()
        };
        let (Some(scope), Some(signed), Some(signature)) =
            (part("Credential"), part("SignedHeaders"), part("Signature"))
        else {
            return false;
        };
        let names: Vec<&str> = signed.split(';').collect();
        let fits = text("x-amz-security-token") == Some(TOKEN)
            && ["host", "x-amz-date", "x-amz-security-token"].iter().all(|it| names.contains(it))
            && scope.starts_with(&format!("{ID}/"))
            && scope.ends_with(&format!("/{REGION}/execute-api/aws4_request"));
        if !fits {
            return false;
        }
        let headers: Map<String, Value> =
            names.iter().map(|name| ((*name).to_owned(), json!(text(name)))).collect();
        let host = text("host").unwrap_or_default();
        let request = json!({
            "method": head.method.as_str(), "url": format!("http://{host}{}", head.uri),
            "headers": headers, "body": STANDARD.encode(body), "service": "execute-api",
            "region": REGION, "id": ID, "secret": SECRET, "token": TOKEN,
        });
        self.signature(&request) == signature
    }
}

impl Drop for Botocore {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
