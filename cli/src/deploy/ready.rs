//! Waits until a deployment answers `/ready`.

use std::time::{Duration, Instant};

use dotdo::engine::Secret;
use reqwest::StatusCode;

use crate::failure::{Failure, note};

/// How long an answer may take. A first request starts an instance.
const ANSWER_MAX: Duration = Duration::from_secs(20);
/// Time between two requests.
const PAUSE: Duration = Duration::from_secs(2);

/// A token for the platform's front end, and the header that takes it.
pub(super) struct Pass {
    pub(super) header: &'static str,
    pub(super) token: Secret,
}

/// Asks for `/ready` below `url` until it is answered with success, or for `wait` at most. The pass is
/// sent over https only.
///
/// # Errors
///
/// `Failed` when there was no such answer in time, with the last one.
pub(super) fn wait(url: &str, pass: Option<&Pass>, wait: Duration) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|cause| Failure::of("cannot start", cause))?;
    let client = reqwest::Client::builder()
        .timeout(ANSWER_MAX)
        .redirect(reqwest::redirect::Policy::none())
        .build();
    let client = client.map_err(|cause| Failure::of("cannot prepare requests", cause))?;
    let url = format!("{}/ready", url.trim_end_matches('/'));
    note(&format!("waiting for {url}"));
    let until = Instant::now() + wait;
    runtime.block_on(async {
        loop {
            let last = match ask(&client, &url, pass).await {
                Ok(status) if status.is_success() => return Ok(()),
                // The front end asks who the caller is, so it is there; more can't be seen from here.
                Ok(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                    note("the platform's front end asks for credentials; the server behind it was not asked");
                    return Ok(());
                }
                Ok(status) => format!("it answers with status {status}"),
                Err(why) => why,
            };
            if Instant::now() + PAUSE >= until {
                return Err(Failure::Failed(format!(
                    "{url} is not ready after {} s: {last}. The deployment was made: look at the platform's logs, then at {url} again",
                    wait.as_secs()
                )));
            }
            tokio::time::sleep(PAUSE).await;
        }
    })
}

async fn ask(
    client: &reqwest::Client,
    url: &str,
    pass: Option<&Pass>,
) -> Result<StatusCode, String> {
    let mut request = client.get(url);
    if let Some(Pass { header, token }) = pass.filter(|_| url.starts_with("https://")) {
        request = match *header {
            "authorization" => request.bearer_auth(token.reveal()),
            header => request.header(header, token.reveal()),
        };
    }
    let answer = request.send().await;
    answer.map(|answer| answer.status()).map_err(|cause| {
        let why = if cause.is_timeout() { "no answer" } else { "no connection" };
        format!("{why} within {} s", ANSWER_MAX.as_secs())
    })
}
