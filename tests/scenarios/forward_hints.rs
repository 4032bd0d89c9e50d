//! The hint `lock` lies: that costs time, and nothing else.

use dotdo_core::{Bucket, Key};
use dotdo_tests::Server;
use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::forward::{forwarding, good};
use crate::world::{ENDLESS_LEASE_MS, World};

fn lock(object: &str) -> Key {
    Key::new(format!("local/local/do/ledger/{object}/lock"))
}

/// What the hint of an object says, once it is there.
async fn hint(bucket: &dyn Bucket, object: &str) -> Value {
    let deadline = dotdo_tests::Deadline::in_seconds(crate::world::PATIENCE_SECONDS);
    let stored = deadline
        .until(|| async { bucket.get(&lock(object)).await.expect("the store answers") })
        .await;
    serde_json::from_slice(&stored.expect("the owner leaves a hint").bytes)
        .expect("the hint is JSON")
}

async fn append(http: &Client, server: &Server, object: &str, n: u64) {
    good(http, Method::POST, server.url(&format!("/do/{object}/append?client=1&n={n}"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hint_that_lies_misleads_nobody() {
    let world = World::folder();
    let setup = forwarding(&world).env("DOTDO_LEASE_DURATION_MS", ENDLESS_LEASE_MS);
    let (owner, other, http) = (setup.start().await, setup.start().await, Client::new());
    let bucket = world.bucket();
    append(&http, &other, "others", 0).await;
    let others = hint(bucket.as_ref(), "others").await;
    let lie = |true_hint: &Value, holder: &Value, address: Value| {
        let mut lie = true_hint.clone();
        lie["holder"] = holder.clone();
        lie["address"] = address;
        lie.to_string()
    };
    for number in 0..6 {
        let object = format!("object-{number}");
        append(&http, &owner, &object, 0).await;
        let truth = hint(bucket.as_ref(), &object).await;
        let told = match number {
            0 => lie(&truth, &others["holder"], others["address"].clone()),
            // Nobody listens there.
            1 => lie(&truth, &truth["holder"], "http://127.0.0.1:9".into()),
            // Somebody else listens there than it says.
            2 => lie(&truth, &json!(dotdo_tests::unique()), others["address"].clone()),
            3 => lie(&truth, &truth["holder"], "no address".into()),
            4 => "{".to_owned(),
            _ => String::new(),
        };
        if number == 5 {
            bucket.delete(&[lock(&object)]).await.expect("the store deletes");
        } else {
            bucket.put(&lock(&object), told.into()).await.expect("the store takes it");
        }
        // One that knows nothing of the object yet.
        let newcomer = setup.start().await;
        append(&http, &newcomer, &object, 1).await;
        append(&http, &owner, &object, 2).await;
        let figures =
            good(&http, Method::GET, newcomer.url("/metrics")).await.text().await.expect("text");
        assert!(
            figures.contains("dotdo_forwarded_total{result=\"answered\"} 1"),
            "{number}: the owner has answered: {figures}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hints_that_point_at_each_other_send_nobody_round_in_circles() {
    let world = World::folder();
    let setup = forwarding(&world).env("DOTDO_LEASE_DURATION_MS", ENDLESS_LEASE_MS);
    let (owner, left, right, http) =
        (setup.start().await, setup.start().await, setup.start().await, Client::new());
    let bucket = world.bucket();
    append(&http, &left, "of-left", 0).await;
    append(&http, &right, "of-right", 0).await;
    append(&http, &owner, "object", 0).await;
    let truth = hint(bucket.as_ref(), "object").await;
    for (asked, named, n) in [(&left, "of-right", 1), (&right, "of-left", 2)] {
        let mut lie = hint(bucket.as_ref(), named).await;
        lie["id"] = truth["id"].clone();
        bucket.put(&lock("object"), lie.to_string().into()).await.expect("the store takes it");
        append(&http, asked, "object", n).await;
        let figures =
            good(&http, Method::GET, asked.url("/metrics")).await.text().await.expect("text");
        assert!(figures.contains("dotdo_forwarded_total{result=\"declined\"} 1"), "{figures}");
        assert!(figures.contains("dotdo_forwarded_total{result=\"answered\"} 1"), "{figures}");
    }
    for misled in [&left, &right] {
        let figures =
            good(&http, Method::GET, misled.url("/metrics")).await.text().await.expect("text");
        assert!(figures.contains("dotdo_peer_requests_total{result=\"not_owner\"} 1"), "{figures}");
        assert!(
            figures.contains("status=\"421\",class=\"Ledger\"} 1")
                && !figures.contains("status=\"503\""),
            "to decline is no failure: {figures}"
        );
    }
}
