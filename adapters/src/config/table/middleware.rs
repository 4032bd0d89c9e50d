//! Who may come in, and what is done with every request.

use super::DAY_MS;
use crate::auth::is_skip_path;
use crate::config::setting::{Kind, Setting, list, number, secret};
use crate::edge::{is_header, is_host, is_method, is_origin, is_proxy};

/// What stands between the clients and the objects, from the outside in.
pub(super) static MIDDLEWARE: &[Setting] = &[
    Setting::new(
        "auth.tokens",
        secret!(edge.auth.tokens),
        "The bearer tokens of those who may come in, separated by commas, each of at least 32 letters, digits or `-._~+/`. With it every request \
         needs the header `Authorization: Bearer …` with one of them, and other addresses than loopback can be served. \
         `openssl rand -hex 32` makes a good one.",
    ),
    Setting::new(
        "auth.skip_paths",
        list!(
            "paths, such as /health, or /do/Public/* for everything below one",
            is_skip_path,
            edge.auth.skip_paths
        ),
        "The paths that need no token. A request that names its object in a header needs one whatever its path.",
    ),
    Setting::new(
        "trusted_proxies",
        list!(
            "networks such as 10.0.0.0/8, or one number of proxies",
            is_proxy,
            edge.trusted_proxies
        ),
        "Which proxies stand in front: whose word counts about where a request comes from, in `X-Forwarded-For`. By networks, what none of them \
         has written is not believed; a number counts from the end of that header. Without any, a request comes from whoever opened the \
         connection.",
    ),
    Setting::new(
        "allowed_hosts",
        list!("names or IP addresses", is_host, edge.allowed_hosts),
        "The names under which clients reach the server, where it asks nobody who they are: requests that name another host are refused, since a page \
         of another site can come by one. On loopback the machine's own names are always taken; elsewhere nothing is refused while none is listed. \
         With authentication it means nothing.",
    ),
    Setting::new(
        "rate_limit.requests",
        number!("", 0..=1_000_000, edge.rate.requests),
        "How many requests one client may send to one object in `rate_limit.window_ms`, in each process; more are answered with 429. 0 is no \
         limit. A client is a caller with a token, or else an address (in IPv6 a network of /64).",
    ),
    Setting::new(
        "rate_limit.window_ms",
        Kind::Millis(1..=DAY_MS, |config| &mut config.edge.rate.window),
        "That time. After a burst one more request may be sent whenever this, divided by their number, has passed.",
    ),
    Setting::new(
        "cors.origins",
        list!(
            "origins such as https://app.example.com, or *, or null",
            is_origin,
            edge.cors.origins
        ),
        "The origins whose pages may use the server from a browser; exactly these, no patterns. `*` is every page, without credentials.",
    ),
    Setting::new(
        "cors.credentials",
        Kind::Switch(|config| &mut config.edge.cors.credentials),
        "Let those pages send what the browser keeps (cookies, its own login). A page that sends the header `Authorization` itself does not \
         need it.",
    ),
    Setting::new(
        "cors.methods",
        list!("methods", is_method, edge.cors.methods),
        "The methods that those pages may use.",
    ),
    Setting::new(
        "cors.headers",
        list!("names of headers", is_header, edge.cors.headers),
        "The headers that they may send.",
    ),
    Setting::new(
        "cors.exposed_headers",
        list!("names of headers", is_header, edge.cors.exposed_headers),
        "The headers that they may read.",
    ),
    Setting::new(
        "cors.max_age_ms",
        Kind::Millis(0..=DAY_MS, |config| &mut config.edge.cors.max_age),
        "How long a browser may remember what a page may do. Browsers have maxima of their own, some of 2 hours.",
    ),
    Setting::new(
        "compression.enabled",
        Kind::Switch(|config| &mut config.edge.compression.is_on),
        "Send text, JSON and XML as gzip or zstd to clients that take it. Leave it off where one response has both a secret and something that \
         a stranger can choose: its length would tell of the secret.",
    ),
    Setting::new(
        "compression.min_bytes",
        number!(" of bytes", 0..=1 << 30, edge.compression.bytes_min),
        "The shortest response that is worth it. Streams are always compressed, and sent on piece by piece.",
    ),
];
