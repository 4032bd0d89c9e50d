mod exchange;
mod identity;
mod storage;
mod table;

use std::path::PathBuf;

use dotdo_core::{Error, Ownership, StoreConfig};

use super::*;
use crate::credentials::Storage;

const SECRET: &str = "hunter2";

impl Resolved {
    /// The store, where the settings say all of it.
    fn store(self) -> StoreConfig {
        match self.storage {
            Storage::Known(store) => store,
            other => panic!("expected a store, got {other:?}"),
        }
    }
}

fn environment(pairs: &[(&str, &str)]) -> Sources {
    let environment =
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Sources { environment, ..Sources::default() }
}

fn port_flag(value: &str) -> Flag {
    Flag { key: "port", name: "--port", value: value.to_owned() }
}

fn file(text: &str) -> Sources {
    Sources { project: Some(("dotdo.toml".to_owned(), text.to_owned())), ..Sources::default() }
}

fn resolved(sources: &Sources) -> Resolved {
    resolve(sources).unwrap_or_else(|error| panic!("{error}"))
}

fn refusal(sources: &Sources) -> String {
    let error: Error = resolve(sources).map(|_| ()).expect_err("a wrong configuration");
    assert_eq!(error.code(), "BAD_CONFIG");
    error.message().to_owned()
}

#[test]
fn the_defaults_are_loopback_and_a_folder() {
    let Resolved { config, platform, storage, warnings } = resolved(&Sources::default());
    assert_eq!(platform, Platform::Http);
    assert_eq!((config.host.as_deref(), config.port), (Some("127.0.0.1"), 8787));
    let folder = StoreConfig::Folder { path: PathBuf::from("./.dotdo") };
    assert_eq!(storage, Storage::Known(folder));
    assert_eq!(config.settings, Settings::default());
    assert!(warnings.is_empty());
}

#[test]
fn the_source_with_the_highest_precedence_wins() {
    let mut sources = Sources {
        user: Some((
            "user".to_owned(),
            "port = 1\nlog.level = \"warn\"\n[checkpoint]\nmin_changes = 1".to_owned(),
        )),
        project: Some(("project".to_owned(), "port = 2\ncheckpoint.min_changes = 2".to_owned())),
        ..environment(&[("PORT", "3"), ("LOG_LEVEL", "debug")])
    };
    sources.flags.push(port_flag("4"));
    let seen = |sources: &Sources| {
        let config = resolved(sources).config;
        (config.port, config.settings.checkpoint.min_changes, config.log.level.unwrap_or_default())
    };
    assert_eq!(seen(&sources), (4, 2, "debug".to_owned()));
    sources.flags.clear();
    assert_eq!(seen(&sources), (3, 2, "debug".to_owned()));
    sources.environment.clear();
    assert_eq!(seen(&sources), (2, 2, "warn".to_owned()));
    sources.project = None;
    assert_eq!(seen(&sources), (1, 1, "warn".to_owned()));
}

#[test]
fn the_main_variable_wins_over_an_alias_and_an_empty_one_is_ignored() {
    assert_eq!(resolved(&environment(&[("DOTDO_PORT", "1"), ("PORT", "2")])).config.port, 1);
    assert_eq!(resolved(&environment(&[("DOTDO_PORT", ""), ("PORT", "2")])).config.port, 2);
}

#[test]
fn an_error_names_the_setting_the_accepted_values_and_the_value() {
    for (name, value, expected) in [
        ("PORT", "http", "PORT: expected a whole number from 0 to 65535, got \"http\""),
        (
            "DOTDO_PORT",
            "65536",
            "DOTDO_PORT: expected a whole number from 0 to 65535, got \"65536\"",
        ),
        (
            "DOTDO_CHECKPOINT_INTERVAL_MS",
            "1m",
            "DOTDO_CHECKPOINT_INTERVAL_MS: expected a whole number of milliseconds from 0 to 86400000, got \"1m\"",
        ),
        (
            "DOTDO_CHECKPOINT_MODE",
            "always",
            "DOTDO_CHECKPOINT_MODE: expected auto or every-request, got \"always\"",
        ),
        (
            "DOTDO_RETENTION_MS",
            "3599999",
            "DOTDO_RETENTION_MS: expected a whole number of milliseconds from 3600000 to 315360000000, got \"3599999\"",
        ),
        (
            "DOTDO_ALLOW_UNAUTHENTICATED",
            "yes",
            "DOTDO_ALLOW_UNAUTHENTICATED: expected true, false, 1 or 0, got \"yes\"",
        ),
        (
            "LOG_LEVEL",
            "loud",
            "LOG_LEVEL: expected error, warn, info, debug, trace, off, or a list like info,dotdo_core=debug, got \"loud\"",
        ),
        ("DEFAULT_DO_CLASS", "a-b", "DEFAULT_DO_CLASS: expected the name of a class, got \"a-b\""),
        (
            "DOTDO_STORAGE",
            "ftp://x",
            "DOTDO_STORAGE: expected a folder, file:///path, s3://bucket/prefix, gs://bucket/prefix, \
             az://container/prefix or memory://, got \"ftp://x\"",
        ),
    ] {
        assert_eq!(refusal(&environment(&[(name, value)])), expected);
    }
    let both =
        [("DOTDO_LIMITS_ROW_BYTES_MAX", "2000000"), ("DOTDO_LIMITS_OBJECT_BYTES_MAX", "1048576")];
    let expected = "limits.row_bytes_max: expected at most limits.object_bytes_max, which is 1048576, got 2000000";
    assert_eq!(refusal(&environment(&both)), expected);
    let flag = Sources { flags: vec![port_flag("x")], ..Sources::default() };
    assert_eq!(refusal(&flag), "--port: expected a whole number from 0 to 65535, got \"x\"");
}

#[test]
fn an_unknown_name_is_refused_with_a_suggestion() {
    for (sources, expected) in [
        (
            environment(&[("DOTDO_CHEKPOINT_INTERVAL_MS", "1")]),
            "unknown environment variable DOTDO_CHEKPOINT_INTERVAL_MS; did you mean DOTDO_CHECKPOINT_INTERVAL_MS?",
        ),
        (
            environment(&[("DOTDO_PROT", "")]),
            "unknown environment variable DOTDO_PROT; did you mean DOTDO_PORT?",
        ),
        (
            environment(&[("DOTDO_XYZZY", "1")]),
            "unknown environment variable DOTDO_XYZZY; docs/SETTINGS.md lists all",
        ),
        (file("prot = 1"), "dotdo.toml: unknown setting prot; did you mean port?"),
        (
            file("[checkpoint]\nintervall_ms = 1"),
            "dotdo.toml: unknown setting checkpoint.intervall_ms; did you mean checkpoint.interval_ms?",
        ),
        (
            file("[nothing]\nx = 1"),
            "dotdo.toml: unknown setting nothing; docs/SETTINGS.md lists all",
        ),
        (
            file("checkpoint = 5"),
            "dotdo.toml: unknown setting checkpoint; docs/SETTINGS.md lists all",
        ),
        (
            file("port = [1]"),
            "dotdo.toml: port: expected a whole number from 0 to 65535, got a TOML array",
        ),
    ] {
        assert_eq!(refusal(&sources), expected);
    }
    assert!(refusal(&file("port = 1\n\nhost = ")).starts_with("dotdo.toml, line 3: "));
}

#[test]
fn variables_without_our_prefix_are_ignored() {
    resolved(&environment(&[
        ("AWS_PROFILE", "x"),
        ("R2_WHATEVER", "x"),
        ("dotdo_port", "x"),
        ("PATH", "/bin"),
    ]));
}

#[test]
fn the_default_ownership_of_functions_is_per_request() {
    let ownership = |pairs: &[(&str, &str)]| {
        let storage = ("DOTDO_STORAGE", "memory://");
        resolved(&environment(&[pairs, &[storage]].concat())).config.settings.ownership
    };
    assert_eq!(ownership(&[]), Ownership::Leased);
    for platform in
        ["AWS_LAMBDA_RUNTIME_API", "FUNCTIONS_CUSTOMHANDLER_PORT", "K_SERVICE", "VERCEL"]
    {
        assert_eq!(ownership(&[(platform, "1")]), Ownership::PerRequest, "{platform}");
        assert_eq!(
            ownership(&[(platform, "1"), ("DOTDO_OWNERSHIP", "leased")]),
            Ownership::Leased,
            "{platform}"
        );
    }
    assert_eq!(
        ownership(&[("VERCEL", ""), ("DOTDO_OWNERSHIP", "per-request")]),
        Ownership::PerRequest
    );
    assert_eq!(ownership(&[("DOTDO_PLATFORM", "cloud-run")]), Ownership::PerRequest);
    assert_eq!(ownership(&[("DOTDO_PLATFORM", "http"), ("K_SERVICE", "x")]), Ownership::Leased);
    assert_eq!(ownership(&[("DOTDO_PLATFORM", "auto"), ("K_SERVICE", "x")]), Ownership::PerRequest);
    let refused = refusal(&environment(&[("DOTDO_PLATFORM", "lamda")]));
    assert!(refused.starts_with("DOTDO_PLATFORM: expected auto, lambda, "), "{refused}");
}

#[test]
fn reserved_variables_log_a_warning() {
    let warnings =
        resolved(&environment(&[("ICEBERG_CATALOG", "x"), ("ICEBERG_WAREHOUSE", "")])).warnings;
    let expected = ["ICEBERG_CATALOG is set, but this version ignores it"];
    assert_eq!(warnings, expected);
}

#[test]
fn a_database_is_named_by_a_url_that_a_token_may_be_sent_to() {
    let variables = [("TURSO_URL", "libsql://db.example"), ("TURSO_TOKEN", "sesame")];
    let Resolved { config, .. } = resolved(&environment(&variables));
    let database = config.access.database;
    assert_eq!(database.url.as_ref().map(Secret::reveal), Some("libsql://db.example"));
    assert_eq!(database.token.as_ref().map(Secret::reveal), Some("sesame"));
    assert!(!format!("{database:?}").contains("sesame"));
    for url in ["http://db.example", "libsql://db.example?authToken=sesame", "sesame"] {
        let message = refusal(&environment(&[("TURSO_URL", url)]));
        assert!(message.starts_with("turso.url: expected libsql://host"), "{message}");
        assert!(!message.contains("sesame"), "{message}");
    }
}

#[test]
fn a_secret_of_the_servers_is_long_and_not_shown() {
    let message = refusal(&environment(&[("DOTDO_PEER_SECRET", SECRET)]));
    assert_eq!(
        message,
        "peer_secret: expected at least 32 bytes, got fewer (value not shown); to generate one, run `openssl rand -hex 32`"
    );
    let long = "a".repeat(32);
    let Resolved { config, .. } = resolved(&environment(&[
        ("DOTDO_PEER_SECRET", &long),
        ("FLY_MACHINE_ID", "m1"),
        ("DOTDO_STORAGE", "s3://b"),
    ]));
    assert!(!format!("{config:?}").contains(&long));
    assert_eq!((config.forwarding, config.fly_machine.as_deref()), (Forwarding::Auto, Some("m1")));
}

#[test]
fn the_url_of_a_redis_is_checked_and_never_shown() {
    for good in [
        "redis://host",
        "rediss://user:hunter2@host:6380/1",
        "redis://:hunter2@[::1]:6379",
        "redis://host?protocol=resp3",
    ] {
        for name in ["REDIS_URL", "DOTDO_REDIS_URL"] {
            let config = resolved(&environment(&[(name, good)])).config;
            assert!(config.redis_url.as_ref().is_some_and(|url| url.reveal() == good));
            assert!(!format!("{config:?}").contains(SECRET));
        }
    }
    for wrong in [
        "host",
        "http://id:hunter2@host",
        "redis://",
        "redis+unix:///hunter2",
        "redis://host/hunter2",
        "rediss://:hunter2@host#insecure",
    ] {
        let message = refusal(&environment(&[("REDIS_URL", wrong)]));
        assert!(
            message.contains("redis_url")
                && message.contains("rediss://")
                && !message.contains(SECRET),
            "{message}"
        );
    }
}

#[test]
fn secrets_are_not_printed() {
    let sources = environment(&[
        ("DOTDO_STORAGE", "s3://b"),
        ("R2_ACCESS_KEY_ID", "id"),
        ("R2_SECRET_ACCESS_KEY", SECRET),
    ]);
    assert!(!format!("{:?}", resolved(&sources)).contains(SECRET));
    for sources in [
        environment(&[("DOTDO_STORAGE", "s3://id:hunter2@bucket")]),
        environment(&[("AWS_ENDPOINT_URL", "https://id:hunter2@host")]),
        file("r2.secret_access_key = [\"hunter2\"]"),
        file("[r2]\nsecret_access_key = \"hunter2"),
    ] {
        let message = refusal(&sources);
        assert!(!message.contains(SECRET), "{message}");
    }
}

#[test]
fn with_an_issuer_no_path_is_open_but_those_that_name_no_object() {
    let skipping = |paths: &str, issuer: &[(&str, &str)]| {
        environment(&[&[("DOTDO_AUTH_SKIP_PATHS", paths)], issuer].concat())
    };
    let issuer = [("DOTDO_AUTH_ISSUER", "https://login.example.com")];
    for open in ["/health", "/ready,/health", "/ready", "none"] {
        resolved(&skipping(open, &issuer));
    }
    for open in ["/metrics", "/do/Public/*", "/health,/ready,/metrics", "/health/*", "/"] {
        resolved(&skipping(open, &[]));
        let why = refusal(&skipping(open, &issuer));
        assert!(why.starts_with("auth.skip_paths: expected /health and /ready only"), "{why}");
    }
}
