//! Authentication, and what else is done with every request before it reaches an object.

use super::{DAY_MS, any};
use crate::auth::{is_issuer, is_organisation, is_skip_path};
use crate::config::setting::{Kind, Setting, list, number, secret, text};
use crate::edge::{AdministrationRoutes, is_header, is_host, is_method, is_origin, is_proxy};

/// The middleware between clients and objects, from the outside in.
pub(super) static MIDDLEWARE: &[Setting] = &[
    Setting::new(
        "admin.routes",
        Kind::OneOf {
            words: AdministrationRoutes::WORDS,
            get: |config| config.edge.administration as usize,
            set: |config, at| config.edge.administration = AdministrationRoutes::ALL[at],
        },
        "Whether the server has the routes of administration ([ADMINISTRATION.md](ADMINISTRATION.md)): \
         lists of objects, SQL on their databases, files, and so on. `auto` has them with authentication, \
         for callers with `dotdo:admin` and operators, and without it on a server that listens on \
         loopback only. `on` stops the start of any other server.",
    ),
    Setting::new(
        "auth.tokens",
        secret!(edge.auth.tokens),
        "Bearer tokens that grant access, separated by commas, each of at least 32 letters, digits or \
         `-._~+/`. With it, every request needs the header `Authorization: Bearer …` with one of \
         them (or a token of `auth.issuer`), and the server may listen on other addresses than \
         loopback. To generate a token, run \
         `openssl rand -hex 32`.",
    ),
    Setting::new(
        "tick.secret",
        secret!(edge.tick_secret),
        "Secret of a platform's timer, or several, separated by commas, in the form of `auth.tokens`. \
         With it, a GET or POST of `/_dotdo/tick` with `Authorization: Bearer …` runs alarms that are \
         due, delivers messages that wait and rolls up changes (`analytics`); without it the route is not there. For functions, which \
         are frozen between requests: a server does this by itself. Vercel's timer sends `CRON_SECRET`.",
    )
    .with_aliases(&["CRON_SECRET"]),
    Setting::new(
        "auth.issuer",
        list!(
            "OpenID issuers, such as https://auth.example.com, or name=https://auth.example.com",
            is_issuer,
            edge.auth.identity.issuers
        ),
        "OpenID issuers whose tokens (JWT) are accepted. Every request then needs one, and reaches the \
         objects of the tenant that its token names ([IDENTITY.md](IDENTITY.md)). Of several issuers, all \
         but one need a name, which becomes a part of their organisations' names. A host alone is \
         reached over https; http is accepted on loopback only.",
    )
    .with_aliases(&["WORKOS_AUTH_DOMAIN"]),
    Setting::new(
        "auth.audience",
        text!("text", any, edge.auth.identity.audience),
        "Audience (`aud`) that tokens must have. Set it whenever the issuer can issue tokens for other \
         services too. Without it, tokens that have an audience are refused, unless it is \
         `auth.client_id`.",
    ),
    Setting::new(
        "auth.client_id",
        text!("text", any, edge.auth.identity.client_id),
        "Client id at the issuer. Without `auth.audience`, tokens with this audience are accepted. \
         `dotdo login` logs in with it.",
    ),
    Setting::new(
        "auth.development_secret",
        secret!(edge.auth.identity.development_secret),
        "Secret of at least 32 bytes with which tokens may be signed (HS256), for development without \
         an issuer. Whoever knows it can be anybody, so with this setting a server listens on loopback \
         only.",
    ),
    Setting::new(
        "auth.operators",
        list!(
            "organisations, such as acme, or partner:acme for one of the issuer named partner",
            is_organisation,
            edge.auth.identity.operators
        ),
        "Organisations whose tokens may have the scope `dotdo:operator`, which is for the server itself \
         (metrics, details of errors about the store). In tokens of other organisations this scope has \
         no effect.",
    ),
    Setting::new(
        "auth.skip_paths",
        list!(
            "paths, such as /health, or /do/Public/* for everything below a path",
            is_skip_path,
            edge.auth.skip_paths
        ),
        "Paths that need no token. A request that names its object in a header always needs one. With \
         `auth.issuer`, only `/health` and `/ready` are allowed.",
    ),
    Setting::new(
        "trusted_proxies",
        list!(
            "networks such as 10.0.0.0/8, or a single number of proxies",
            is_proxy,
            edge.trusted_proxies
        ),
        "Proxies in front of the server whose `X-Forwarded-For` is trusted for the client's address. \
         With networks, entries that none of these proxies wrote are ignored; a number counts \
         proxies from the end of the header. Without any, the client is whoever opened the \
         connection.",
    ),
    Setting::new(
        "allowed_hosts",
        list!("names or IP addresses", is_host, edge.allowed_hosts),
        "Host names under which clients reach a server without authentication. Requests for another \
         host are refused, which protects against DNS rebinding by pages of other sites. On loopback, \
         the machine's own names are always accepted; elsewhere every host is accepted while the list \
         is empty. With authentication this setting has no effect.",
    ),
    Setting::new(
        "rate_limit.requests",
        number!("", 0..=1_000_000, edge.rate.requests),
        "Maximum number of requests that a client may send to an object in `rate_limit.window_ms`, \
         counted by each process. Further requests are answered with 429. 0 means no limit. A client \
         is a caller with a token, otherwise an address (in IPv6 a /64 network).",
    ),
    Setting::new(
        "rate_limit.window_ms",
        Kind::Millis(1..=DAY_MS, |config| &mut config.edge.rate.window),
        "Time window for `rate_limit.requests`. After a burst, one more request is accepted each time \
         that the window divided by the number of requests has passed.",
    ),
    Setting::new(
        "cors.origins",
        list!(
            "origins such as https://app.example.com, or *, or null",
            is_origin,
            edge.cors.origins
        ),
        "Origins whose pages may use the server from a browser. They must match exactly; there are no \
         patterns. `*` allows every page, but without credentials.",
    ),
    Setting::new(
        "cors.credentials",
        Kind::Switch(|config| &mut config.edge.cors.credentials),
        "Allow pages to send the browser's credentials (cookies, HTTP authentication). Pages that set \
         the header `Authorization` themselves do not need it.",
    ),
    Setting::new(
        "cors.methods",
        list!("methods", is_method, edge.cors.methods),
        "Methods that pages of `cors.origins` may use.",
    ),
    Setting::new(
        "cors.headers",
        list!("names of headers", is_header, edge.cors.headers),
        "Request headers that pages of `cors.origins` may send.",
    ),
    Setting::new(
        "cors.exposed_headers",
        list!("names of headers", is_header, edge.cors.exposed_headers),
        "Response headers that pages of `cors.origins` may read.",
    ),
    Setting::new(
        "cors.max_age_ms",
        Kind::Millis(0..=DAY_MS, |config| &mut config.edge.cors.max_age),
        "Time for which browsers may cache the answer to a preflight request. Browsers have maximums \
         of their own, some of 2 hours.",
    ),
    Setting::new(
        "compression.enabled",
        Kind::Switch(|config| &mut config.edge.compression.is_on),
        "Compress text, JSON and XML with gzip or zstd for clients that accept it, and messages on \
         WebSockets (permessage-deflate) for those that offer it. Leave it off if responses or \
         messages combine secrets with text that a stranger can choose: their length would reveal \
         the secret.",
    ),
    Setting::new(
        "compression.min_bytes",
        number!(" of bytes", 0..=1 << 30, edge.compression.bytes_min),
        "Minimum size of a response or a message to compress. Streams are always compressed, and \
         flushed chunk by chunk.",
    ),
];
