//! What is written can be read by those who know the secret, and nothing else can.

use std::sync::Arc;

use dotdo_core::{Owner, Tenant};
use proptest::prelude::*;

use super::*;
use crate::cluster::peers::CLOCK_SKEW_MAX;
use crate::system::components::SystemClock;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const NOW_MS: i64 = 1_800_000_000_000;
const LEASE_MS: u64 = 10_000;

fn keys() -> Keys {
    Keys::new(&Secret::new(SECRET), "s3://bucket/prefix")
}

fn entry() -> Entry {
    let owner = Owner { instance: Uuid::from_u128(7), address: "http://10.0.0.7:8787".to_owned() };
    let holding =
        Holding { owner, epoch: 3, sequence: 12, remaining: Duration::from_millis(LEASE_MS) };
    Entry {
        object: Tenant::local().object("Counter", "a/b c").expect("a good id"),
        holding,
        change: OwnershipChange::Taken,
        time_ms: NOW_MS,
    }
}

fn redis(url: &str, location: &str, secret: &str) -> Redis {
    let (url, secret) = (Secret::new(url), Secret::new(secret));
    let about = About { url: &url, secret: &secret, location, me: Uuid::from_u128(1) };
    Redis::new(&about, Arc::new(SystemClock::new())).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn an_entry_that_was_written_for_something_else_is_none() {
    let sealed = keys().seal(&entry());
    assert_eq!(keys().open(sealed.as_bytes(), NOW_MS), Some(entry()));
    let other_secret = Keys::new(&Secret::new(SECRET.replace('0', "1")), "s3://bucket/prefix");
    let other_bucket = Keys::new(&Secret::new(SECRET), "s3://bucket/prefiy");
    assert_eq!(other_secret.open(sealed.as_bytes(), NOW_MS), None);
    assert_eq!(other_bucket.open(sealed.as_bytes(), NOW_MS), None);
    assert!(keys().bucket() != other_secret.bucket() && keys().bucket() != other_bucket.bucket());
    for wrong in [
        "",
        " ",
        "  ",
        "7 00 {}",
        &sealed[1..],
        &sealed.to_uppercase(),
        &format!("{sealed} "),
        &"x".repeat(ENTRY_BYTES_MAX * 2),
    ] {
        assert_eq!(keys().open(wrong.as_bytes(), NOW_MS), None, "{wrong}");
    }
    let instance = Uuid::from_u128(8).to_string();
    let renamed = sealed.replacen(&Uuid::from_u128(7).to_string(), &instance, 1);
    assert_eq!(
        keys().open(renamed.as_bytes(), NOW_MS),
        None,
        "it says twice who wrote it, and the same"
    );
}

#[test]
fn an_entry_counts_as_long_as_its_lease_and_clocks_may_differ() {
    let sealed = keys().seal(&entry());
    let skew_ms = i64::try_from(CLOCK_SKEW_MAX.as_millis()).expect("small");
    let lease_ms = i64::try_from(LEASE_MS).expect("small");
    for (age_ms, counts) in [
        (-skew_ms - 1, false),
        (-skew_ms, true),
        (lease_ms + skew_ms, true),
        (lease_ms + skew_ms + 1, false),
        (i64::MAX - NOW_MS, false),
        (-NOW_MS, false),
    ] {
        assert_eq!(keys().open(sealed.as_bytes(), NOW_MS + age_ms).is_some(), counts, "{age_ms}");
    }
}

#[test]
fn the_largest_object_and_a_long_address_fit() {
    let name = "\u{1}".repeat(66);
    let object = Tenant::new(&name, &name)
        .and_then(|tenant| tenant.object(&"C".repeat(64), &"\u{1}".repeat(512)))
        .expect("the longest names, at their longest in JSON");
    let mut large = Entry { object, ..entry() };
    large.holding.owner.address = format!("http://{}:8787", "a".repeat(253));
    let sealed = keys().seal(&large);
    assert_eq!(keys().open(sealed.as_bytes(), NOW_MS), Some(large), "{} bytes", sealed.len());
}

#[test]
fn names_keep_objects_tenants_and_buckets_apart() {
    let [one, other] =
        ["s3://one", "s3://other"].map(|location| redis("redis://host", location, SECRET));
    let key = |redis: &Redis, id: &str| {
        redis.shared.entry_key(&Tenant::local().object("Counter", id).expect("a good id"))
    };
    let tenant = Tenant::new("acme", "shop").expect("a good tenant");
    let names = [
        one.shared.entry_key(&tenant.object("Counter", "a").expect("a good id")),
        key(&one, "a"),
        key(&one, "A"),
        key(&one, "a:b"),
        key(&one, "a/b"),
        key(&other, "a"),
        one.shared.channel(),
        other.shared.channel(),
    ];
    let distinct: std::collections::BTreeSet<&String> = names.iter().collect();
    assert_eq!(distinct.len(), names.len(), "{names:?}");
    assert!(names.iter().all(|name| !name.contains("s3")), "{names:?}");
}

#[test]
fn the_log_has_only_host_and_port_of_a_redis() {
    assert_eq!(
        redis("rediss://user:hunter2@host:6380/1", "memory://", SECRET).shared.address,
        "host:6380"
    );
    assert_eq!(redis("redis://:hunter2@host", "memory://", SECRET).shared.address, "host:6379");
}

proptest! {
    #[test]
    fn what_is_written_is_read_and_no_byte_of_it_may_change(
        id in "\\PC{1,40}", address in "\\PC{0,40}", numbers in any::<(u128, u64, u64)>(), at in any::<prop::sample::Index>(), flip in 1..=255_u8,
    ) {
        let owner = Owner { instance: Uuid::from_u128(numbers.0), address };
        let holding = Holding { owner, epoch: numbers.1, sequence: numbers.2, remaining: Duration::from_millis(LEASE_MS) };
        let object = Tenant::local().object("Counter", &id).expect("a good id");
        let entry = Entry { object, holding, change: OwnershipChange::Kept, time_ms: NOW_MS };
        let mut bytes = keys().seal(&entry).into_bytes();
        prop_assert_eq!(keys().open(&bytes, NOW_MS), Some(entry));
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        prop_assert_eq!(keys().open(&bytes, NOW_MS), None);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(keys().open(&bytes, NOW_MS), None);
    }
}
