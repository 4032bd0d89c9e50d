//! Storages, and the ways into them.

use std::path::PathBuf;

use dotdo_core::{AzureCredentials, S3Credentials};

use super::*;

#[test]
fn storages_are_named_by_addresses() {
    let store = |address: &str| {
        resolved(&environment(&[("DOTDO_STORAGE", address), ("AZURE_STORAGE_ACCOUNT", "acc")]))
            .store()
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
        "az:// needs a storage account; set AZURE_STORAGE_ACCOUNT"
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
    let StoreConfig::S3(s3) = resolved(&environment(&r2)).store() else { panic!("S3") };
    assert_eq!((&*s3.bucket, s3.region.as_deref()), ("b", Some("auto")));
    assert_eq!(s3.endpoint.as_deref(), Some("https://account.r2.cloudflarestorage.com"));
    assert!(
        matches!(&s3.credentials, S3Credentials::Keys { access_key_id, secret_access_key, session_token: None }
        if access_key_id == "id" && secret_access_key.reveal() == SECRET)
    );

    let said = [&r2[..], &[("DOTDO_STORAGE", "memory://")]].concat();
    assert_eq!(resolved(&environment(&said)).store(), StoreConfig::Memory);
    let mut weaker = environment(&r2);
    weaker.project = Some(("dotdo.toml".to_owned(), "storage = \"memory://\"".to_owned()));
    assert!(
        matches!(resolved(&weaker).store(), StoreConfig::S3(_)),
        "the environment wins over the file"
    );
}

#[test]
fn an_endpoint_of_amazon_s_says_the_region_unless_a_setting_does() {
    let region = |endpoint: &str, more: &[(&str, &str)]| {
        let base = [("DOTDO_STORAGE", "s3://b"), ("AWS_ENDPOINT_URL", endpoint)];
        match resolved(&environment(&[&base[..], more].concat())).store() {
            StoreConfig::S3(s3) => s3.region,
            other => panic!("{other:?}"),
        }
    };
    let amazon = "https://s3.eu-west-1.amazonaws.com";
    assert_eq!(region(amazon, &[]).as_deref(), Some("eu-west-1"));
    assert_eq!(region(amazon, &[("AWS_REGION", "us-west-2")]).as_deref(), Some("us-west-2"));
    for other in [
        "https://s3.amazonaws.com",
        "https://minio.example",
        "https://s3.eu-west-1.amazonaws.com.example",
    ] {
        assert_eq!(region(other, &[]), None, "{other}");
    }
}

#[test]
fn amazon_s_variables_work() {
    let base = [
        ("DOTDO_STORAGE", "s3://b"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:8333"),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
    ];
    let s3 =
        |more: &[(&str, &str)]| match resolved(&environment(&[&base[..], more].concat())).store() {
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
    let task = s3(&[("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2")]).credentials;
    assert!(matches!(task, S3Credentials::Task { .. }));
    let half = refusal(&environment(&[&base[..], &[("AWS_ACCESS_KEY_ID", "id")]].concat()));
    assert_eq!(
        half,
        "AWS_ACCESS_KEY_ID is set but AWS_SECRET_ACCESS_KEY is not; set both or neither"
    );
}

#[test]
fn the_region_of_services_that_have_one_is_known() {
    for (endpoint, expected) in [
        ("https://s3.us-east-005.backblazeb2.com", Some("us-east-005")),
        ("https://t3.storage.dev", Some("auto")),
        ("https://fly.storage.tigris.dev/", Some("auto")),
        ("https://abc.r2.cloudflarestorage.com", Some("auto")),
        ("https://s3.eu-central-1.amazonaws.com", Some("eu-central-1")),
        ("https://minio.example:9000", None),
        ("https://s3.a.b.backblazeb2.com", None),
        ("https://s3.backblazeb2.com.example", None),
    ] {
        let region = |variables: &[(&str, &str)]| {
            let StoreConfig::S3(s3) = resolved(&environment(variables)).store() else {
                panic!("S3")
            };
            s3.region
        };
        let variables = [("DOTDO_STORAGE", "s3://b"), ("AWS_ENDPOINT_URL", endpoint)];
        assert_eq!(region(&variables).as_deref(), expected, "{endpoint}");
        let given = [variables.as_slice(), &[("AWS_REGION", "given")]].concat();
        assert_eq!(region(&given).as_deref(), Some("given"), "{endpoint}");
    }
}

#[test]
fn an_app_on_azure_has_an_identity_of_its_own() {
    let base = [("DOTDO_STORAGE", "az://box"), ("AZURE_STORAGE_ACCOUNT", "acc")];
    let credentials =
        |more: &[(&str, &str)]| match resolved(&environment(&[&base[..], more].concat())).store() {
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
