//! The settings as OpenTelemetry's own types.

use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::TelemetryResourceDetector;
use opentelemetry_sdk::trace::Sampler;

use super::settings::{SAMPLERS, TraceSettings, pairs};

impl TraceSettings {
    pub(super) fn resource(&self) -> Resource {
        let listed = self.resource_attributes.as_deref().and_then(pairs).unwrap_or_default();
        let given = listed.into_iter().map(|(name, value)| KeyValue::new(name, value));
        Resource::builder_empty()
            .with_detector(Box::new(TelemetryResourceDetector))
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .with_attributes(given)
            .with_service_name(self.service_name.clone().unwrap_or_default())
            .build()
    }

    pub(super) fn sampler(&self) -> Sampler {
        let share = self.sampler_arg.as_ref().and_then(|text| text.parse().ok()).unwrap_or(1.0);
        let by_parent = |root: Sampler| Sampler::ParentBased(Box::new(root));
        match SAMPLERS.get(self.sampler).copied().unwrap_or_default() {
            "always_on" => Sampler::AlwaysOn,
            "always_off" => Sampler::AlwaysOff,
            "traceidratio" => Sampler::TraceIdRatioBased(share),
            "parentbased_always_off" => by_parent(Sampler::AlwaysOff),
            "parentbased_traceidratio" => by_parent(Sampler::TraceIdRatioBased(share)),
            _ => by_parent(Sampler::AlwaysOn),
        }
    }
}
