//! The platforms, each a file.

mod http;

pub(crate) use self::http::Http;
