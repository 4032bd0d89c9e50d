//! What a program was built without (cargo features), said when somebody configures it.

use dotdo_core::Result;

use super::Config;
use super::draft::wrong;
use crate::platforms::Platform;
use crate::platforms::azure::settings::Mode;

/// A part of the program that may have been left out.
struct Part {
    /// Its cargo feature.
    feature: &'static str,
    is_there: bool,
    /// What in the configuration needs it.
    needed_by: fn(&Config, Platform) -> Option<&'static str>,
}

/// The parts that settings here need. Stores are the core's, which says the same of them.
const PARTS: [Part; 7] = [
    Part {
        feature: "lambda",
        is_there: cfg!(feature = "lambda"),
        needed_by: |_, platform| (platform == Platform::Lambda).then_some("the platform lambda"),
    },
    Part {
        feature: "vercel",
        is_there: cfg!(feature = "vercel"),
        needed_by: |_, platform| (platform == Platform::Vercel).then_some("the platform vercel"),
    },
    Part {
        feature: "azure",
        is_there: cfg!(feature = "azure"),
        needed_by: |config, _| {
            (config.functions == Mode::Payload).then_some("azure_functions.mode = \"payload\"")
        },
    },
    Part {
        feature: "oidc",
        is_there: cfg!(feature = "oidc"),
        needed_by: |config, _| {
            let identity = &config.edge.auth.identity;
            let secret = identity.development_secret.as_ref();
            let issuer =
                (!identity.issuers.is_empty()).then_some("auth.issuer (DOTDO_AUTH_ISSUER)");
            issuer.or(secret.map(|_| "auth.development_secret (DOTDO_AUTH_DEVELOPMENT_SECRET)"))
        },
    },
    Part {
        feature: "redis",
        is_there: cfg!(feature = "redis"),
        needed_by: |config, _| config.redis_url.as_ref().map(|_| "redis_url (REDIS_URL)"),
    },
    Part {
        feature: "turso",
        is_there: cfg!(feature = "turso"),
        needed_by: |config, _| config.access.database.url.as_ref().map(|_| "turso.url (TURSO_URL)"),
    },
    Part {
        feature: "otlp",
        is_there: cfg!(feature = "otlp"),
        needed_by: |config, _| {
            let what = "otel.exporter_otlp_endpoint (OTEL_EXPORTER_OTLP_ENDPOINT)";
            config.traces.endpoint().map(|_| what)
        },
    },
];

/// Finds out whether the program has what its configuration needs.
///
/// # Errors
///
/// `Invalid`, naming the feature and the setting.
pub(super) fn check(config: &Config, platform: Platform) -> Result<()> {
    check_with(config, platform, |part| part.is_there)
}

fn check_with(config: &Config, platform: Platform, is_there: fn(&Part) -> bool) -> Result<()> {
    for part in PARTS.iter().filter(|part| !is_there(part)) {
        if let Some(what) = (part.needed_by)(config, platform) {
            let feature = part.feature;
            return Err(wrong(format!(
                "this program was built without the feature `{feature}`, which {what} needs; add the feature to the dependency `dotdo` in Cargo.toml, or \
                 configure it otherwise"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use dotdo_core::Secret;

    use super::*;

    /// What a program without any of the parts says.
    fn refusal(config: &Config, platform: Platform) -> String {
        let error = check_with(config, platform, |_| false).expect_err("a part is missing");
        assert_eq!(error.code(), "BAD_CONFIG");
        error.message().to_owned()
    }

    #[test]
    fn what_was_left_out_is_named_with_what_needs_it() {
        let plain = Config::default();
        for (platform, feature) in [(Platform::Lambda, "lambda"), (Platform::Vercel, "vercel")] {
            let text = refusal(&plain, platform);
            assert!(text.contains(&format!("`{feature}`")) && text.contains(feature), "{text}");
        }
        let redis = Config { redis_url: Some(Secret::new("redis://:hunter2@h")), ..plain.clone() };
        let text = refusal(&redis, Platform::Http);
        assert!(text.contains("`redis`") && text.contains("REDIS_URL"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
        let mut issued = plain.clone();
        issued.edge.auth.identity.development_secret = Some(Secret::new("hunter2"));
        let text = refusal(&issued, Platform::Http);
        assert!(text.contains("`oidc`") && text.contains("DEVELOPMENT_SECRET"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
        issued.edge.auth.identity.issuers = vec!["https://auth.example.com".to_owned()];
        assert!(refusal(&issued, Platform::Http).contains("DOTDO_AUTH_ISSUER"));
        let payloads = Config { functions: Mode::Payload, ..plain.clone() };
        assert!(refusal(&payloads, Platform::AzureFunctions).contains("`azure`"));
        let mut coordinated = plain.clone();
        coordinated.access.database.url = Some(Secret::new("libsql://db.example"));
        let text = refusal(&coordinated, Platform::Http);
        assert!(text.contains("`turso`") && text.contains("TURSO_URL"), "{text}");
        let mut traced = plain;
        traced.traces.endpoint = Some("http://collector:4318".to_owned());
        assert!(refusal(&traced, Platform::Http).contains("`otlp`"));
    }

    #[test]
    fn what_needs_no_part_starts_without_any() {
        for platform in [Platform::Http, Platform::Fly, Platform::AzureFunctions] {
            assert!(check_with(&Config::default(), platform, |_| false).is_ok(), "{platform:?}");
        }
    }
}
