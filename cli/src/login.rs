//! `dotdo login`, and what uses a login: `logout`, `whoami`, `token`, and `serve` without storage.
//!
//! Promises: tokens are kept in the system's keyring or in a file of their user alone, and are never
//! part of an error or a log; a login is complete or absent; only one process renews it at a time.
//! Must not know: objects, the engine, how keys of a bucket are had.

mod browser;
mod claims;
mod command;
mod deploy;
mod device;
mod durations;
mod http;
mod keep;
mod kept;
mod keyring;
mod logout;
mod outgoing;
mod provider;
mod serving;
mod session;
mod state;
mod times;
mod token;
mod whoami;

pub(crate) use self::command::{HELP as LOGIN_HELP, Login};
pub(crate) use self::logout::{HELP as LOGOUT_HELP, Logout};
pub(crate) use self::outgoing::{ProfileFrom, token_for_server};
pub(crate) use self::provider::is_safe;
pub(crate) use self::serving::of_settings;
pub(crate) use self::state::{LoginState, login_state};
pub(crate) use self::token::{HELP as TOKEN_HELP, Token};
pub(crate) use self::whoami::{HELP as WHOAMI_HELP, Whoami};
