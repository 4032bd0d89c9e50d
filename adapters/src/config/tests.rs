use std::collections::BTreeSet;
use std::path::PathBuf;

use dotdo_core::{AzureCredentials, Error, Ownership, S3Credentials};
use proptest::prelude::*;

use super::setting::Kind;
use super::table::TABLE;
use super::*;

const SECRET: &str = "hunter2";

fn environment(pairs: &[(&str, &str)]) -> Sources {
    let environment =
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Sources { environment, ..Sources::default() }
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
fn without_a_word_it_is_loopback_and_a_folder() {
    let Resolved { config, platform, store, warnings } = resolved(&Sources::default());
    assert_eq!(platform, Platform::Http);
    assert_eq!((config.host.as_deref(), config.port), (Some("127.0.0.1"), 8787));
    assert_eq!(store, StoreConfig::Folder { path: PathBuf::from("./.dotdo") });
    assert_eq!(config.settings, Settings::default());
    assert!(warnings.is_empty());
}

#[test]
fn the_stronger_source_wins() {
    let mut sources = Sources {
        user: Some((
            "user".to_owned(),
            "port = 1\nlog.level = \"warn\"\n[checkpoint]\nmin_changes = 1".to_owned(),
        )),
        project: Some(("project".to_owned(), "port = 2\ncheckpoint.min_changes = 2".to_owned())),
        ..environment(&[("PORT", "3"), ("LOG_LEVEL", "debug")])
    };
    sources.flags.push(("port", "--port", "4".to_owned()));
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
fn our_own_name_wins_over_an_alias_and_an_empty_one_is_none() {
    assert_eq!(resolved(&environment(&[("DOTDO_PORT", "1"), ("PORT", "2")])).config.port, 1);
    assert_eq!(resolved(&environment(&[("DOTDO_PORT", ""), ("PORT", "2")])).config.port, 2);
}

#[test]
fn a_wrong_value_is_told_with_its_name_and_what_is_taken() {
    for (name, value, expected) in [
        ("PORT", "http", "PORT is \"http\"; it takes a whole number from 0 to 65535"),
        ("DOTDO_PORT", "65536", "DOTDO_PORT is \"65536\"; it takes a whole number from 0 to 65535"),
        (
            "DOTDO_CHECKPOINT_INTERVAL_MS",
            "1m",
            "DOTDO_CHECKPOINT_INTERVAL_MS is \"1m\"; it takes a whole number of milliseconds from 0 to 86400000",
        ),
        (
            "DOTDO_CHECKPOINT_MODE",
            "always",
            "DOTDO_CHECKPOINT_MODE is \"always\"; it takes auto or every-request",
        ),
        (
            "DOTDO_RETENTION_MS",
            "3599999",
            "DOTDO_RETENTION_MS is \"3599999\"; it takes a whole number of milliseconds from 3600000 to 315360000000",
        ),
        (
            "DOTDO_ALLOW_UNAUTHENTICATED",
            "yes",
            "DOTDO_ALLOW_UNAUTHENTICATED is \"yes\"; it takes true or false (or 1 or 0)",
        ),
        (
            "LOG_LEVEL",
            "loud",
            "LOG_LEVEL is \"loud\"; it takes error, warn, info, debug, trace, off, or a list like info,dotdo_core=debug",
        ),
        ("DEFAULT_DO_CLASS", "a-b", "DEFAULT_DO_CLASS is \"a-b\"; it takes the name of a class"),
        (
            "DOTDO_STORAGE",
            "ftp://x",
            "DOTDO_STORAGE is \"ftp://x\"; it takes a folder, or file:///path, s3://bucket/prefix, gs://bucket/prefix, \
             az://container/prefix or memory://",
        ),
    ] {
        assert_eq!(refusal(&environment(&[(name, value)])), expected);
    }
    let both =
        [("DOTDO_LIMITS_ROW_BYTES_MAX", "2000000"), ("DOTDO_LIMITS_OBJECT_BYTES_MAX", "1048576")];
    let expected = "limits.row_bytes_max is 2000000; it can't be more than limits.object_bytes_max, which is 1048576";
    assert_eq!(refusal(&environment(&both)), expected);
    let flag = Sources { flags: vec![("port", "--port", "x".to_owned())], ..Sources::default() };
    assert_eq!(refusal(&flag), "--port is \"x\"; it takes a whole number from 0 to 65535");
}

#[test]
fn an_unknown_name_is_told_with_the_nearest_known_one() {
    for (sources, expected) in [
        (
            environment(&[("DOTDO_CHEKPOINT_INTERVAL_MS", "1")]),
            "the environment variable DOTDO_CHEKPOINT_INTERVAL_MS is no setting; did you mean DOTDO_CHECKPOINT_INTERVAL_MS?",
        ),
        (
            environment(&[("DOTDO_PROT", "")]),
            "the environment variable DOTDO_PROT is no setting; did you mean DOTDO_PORT?",
        ),
        (
            environment(&[("DOTDO_XYZZY", "1")]),
            "the environment variable DOTDO_XYZZY is no setting; docs/SETTINGS.md lists them all",
        ),
        (file("prot = 1"), "dotdo.toml: prot is no setting; did you mean port?"),
        (
            file("[checkpoint]\nintervall_ms = 1"),
            "dotdo.toml: checkpoint.intervall_ms is no setting; did you mean checkpoint.interval_ms?",
        ),
        (
            file("[nothing]\nx = 1"),
            "dotdo.toml: nothing is no setting; docs/SETTINGS.md lists them all",
        ),
        (
            file("checkpoint = 5"),
            "dotdo.toml: checkpoint is no setting; docs/SETTINGS.md lists them all",
        ),
        (
            file("port = [1]"),
            "dotdo.toml: port is \"array\"; it takes a whole number from 0 to 65535",
        ),
    ] {
        assert_eq!(refusal(&sources), expected);
    }
    assert!(refusal(&file("port = 1\n\nhost = ")).starts_with("dotdo.toml, line 3: "));
}

#[test]
fn other_people_s_variables_are_none_of_our_business() {
    resolved(&environment(&[
        ("AWS_PROFILE", "x"),
        ("R2_WHATEVER", "x"),
        ("dotdo_port", "x"),
        ("PATH", "/bin"),
    ]));
}

#[test]
fn functions_own_per_request_unless_they_are_told_otherwise() {
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
    assert!(
        refused.starts_with("DOTDO_PLATFORM is \"lamda\"; it takes auto, lambda, "),
        "{refused}"
    );
}

#[test]
fn promised_names_are_not_ignored_in_silence() {
    let warnings =
        resolved(&environment(&[("TURSO_TOKEN", "x"), ("JWT_TOKEN", SECRET), ("TURSO_URL", "")]))
            .warnings;
    let expected = [
        "JWT_TOKEN is set, and this version does not use it yet",
        "TURSO_TOKEN is set, and this version does not use it yet",
    ];
    assert_eq!(warnings, expected);
    assert!(
        refusal(&environment(&[("WORKOS_AUTH_DOMAIN", "auth.example.com")]))
            .starts_with("WORKOS_AUTH_DOMAIN is set, but")
    );
}

#[test]
fn storages_are_named_by_addresses() {
    let store = |address: &str| {
        resolved(&environment(&[("DOTDO_STORAGE", address), ("AZURE_STORAGE_ACCOUNT", "acc")]))
            .store
    };
    let folder = |path: &str| StoreConfig::Folder { path: PathBuf::from(path) };
    assert_eq!(store("state"), folder("state"));
    assert_eq!(store("/srv/state"), folder("/srv/state"));
    assert_eq!(store("file:///srv/a b"), folder("/srv/a b"));
    assert_eq!(store("memory://"), StoreConfig::Memory);
    let StoreConfig::S3(s3) = store("s3://bucket/a/b/") else { panic!("S3") };
    assert_eq!(
        (&*s3.bucket, &*s3.prefix, s3.credentials),
        ("bucket", "a/b", S3Credentials::Instance)
    );
    assert!(
        matches!(store("gs://bucket"), StoreConfig::Gcs(gcs) if gcs.bucket == "bucket" && gcs.prefix.is_empty())
    );
    assert!(
        matches!(store("az://box/p"), StoreConfig::Azure(azure) if azure.account == "acc" && azure.container == "box")
    );
    for wrong in [
        "file://relative",
        "s3://",
        "s3:///x",
        "s3://b/../x",
        "s3://b//x",
        "memory://x",
        "s3:bucket",
        "S3://b",
        "s3://b/a b",
    ] {
        refusal(&environment(&[("DOTDO_STORAGE", wrong)]));
    }
    assert_eq!(
        refusal(&environment(&[("DOTDO_STORAGE", "az://box")])),
        "storage az:// needs the name of the storage account: set AZURE_STORAGE_ACCOUNT"
    );
}

#[test]
fn r2_s_variables_alone_are_enough() {
    let r2 = [
        ("R2_BUCKET", "b"),
        ("R2_ENDPOINT", "https://account.r2.cloudflarestorage.com"),
        ("R2_ACCESS_KEY_ID", "id"),
        ("R2_SECRET_ACCESS_KEY", SECRET),
        ("AWS_ACCESS_KEY_ID", "other"),
        ("AWS_SECRET_ACCESS_KEY", "other"),
        ("AWS_REGION", "eu-central-1"),
    ];
    let StoreConfig::S3(s3) = resolved(&environment(&r2)).store else { panic!("S3") };
    assert_eq!((&*s3.bucket, s3.region.as_deref()), ("b", Some("auto")));
    assert_eq!(s3.endpoint.as_deref(), Some("https://account.r2.cloudflarestorage.com"));
    assert!(
        matches!(&s3.credentials, S3Credentials::Keys { access_key_id, secret_access_key, session_token: None }
        if access_key_id == "id" && secret_access_key.reveal() == SECRET)
    );

    let said = [&r2[..], &[("DOTDO_STORAGE", "memory://")]].concat();
    assert_eq!(resolved(&environment(&said)).store, StoreConfig::Memory);
    let mut weaker = environment(&r2);
    weaker.project = Some(("dotdo.toml".to_owned(), "storage = \"memory://\"".to_owned()));
    assert!(
        matches!(resolved(&weaker).store, StoreConfig::S3(_)),
        "the environment wins over the file"
    );
}

#[test]
fn amazon_s_variables_work() {
    let base = [
        ("DOTDO_STORAGE", "s3://b"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:8333"),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
    ];
    let s3 = |more: &[(&str, &str)]| match resolved(&environment(&[&base[..], more].concat())).store
    {
        StoreConfig::S3(s3) => s3,
        other => panic!("{other:?}"),
    };
    let keys = s3(&[
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("AWS_SESSION_TOKEN", "t"),
    ]);
    assert_eq!(
        (keys.endpoint.as_deref(), keys.region.as_deref()),
        (Some("http://127.0.0.1:8333"), Some("eu-west-1"))
    );
    assert!(matches!(keys.credentials, S3Credentials::Keys { session_token: Some(_), .. }));
    let web = s3(&[("AWS_WEB_IDENTITY_TOKEN_FILE", "/t"), ("AWS_ROLE_ARN", "arn")]).credentials;
    assert!(matches!(web, S3Credentials::WebIdentity { .. }));
    let task = s3(&[("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2")]).credentials;
    assert!(matches!(task, S3Credentials::Task { .. }));
    let half = refusal(&environment(&[&base[..], &[("AWS_ACCESS_KEY_ID", "id")]].concat()));
    assert_eq!(
        half,
        "AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not; they belong together"
    );
}

#[test]
fn an_app_on_azure_has_an_identity_of_its_own() {
    let base = [("DOTDO_STORAGE", "az://box"), ("AZURE_STORAGE_ACCOUNT", "acc")];
    let credentials =
        |more: &[(&str, &str)]| match resolved(&environment(&[&base[..], more].concat())).store {
            StoreConfig::Azure(azure) => azure.credentials,
            other => panic!("{other:?}"),
        };
    let app =
        [("IDENTITY_ENDPOINT", "http://127.0.0.1:41056/msi/token"), ("IDENTITY_HEADER", SECRET)];
    let AzureCredentials::App { endpoint, client_id } = credentials(&app) else {
        panic!("the app's identity")
    };
    assert_eq!((&*endpoint, client_id), ("http://127.0.0.1:41056/msi/token", None));
    assert!(matches!(credentials(&[]), AzureCredentials::Platform));
    let keyed = credentials(&[&app[..], &[("AZURE_STORAGE_KEY", SECRET)]].concat());
    assert!(matches!(keyed, AzureCredentials::AccessKey(_)), "a key that is given wins");
}

#[test]
fn a_secret_of_the_servers_is_long_and_not_shown() {
    let message = refusal(&environment(&[("DOTDO_PEER_SECRET", SECRET)]));
    assert_eq!(
        message,
        "peer_secret has fewer than 32 bytes (not shown); `openssl rand -hex 32` makes a good one"
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
fn a_redis_is_named_by_an_address_that_is_never_shown() {
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
fn the_table_has_no_name_twice_and_defaults_that_it_takes_itself() {
    let mut names = BTreeSet::new();
    for setting in TABLE.iter() {
        assert!(names.insert(setting.key.to_owned()), "{}", setting.key);
        for name in setting.variables() {
            assert!(names.insert(name.clone()), "{name}");
        }
        let default = setting.kind.shown(&mut Config::default());
        assert!(
            default.is_empty() || setting.kind.set(&mut Config::default(), &default),
            "{} has the default {default}",
            setting.key
        );
    }
}

#[test]
fn the_documentation_is_the_table() {
    let written =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/SETTINGS.md"))
            .unwrap_or_default();
    let expected = settings_reference();
    if written != expected {
        let path = std::env::temp_dir().join("SETTINGS.md");
        std::fs::write(&path, expected).expect("the folder for temporary files can be written");
        panic!("docs/SETTINGS.md is not what the table says; copy {} there", path.display());
    }
}

proptest! {
    #[test]
    fn every_number_is_taken_exactly_within_its_range(at in 0..TABLE.len(), value in prop_oneof![any::<u64>(), 0..100_000u64]) {
        let setting = &TABLE[at];
        let (Kind::Millis(range, _) | Kind::Number { range, .. }) = &setting.kind else { return Ok(()) };
        for value in [value, *range.start(), *range.end(), range.start().saturating_sub(1), range.end() + 1] {
            let text = value.to_string();
            let mut config = Config::default();
            // A row can't be larger than an object, whatever its own range.
            let roomy = ("DOTDO_LIMITS_OBJECT_BYTES_MAX", "1073741824");
            let small = ("DOTDO_LIMITS_ROW_BYTES_MAX", "1024");
            let taken = resolve(&environment(&[small, roomy, (&setting.variable(), &text)])).is_ok();
            prop_assert_eq!(taken, range.contains(&value), "{} {}", setting.key, value);
            prop_assert_eq!(setting.kind.set(&mut config, &text), taken);
            if taken {
                prop_assert_eq!(setting.kind.shown(&mut config), text);
            }
        }
    }

    #[test]
    fn no_text_makes_it_panic(at in 0..TABLE.len(), text in any::<String>(), toml in "[a-z0-9._=\"\\[\\]\n -]{0,60}") {
        let _ = resolve(&environment(&[(&TABLE[at].variable(), &text)]));
        let _ = resolve(&file(&toml));
        let _ = resolve(&file(&format!("{} = {text:?}", TABLE[at].key)));
    }
}
