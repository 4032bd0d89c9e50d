use dotdo_core::Secret;

use super::*;
use crate::config::{Sources, resolve};
use crate::credentials::Storage;

const GOOD: [(&str, &str); 5] = [
    ("DOTDO_AUTH_ISSUER", "https://login.example.com"),
    ("DOTDO_STORAGE", "s3://bucket/root/state"),
    ("AWS_ACCESS_KEY_ID", "AKID"),
    ("AWS_SECRET_ACCESS_KEY", "hunter2"),
    ("DOTDO_BROKER_ROLE_ARN", "arn:aws:iam::000000000000:role/dotdo"),
];

/// The plan of these variables, where a later one replaces an earlier one and an empty one is none.
fn plan(more: &[(&str, &str)]) -> Result<Plan> {
    let environment = GOOD
        .iter()
        .chain(more)
        .filter(|(name, _)| !more.iter().any(|(other, value)| name == other && value.is_empty()));
    let environment =
        environment.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let resolved = resolve(&Sources { environment, ..Sources::default() })?;
    let Storage::Known(store) = &resolved.storage else { panic!("the store has keys") };
    Plan::new(&resolved.config, store)
}

#[test]
fn what_is_missing_or_contradictory_is_named() {
    for (more, named) in [
        (&[("DOTDO_AUTH_ISSUER", "")][..], "auth.issuer"),
        (&[("DOTDO_STORAGE", "memory://")], "s3://"),
        (&[("DOTDO_BROKER_ROLE_ARN", "")], "broker.role_arn"),
        (&[("DOTDO_BROKER_R2_ACCOUNT_ID", "abc")], "got both"),
        (
            &[("DOTDO_BROKER_ROLE_ARN", ""), ("DOTDO_BROKER_R2_ACCOUNT_ID", "abc")],
            "broker.r2_api_token",
        ),
        (
            &[
                ("DOTDO_BROKER_ROLE_ARN", ""),
                ("DOTDO_BROKER_R2_ACCOUNT_ID", "abc"),
                ("DOTDO_BROKER_R2_API_TOKEN", "hunter2"),
            ],
            "R2_ACCESS_KEY_ID",
        ),
        (&[("DOTDO_BROKER_STS_ENDPOINT", "http://sts.example.com")], "broker.sts_endpoint"),
        (&[("DOTDO_BROKER_STS_ENDPOINT", "http://127.0.0.1.example.com")], "broker.sts_endpoint"),
        (&[("AWS_ENDPOINT_URL", "http://10.0.0.9:8333")], "the URL of the storage"),
        (&[("DOTDO_BROKER_PUBLIC_ENDPOINT", "http://s3.example.com")], "broker.public_endpoint"),
    ] {
        let error = plan(more).expect_err(named);
        assert_eq!(error.code(), "BAD_CONFIG");
        assert!(error.message().contains(named), "{}", error.message());
        assert!(!error.message().contains("hunter2"), "{}", error.message());
    }
}

#[test]
fn the_place_is_told_with_the_prefix_of_the_location() {
    let Plan { backend, place } = plan(&[]).expect("a broker");
    assert_eq!((backend.name(), &*place.endpoint), ("sts", "https://s3.us-east-1.amazonaws.com"));
    assert_eq!(
        (&*place.region, &*place.bucket, &*place.prefix),
        ("us-east-1", "bucket", "root/state")
    );
}

#[test]
fn endpoints_on_loopback_need_no_tls_and_clients_can_be_told_another() {
    for url in ["http://127.0.0.1:8333", "http://localhost:8333", "http://[::1]:8333"] {
        let Plan { place, .. } = plan(&[("AWS_ENDPOINT_URL", url)]).expect(url);
        assert_eq!(place.endpoint, url);
    }
    let more = [
        ("AWS_ENDPOINT_URL", "https://s3.internal.example.com"),
        ("DOTDO_BROKER_PUBLIC_ENDPOINT", "https://s3.example.com"),
    ];
    let Plan { place, .. } = plan(&more).expect("a broker");
    assert_eq!(place.endpoint, "https://s3.example.com");
}

#[test]
fn keys_of_r2_have_a_parent() {
    let more = [
        ("DOTDO_BROKER_ROLE_ARN", ""),
        ("DOTDO_BROKER_R2_ACCOUNT_ID", "023e105f4ecef8ad9ca31a8372d0c353"),
        ("DOTDO_BROKER_R2_API_TOKEN", "hunter2"),
        ("R2_ACCESS_KEY_ID", "parent"),
        ("R2_SECRET_ACCESS_KEY", "hunter2"),
        ("R2_ENDPOINT", "https://023e.r2.cloudflarestorage.com"),
    ];
    let Plan { backend, place } = plan(&more).expect("a broker");
    assert_eq!((backend.name(), &*place.region), ("r2", "auto"));
    let shown = format!("{backend:?}");
    assert!(shown.contains("parent") && !shown.contains("hunter2"), "{shown}");
    assert_eq!(format!("{:?}", Secret::new("hunter2")), "(secret)");
}
