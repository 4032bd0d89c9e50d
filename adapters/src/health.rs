//! Asking the server on this machine whether it is well: for the health checks of containers, whose
//! images have no other HTTP client.
//!
//! Promises: an answer within [`ANSWER_MAX`]; nothing is started, opened or written.
//! Must not know: the engine, the store.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use dotdo_core::{Error, ErrorKind, Result};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::net::lookup_host;

use crate::config::{Config, resolve};
use crate::options::{DONE, FAILED, MISUSED, ServeOptions};

/// How long the server may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(4);

/// How much of an answer is shown, in bytes. More is not the answer of such a server.
const SHOWN_BYTES_MAX: usize = 16 << 10;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// Whether the process answers (`/health`). A watchdog that restarts what is sick asks this: a
    /// restart does not bring a store back.
    Up,
    /// Whether the store can be used as well (`/ready`). Whoever sends requests asks this.
    Ready,
}

impl Health {
    fn path(self) -> &'static str {
        match self {
            Self::Up => "/health",
            Self::Ready => "/ready",
        }
    }

    /// The question of a program that was started with `arguments`: `health`, or `health --ready`.
    pub(crate) fn asked_by(arguments: impl Iterator<Item = OsString>) -> Option<Self> {
        let words: Vec<OsString> = arguments.take(3).collect();
        match &*words.iter().map(|word| word.to_str()).collect::<Option<Vec<_>>>()? {
            ["health"] => Some(Self::Up),
            ["health", "--ready"] => Some(Self::Ready),
            _ => None,
        }
    }
}

/// Asks the server that runs on this machine with this configuration; its answer goes to standard
/// output.
///
/// The exit code is 0 when it is well, 1 when it is not, does not answer within 4 s or does not
/// run, and 2 when the configuration is wrong.
pub fn health(options: ServeOptions, question: Health) -> ExitCode {
    let outcome = options.sources().and_then(|sources| {
        let config = resolve(&sources)?.config;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime
            .map_err(|cause| Error::internal(format!("the system gives no threads: {cause}")))?;
        runtime.block_on(ask(&config, question))
    });
    // Nobody is left to hear of an error on either of them.
    ExitCode::from(match outcome {
        Ok(answer) => {
            let _ = writeln!(io::stdout(), "{answer}");
            DONE
        }
        Err(error) => {
            let _ = writeln!(io::stderr(), "dotdo: {}", error.message());
            if error.kind() == ErrorKind::Invalid { MISUSED } else { FAILED }
        }
    })
}

/// The answer of the first of the server's addresses that has one.
async fn ask(config: &Config, question: Health) -> Result<String> {
    let host = config.host.as_deref().unwrap_or_default();
    let unavailable = |what: String| Error::new(ErrorKind::Unavailable, what);
    if config.port == 0 {
        return Err(Error::invalid(
            "port is 0, which takes any free one: nobody can tell which one the server has",
        ));
    }
    let found = lookup_host((host, config.port)).await;
    let found = found.map_err(|cause| {
        unavailable(format!("{host}, port {}, can't be found: {cause}", config.port))
    })?;
    let mut silent = unavailable(format!("{host}, port {}, has no address", config.port));
    for address in found.flat_map(from_here) {
        let url = format!("http://{address}{}", question.path());
        match tokio::time::timeout(ANSWER_MAX, get(&url)).await {
            Ok(Ok((true, text))) => return Ok(text),
            Ok(Ok((false, text))) => return Err(unavailable(format!("{url} answers {text}"))),
            Ok(Err(cause)) => silent = unavailable(format!("{url} does not answer: {cause}")),
            Err(_) => {
                silent =
                    unavailable(format!("{url} does not answer within {} s", ANSWER_MAX.as_secs()))
            }
        }
    }
    Err(silent)
}

/// Where a server that listens on `address` is reached from its own machine. One that listens on
/// all addresses of IPv6 usually listens on those of IPv4 too, and a container may lack either
/// loopback.
fn from_here(address: SocketAddr) -> Vec<SocketAddr> {
    let (v4, v6) = (IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST));
    let ips = match address.ip() {
        ip if !ip.is_unspecified() => vec![ip],
        IpAddr::V4(_) => vec![v4],
        IpAddr::V6(_) => vec![v4, v6],
    };
    ips.into_iter().map(|ip| SocketAddr::new(ip, address.port())).collect()
}

/// Whether `url` answers with success, and what it says.
async fn get(
    url: &str,
) -> std::result::Result<(bool, String), Box<dyn std::error::Error + Send + Sync>> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let answer = client.get(url.parse()?).await.map_err(root)?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), SHOWN_BYTES_MAX).collect().await?.to_bytes();
    let text = String::from_utf8_lossy(&body).trim().to_owned();
    Ok(if status.is_success() { (true, text) } else { (false, format!("{status}: {text}")) })
}

/// The last cause of an error: "connection refused" rather than "client error".
fn root(error: hyper_util::client::legacy::Error) -> Box<dyn std::error::Error + Send + Sync> {
    let mut cause: &(dyn std::error::Error + 'static) = &error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_asked_by_exactly_these_words() {
        let asked = |words: &[&str]| Health::asked_by(words.iter().map(OsString::from));
        assert_eq!(asked(&["health"]), Some(Health::Up));
        assert_eq!(asked(&["health", "--ready"]), Some(Health::Ready));
        for others in [
            &[][..],
            &["Health"],
            &["--ready"],
            &["health", "x"],
            &["health", "--ready", "--ready"],
            &["serve", "health"],
        ] {
            assert_eq!(asked(others), None, "{others:?}");
        }
    }

    #[test]
    fn a_server_on_all_addresses_is_asked_on_the_loopback() {
        let asked = |address: &str| {
            let here = from_here(address.parse().expect("an address"));
            here.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(asked("0.0.0.0:80"), "127.0.0.1:80");
        assert_eq!(asked("[::]:80"), "127.0.0.1:80 [::1]:80");
        assert_eq!(asked("10.1.2.3:80"), "10.1.2.3:80");
        assert_eq!(asked("[fd00::1]:80"), "[fd00::1]:80");
    }
}
