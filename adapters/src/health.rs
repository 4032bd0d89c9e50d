//! A client for the health check of the server on this machine, for containers whose image has no
//! other HTTP client.
//!
//! Promises: a result within [`ANSWER_MAX`]; it starts, opens and writes nothing.
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

/// Timeout for the response of one address.
const ANSWER_MAX: Duration = Duration::from_secs(4);

/// Maximum size of the response, in bytes. A larger one is not from a dotdo server.
const SHOWN_BYTES_MAX: usize = 16 << 10;

/// A health check. [`health`] has an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// Whether the process answers (`/health`). For watchdogs that restart the process: a restart
    /// does not bring the store back.
    Up,
    /// Whether the server can use its store as well (`/ready`). For load balancers.
    Ready,
}

impl Health {
    fn path(self) -> &'static str {
        match self {
            Self::Up => "/health",
            Self::Ready => "/ready",
        }
    }

    /// The check that `arguments` of a program ask for: `health` or `health --ready`.
    pub(crate) fn asked_by(arguments: impl Iterator<Item = OsString>) -> Option<Self> {
        let words: Vec<OsString> = arguments.take(3).collect();
        match &*words.iter().map(|word| word.to_str()).collect::<Option<Vec<_>>>()? {
            ["health"] => Some(Self::Up),
            ["health", "--ready"] => Some(Self::Ready),
            _ => None,
        }
    }
}

/// Checks the server that runs on this machine with this configuration, and prints its response to
/// standard output.
///
/// The exit code is 0 if it is healthy, 1 if it is not, does not respond within 4 s or does not run,
/// and 2 if the configuration is wrong.
///
/// ```no_run
/// use std::process::ExitCode;
///
/// use dotdo::ServeOptions;
/// use dotdo::commands::{Health, health};
///
/// fn main() -> ExitCode {
///     let options = ServeOptions { port: Some("8080".to_owned()), ..ServeOptions::default() };
///     health(options, Health::Ready)
/// }
/// ```
pub fn health(options: ServeOptions, question: Health) -> ExitCode {
    let outcome = options.sources().and_then(|sources| {
        let config = resolve(&sources)?.config;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime =
            runtime.map_err(|cause| Error::internal(format!("cannot start threads: {cause}")))?;
        runtime.block_on(ask(&config, question))
    });
    // An error on standard output or standard error can be reported nowhere.
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

/// The first response of any of the server's addresses.
async fn ask(config: &Config, question: Health) -> Result<String> {
    let host = config.host.as_deref().unwrap_or_default();
    let unavailable = |what: String| Error::new(ErrorKind::Unavailable, what);
    if config.port == 0 {
        return Err(Error::invalid(
            "port: expected the port that the server listens on, got 0, which picks a free one; set PORT or --port",
        ));
    }
    let found = lookup_host((host, config.port)).await;
    let found = found.map_err(|cause| {
        unavailable(format!("cannot resolve {host}, port {}: {cause}", config.port))
    })?;
    let mut silent = unavailable(format!(
        "{host}, port {}, has no address; set DOTDO_HOST or --host",
        config.port
    ));
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

/// The addresses at which a server that listens on `address` is reached from its own machine. One
/// that listens on all IPv6 addresses usually listens on all IPv4 addresses too, and a container may
/// lack either loopback.
fn from_here(address: SocketAddr) -> Vec<SocketAddr> {
    let (v4, v6) = (IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST));
    let ips = match address.ip() {
        ip if !ip.is_unspecified() => vec![ip],
        IpAddr::V4(_) => vec![v4],
        IpAddr::V6(_) => vec![v4, v6],
    };
    ips.into_iter().map(|ip| SocketAddr::new(ip, address.port())).collect()
}

/// Whether `url` answers with success, and the body; for failures, status and body.
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

/// The innermost cause of an error: "connection refused" rather than "client error".
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
    fn only_these_arguments_ask_for_a_check() {
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
    fn a_server_on_all_addresses_is_checked_on_loopback() {
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
