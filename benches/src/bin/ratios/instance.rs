//! One instance of a function, started and asked as its platform does.

use std::time::Instant;

use dotdo_benches::Client;
use dotdo_tests::{LambdaApis, Process, Setup};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::net::{UnixListener, UnixStream};

/// Who starts functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Platform {
    /// AWS Lambda behind an HTTP API, as cargo-lambda emulates it.
    Lambda,
    /// Vercel: HTTP, and a socket for what the function says.
    Vercel,
}

impl Platform {
    /// Its name in the report.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Lambda => "AWS Lambda",
            Self::Vercel => "Vercel",
        }
    }

    /// The program of this crate that uses nothing but the platform's library.
    pub(crate) fn bare(self) -> &'static str {
        match self {
            Self::Lambda => "bare_lambda",
            Self::Vercel => "bare_vercel",
        }
    }
}

/// A function that was started.
pub(crate) struct Instance {
    /// When.
    pub(crate) started: Instant,
    process: Process,
    way: Way,
}

/// How it is asked.
enum Way {
    Lambda { client: Client, _apis: Box<LambdaApis> },
    Vercel { client: Client, asked: u64, _ipc: UnixStream, _folder: TempDir },
}

impl Instance {
    /// Starts the program of `setup`.
    pub(crate) async fn start(platform: Platform, setup: &Setup) -> Self {
        let setup = setup.clone().env("DOTDO_ALLOW_UNAUTHENTICATED", "1").env("LOG_LEVEL", "error");
        match platform {
            Platform::Lambda => Self::start_lambda(setup).await,
            Platform::Vercel => Self::start_vercel(setup).await,
        }
    }

    async fn start_lambda(setup: Setup) -> Self {
        let apis = LambdaApis::start().await;
        let setup = apis
            .environment()
            .into_iter()
            .fold(setup, |setup, (name, value)| setup.env(name, value));
        let client = Client::connect(&apis.authority()).await;
        let (started, process) = (Instant::now(), Process::start(&mut setup.command()));
        Self { started, process, way: Way::Lambda { client, _apis: Box::new(apis) } }
    }

    async fn start_vercel(setup: Setup) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("ipc");
        let listener = UnixListener::bind(&socket).expect("a socket");
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a free port")
            .port();
        let setup = setup
            .env("VERCEL", "1")
            .env("VERCEL_IPC_PATH", socket.display().to_string())
            .env("VERCEL_DEV_PORT", port.to_string());
        let (started, process) = (Instant::now(), Process::start(&mut setup.command()));
        let (mut ipc, _) = listener.accept().await.expect("the program connects");
        let mut message = vec![0; 4096];
        let bytes = ipc.read(&mut message).await.expect("the program says that it serves");
        assert!(
            String::from_utf8_lossy(&message[..bytes]).contains("server-started"),
            "{}",
            process.stderr()
        );
        let client = Client::connect(&format!("127.0.0.1:{port}")).await;
        Self { started, process, way: Way::Vercel { client, asked: 0, _ipc: ipc, _folder: folder } }
    }

    /// Sends a GET; the body of its answer, which must be a success.
    pub(crate) async fn get(&mut self, path: &str) -> String {
        match &mut self.way {
            Way::Lambda { client, .. } => {
                let request = http::Request::post("/2015-03-31/functions/_/invocations");
                let answer: Value =
                    serde_json::from_str(&client.send(request, event(path).to_string()).await)
                        .expect("JSON");
                assert_eq!(
                    answer["statusCode"],
                    200,
                    "{path}: {answer}\n{}",
                    self.process.stderr()
                );
                answer["body"].as_str().unwrap_or_default().to_owned()
            }
            Way::Vercel { client, asked, .. } => {
                *asked += 1;
                let request =
                    http::Request::get(path).header("x-vercel-internal-request-id", *asked);
                client
                    .send(
                        request.header("x-vercel-internal-invocation-id", format!("i{asked}")),
                        String::new(),
                    )
                    .await
            }
        }
    }

    /// Ends it as a platform does that needs its place.
    pub(crate) fn end(self) {
        self.process.kill9();
    }
}

/// A GET as an HTTP API of API Gateway sends it (payload format 2.0).
fn event(path: &str) -> Value {
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": { "host": "objects.example.com", "accept": "*/*" },
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "objects",
            "domainName": "objects.example.com",
            "domainPrefix": "objects",
            "http": { "method": "GET", "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "bench" },
            "requestId": "request",
            "routeKey": "$default",
            "stage": "$default",
            "time": "12/Mar/2026:19:03:58 +0000",
            "timeEpoch": 1_773_342_238_000_u64
        },
        "isBase64Encoded": false
    })
}
