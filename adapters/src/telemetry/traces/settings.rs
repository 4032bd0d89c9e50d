//! The supported standard settings of OpenTelemetry.

use std::collections::HashMap;
use std::time::Duration;

use dotdo_core::{Error, Result, Secret};
use http::{HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;

/// Names of samplers, the default first.
pub(crate) const SAMPLERS: &[&str] = &[
    "parentbased_always_on",
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_off",
    "parentbased_traceidratio",
];

/// Settings of traces.
#[derive(Debug, Clone)]
pub(crate) struct TraceSettings {
    /// URL of the collector; `/v1/traces` is appended.
    pub(crate) endpoint: Option<String>,
    /// Full URL for traces, which takes precedence.
    pub(crate) traces_endpoint: Option<String>,
    /// Headers for the collector: `name=value`, separated by commas.
    pub(crate) headers: Option<Secret>,
    /// Timeout of a request to the collector.
    pub(crate) timeout: Duration,
    /// Name of the service in traces.
    pub(crate) service_name: Option<String>,
    /// Further attributes in traces: `name=value`, separated by commas.
    pub(crate) resource_attributes: Option<String>,
    /// The sampler: an index into [`SAMPLERS`].
    pub(crate) sampler: usize,
    /// Share of the requests to trace, from 0 to 1.
    pub(crate) sampler_arg: Option<String>,
    /// Whether traces are off.
    pub(crate) disabled: bool,
}

impl Default for TraceSettings {
    fn default() -> Self {
        Self {
            endpoint: None,
            traces_endpoint: None,
            headers: None,
            timeout: Duration::from_secs(10),
            service_name: Some("dotdo".to_owned()),
            resource_attributes: None,
            sampler: 0,
            sampler_arg: None,
            disabled: false,
        }
    }
}

/// Whether `text` is a number from 0 to 1.
pub(crate) fn is_sampler_arg(text: &str) -> bool {
    text.parse::<f64>().is_ok_and(|share| (0.0..=1.0).contains(&share))
}

impl TraceSettings {
    /// Checks that the lists can be parsed.
    ///
    /// # Errors
    ///
    /// `Invalid`, without showing values that may be secret.
    pub(crate) fn check(&self) -> Result<()> {
        self.headers().map(drop)?;
        let listed = self.resource_attributes.as_deref().map_or(Some(Vec::new()), pairs);
        let text = "otel.resource_attributes: expected a list like name=value,name=value";
        listed.map(drop).ok_or_else(|| Error::invalid(text).with_code("BAD_CONFIG"))
    }

    /// The URL for traces; `None` if they are off.
    pub(crate) fn endpoint(&self) -> Option<String> {
        let whole = self.traces_endpoint.clone();
        let endpoint = whole.or_else(|| {
            Some(format!("{}/v1/traces", self.endpoint.as_ref()?.trim_end_matches('/')))
        })?;
        (!self.disabled).then_some(endpoint)
    }

    /// The headers for the collector.
    ///
    /// # Errors
    ///
    /// `Invalid`, without showing the headers.
    pub(super) fn headers(&self) -> Result<HashMap<String, String>> {
        let Some(secret) = &self.headers else { return Ok(HashMap::new()) };
        let is_header = |(name, value): &(String, String)| {
            name.parse::<HeaderName>().is_ok() && value.parse::<HeaderValue>().is_ok()
        };
        let listed = pairs(secret.reveal()).filter(|listed| listed.iter().all(is_header));
        let text = "OTEL_EXPORTER_OTLP_HEADERS: expected a list like name=value,name=value, got another value (not shown, it may contain a secret)";
        listed
            .map(|listed| listed.into_iter().collect())
            .ok_or_else(|| Error::invalid(text).with_code("BAD_CONFIG"))
    }
}

/// The pairs of a list like `name=value,name=value`, percent-decoded.
pub(super) fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let decoded = |text: &str| percent_decode_str(text.trim()).decode_utf8().ok().map(String::from);
    let parts = text.split(',').filter(|part| !part.trim().is_empty());
    parts
        .map(|part| {
            part.split_once('=').and_then(|(name, value)| {
                Some((decoded(name).filter(|name| !name.is_empty())?, decoded(value)?))
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_headers(text: &str) -> TraceSettings {
        TraceSettings { headers: Some(Secret::new(text)), ..TraceSettings::default() }
    }

    #[test]
    fn headers_are_a_list_and_are_never_shown() {
        let headers =
            with_headers("authorization=Bearer%20abc, x-team = mine,").headers().expect("a list");
        assert_eq!(
            headers,
            HashMap::from([
                ("authorization".into(), "Bearer abc".into()),
                ("x-team".into(), "mine".into())
            ])
        );
        for bad in ["hunter2", "a b=hunter2", "=hunter2", "x=hunter2%0a"] {
            let error = with_headers(bad).check().expect_err(bad);
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
        assert!(!format!("{:?}", with_headers("x=hunter2")).contains("hunter2"));
    }

    #[test]
    fn the_endpoint_for_traces_wins_and_all_can_be_switched_off() {
        let mut settings = TraceSettings {
            endpoint: Some("http://collector:4318/".to_owned()),
            ..TraceSettings::default()
        };
        assert_eq!(settings.endpoint().as_deref(), Some("http://collector:4318/v1/traces"));
        settings.traces_endpoint = Some("http://other/spans".to_owned());
        assert_eq!(settings.endpoint().as_deref(), Some("http://other/spans"));
        settings.disabled = true;
        assert_eq!(settings.endpoint(), None);
        assert_eq!(TraceSettings::default().endpoint(), None);
    }

    #[test]
    fn a_share_is_from_0_to_1() {
        assert!(["0", "1", "0.25"].into_iter().all(is_sampler_arg));
        assert!(!["", "-1", "1.1", "half", "NaN"].into_iter().any(is_sampler_arg));
    }
}
