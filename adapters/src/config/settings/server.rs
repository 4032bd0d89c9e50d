//! Where the program runs, where it listens, and where its state is.

use dotdo_core::is_class_name;

use super::{any, web_address};
use crate::config::Forwarding;
use crate::config::setting::{Kind, Setting, number, secret, text};
use crate::platforms::Platform;

/// The server and its storage.
pub(super) static SERVER: &[Setting] = &[
    Setting::new(
        "platform",
        Kind::OneOf {
            words: Platform::WORDS,
            get: |config| config.platform.map_or(0, Platform::place),
            set: |config, at| config.platform = Platform::at(at),
        },
        "Platform that runs the program. It decides how requests arrive, and several defaults. `auto` \
         detects it from the environment variables that each platform sets, and logs the result at \
         startup.",
    ),
    Setting::new(
        "host",
        text!("an IP address or a host name", |host| !host.contains(['/', ' ']), host),
        "Address to listen on. Any address other than loopback requires authentication or \
         `allow_unauthenticated`. The default is `0.0.0.0` on Cloud Run, Kubernetes and Render, and \
         `::` (all IPv4 and IPv6 addresses) on Fly and Railway. On Azure Functions it is always \
         loopback.",
    ),
    Setting::new(
        "port",
        number!("", 0..=65_535, port),
        "Port to listen on. 0 picks a free port and logs it. On Azure Functions the port in \
         `FUNCTIONS_CUSTOMHANDLER_PORT` always wins.",
    )
    .with_aliases(&["PORT"]),
    Setting::new(
        "allow_unauthenticated",
        Kind::Switch(|config| &mut config.allow_unauthenticated),
        "Accept requests from other machines without authentication. For private networks only: \
         anyone who can reach the port can read and write everything.",
    ),
    Setting::new(
        "address",
        text!("an http:// or https:// URL", web_address, settings.address),
        "URL under which the other servers of the bucket reach this one. When requests are forwarded, \
         the default is the address that the server listens on. If that is all addresses, it is the \
         server's own address on the private network: `POD_IP` on Kubernetes, `FLY_PRIVATE_IP` on \
         Fly, `RAILWAY_PRIVATE_DOMAIN` on Railway, and `RENDER_DISCOVERY_SERVICE` on Render.",
    ),
    Setting::new(
        "forwarding",
        Kind::OneOf {
            words: &["auto", "off", "proxy", "fly-replay"],
            get: |config| config.forwarding as usize,
            set: |config, at| {
                config.forwarding = [
                    Forwarding::Auto,
                    Forwarding::Off,
                    Forwarding::Proxy,
                    Forwarding::FlyReplay,
                ][at];
            },
        },
        "How to handle requests for objects that another server owns. `proxy` forwards them to the \
         owner over TLS (needs `peer_secret`), `fly-replay` lets Fly's proxy deliver \
         them to the owner, and `off` answers 503 with `Retry-After`. `auto` means `fly-replay` on \
         Fly, otherwise `proxy` if there is a `peer_secret`, otherwise `off`.",
    ),
    Setting::new(
        "peer_secret",
        secret!(peer_secret),
        "Secret shared by all servers of a bucket, at least 32 bytes; the servers authenticate each \
         other with it. It is never sent. To generate one, run `openssl rand -hex 32`. To rotate it, \
         give several, separated by commas: the first is used, and all are accepted.",
    ),
    Setting::new(
        "redis_url",
        secret!(redis_url),
        "Redis in which servers announce the objects they own, such as \
         `redis://user:password@host:6379`, or `rediss://` for TLS. It saves the read from the bucket \
         that finds the owner of an object. Used only with `peer_secret` and forwarding by `proxy`. \
         Only speed depends on it ([platforms/redis.md](platforms/redis.md)).",
    )
    .with_aliases(&["REDIS_URL"]),
    Setting::new(
        "core_dumps",
        Kind::Switch(|config| &mut config.core_dumps),
        "Whether a crash of the process may leave a core dump. A dump has all secrets and the state of \
         all tenants in memory. On Linux with glibc only; elsewhere the system decides.",
    ),
    Setting::new(
        "default_class",
        text!("the name of a class", is_class_name, default_class),
        "Class for requests that do not name one. The default is the first class of the program.",
    )
    .with_aliases(&["DEFAULT_DO_CLASS"]),
    Setting::new(
        "worker",
        text!("a file or a folder", any, worker),
        "Worker in JavaScript that `dotdo serve` serves if its command line names none: a bundle \
         (`.js`, `.mjs`), its `wrangler.jsonc`, `.json` or `.toml`, or a folder that has one. The \
         default is `worker/wrangler.json` beside the program's own file, then the `wrangler` file in \
         the working directory, then the built-in class.",
    ),
    Setting::new(
        "storage",
        text!(
            "a folder, file:///path, s3://bucket/prefix, gs://bucket/prefix, az://container/prefix \
             or memory://",
            |text| crate::config::storage::check(text),
            storage
        ),
        "Folder or bucket for all state. A relative path is relative to the working directory. On \
         platforms that do not keep a program's files (all except `http`) there is no default, and \
         the program does not start without this setting.",
    ),
    Setting::new(
        "storage_endpoint",
        text!("an http:// or https:// URL", web_address, access.endpoint),
        "URL of the service behind `gs://` or `az://` if it is not the provider's own, such as an \
         emulator. (`s3://` uses `R2_ENDPOINT` or `AWS_ENDPOINT_URL`.)",
    ),
];
