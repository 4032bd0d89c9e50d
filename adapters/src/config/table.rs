//! The one table of settings: parser, error texts and documentation are all made from it.

mod access;
mod middleware;

use std::sync::LazyLock;

use dotdo_core::{CheckpointMode, Ownership, RETENTION_MIN, is_class_name};

use super::Forwarding;
use super::setting::{Kind, Setting, number, secret, text};
use crate::edge::AccessLog;
use crate::http::HEADER_BYTES_MIN;
use crate::platforms::Platform;
use crate::platforms::azure::settings::Mode;
use crate::platforms::lambda::settings::Streaming;
use crate::telemetry::{LogFormat, SAMPLERS, is_log_filter, is_sampler_arg};

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
    [SERVER, middleware::MIDDLEWARE, access::ACCESS].into_iter().flatten().collect()
});

/// The server, its objects and its limits.
static SERVER: &[Setting] = &[
    Setting::new(
        "platform",
        Kind::OneOf {
            words: Platform::WORDS,
            get: |config| config.platform.map_or(0, Platform::place),
            set: |config, at| config.platform = Platform::at(at),
        },
        "Where the program runs, which decides how requests come in and some defaults. `auto` goes by the variables that each platform sets; \
         the log says at the start what was found.",
    ),
    Setting::new(
        "host",
        text!("an IP address or a host name", |host| !host.contains(['/', ' ']), host),
        "Where to listen. Anything but loopback needs authentication, or `allow_unauthenticated`. On Cloud Run, Kubernetes and Render the default is \
         `0.0.0.0`, on Fly and Railway `::`, which is every address of both kinds; on Azure Functions it is loopback whatever is said.",
    ),
    Setting::new("port", number!("", 0..=65_535, port), "The port to listen on; 0 takes any free one and logs it. On Azure Functions it is what the host says in `FUNCTIONS_CUSTOMHANDLER_PORT`.").with_aliases(&["PORT"]),
    Setting::new(
        "allow_unauthenticated",
        Kind::Switch(|config| &mut config.allow_unauthenticated),
        "Serve other machines although nobody has to prove who they are. For private networks only: whoever reaches the port can read \
         and write everything.",
    ),
    Setting::new(
        "address",
        text!("an address with http:// or https://", web_address, settings.address),
        "Where other servers on the same bucket reach this one. Else, where requests are forwarded, the address that it listens on; where that is \
         every address, its own on the private network: by `POD_IP` on Kubernetes, `FLY_PRIVATE_IP` on Fly, `RAILWAY_PRIVATE_DOMAIN` on Railway, \
         `RENDER_DISCOVERY_SERVICE` on Render.",
    ),
    Setting::new(
        "forwarding",
        Kind::OneOf {
            words: &["auto", "off", "proxy", "fly-replay"],
            get: |config| config.forwarding as usize,
            set: |config, at| config.forwarding = [Forwarding::Auto, Forwarding::Off, Forwarding::Proxy, Forwarding::FlyReplay][at],
        },
        "What becomes of requests for objects that another server owns: `proxy` sends them there over HTTP in the servers' own TLS (needs `peer_secret`), `fly-replay` \
         lets Fly's proxy bring them there, `off` answers 503 with `Retry-After`. `auto` is `fly-replay` on Fly, `proxy` with a `peer_secret`, \
         else `off`.",
    ),
    Setting::new(
        "peer_secret",
        secret!(peer_secret),
        "What all servers of a bucket know and nobody else, at least 32 bytes: with it they prove to each other who they are. It is never \
         sent. `openssl rand -hex 32` makes a good one. To renew it, several separated by commas: the first is used, each is taken.",
    ),
    Setting::new(
        "redis_url",
        secret!(redis_url),
        "A Redis where servers tell each other which objects they own, such as `redis://user:password@host:6379`, or `rediss://` for TLS: a request for an \
         object that another server owns gets there without a look into the bucket. Used with `peer_secret` and forwarding by `proxy` only. Nothing depends \
         on it but speed ([platforms/redis.md](platforms/redis.md)).",
    )
    .with_aliases(&["REDIS_URL"]),
    Setting::new(
        "default_class",
        text!("the name of a class", is_class_name, default_class),
        "The class of requests that name none; else the first class of the program.",
    )
    .with_aliases(&["DEFAULT_DO_CLASS"]),
    Setting::new(
        "storage",
        text!(
            "a folder, or file:///path, s3://bucket/prefix, gs://bucket/prefix, az://container/prefix or memory://",
            |text| super::storage::check(text),
            storage
        ),
        "Where the state is kept. A relative folder is relative to the working directory. A platform that keeps no folder of the program (each but \
         `http`) has no default, and is not started without.",
    ),
    Setting::new(
        "storage_endpoint",
        text!("an address with http:// or https://", web_address, access.endpoint),
        "Another address of the service behind `gs://` or `az://`, such as an emulator's. (`s3://` takes `R2_ENDPOINT` or `AWS_ENDPOINT_URL`.)",
    ),
    Setting::new(
        "log.level",
        text!("error, warn, info, debug, trace, off, or a list like info,dotdo_core=debug", is_log_filter, log.level),
        "How much is logged, to standard error.",
    )
    .with_aliases(&["LOG_LEVEL"]),
    Setting::new(
        "log.format",
        Kind::OneOf {
            words: &["auto", "human", "json"],
            get: |config| config.log.format as usize,
            set: |config, at| config.log.format = [LogFormat::Auto, LogFormat::Human, LogFormat::Json][at],
        },
        "How it is logged: `auto` writes for people on a terminal, and JSON lines otherwise.",
    ),
    Setting::new(
        "log.access",
        Kind::OneOf {
            words: &["off", "errors", "all"],
            get: |config| config.edge.access_log as usize,
            set: |config, at| config.edge.access_log = [AccessLog::Off, AccessLog::Errors, AccessLog::All][at],
        },
        "Which requests get a line in the log: none, those that failed on the server's side (5xx), or all. Queries and headers are never logged.",
    ),
    Setting::new(
        "otel.exporter_otlp_endpoint",
        text!("an address with http:// or https://", web_address, traces.endpoint),
        "The collector that traces are sent to; `/v1/traces` is added. Without it none are made. The names are OpenTelemetry's own.",
    ),
    Setting::new(
        "otel.exporter_otlp_traces_endpoint",
        text!("an address with http:// or https://", web_address, traces.traces_endpoint),
        "The whole address for traces; wins.",
    ),
    Setting::new(
        "otel.exporter_otlp_headers",
        secret!(traces.headers),
        "Headers for the collector, such as a key: `name=value,name=value`, percent-encoded.",
    ),
    Setting::new(
        "otel.exporter_otlp_protocol",
        Kind::OneOf { words: &["http/protobuf"], get: |_| 0, set: |_, _| {} },
        "How traces are sent. There is one way.",
    ),
    Setting::new(
        "otel.exporter_otlp_timeout",
        Kind::Millis(1..=HOUR_MS, |config| &mut config.traces.timeout),
        "How long the collector may take for a batch of spans. Requests never wait for it.",
    ),
    Setting::new("otel.service_name", text!("text", any, traces.service_name), "What traces call the program."),
    Setting::new(
        "otel.resource_attributes",
        text!("a list like name=value,name=value", any, traces.resource_attributes),
        "What else every trace says of the program, percent-encoded.",
    ),
    Setting::new(
        "otel.traces_sampler",
        Kind::OneOf { words: SAMPLERS, get: |config| config.traces.sampler, set: |config, at| config.traces.sampler = at },
        "Which requests are traced. `parentbased_…` follows the client's `traceparent` where it sends one.",
    ),
    Setting::new(
        "otel.traces_sampler_arg",
        text!("a number from 0 to 1", is_sampler_arg, traces.sampler_arg),
        "The share of the requests, for `…traceidratio`; else all.",
    ),
    Setting::new("otel.sdk_disabled", Kind::Switch(|config| &mut config.traces.disabled), "Make no traces, whatever else is set."),
    Setting::new(
        "checkpoint.mode",
        Kind::OneOf {
            words: &["auto", "every-request"],
            get: |config| config.settings.checkpoint.mode as usize,
            set: |config, at| config.settings.checkpoint.mode = [CheckpointMode::Auto, CheckpointMode::EveryRequest][at],
        },
        "`auto` writes snapshots behind the responses, or, where objects are owned per request, within the request that makes one due, because \
         nothing may run after an answer there; `every-request` lets every response that changed something wait for one, so that Iceberg readers see it \
         at once. Costs several more writes to the store a request.",
    ),
    Setting::new(
        "checkpoint.interval_ms",
        Kind::Millis(0..=DAY_MS, |config| &mut config.settings.checkpoint.interval),
        "The least time between two snapshots of an object. Shorter: fresher files, more writes to the store.",
    ),
    Setting::new(
        "checkpoint.min_changes",
        number!("", 1..=1_000_000_000, settings.checkpoint.min_changes),
        "How many changed rows a snapshot waits for.",
    ),
    Setting::new(
        "checkpoint.log_bytes",
        number!(" of bytes", 4096..=1 << 30, settings.checkpoint.log_bytes),
        "A snapshot is due, whatever the interval, when the records since the last one have this many bytes.",
    ),
    Setting::new(
        "checkpoint.log_records",
        number!("", 1..=100_000, settings.checkpoint.log_records),
        "Likewise in records. A cold start reads each record since the last snapshot.",
    ),
    Setting::new(
        "ownership",
        Kind::OneOf {
            words: &["leased", "per-request"],
            get: |config| config.settings.ownership as usize,
            set: |config, at| config.settings.ownership = [Ownership::Leased, Ownership::PerRequest][at],
        },
        "How this process owns its objects: `leased` answers reads from memory and keeps others away meanwhile, for servers; `per-request` \
         proves every response by the log, for functions that are frozen between requests. Both may share a bucket. On AWS Lambda, \
         Azure Functions, Cloud Run and Vercel the default is `per-request`.",
    ),
    Setting::new(
        "lease.duration_ms",
        Kind::Millis(200..=10 * MINUTE_MS, |config| &mut config.settings.lease_duration),
        "How long a server may answer from memory after its last write to an object's log. Longer: fewer heartbeats, and a longer wait \
         for the others after a crash.",
    ),
    Setting::new(
        "commit.deadline_ms",
        Kind::Millis(100..=5 * MINUTE_MS, |config| &mut config.settings.commit_deadline),
        "How long a write may try to get a certain answer from the store before the client is told that the outcome is unknown.",
    ),
    Setting::new(
        "handler.time_max_ms",
        Kind::Millis(1..=HOUR_MS, |config| &mut config.settings.handler_time_max),
        "How long a handler may run before its request is undone and answered with 504.",
    ),
    Setting::new(
        "turn.wait_max_ms",
        Kind::Millis(1..=HOUR_MS, |config| &mut config.settings.turn_wait_max),
        "How long a request may wait for its object's turn before it is answered with 503.",
    ),
    Setting::new(
        "retention.ms",
        Kind::Millis(RETENTION_MIN.as_millis() as u64..=3650 * DAY_MS, |config| &mut config.settings.retention),
        "How long snapshots and the records that they cover are kept. Longer: reads reach further back, and storage costs more.",
    ),
    Setting::new(
        "idempotency.keep_ms",
        Kind::Millis(1000..=3650 * DAY_MS, |config| &mut config.settings.idempotency_keep),
        "How long the answer to a request with an `Idempotency-Key` is kept. Longer: it can be sent again for longer, and the objects are \
         larger.",
    ),
    Setting::new(
        "outbox.scan_ms",
        Kind::Millis(100..=DAY_MS, |config| &mut config.settings.outbox_scan),
        "How often to look for objects with messages that a server which has gone left undelivered. Each look is a listing of the store; an \
         object that sends writes a marker in twice this time.",
    ),
    Setting::new(
        "limits.body_bytes_max",
        number!(" of bytes", 0..=1 << 40, edge.body_bytes_max),
        "The largest body of a request; a larger one is answered with 413.",
    ),
    Setting::new(
        "limits.header_bytes_max",
        number!(" of bytes", HEADER_BYTES_MIN as u64..=16 << 20, server.header_bytes_max),
        "The largest head of a request; a larger one is answered with 431.",
    ),
    Setting::new(
        "limits.connections_max",
        number!("", 1..=1_000_000, server.connections_max),
        "How many connections may be open. For the next, the one that has been idle for the longest time is closed; when none is idle, it waits.",
    ),
    Setting::new(
        "limits.connections_per_client_max",
        number!("", 1..=1_000_000, server.connections_per_client_max),
        "How many connections may be open from one address, unless it is one of `trusted_proxies`. For the next, the one that has been idle for the longest time is \
         closed; when none is idle, the next is.",
    ),
    Setting::new("limits.objects_max", number!("", 1..=10_000_000, settings.objects_max), "How many objects may stay in memory."),
    Setting::new(
        "limits.memory_bytes_max",
        number!(" of bytes", 16 << 20..=1 << 50, settings.memory_bytes_max),
        "The memory that objects, requests, restores and snapshots share, taken before the work: what does not fit waits a little, then it is answered with 503. \
         Set it to two fifths of what a container has. One object has at most half of it, and so has one request.",
    ),
    Setting::new(
        "limits.object_bytes_max",
        number!(" of bytes", 1 << 20..=1 << 30, settings.object_bytes_max),
        "The largest database of one object; a write beyond it is answered with 507.",
    ),
    Setting::new(
        "limits.temporary_bytes_max",
        number!(" of bytes", 1 << 20..=1 << 40, settings.temporary_bytes_max),
        "How many bytes of memory the SQL of one request may take besides its object's database: to sort and to group, for intermediate results, \
         and for what a rollback needs. More is answered with 413. At most an eighth of `limits.memory_bytes_max` counts.",
    ),
    Setting::new("limits.row_bytes_max", number!(" of bytes", 1024..=1_000_000_000, settings.row_bytes_max), "The largest value or row."),
    Setting::new(
        "http.idle_ms",
        Kind::Millis(100..=HOUR_MS, |config| &mut config.server.idle),
        "How long a connection may take to send the whole head of its next request. Keep it longer than a load balancer in front keeps \
         idle connections.",
    ),
    Setting::new(
        "http.write_stall_ms",
        Kind::Millis(10..=HOUR_MS, |config| &mut config.server.write_stall),
        "How long a response may make no progress because its client does not read; then its connection is closed.",
    ),
    Setting::new(
        "http.body_stall_ms",
        Kind::Millis(10..=HOUR_MS, |config| &mut config.edge.body_stall),
        "How long the sender of a body may pause before its request is refused with 408.",
    ),
    Setting::new(
        "http.body_bytes_per_second_min",
        number!(" of bytes", 0..=1 << 30, edge.body_bytes_per_second_min),
        "How many bytes of a body have to come in a second, on average, after the time of one such pause; a slower sender is refused with 408. 0 takes any.",
    ),
    Setting::new(
        "http.body_ms_max",
        Kind::Millis(10..=HOUR_MS, |config| &mut config.edge.body_time_max),
        "How long a whole body may take before its request is refused with 408.",
    ),
    Setting::new(
        "shutdown.deadline_ms",
        Kind::Millis(0..=10 * MINUTE_MS, |config| &mut config.shutdown),
        "How long a stop may take: finish requests, commit, write snapshots, release the objects. A platform that waits for another time than the \
         10 s of Docker and Cloud Run has another default: Azure Functions and Fly 4500, Kubernetes 20000, Lambda and Vercel 450, Railway 2500, \
         Render 29000.",
    ),
    Setting::new(
        "azure_functions.mode",
        Kind::OneOf {
            words: &["http", "payload"],
            get: |config| config.functions as usize,
            set: |config, at| config.functions = [Mode::Http, Mode::Payload][at],
        },
        "How the Functions host brings requests, as its `host.json` says: `http` as they are (`enableProxyingHttpRequest`, or the older \
         `enableForwardingHttpRequest`), `payload` described in JSON (neither), which takes text bodies and one cookie an answer only.",
    ),
    Setting::new(
        "lambda.streaming",
        Kind::OneOf {
            words: &["off", "function-url", "all"],
            get: |config| config.lambda.streaming as usize,
            set: |config, at| config.lambda.streaming = [Streaming::Off, Streaming::FunctionUrl, Streaming::All][at],
        },
        "On AWS Lambda, who gets responses piece by piece: nobody, function URLs (whose invoke mode must then be `RESPONSE_STREAM`), or REST APIs \
         too (whose response transfer mode must be `STREAM`). HTTP APIs and load balancers can't. As a whole, a response has at most 6 MB.",
    ),
    Setting::new(
        "lambda.settle_max_ms",
        Kind::Millis(0..=15 * MINUTE_MS, |config| &mut config.lambda.settle_max),
        "On AWS Lambda, how long an answer may wait for snapshots, messages and `wait_until` work before the process is frozen. Shorter: faster \
         answers, and such work waits for the next request, or for another process.",
    ),
];
