//! What a policy allows is asked of an evaluator that is written after Amazon's rules: an explicit
//! deny wins, otherwise one statement must allow.

use dotdo_core::{Tenant, TenantClaims};
use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// A request to the store.
struct Asked<'a> {
    action: &'a str,
    resource: String,
    /// The parameter `prefix` of a listing.
    prefix: Option<&'a str>,
}

/// Whether `text` matches a pattern with `*` and `?`.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => {
            matches(rest, text)
                || text.split_first().is_some_and(|(_, text)| matches(pattern, text))
        }
        (Some((b'?', rest)), Some((_, text))) => matches(rest, text),
        (Some((sign, rest)), Some((letter, text))) => sign == letter && matches(rest, text),
        _ => false,
    }
}

fn any(patterns: &Value, text: &str) -> bool {
    let patterns = patterns.as_array().expect("a list");
    let like =
        |pattern: &Value| matches(pattern.as_str().expect("text").as_bytes(), text.as_bytes());
    patterns.iter().any(like)
}

fn applies(statement: &Value, asked: &Asked<'_>) -> bool {
    let condition = statement.get("Condition").is_none_or(|condition| {
        assert_eq!(condition.as_object().expect("an object").len(), 1, "{condition}");
        let like = condition["StringLike"].as_object().expect("the only operator");
        assert_eq!(like.len(), 1, "{condition}");
        asked.prefix.is_some_and(|prefix| any(&like["s3:prefix"], prefix))
    });
    any(&statement["Action"], asked.action)
        && any(&statement["Resource"], &asked.resource)
        && condition
}

fn allows(policy: &str, asked: &Asked<'_>) -> bool {
    let policy: Value = serde_json::from_str(policy).expect("JSON");
    let statements = policy["Statement"].as_array().expect("a list");
    let with = |effect: &str| {
        statements
            .iter()
            .any(|statement| statement["Effect"] == effect && applies(statement, asked))
    };
    with("Allow") && !with("Deny")
}

fn object<'a>(action: &'a str, key: &str) -> Asked<'a> {
    Asked { action, resource: format!("arn:aws:s3:::bucket/{key}"), prefix: None }
}

fn listing(prefix: Option<&str>) -> Asked<'_> {
    Asked { action: "s3:ListBucket", resource: "arn:aws:s3:::bucket".to_owned(), prefix }
}

fn policy(prefix: &str, access: Access) -> Result<String> {
    let prefixes = [prefix.to_owned()];
    session_policy(&Reach { partition: "aws", bucket: "bucket", prefixes: &prefixes }, access)
}

const ACTIONS: [&str; 9] = [
    "s3:GetObject",
    "s3:PutObject",
    "s3:DeleteObject",
    "s3:AbortMultipartUpload",
    "s3:PutObjectAcl",
    "s3:GetObjectTagging",
    "s3:DeleteObjectVersion",
    "s3:PutBucketPolicy",
    "s3:DeleteBucket",
];

#[test]
fn keys_do_what_a_server_needs_and_nothing_else() {
    for (access, allowed) in [(Access::ReadWrite, &ACTIONS[..4]), (Access::ReadOnly, &ACTIONS[..1])]
    {
        let policy = policy("root/acme/shop/", access).expect("a policy");
        for action in ACTIONS {
            let asked = object(action, "root/acme/shop/do/counter/a/log/1");
            assert_eq!(allows(&policy, &asked), allowed.contains(&action), "{action}");
        }
        assert!(allows(&policy, &listing(Some("root/acme/shop/"))));
        assert!(allows(&policy, &listing(Some("root/acme/shop/do/counter/"))));
        for above in [None, Some(""), Some("root/"), Some("root/acme/"), Some("root/acme/shop")] {
            assert!(!allows(&policy, &listing(above)), "{above:?}");
        }
        let role = "arn:aws:iam::000000000000:role/dotdo".to_owned();
        let again = Asked { action: "sts:AssumeRole", resource: role, prefix: None };
        assert!(!allows(&policy, &again));
        let denied: Value = serde_json::from_str(&policy).expect("JSON");
        assert_eq!(denied["Statement"][2]["Effect"], "Deny", "a trust policy can allow it alone");
    }
}

#[test]
fn several_prefixes_are_reached_and_nothing_between_them() {
    let prefixes = ["root/.dotdo/".to_owned(), "root/.tenants/".to_owned()];
    let reach = Reach { partition: "aws", bucket: "bucket", prefixes: &prefixes };
    let policy = session_policy(&reach, Access::ReadWrite).expect("a policy");
    for own in ["root/.dotdo/probe.json", "root/.tenants/acme~shop"] {
        assert!(allows(&policy, &object("s3:PutObject", own)), "{own}");
        assert!(allows(&policy, &listing(Some(own))), "{own}");
    }
    for other in ["root/", "root/acme/shop/x", "root/.broker/tokens/x", ".tenants/x"] {
        assert!(!allows(&policy, &object("s3:GetObject", other)), "{other}");
        assert!(!allows(&policy, &listing(Some(other))), "{other}");
    }
    assert_eq!(Reach::partition("arn:aws-cn:iam::1:role/r"), "aws-cn");
    let none = Reach { partition: "aws", bucket: "bucket", prefixes: &[] };
    assert!(session_policy(&none, Access::ReadOnly).is_err());
}

#[test]
fn a_name_that_could_widen_a_policy_gets_none() {
    for prefix in [
        "",
        "/",
        "a",
        "root/acme/shop",
        "/acme/shop/",
        "acme//",
        "*/",
        "a*/",
        "acme/sh?p/",
        "${aws:username}/",
        "acme/\"]}/",
        "acme/shop\n/",
        "acmé/shop/",
        "a b/",
        "a\\/",
    ] {
        let error = policy(prefix, Access::ReadWrite).expect_err(prefix);
        assert!(error.message().contains("expected a bucket and a prefix"), "{}", error.message());
    }
    for (partition, bucket) in
        [("aws", "*"), ("aws", "b/c"), ("aws", ""), ("*", "b"), ("a:b", "b"), ("", "b")]
    {
        let prefixes = ["acme/shop/".to_owned()];
        let reach = Reach { partition, bucket, prefixes: &prefixes };
        assert!(session_policy(&reach, Access::ReadOnly).is_err(), "{reach:?}");
    }
}

#[test]
fn the_longest_names_fit_and_what_is_longer_is_refused() {
    let long = Tenant::new(&"a".repeat(128), &"b".repeat(128)).expect("a tenant");
    let prefix = format!("{}/{}/", "p".repeat(200), long.prefix());
    let bucket = "c".repeat(63);
    let prefixes = [prefix];
    let reach = Reach { partition: "aws-us-gov", bucket: &bucket, prefixes: &prefixes };
    assert!(session_policy(&reach, Access::ReadWrite).is_ok());
    let prefix = format!("{}/", "p".repeat(1000));
    let error = policy(&prefix, Access::ReadWrite).expect_err("too long");
    assert!(error.message().contains("too long"), "{}", error.message());
}

/// Tenants as tokens name them.
fn tenant() -> impl Strategy<Value = Tenant> {
    let name = "[a-zA-Z0-9][a-zA-Z0-9._-]{0,6}";
    (proptest::option::of("[a-z]{1,3}"), name, proptest::option::of(name)).prop_filter_map(
        "the organisation local is reserved",
        |(issuer, org, name)| {
            let (issuer, tenant) = (issuer.as_deref(), name.as_deref());
            Tenant::from_claims(TenantClaims { issuer, org: Some(&org), tenant }).ok()
        },
    )
}

proptest! {
    #[test]
    fn no_tenant_reaches_another_or_anything_else(
        (one, other) in (tenant(), tenant()),
        root in "([a-zA-Z0-9._=-]{1,5}/){0,2}",
        rest in "[a-zA-Z0-9*?./$-]{0,12}",
        access in prop_oneof![Just(Access::ReadWrite), Just(Access::ReadOnly)],
    ) {
        let own = format!("{root}{}/", one.prefix());
        let policy = policy(&own, access).expect("a policy");
        let mine = format!("{own}{rest}");
        prop_assert!(allows(&policy, &object("s3:GetObject", &mine)));
        prop_assert!(allows(&policy, &listing(Some(&mine))));
        let strange = [format!("{root}{}/{rest}", other.prefix()), format!("{root}{rest}"), format!(".broker/{rest}"), rest.clone()];
        for key in strange.iter().filter(|key| !key.starts_with(&own)) {
            for action in ACTIONS {
                prop_assert!(!allows(&policy, &object(action, key)), "{} {}", action, key);
            }
            prop_assert!(!allows(&policy, &listing(Some(key))), "{}", key);
        }
        if one != other {
            prop_assert!(!strange[0].starts_with(&own), "{}", strange[0]);
        }
    }
}
