//! A client of the ledgers that the scenarios' program serves.

use http::StatusCode;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::Value;

use crate::history::{Outcome, State};

/// An error's status, code and sentence; the last two are empty for an answer without JSON.
pub async fn error_of(answer: Response) -> (StatusCode, String, String) {
    let (status, text) = (answer.status(), answer.text().await.unwrap_or_default());
    let body: Value = serde_json::from_str(&text).unwrap_or_default();
    let field = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    (status, field("code"), field("error"))
}

/// Asks the ledger at the URL `object` for an entry.
///
/// # Panics
///
/// When the answer is none that a client of a healthy program could get on a bad day.
pub async fn append(http: &Client, object: &str, client: u64, n: u64) -> Outcome {
    outcome(http.post(format!("{object}/append?client={client}&n={n}"))).await
}

/// The same with a key: however often it is asked for, on whichever server, it is appended once and
/// has one answer.
///
/// # Panics
///
/// As [`append`].
pub async fn append_once(http: &Client, object: &str, client: u64, n: u64) -> Outcome {
    let request = http.post(format!("{object}/append?client={client}&n={n}"));
    outcome(request.header("Idempotency-Key", format!("\"{client}-{n}\""))).await
}

async fn outcome(request: RequestBuilder) -> Outcome {
    match request.send().await {
        Err(error) if error.is_connect() => Outcome::Refused,
        Err(_) => Outcome::Unknown,
        Ok(answer) if answer.status().is_success() => {
            // An answer that breaks off was given, but was not understood.
            let answer = answer.json::<Value>().await.ok();
            answer
                .and_then(|answer| answer["position"].as_u64())
                .map_or(Outcome::Unknown, Outcome::Appended)
        }
        Ok(answer) => {
            let (status, code, message) = error_of(answer).await;
            match (status.as_u16(), code.as_str()) {
                (_, "OUTCOME_UNKNOWN") => Outcome::Unknown,
                (409 | 503, code) if !code.is_empty() => Outcome::Refused,
                _ => panic!("an append was answered with {status} {code}: {message}"),
            }
        }
    }
}

/// Asks how many entries there are.
pub async fn count(http: &Client, object: &str) -> Option<u64> {
    read(http, &format!("{object}/count")).await?.json::<Value>().await.ok()?["count"].as_u64()
}

/// Asks for all of them.
pub async fn all(http: &Client, object: &str) -> Option<State> {
    read(http, &format!("{object}/all")).await?.json().await.ok()
}

/// A good answer.
async fn read(http: &Client, url: &str) -> Option<Response> {
    http.get(url).send().await.ok().filter(|answer| answer.status().is_success())
}
