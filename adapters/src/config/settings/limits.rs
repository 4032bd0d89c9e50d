//! Limits of requests, memory and connections, and what one platform alone has.

use super::{DAY_MS, HOUR_MS, MINUTE_MS};
use crate::config::setting::{Kind, Setting, number, text};
use crate::credentials::is_private_address;
use crate::platforms::azure::settings::Mode;
use crate::platforms::lambda::settings::Streaming;
use crate::server::HEADER_BYTES_MIN;

/// Sizes, counts, timeouts, and the settings of Azure Functions and AWS Lambda.
pub(super) static LIMITS: &[Setting] = &[
    Setting::new(
        "limits.body_bytes_max",
        number!(" of bytes", 0..=1 << 40, edge.body_bytes_max),
        "Maximum size of a request body. A larger one is answered with 413.",
    ),
    Setting::new(
        "limits.header_bytes_max",
        number!(" of bytes", HEADER_BYTES_MIN as u64..=16 << 20, server.header_bytes_max),
        "Maximum size of a request's head. A larger one is answered with 431.",
    ),
    Setting::new(
        "limits.connections_max",
        number!("", 1..=1_000_000, server.connections_max),
        "Maximum number of open connections. A further connection replaces the one that has been \
         idle longest, first among those of tenants with more than their share; if none is idle, it \
         waits. No tenant has more than seven eighths, and of those each tenant has the same share \
         once the rest is needed: a request on a connection too many is answered with 503.",
    ),
    Setting::new(
        "limits.connections_per_client_max",
        number!("", 1..=1_000_000, server.connections_per_client_max),
        "Maximum number of open connections from one address that is not in `trusted_proxies`. A \
         further connection replaces the client's one that has been idle longest; if none is idle, it \
         is closed.",
    ),
    Setting::new(
        "limits.requests_max",
        number!("", 1..=10_000_000, settings.requests_max),
        "Maximum number of requests that are answered at the same time. Further ones wait briefly and \
         are then answered with 503; those of the tenant that has the fewest come first.",
    ),
    Setting::new(
        "limits.objects_max",
        number!("", 1..=10_000_000, settings.objects_max),
        "Maximum number of objects in memory.",
    ),
    Setting::new(
        "limits.memory_bytes_max",
        number!(" of bytes", 16 << 20..=1 << 50, settings.memory_bytes_max),
        "Memory budget for objects, requests, restores and snapshots together. Work reserves memory \
         before it starts; if there is not enough, it waits briefly and is then answered with 503. \
         Set it to two fifths of a container's memory. An object may use at most half of it, and so \
         may a request.",
    ),
    Setting::new(
        "limits.object_bytes_max",
        number!(" of bytes", 1 << 20..=1 << 30, settings.object_bytes_max),
        "Maximum size of an object's database. A write beyond it is answered with 507.",
    ),
    Setting::new(
        "limits.temporary_bytes_max",
        number!(" of bytes", 1 << 20..=1 << 40, settings.temporary_bytes_max),
        "Maximum memory for the SQL of one request besides its object's database: sorting, grouping, \
         intermediate results, and what a rollback needs. Beyond it, the request is answered with \
         413. It is capped at an eighth of `limits.memory_bytes_max`.",
    ),
    Setting::new(
        "limits.row_bytes_max",
        number!(" of bytes", 1024..=1_000_000_000, settings.row_bytes_max),
        "Maximum size of a value, and of a row.",
    ),
    Setting::new(
        "limits.sockets_max",
        number!("", 0..=1_000_000, settings.sockets_max),
        "Maximum number of open sockets (WebSockets and event streams) of this server. A further one \
         is answered with 503. Each is one of the connections of `limits.connections_max`, too.",
    ),
    Setting::new(
        "limits.sockets_per_tenant_max",
        number!("", 0..=1_000_000, settings.sockets_per_tenant_max),
        "Maximum number of open sockets of one tenant's objects on this server.",
    ),
    Setting::new(
        "limits.socket_message_bytes_max",
        number!(" of bytes", 1..=64 << 20, server.sockets.message_bytes_max),
        "Maximum size of a message from the client of a WebSocket. A larger one closes it with 1009.",
    ),
    Setting::new(
        "limits.socket_idle_ms",
        Kind::Millis(100..=DAY_MS, |config| &mut config.server.sockets.idle),
        "Time after which a WebSocket is closed from whose client nothing has come. After half of it \
         the server sends a ping, which every client answers.",
    ),
    Setting::new(
        "limits.socket_ms_max",
        Kind::Millis(1000..=30 * DAY_MS, |config| &mut config.settings.socket_time_max),
        "Maximum time of a WebSocket or an event stream. After it, a WebSocket is closed with 1012 \
         and a stream ends; its client connects again, and its caller is verified again.",
    ),
    Setting::new(
        "http.idle_ms",
        Kind::Millis(100..=HOUR_MS, |config| &mut config.server.idle),
        "Time in which a connection must send the complete head of its next request. Keep it longer \
         than the idle timeout of a load balancer in front.",
    ),
    Setting::new(
        "http.write_stall_ms",
        Kind::Millis(10..=HOUR_MS, |config| &mut config.server.write_stall),
        "Maximum time that a response makes no progress because the client does not read. After it, \
         the connection is closed, or over HTTP/2 the stream alone if others make progress.",
    ),
    Setting::new(
        "http.body_stall_ms",
        Kind::Millis(10..=HOUR_MS, |config| &mut config.edge.body_stall),
        "Maximum pause of a client that sends a request body. After it, the request is answered with \
         408.",
    ),
    Setting::new(
        "http.body_bytes_per_second_min",
        number!(" of bytes", 0..=1 << 30, edge.body_bytes_per_second_min),
        "Minimum average rate of a request body in bytes per second, enforced once \
         `http.body_stall_ms` has passed. A slower client is answered with 408. 0 turns this off.",
    ),
    Setting::new(
        "http.body_ms_max",
        Kind::Millis(10..=HOUR_MS, |config| &mut config.edge.body_time_max),
        "Maximum time for a whole request body. After it, the request is answered with 408.",
    ),
    Setting::new(
        "shutdown.deadline_ms",
        Kind::Millis(0..=10 * MINUTE_MS, |config| &mut config.shutdown),
        "Maximum time for a shutdown: finishing requests, committing, writing snapshots, and \
         releasing objects. The default fits the 10 s of Docker and Cloud Run. Platforms with another \
         grace period have their own default: Azure Functions and Fly 4500, Kubernetes 20000, Lambda \
         and Vercel 450, Railway 2500, Render 29000.",
    ),
    Setting::new(
        "azure_functions.mode",
        Kind::OneOf {
            words: &["http", "payload"],
            get: |config| config.functions as usize,
            set: |config, at| config.functions = [Mode::Http, Mode::Payload][at],
        },
        "How the Functions host delivers requests; must match `host.json`. `http` is for \
         `enableProxyingHttpRequest` or the older `enableForwardingHttpRequest`. `payload`, for \
         neither, describes requests in JSON, and supports text bodies and one cookie per response \
         only.",
    ),
    Setting::new(
        "lambda.streaming",
        Kind::OneOf {
            words: &["off", "function-url", "all"],
            get: |config| config.lambda.streaming as usize,
            set: |config, at| {
                config.lambda.streaming =
                    [Streaming::Off, Streaming::FunctionUrl, Streaming::All][at];
            },
        },
        "Front ends on AWS Lambda to which responses are streamed: none, function URLs (whose invoke \
         mode must then be `RESPONSE_STREAM`), or REST APIs as well (whose response transfer mode \
         must be `STREAM`). HTTP APIs and load balancers do not support it. A response that is not \
         streamed is limited to 6 MB.",
    ),
    Setting::new(
        "lambda.background_max_ms",
        Kind::Millis(0..=15 * MINUTE_MS, |config| &mut config.lambda.background_max),
        "Maximum time that a response on AWS Lambda waits for snapshots, messages and `wait_until` \
         work, because the process is frozen after it. With a shorter time, responses are faster, and \
         such work waits for the next request or for another process.",
    ),
    Setting::new(
        "lambda.connections_url",
        text!(
            "an https:// URL, or an http:// URL of this machine",
            is_private_address,
            lambda.connections_url
        ),
        "Where the connections of API Gateway's WebSocket APIs are: what stands before \
         `/@connections`. Only needed where the API is not reached at its own address \
         (`https://{api}.execute-api.{region}.amazonaws.com/{stage}`): one whose default endpoint is \
         off, with a domain of its own, or behind a VPC endpoint.",
    ),
];
