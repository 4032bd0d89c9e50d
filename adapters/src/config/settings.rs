//! The table of settings. The parser, the error messages and docs/SETTINGS.md are made from it.

mod access;
mod broker;
mod fetch;
mod identity;
mod limits;
mod login;
mod logs;
mod middleware;
mod objects;
mod server;

use std::sync::LazyLock;

use super::setting::Setting;

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

fn any(_: &str) -> bool {
    true
}

fn web_address(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| {
        let bare = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        matches!(url.scheme(), "http" | "https") && url.has_host() && bare
    })
}

/// Every setting, in the order of the documentation.
pub(super) static TABLE: LazyLock<Vec<&'static Setting>> = LazyLock::new(|| {
    [
        server::SERVER,
        logs::LOGS,
        objects::OBJECTS,
        limits::LIMITS,
        middleware::MIDDLEWARE,
        fetch::FETCH,
        broker::BROKER,
        access::ACCESS,
        identity::IDENTITY,
        login::LOGIN,
    ]
    .into_iter()
    .flatten()
    .collect()
});
