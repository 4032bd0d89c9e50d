//! An example that runs on a folder of its own.

use dotdo_tests::{Deadline, Server, Setup, scratch};
use serde_json::Value;

pub(crate) struct Running {
    server: Server,
    client: reqwest::Client,
    folder: tempfile::TempDir,
}

/// What came back.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl Running {
    pub(crate) async fn start(program: &str) -> Self {
        let folder = scratch();
        let server = setup(program, &folder).start().await;
        Self { server, client: reqwest::Client::new(), folder }
    }

    /// Takes the power away and starts `program` on the same folder.
    pub(crate) async fn crash_and_start(&mut self, program: &str) {
        self.server.kill9();
        self.server = setup(program, &self.folder).start().await;
    }

    /// Ends the program in order and starts `program` on the same folder.
    pub(crate) async fn stop_and_start(&mut self, program: &str) {
        assert!(self.server.terminate().success(), "{}", self.server.stderr());
        self.server = setup(program, &self.folder).start().await;
    }

    /// Sends a request; a body of null is none. `None` when the connection broke.
    pub(crate) async fn try_send(&self, method: &str, path: &str, body: Value) -> Option<Reply> {
        let method = method.parse().expect("a method");
        let mut request = self.client.request(method, self.server.url(path));
        if !body.is_null() {
            request = request.body(body.to_string());
        }
        let response = request.send().await.ok()?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.text().await.ok()?;
        let body = if body.is_empty() { Value::Null } else { serde_json::from_str(&body).expect("the examples answer with JSON") };
        Some(Reply { status, headers, body })
    }

    /// The body of a request that succeeds.
    pub(crate) async fn ok(&self, method: &str, path: &str, body: Value) -> Value {
        let reply = self.answered(method, path, body).await;
        assert_eq!(reply.status, 200, "{method} {path}: {}", reply.body);
        reply.body
    }

    /// The status of a request.
    pub(crate) async fn status(&self, method: &str, path: &str, body: Value) -> u16 {
        self.answered(method, path, body).await.status
    }

    /// The answer of a request, sent again as long as it is 503: after a crash the lease of the dead process has to end first.
    async fn answered(&self, method: &str, path: &str, body: Value) -> Reply {
        let answer = || async { self.try_send(method, path, body.clone()).await.filter(|reply| reply.status != 503) };
        Deadline::in_seconds(60).until(answer).await.unwrap_or_else(|| panic!("{method} {path} is never answered"))
    }
}

fn setup(program: &str, folder: &tempfile::TempDir) -> Setup {
    Setup::of(program, &format!("file://{}", folder.path().display()))
}
