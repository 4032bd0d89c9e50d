//! Logs and traces.

use super::{HOUR_MS, any, web_address};
use crate::config::setting::{Kind, Setting, secret, text};
use crate::edge::AccessLog;
use crate::telemetry::{LogFormat, SAMPLERS, is_log_filter, is_sampler_arg};

/// Logs, and traces under OpenTelemetry's own names.
pub(super) static LOGS: &[Setting] = &[
    Setting::new(
        "log.level",
        text!(
            "error, warn, info, debug, trace, off, or a list like info,dotdo_core=debug",
            is_log_filter,
            log.level
        ),
        "Log level. Logs go to standard error.",
    )
    .with_aliases(&["LOG_LEVEL"]),
    Setting::new(
        "log.format",
        Kind::OneOf {
            words: &["auto", "human", "json"],
            get: |config| config.log.format as usize,
            set: |config, at| {
                config.log.format = [LogFormat::Auto, LogFormat::Human, LogFormat::Json][at];
            },
        },
        "Log format. `auto` means `human` on a terminal and `json` (one object a line) elsewhere.",
    ),
    Setting::new(
        "log.access",
        Kind::OneOf {
            words: &["off", "errors", "all"],
            get: |config| config.edge.access_log as usize,
            set: |config, at| {
                config.edge.access_log = [AccessLog::Off, AccessLog::Errors, AccessLog::All][at];
            },
        },
        "Requests to log: none, those that failed in the server (5xx), or all. Queries and headers \
         are never logged.",
    ),
    Setting::new(
        "otel.exporter_otlp_endpoint",
        text!("an http:// or https:// URL", web_address, traces.endpoint),
        "URL of the OpenTelemetry collector; `/v1/traces` is appended. Without it there are no traces.",
    ),
    Setting::new(
        "otel.exporter_otlp_traces_endpoint",
        text!("an http:// or https:// URL", web_address, traces.traces_endpoint),
        "Full URL for traces. Wins over `OTEL_EXPORTER_OTLP_ENDPOINT`.",
    ),
    Setting::new(
        "otel.exporter_otlp_headers",
        secret!(traces.headers),
        "Headers to send to the collector, such as an API key: `name=value,name=value`, \
         percent-encoded.",
    ),
    Setting::new(
        "otel.exporter_otlp_protocol",
        Kind::OneOf { words: &["http/protobuf"], get: |_| 0, set: |_, _| {} },
        "Protocol for traces. Only one is supported.",
    ),
    Setting::new(
        "otel.exporter_otlp_timeout",
        Kind::Millis(1..=HOUR_MS, |config| &mut config.traces.timeout),
        "Timeout for sending a batch of spans to the collector. Requests never wait for the \
         collector.",
    ),
    Setting::new(
        "otel.service_name",
        text!("text", any, traces.service_name),
        "Name of the program in traces.",
    ),
    Setting::new(
        "otel.resource_attributes",
        text!("a list like name=value,name=value", any, traces.resource_attributes),
        "Further attributes of the program in traces, percent-encoded.",
    ),
    Setting::new(
        "otel.traces_sampler",
        Kind::OneOf {
            words: SAMPLERS,
            get: |config| config.traces.sampler,
            set: |config, at| config.traces.sampler = at,
        },
        "Sampler, which decides the requests to trace. `parentbased_…` follows the client's \
         `traceparent` if there is one.",
    ),
    Setting::new(
        "otel.traces_sampler_arg",
        text!("a number from 0 to 1", is_sampler_arg, traces.sampler_arg),
        "Share of the requests to trace, for the samplers `…traceidratio`. Without it, all.",
    ),
    Setting::new(
        "otel.sdk_disabled",
        Kind::Switch(|config| &mut config.traces.disabled),
        "Turn traces off, whatever the other settings say.",
    ),
];
