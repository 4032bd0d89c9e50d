//! What issued keys can do, and what they can't.

use dotdo_core::{Key, StoreError};
use futures_util::future::join_all;
use http::Method;
use serde_json::json;

use super::world::{Client, ROOT, World, organisation, prefix, setup};

type OnObject =
    (&'static str, &'static str, &'static str, (&'static str, &'static str), &'static str);

/// Every operation of S3 on an object: its name, its method, what follows the key, a header, and a
/// body. `OWN` stands for a key of the caller's own.
const ON_OBJECTS: [OnObject; 22] = [
    ("get", "GET", "", ("", ""), ""),
    ("head", "HEAD", "", ("", ""), ""),
    ("part of it", "GET", "", ("range", "bytes=0-0"), ""),
    ("put", "PUT", "", ("", ""), "changed"),
    ("create", "PUT", "", ("if-none-match", "*"), "changed"),
    ("append", "PUT", "", ("x-amz-write-offset-bytes", "1"), "changed"),
    ("delete", "DELETE", "", ("", ""), ""),
    ("copy to", "PUT", "", ("x-amz-copy-source", "OWN"), ""),
    ("begin an upload", "POST", "?uploads", ("", ""), ""),
    ("upload a part", "PUT", "?partNumber=1&uploadId=1", ("", ""), "changed"),
    ("copy a part", "PUT", "?partNumber=1&uploadId=1", ("x-amz-copy-source", "OWN"), ""),
    ("end an upload", "POST", "?uploadId=1", ("", ""), "<CompleteMultipartUpload/>"),
    ("abort an upload", "DELETE", "?uploadId=1", ("", ""), ""),
    ("list parts", "GET", "?uploadId=1", ("", ""), ""),
    ("get tags", "GET", "?tagging", ("", ""), ""),
    ("put tags", "PUT", "?tagging", ("", ""), "<Tagging><TagSet/></Tagging>"),
    ("delete tags", "DELETE", "?tagging", ("", ""), ""),
    ("get its rights", "GET", "?acl", ("", ""), ""),
    ("put its rights", "PUT", "?acl", ("x-amz-acl", "public-read"), ""),
    ("get its attributes", "GET", "?attributes", ("x-amz-object-attributes", "ETag"), ""),
    ("hold it", "PUT", "?legal-hold", ("", ""), "<LegalHold><Status>ON</Status></LegalHold>"),
    ("retain it", "PUT", "?retention", ("", ""), "<Retention/>"),
];

/// Operations on the bucket that no tenant needs: a method and what follows the bucket's name.
const ON_BUCKETS: [(&str, &str); 22] = [
    ("GET", "?list-type=2"),
    ("GET", ""),
    ("GET", "?list-type=2&prefix="),
    ("GET", "?list-type=2&delimiter=/"),
    ("GET", "?versions"),
    ("GET", "?uploads"),
    ("GET", "?location"),
    ("GET", "?policy"),
    ("PUT", "?policy"),
    ("DELETE", "?policy"),
    ("GET", "?acl"),
    ("PUT", "?acl"),
    ("GET", "?cors"),
    ("PUT", "?cors"),
    ("GET", "?lifecycle"),
    ("PUT", "?lifecycle"),
    ("GET", "?versioning"),
    ("PUT", "?versioning"),
    ("GET", "?tagging"),
    ("PUT", "?encryption"),
    ("PUT", "?object-lock"),
    ("DELETE", ""),
];

/// The objects whose key has one of these names, except those below `own`: keys and sizes.
async fn strange(world: &World, own: &str, names: [&str; 3]) -> Vec<String> {
    let all = world.bucket().list(&Key::new(""), None, 10_000).await.expect("a listing");
    let shown = all.into_iter().map(|entry| format!("{} {}", entry.key, entry.bytes));
    let ours = shown.filter(|line| names.iter().any(|name| line.contains(name)));
    ours.filter(|line| !line.starts_with(own)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_can_do_nothing_outside_of_its_prefix() {
    let world = World::shared();
    let (acme, other) = (organisation("acme"), organisation("other"));
    let bucket = world.bucket();
    let theirs = [
        format!("{}do/counter/a/log/1", prefix(&other)),
        format!("{ROOT}/{acme}/shop2/x"),
        format!("{ROOT}/{acme}/shop"),
        format!("{ROOT}/{acme}/x"),
        format!("{ROOT}/x-{acme}"),
        format!("{ROOT}/.broker/tokens/{}", "f".repeat(32)),
        format!("x-{acme}"),
    ];
    for key in &theirs {
        bucket.put(&Key::new(key), "theirs".into()).await.expect("written");
    }
    let client = world.client(&world.login(&acme, "alice").await, "read-write").await;
    let own = format!("{}do/counter/a/log/1", prefix(&acme));
    let path = |key: &str| format!("/{}/{key}", client.config.bucket);
    let put = client.send(("PUT", &path(&own)), ("", ""), "own").await;
    assert!(put.status.is_success(), "{} {}", put.status, put.text);
    let (root, nothing) = (prefix(&acme), "f".repeat(32));
    let names = [&*acme, &*other, &*nothing];
    let before = strange(world, &root, names).await;
    assert_eq!(before.len(), theirs.len(), "{before:?}");

    for key in &theirs {
        for (name, method, query, (header, value), body) in ON_OBJECTS {
            let value = if value == "OWN" { path(&own) } else { value.to_owned() };
            let path = format!("{}{query}", path(key));
            let answer = client.send((method, &path), (header, &value), body).await;
            assert!(!answer.status.is_success(), "{name} {key}: {}", answer.text);
        }
        let copy = path(&format!("{}copy", prefix(&acme)));
        let answer = client.send(("PUT", &copy), ("x-amz-copy-source", &path(key)), "").await;
        assert!(!answer.status.is_success(), "copy from {key}: {}", answer.text);
        let several = format!("<Delete><Object><Key>{key}</Key></Object></Delete>");
        let all = format!("/{}?delete", client.config.bucket);
        let answer = client.send(("POST", &all), ("", ""), &several).await;
        assert!(!answer.text.contains("<Deleted>"), "delete several {key}: {}", answer.text);
    }
    for (method, query) in ON_BUCKETS {
        let path = format!("/{}{query}", client.config.bucket);
        let answer = client.send((method, &path), ("", ""), "").await;
        assert!(!answer.status.is_success(), "{method} {query}: {}", answer.text);
    }
    let (organisation, near) = (format!("{ROOT}/{acme}/"), format!("{ROOT}/{acme}/shop"));
    let (longer, foreign) = (format!("{ROOT}/{acme}/shop2/"), prefix(&other));
    for above in ["root", "root/", ROOT, &*organisation, &*near, &*longer, &*foreign] {
        for list in ["list-type=2&", "", "versions&", "uploads&"] {
            let path =
                format!("/{}?{list}prefix={}", client.config.bucket, above.replace('/', "%2F"));
            let answer = client.send(("GET", &path), ("", ""), "").await;
            assert!(!answer.status.is_success(), "{list} {above}: {}", answer.text);
        }
    }
    assert_eq!(strange(world, &root, names).await, before, "nothing was changed or added");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_can_not_be_exchanged_for_others() {
    let world = World::shared();
    let client =
        world.client(&world.login(&organisation("acme"), "alice").await, "read-write").await;
    let role = "arn%3Aaws%3Aiam%3A%3Arole%2Fserver";
    for body in [
        format!("Action=AssumeRole&Version=2011-06-15&RoleArn={role}&RoleSessionName=again"),
        "Action=AssumeRole&Version=2011-06-15&RoleSessionName=again".to_owned(),
        "Action=GetFederationToken&Version=2011-06-15&Name=again".to_owned(),
        "Action=CreateUser&Version=2010-05-08&UserName=mallory".to_owned(),
        "Action=CreateAccessKey&Version=2010-05-08&UserName=admin".to_owned(),
    ] {
        let form = ("content-type", "application/x-www-form-urlencoded");
        let service = if body.contains("2010-05-08") { "iam" } else { "sts" };
        let answer = client.send_to(service, ("POST", "/"), form, &body).await;
        assert!(!answer.status.is_success(), "{body}: {}", answer.text);
        assert!(!answer.text.contains("SecretAccessKey"), "{body}: {}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_do_all_that_a_server_does_within_the_prefix() {
    let world = World::shared();
    let org = organisation("Acme");
    let login = world.login(&org, "alice").await;
    let answer = world.exchange(&login, "read-write").await;
    assert_eq!(answer.headers["cache-control"], "no-store");
    let body = &answer.body;
    assert_eq!(body["tenant"], json!({ "org": org, "name": "shop" }));
    assert_eq!(
        (body["prefix"].as_str(), body["bucket"].as_str()),
        (Some(ROOT), Some(world.seaweed.bucket()))
    );
    assert_eq!(body["endpoint"], world.seaweed.endpoint());
    let client = world.client(&login, "read-write").await;
    let store = client.store();
    let tenant = dotdo_core::Tenant::new(&org, "shop").expect("a tenant");
    let key = |name: &str| tenant.prefix().join(name);
    store.create(&key("do/a"), "one".into()).await.expect("created");
    let again = store.create(&key("do/a"), "two".into()).await;
    assert!(matches!(again, Err(StoreError::Exists { .. })), "{again:?}");
    store.put(&key("do/b"), "three".into()).await.expect("put");
    assert_eq!(store.get(&key("do/a")).await.expect("an answer").expect("there").bytes, "one");
    assert!(store.get(&key("do/c")).await.expect("an answer").is_none());
    assert_eq!(store.list(&key("do"), None, 10).await.expect("a listing").len(), 2);
    store.delete(&[key("do/a"), key("do/b")]).await.expect("deleted");
    assert!(store.list(tenant.prefix(), None, 10).await.expect("a listing").is_empty());

    store.create(&key("do/d"), "four".into()).await.expect("created");
    let reader = world.client(&login, "read-only").await.store();
    assert_eq!(reader.get(&key("do/d")).await.expect("an answer").expect("there").bytes, "four");
    assert_eq!(reader.list(&key("do"), None, 10).await.expect("a listing").len(), 1);
    for refused in [
        reader.put(&key("do/d"), "changed".into()).await,
        reader.create(&key("do/e"), "changed".into()).await,
    ] {
        assert!(matches!(refused, Err(StoreError::Refused { .. })), "{refused:?}");
    }
    // One answer tells of several deletes, so what was refused is not told apart from an outage.
    assert!(reader.delete(&[key("do/d")]).await.is_err());
    assert_eq!(store.get(&key("do/d")).await.expect("an answer").expect("there").bytes, "four");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_servers_of_a_tenant_share_keys_and_other_tenants_do_not() {
    let world = World::shared();
    let (acme, other) = (organisation("acme"), organisation("other"));
    let logins = join_all((0..20).map(|number| {
        let subject = format!("server-{number}");
        let org = if number % 2 == 0 { &acme } else { &other };
        async move { world.login(org, &subject).await }
    }))
    .await;
    let answers = join_all((0..200).map(|number| {
        let access = if number % 40 < 20 { "read-write" } else { "read-only" };
        world.exchange(&logins[number % 20], access)
    }))
    .await;
    let id = |number: usize| answers[number].body["accessKeyId"].as_str().expect("keys");
    for (number, answer) in answers.iter().enumerate() {
        assert_eq!(answer.status, 200);
        assert_eq!(id(number), id(number % 2 + number % 40 / 20 * 20), "{number}");
    }
    let distinct: std::collections::BTreeSet<&str> = (0..200).map(id).collect();
    assert_eq!(distinct.len(), 4, "a tenant, an access, a pair of keys");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_and_scopes_decide_who_gets_keys() {
    let world = World::shared();
    let org = organisation("acme");
    let with = async |scope: &str| {
        world.token(&json!({ "sub": "alice", "org_id": org, "scope": scope })).await
    };
    let forged = {
        let token = world.login(&org, "alice").await;
        let (rest, signature) = token.rsplit_once('.').expect("a JWT");
        format!("{rest}.{}", signature.chars().rev().collect::<String>())
    };
    for (token, access, status, code) in [
        (with("dotdo:read").await, "read-write", 403, "MISSING_SCOPE"),
        (with("dotdo:history").await, "read-only", 403, "MISSING_SCOPE"),
        (with("dotdo:admin").await, "read-only", 403, "MISSING_SCOPE"),
        (world.token(&json!({ "sub": "alice" })).await, "read-only", 403, "MISSING_ORGANISATION"),
        (world.token(&json!({ "org_id": "../x" })).await, "read-only", 403, "BAD_TENANT"),
        (world.token(&json!({ "org_id": "local" })).await, "read-only", 403, "BAD_TENANT"),
        (
            world.token(&json!({ "org_id": org, "aud": "another" })).await,
            "read-only",
            401,
            "INVALID_TOKEN",
        ),
        (forged, "read-only", 401, "INVALID_TOKEN"),
        (super::world::OPERATOR.to_owned(), "read-only", 403, "MISSING_ORGANISATION"),
        (with("dotdo:read dotdo:write").await, "all", 400, "BAD_BODY"),
    ] {
        let answer = world.exchange(&token, access).await;
        assert_eq!(
            (answer.status, answer.body["code"].as_str()),
            (status, Some(code)),
            "{answer:?}"
        );
        assert!(answer.body["requestId"].is_string() && answer.body["error"].is_string());
    }
    assert_eq!(world.exchange(&with("dotdo:read").await, "read-only").await.status, 200);
    let unsigned = reqwest::Client::new().post(world.broker.url("/v1/credentials")).send().await;
    assert_eq!(unsigned.expect("an answer").status(), 401);
    for (method, path) in [
        (Method::GET, "/v1/credentials"),
        (Method::PUT, "/v1/deploy-tokens"),
        (Method::POST, "/v1/credentials/"),
        (Method::GET, "/do/a"),
        (Method::GET, "/"),
    ] {
        let answer = world.ask((method, path), &with("").await, None).await;
        assert_eq!(
            (answer.status, answer.body["code"].as_str()),
            (404, Some("NO_ENDPOINT")),
            "{path}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_can_verify_the_callers_token_itself() {
    let world = World::shared();
    let broker = setup(&world.openid, &world.seaweed).env("DOTDO_BROKER_WEB_IDENTITY", "true");
    let broker = broker.start().await;
    let (acme, other) = (organisation("acme"), organisation("other"));
    let ask = async |token: &str| {
        world.ask_at(&broker, (Method::POST, "/v1/credentials"), token, None).await
    };
    let (alice, bob) = (world.login(&acme, "alice").await, world.login(&acme, "bob").await);
    let (first, second, third) = (ask(&alice).await, ask(&bob).await, ask(&alice).await);
    assert_eq!((first.status, second.status), (200, 200), "{first:?} {second:?}");
    assert_eq!(first.body["accessKeyId"], third.body["accessKeyId"]);
    assert_ne!(first.body["accessKeyId"], second.body["accessKeyId"], "keys of a caller");
    let (_, deployed) = world.deploy_token(&alice, "ci").await;
    for answer in [&first, &ask(&deployed).await] {
        let client = Client::of(&answer.body);
        let path = |org: &str| format!("/{}/{}do/x", client.config.bucket, prefix(org));
        assert!(client.send(("PUT", &path(&acme)), ("", ""), "own").await.status.is_success());
        assert_eq!(client.send(("PUT", &path(&other)), ("", ""), "theirs").await.status, 403);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_tenant_gets_no_keys() {
    let world = World::shared();
    let org = organisation("acme");
    let closed = Key::new(format!("{}closed", prefix(&org)));
    let login = world.login(&org, "alice").await;
    let body = json!({ "name": "ci" });
    // The tenant can write anything there.
    for content in ["{}".to_owned(), " ".repeat(1 << 20)] {
        world.bucket().put(&closed, content.into()).await.expect("written");
        for answer in [
            world.exchange(&login, "read-only").await,
            world.ask((Method::POST, "/v1/deploy-tokens"), &login, Some(&body)).await,
        ] {
            assert_eq!(
                (answer.status, answer.body["code"].as_str()),
                (410, Some("TENANT_CLOSED")),
                "{answer:?}"
            );
        }
    }
}
