//! An example that runs on a store of its own.

use std::sync::Arc;

use dotdo_tests::{Deadline, Seaweed, Server, Setup, scratch, unique};
use serde_json::Value;

pub(crate) struct Running {
    server: Server,
    client: reqwest::Client,
    store: Arc<Store>,
}

/// Where the state is.
enum Store {
    Folder(tempfile::TempDir),
    /// A part of SeaweedFS's bucket.
    Seaweed(String),
}

/// What servers on one store know.
const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// What came back.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Running {
    /// Starts `program` on a folder.
    pub(crate) async fn start(program: &str) -> Self {
        Self::start_at(program, Arc::new(Store::Folder(scratch()))).await
    }

    /// Starts `program` on SeaweedFS.
    pub(crate) async fn start_on_seaweed(program: &str) -> Self {
        Self::start_at(program, Arc::new(Store::Seaweed(format!("example-{}", unique().simple()))))
            .await
    }

    /// Starts `program` once more, on the same store.
    pub(crate) async fn another(&self, program: &str) -> Self {
        Self::start_at(program, Arc::clone(&self.store)).await
    }

    async fn start_at(program: &str, store: Arc<Store>) -> Self {
        let server = store.setup(program).start().await;
        Self { server, client: reqwest::Client::new(), store }
    }

    /// Takes the power away.
    pub(crate) fn crash(&mut self) {
        self.server.kill9();
    }

    /// Takes the power away and starts `program` on the same folder.
    pub(crate) async fn crash_and_start(&mut self, program: &str) {
        self.server.kill9();
        self.server = self.store.setup(program).start().await;
    }

    /// Ends the program in order and starts `program` on the same folder.
    pub(crate) async fn stop_and_start(&mut self, program: &str) {
        assert!(self.server.terminate().success(), "{}", self.server.stderr());
        self.server = self.store.setup(program).start().await;
    }

    /// Asks it by its own program whether it is ready: the exit code.
    pub(crate) fn asked(&self, program: &str) -> Option<i32> {
        let url = self.server.url("");
        let port = url.rsplit(':').next().expect("a port").to_owned();
        let mut command =
            self.store.setup(program).arg("health").arg("--ready").env("PORT", port).command();
        command.output().expect("the program starts").status.code()
    }

    /// The URL of `path`.
    pub(crate) fn url(&self, path: &str) -> String {
        self.server.url(path)
    }

    /// Sends a request; a body of null is none, and a `key` in it is the request's
    /// `Idempotency-Key`. `None` when the connection broke.
    pub(crate) async fn try_send(
        &self,
        method: &str,
        path: &str,
        mut body: Value,
    ) -> Option<Reply> {
        let method = method.parse().expect("a method");
        let mut request = self.client.request(method, self.server.url(path));
        if let Some(Value::String(key)) =
            body.as_object_mut().and_then(|fields| fields.remove("key"))
        {
            request = request.header("Idempotency-Key", format!("\"{key}\""));
        }
        if !body.is_null() {
            request = request.body(body.to_string());
        }
        let response = request.send().await.ok()?;
        let status = response.status().as_u16();
        let body = response.text().await.ok()?;
        let body = if body.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&body).expect("the examples answer with JSON")
        };
        Some(Reply { status, body })
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

    /// The answer of a request, sent again as long as it is 503: after a crash the lease of the
    /// dead process has to end first.
    async fn answered(&self, method: &str, path: &str, body: Value) -> Reply {
        let answer = || async {
            self.try_send(method, path, body.clone()).await.filter(|reply| reply.status != 503)
        };
        Deadline::in_seconds(60)
            .until(answer)
            .await
            .unwrap_or_else(|| panic!("{method} {path} is never answered"))
    }
}

impl Store {
    fn setup(&self, program: &str) -> Setup {
        match self {
            Self::Folder(folder) => {
                let storage = format!("file://{}", folder.path().display());
                // Two of them forward to each other.
                Setup::of(program, &storage).env("DOTDO_PEER_SECRET", SECRET)
            }
            Self::Seaweed(prefix) => {
                let seaweed = Seaweed::shared();
                let setup = Setup::of(program, &format!("s3://{}/{prefix}", seaweed.bucket()));
                // Short, so that a crash costs little time.
                let setup =
                    setup.env("DOTDO_LEASE_DURATION_MS", "400").env("DOTDO_OUTBOX_SCAN_MS", "300");
                seaweed
                    .environment()
                    .into_iter()
                    .fold(setup, |setup, (name, value)| setup.env(name, value))
            }
        }
    }
}
