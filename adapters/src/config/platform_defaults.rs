//! Defaults that depend on the platform, and settings that it requires.

use std::net::IpAddr;

use dotdo_core::{Ownership, Result};

use super::draft::{Draft, Strength, wrong};
use super::settings::TABLE;
use super::sources::Sources;
use super::storage::of_token_alone;
use super::{Config, Forwarding, StorageAccess};
use crate::platforms::azure::settings::Mode;
use crate::platforms::{LOOPBACK, Platform};

/// Applies the defaults of `platform` to settings that were not given.
///
/// # Errors
///
/// `Invalid` when the platform can't work with the configuration, or would lose the state.
pub(super) fn apply(draft: &mut Draft, platform: Platform, sources: &Sources) -> Result<()> {
    let name = platform.name();
    if let Some(variable) = platform.needs().filter(|variable| sources.value(variable).is_none()) {
        return Err(wrong(format!(
            "the platform is {name}, but {variable}, which {name} sets, is missing; for plain HTTP anywhere, set DOTDO_PLATFORM=http"
        )));
    }
    if draft.config.functions == Mode::Payload && platform != Platform::AzureFunctions {
        return Err(wrong(format!(
            "azure_functions.mode: expected http because the platform is {name}, got payload"
        )));
    }
    if draft.strength("ownership") == Strength::Default {
        draft.config.settings.ownership = platform.ownership();
    }
    if draft.strength("host") == Strength::Default {
        draft.config.host = Some(platform.host().to_owned());
    }
    if draft.strength("shutdown.deadline_ms") == Strength::Default {
        draft.config.shutdown = platform.shutdown();
    }
    if let Some((variable, port)) =
        platform.port().and_then(|variable| Some((variable, sources.value(variable)?)))
    {
        let setting = TABLE
            .iter()
            .find(|setting| setting.key == "port")
            .expect("there is a setting for the port");
        draft.put(Strength::Flag, setting, variable, port)?;
        draft.config.host = Some(LOOPBACK.to_owned());
    }
    token_header(draft, platform)?;
    let said = [draft.strength("storage"), draft.strength("r2.bucket")].into_iter().max();
    let at_home = platform.at_home().is_some_and(|variable| sources.value(variable).is_some());
    let is_named = said > Some(Strength::Default) || of_token_alone(draft).is_some();
    if !platform.keeps_folders() && !at_home && !is_named {
        return Err(wrong(format!(
            "no storage is set, and {name} does not keep a program's files: set DOTDO_STORAGE to a bucket (s3://bucket/prefix, \
             gs://bucket/prefix, az://container/prefix) or to a folder on a persistent volume, or set a token (JWT_TOKEN) and DOTDO_BROKER"
        )));
    }
    draft.config.reached = platform.reached(|variable| sources.value(variable));
    reachable(&draft.config, platform)
}

/// Lets a header of requests say who this server is, if the platform itself sets it.
fn token_header(draft: &mut Draft, platform: Platform) -> Result<()> {
    let StorageAccess { aws, identity, .. } = &mut draft.config.access;
    let has_exchanger = aws.role_arn.is_some() || identity.broker.is_some();
    if platform.token_header().is_some() && has_exchanger && aws.session_token.is_some() {
        // These are the function's own keys: they have no permissions, and nobody can set a session
        // token there.
        (aws.access_key_id, aws.secret_access_key, aws.session_token) = (None, None, None);
    }
    identity.is_on_fly = platform == Platform::Fly;
    let header = &mut identity.token_header;
    match (platform.token_header(), header.is_some()) {
        (Some(name), false) => *header = Some(name.to_owned()),
        (None, true) => {
            return Err(wrong(format!(
                "identity.token_header: expected a platform that adds such a header to each request, got {}, where any client could send it; use JWT_TOKEN or \
                 identity.token_file",
                platform.name()
            )));
        }
        _ => {}
    }
    Ok(())
}

/// Checks that other servers can reach this one if they are to forward requests to it.
fn reachable(config: &Config, platform: Platform) -> Result<()> {
    let everywhere = config
        .host
        .as_deref()
        .is_some_and(|host| host.parse::<IpAddr>().is_ok_and(|ip| ip.is_unspecified()));
    let owner = config.settings.ownership == Ownership::Leased && config.settings.address.is_none();
    let proxies = config.peer_secret.is_some()
        && matches!(config.forwarding, Forwarding::Auto | Forwarding::Proxy)
        && config.fly_machine.is_none();
    match platform
        .reached_by()
        .filter(|_| everywhere && owner && proxies && config.reached.is_none())
    {
        Some(variable) => Err(wrong(format!(
            "DOTDO_PEER_SECRET is set, but the URL under which other servers reach this one is unknown: set {variable}, or DOTDO_ADDRESS to a URL \
             such as http://10.0.0.7:8787, or DOTDO_FORWARDING=off"
        ))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use dotdo_core::CheckpointMode;

    use super::super::{Flag, Resolved, resolve};
    use super::*;
    use crate::platforms::Reached;

    /// The environment variables that each platform documents to set.
    const KNOWN: [(&str, &[(&str, &str)]); 9] = [
        (
            "lambda",
            &[("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"), ("AWS_LAMBDA_FUNCTION_NAME", "f")],
        ),
        ("vercel", &[("VERCEL", "1"), ("VERCEL_IPC_PATH", "/tmp/ipc")]),
        ("azure-functions", &[("FUNCTIONS_CUSTOMHANDLER_PORT", "40123"), ("PORT", "8080")]),
        ("cloud-run", &[("K_SERVICE", "s"), ("K_REVISION", "s-1"), ("PORT", "8080")]),
        ("fly", &[("FLY_MACHINE_ID", "m1"), ("FLY_APP_NAME", "a"), ("FLY_PRIVATE_IP", "fdaa::3")]),
        (
            "railway",
            &[
                ("RAILWAY_PROJECT_ID", "p"),
                ("RAILWAY_PRIVATE_DOMAIN", "s.railway.internal"),
                ("PORT", "8080"),
            ],
        ),
        (
            "render",
            &[("RENDER", "true"), ("RENDER_DISCOVERY_SERVICE", "s-discovery"), ("PORT", "10000")],
        ),
        ("kubernetes", &[("KUBERNETES_SERVICE_HOST", "10.0.0.1"), ("POD_IP", "10.1.0.7")]),
        ("http", &[]),
    ];

    fn sources(given: &[&[(&str, &str)]]) -> Sources {
        let environment = given
            .concat()
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Sources { environment, ..Sources::default() }
    }

    fn resolved(given: &[&[(&str, &str)]]) -> Resolved {
        resolve(&sources(given)).unwrap_or_else(|error| panic!("{error}"))
    }

    fn refusal(given: &[&[(&str, &str)]]) -> String {
        resolve(&sources(given)).map(|_| ()).expect_err("it can't work so").message().to_owned()
    }

    const BUCKET: &[(&str, &str)] = &[("DOTDO_STORAGE", "s3://bucket")];

    #[test]
    fn each_platform_is_detected_and_gets_its_defaults() {
        let rows: Vec<_> = KNOWN
            .iter()
            .map(|(name, variables)| {
                let Resolved { config, platform, .. } = resolved(&[variables, BUCKET]);
                assert_eq!(platform.name(), *name);
                assert_eq!(config.settings.checkpoint.mode, CheckpointMode::Auto, "{name}");
                let host = config.host.unwrap_or_default();
                format!(
                    "{name} {host}:{} {:?} {} ms",
                    config.port,
                    config.settings.ownership,
                    config.shutdown.as_millis()
                )
            })
            .collect();
        let expected = [
            "lambda 127.0.0.1:8787 PerRequest 450 ms",
            "vercel 127.0.0.1:8787 PerRequest 450 ms",
            "azure-functions 127.0.0.1:40123 PerRequest 4500 ms",
            "cloud-run 0.0.0.0:8080 PerRequest 9000 ms",
            "fly :::8787 Leased 4500 ms",
            "railway :::8080 Leased 2500 ms",
            "render 0.0.0.0:10000 Leased 29000 ms",
            "kubernetes 0.0.0.0:8787 Leased 20000 ms",
            "http 127.0.0.1:8787 Leased 9000 ms",
        ];
        assert_eq!(rows, expected);
    }

    #[test]
    fn given_settings_win_over_platform_defaults() {
        for (name, variables) in KNOWN {
            let said = [
                ("DOTDO_HOST", "10.9.8.7"),
                ("DOTDO_SHUTDOWN_DEADLINE_MS", "77"),
                ("DOTDO_OWNERSHIP", "leased"),
            ];
            let config = resolved(&[variables, BUCKET, &said]).config;
            assert_eq!(
                (config.shutdown.as_millis(), config.settings.ownership),
                (77, Ownership::Leased),
                "{name}"
            );
            let expected = if name == "azure-functions" { LOOPBACK } else { "10.9.8.7" };
            assert_eq!(
                config.host.as_deref(),
                Some(expected),
                "{name}: the Functions host comes over loopback only"
            );
        }
    }

    #[test]
    fn platforms_without_persistent_files_have_no_default_storage() {
        for (name, variables) in KNOWN {
            if name == "http" {
                resolved(&[variables]);
                continue;
            }
            let message = refusal(&[variables]);
            assert!(message.contains(name) && message.contains("DOTDO_STORAGE"), "{message}");
            resolved(&[variables, &[("DOTDO_STORAGE", "/mnt/volume")]]);
            resolved(&[variables, &[("R2_BUCKET", "b"), ("R2_ENDPOINT", "https://r2.example")]]);
            let file = Some(("dotdo.toml".to_owned(), "storage = \"./.dotdo\"".to_owned()));
            resolve(&Sources { project: file, ..sources(&[variables]) })
                .unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }

    #[test]
    fn an_emulated_platform_has_a_default_folder() {
        let played = resolved(&[&[("VERCEL_DEV_PORT", "3000"), ("VERCEL_DEV", "1")]]);
        assert_eq!(
            (played.platform, played.config.storage.as_deref()),
            (Platform::Vercel, Some("./.dotdo"))
        );
    }

    #[test]
    fn an_incomplete_platform_environment_is_refused() {
        for (name, variable) in [
            ("azure-functions", "FUNCTIONS_CUSTOMHANDLER_PORT"),
            ("lambda", "AWS_LAMBDA_RUNTIME_API"),
        ] {
            let message = refusal(&[&[("DOTDO_PLATFORM", name)], BUCKET]);
            assert!(message.contains(name) && message.contains(variable), "{message}");
        }
        let message = refusal(&[&[("FUNCTIONS_CUSTOMHANDLER_PORT", "http")], BUCKET]);
        assert_eq!(
            message,
            "FUNCTIONS_CUSTOMHANDLER_PORT: expected a whole number from 0 to 65535, got \"http\""
        );
        let message =
            refusal(&[&[("K_SERVICE", "s"), ("DOTDO_AZURE_FUNCTIONS_MODE", "payload")], BUCKET]);
        assert_eq!(
            message,
            "azure_functions.mode: expected http because the platform is cloud-run, got payload"
        );
        let secret = "a".repeat(32);
        let message = refusal(&[
            &[("KUBERNETES_SERVICE_HOST", "10.0.0.1"), ("DOTDO_PEER_SECRET", &secret)],
            BUCKET,
        ]);
        assert!(
            message.contains("POD_IP")
                && message.contains("DOTDO_ADDRESS")
                && !message.contains(&secret),
            "{message}"
        );
    }

    #[test]
    fn the_port_of_the_functions_host_wins_over_every_other() {
        let mut sources =
            sources(&[KNOWN[2].1, BUCKET, &[("DOTDO_PORT", "1"), ("DOTDO_HOST", "0.0.0.0")]]);
        let flag = Flag { key: "port", name: "--port", value: "2".to_owned() };
        sources.flags.push(flag);
        let config = resolve(&sources).unwrap_or_else(|error| panic!("{error}")).config;
        assert_eq!((config.host.as_deref(), config.port), (Some(LOOPBACK), 40123));
    }

    #[test]
    fn the_address_for_other_servers_comes_from_the_platform() {
        let reached = |at: usize| resolved(&[KNOWN[at].1, BUCKET]).config.reached;
        assert_eq!(reached(3), None);
        assert_eq!(reached(5), Some(Reached::Beside("s.railway.internal".to_owned())));
        assert_eq!(reached(7), Some(Reached::At("10.1.0.7".to_owned())));
    }
}
