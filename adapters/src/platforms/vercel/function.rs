//! The program behind a function, which may need a token from the first request to start.

use std::net::SocketAddr;
use std::sync::Arc;

use dotdo_core::{App, Body, Response, Result};
use http::HeaderValue;
use tokio::sync::OnceCell;
use tokio::sync::oneshot;
use vercel_runtime::{AppState, Request, ResponseBody};

use super::answer;
use super::response::Outbound;
use crate::cluster::peers::Plan;
use crate::edge::refusal;
use crate::program::{Found, Program};

/// The platform's id of a request.
const PLATFORM_ID: &str = "x-vercel-id";

/// What is needed to start the program, and the program once it runs.
pub(super) struct Function {
    app: App,
    found: Found,
    address: SocketAddr,
    pub(super) program: OnceCell<Program>,
}

impl Function {
    pub(super) fn new(app: App, found: Found, address: SocketAddr) -> Self {
        Self { app, found, address, program: OnceCell::new() }
    }

    /// Whether the keys of the bucket are given for a token that comes with requests, so that the
    /// store can't be opened before the first.
    pub(super) fn needs_request(&self) -> bool {
        self.found.tokens.header.is_some()
    }

    /// The program; started by the first call. A failed start is tried again by the next.
    ///
    /// # Errors
    ///
    /// Those of [`Program::start`].
    pub(super) async fn program(&self) -> Result<&Program> {
        let start = || async {
            let plan = Plan::new(&self.found.config, self.address)?;
            let program = Program::start(self.app.clone(), &self.found, plan).await?;
            program.announce("serving", &self.address);
            Ok(program)
        };
        self.program.get_or_try_init(start).await
    }

    /// Answers a request. The platform's token is taken out of it first.
    pub(super) async fn answer(
        &self,
        mut request: Request,
        state: AppState,
    ) -> http::Response<ResponseBody> {
        if let Some(tokens) = &self.found.tokens.header {
            tokens.take_from(request.headers_mut());
        }
        match self.program().await {
            Ok(program) => answer(Arc::clone(&program.edge), request, state).await,
            Err(error) => {
                tracing::error!(code = error.code(), "{}", error.message());
                let id = request.headers().get(PLATFORM_ID).cloned();
                let id = id.unwrap_or_else(|| HeaderValue::from_static(""));
                sent(refusal(&error, &id))
            }
        }
    }
}

/// A response whose end nothing waits for.
fn sent(response: Response) -> http::Response<ResponseBody> {
    let (life, _) = oneshot::channel::<()>();
    response.map(|body: Body| Outbound::new(body, life).into())
}
