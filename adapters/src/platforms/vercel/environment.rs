//! The address that the platform expects the program to listen on, from its environment.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use dotdo_core::{Error, ErrorKind, Result};

use crate::config::Config;

/// The platform's socket for reports of the program's start and of the end of each request.
const IPC_PATH: &str = "VERCEL_IPC_PATH";
/// The port to listen on; `vercel dev` sets it.
const DEV_PORT: &str = "VERCEL_DEV_PORT";
/// The runtime's default port.
const PORT: u16 = 3000;

/// The address that the platform expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Endpoint {
    port: u16,
    /// Whether it is `vercel dev` on this machine.
    is_local: bool,
}

impl Endpoint {
    /// Reads the variables that Vercel sets; the runtime reads the same ones but ignores invalid
    /// values.
    ///
    /// # Errors
    ///
    /// `Invalid` when they are missing or invalid.
    pub(super) fn find(variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let (socket, port) = (variable(IPC_PATH), variable(DEV_PORT));
        if let Some(path) = &socket
            && !is_socket(Path::new(path))
        {
            return Err(wrong(format!(
                "{IPC_PATH}: expected the path of a socket, which Vercel sets, got {path:?}"
            )));
        }
        let is_local = socket.is_none();
        match port {
            None if is_local => Err(wrong(format!(
                "the platform is vercel, but neither {IPC_PATH} nor {DEV_PORT} is set: Vercel sets the first for functions, and `vercel dev` the second; to serve HTTP on a port, set DOTDO_PLATFORM=http"
            ))),
            None => Ok(Self { port: PORT, is_local }),
            Some(text) => match text.parse() {
                Ok(port) if port > 0 => Ok(Self { port, is_local }),
                _ => Err(wrong(format!(
                    "{DEV_PORT}: expected a port number from 1 to 65535, got {text:?}"
                ))),
            },
        }
    }

    /// Refuses to serve without authentication, unless that is configured.
    ///
    /// # Errors
    ///
    /// `Forbidden` when other machines could send requests without authentication.
    pub(super) fn check(self, config: &Config) -> Result<()> {
        if self.is_local {
            return Ok(());
        }
        if config.edge.auth.is_on() {
            return Ok(());
        }
        if config.allow_unauthenticated {
            tracing::warn!(
                "authentication is off: anyone who passes Vercel's Deployment Protection can read and write every object"
            );
            return Ok(());
        }
        let message = "a function on Vercel accepts requests from everywhere without authentication: set DOTDO_AUTH_TOKENS to \
                       a token that clients send (to generate one, run `openssl rand -hex 32`), or turn on Vercel's Deployment \
                       Protection and set DOTDO_ALLOW_UNAUTHENTICATED=1";
        Err(Error::new(ErrorKind::Forbidden, message).with_code("UNAUTHENTICATED_ADDRESS"))
    }

    /// The address to listen on.
    pub(super) fn address(self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }
}

fn wrong(message: String) -> Error {
    Error::invalid(message).with_code("BAD_CONFIG")
}

#[cfg(unix)]
fn is_socket(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    std::fs::metadata(path).is_ok_and(|found| found.file_type().is_socket())
}

#[cfg(not(unix))]
fn is_socket(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(variables: &[(&str, &str)]) -> Result<Endpoint> {
        Endpoint::find(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[cfg(unix)]
    #[test]
    fn the_platforms_socket_or_a_port_say_where_to_listen() {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("ipc.sock");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
        let socket = socket.to_str().expect("a path of letters");
        let at = |port, is_local| Ok::<_, String>(Endpoint { port, is_local });
        let found = |variables: &[(&str, &str)]| {
            find(variables).map_err(|error| error.message().to_owned())
        };
        assert_eq!(found(&[(IPC_PATH, socket)]), at(3000, false));
        assert_eq!(found(&[(IPC_PATH, socket), (DEV_PORT, "4711")]), at(4711, false));
        assert_eq!(found(&[(DEV_PORT, "4711")]), at(4711, true));
    }

    #[test]
    fn an_incomplete_environment_is_refused_with_the_missing_variable() {
        let refusal = |variables: &[(&str, &str)]| {
            let error = find(variables).expect_err("a refusal");
            assert_eq!((error.kind(), error.code()), (ErrorKind::Invalid, "BAD_CONFIG"));
            error.message().to_owned()
        };
        assert!(refusal(&[]).starts_with(
            "the platform is vercel, but neither VERCEL_IPC_PATH nor VERCEL_DEV_PORT is set"
        ));
        assert!(
            refusal(&[(IPC_PATH, "/nowhere/at.all"), (DEV_PORT, "4711")])
                .starts_with("VERCEL_IPC_PATH: expected the path of a socket")
        );
        for port in ["0", "65536", "http", "-1", "30 00"] {
            assert_eq!(
                refusal(&[(DEV_PORT, port)]),
                format!("VERCEL_DEV_PORT: expected a port number from 1 to 65535, got {port:?}")
            );
        }
    }

    #[test]
    fn serving_without_authentication_must_be_configured() {
        let (open, closed) =
            (Config { allow_unauthenticated: true, ..Config::default() }, Config::default());
        let (there, here) =
            (Endpoint { port: PORT, is_local: false }, Endpoint { port: PORT, is_local: true });
        assert_eq!(there.check(&closed).expect_err("a refusal").kind(), ErrorKind::Forbidden);
        assert!(there.check(&open).is_ok() && here.check(&closed).is_ok());
    }
}
