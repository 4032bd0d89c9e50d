//! The end of a tenant: what is answered, what is still written, and what is deleted.

use super::tenants::{ask, content, keeper, pass, tenants, world};
use super::*;
use crate::limits::{CLOSED_LOOK_INTERVAL, TENANT_DELETE_WAIT};
use crate::router::At;
use crate::tenants::BucketOfTenant;
use crate::testing::CutBucket;

fn assert_closed<T: std::fmt::Debug>(outcome: Result<T>) {
    let error = outcome.expect_err("the tenant is closed");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Gone, "TENANT_CLOSED"), "{error:?}");
}

#[tokio::test]
async fn servers_answer_for_a_closed_tenant_for_a_minute_at_most_and_nothing_for_good() {
    let (world, [one, other]) = (world(), tenants());
    let (first, second) = (world.server(1).await, world.server(2).await);
    let (mine, theirs) = (keeper(&one, "a"), keeper(&other, "a"));
    ask(&first, &mine, "/put?x").await.expect("it is open");
    ask(&first, &theirs, "/put?y").await.expect("it is open");
    second.close_tenant(&one).await.expect("it is closed");
    second.close_tenant(&one).await.expect("it stays closed");
    assert_closed(ask(&second, &mine, "/get").await);
    assert_eq!(ask(&first, &mine, "/get").await.expect("not known yet"), "x");
    world.clock.advance(CLOSED_LOOK_INTERVAL);
    let records = world.records();
    assert_closed(ask(&first, &mine, "/put?z").await);
    assert_closed(ask(&first, &keeper(&one, "b"), "/put?z").await);
    let request = http::Request::get("/get").body(Body::empty()).expect("a request");
    assert_closed(first.fetch(&mine, Some(At::Sequence(1)), request).await);
    assert_eq!(world.records(), records, "nothing is written");
    pass(&world, 2).await;
    assert!(first.activations().existing(&mine).is_none(), "its memory is given back");
    assert_eq!(ask(&first, &theirs, "/get").await.expect("another tenant"), "y");
    let third = world.server(3).await;
    assert_closed(ask(&third, &mine, "/put?z").await);
    assert_eq!(world.records(), records, "nothing is written");
}

#[tokio::test]
async fn messages_of_a_closed_tenant_are_not_delivered() {
    let (world, [one, _]) = (world(), tenants());
    let first = world.server(1).await;
    world.bucket.faults().fail_while(
        |operation, key| operation.is_commit(key) && key.as_str().contains("/receiver/"),
        Fault::NotApplied,
    );
    ask(&first, &keeper(&one, "sender"), "/send?x").await.expect("it sends");
    let second = world.server(2).await;
    second.close_tenant(&one).await.expect("it is closed");
    world.clock.advance(CLOSED_LOOK_INTERVAL);
    world.bucket.faults().heal();
    pass(&world, 200).await;
    for engine in [&first, &second] {
        assert!(engine.activations().existing(&keeper(&one, "sender")).is_none());
    }
    let prefix = keeper(&one, "receiver").prefix().below();
    assert!(!content(&world).await.keys().any(|key| key.starts_with(&prefix)));
}

#[tokio::test]
async fn everything_of_a_closed_tenant_is_deleted_when_nobody_can_write_any_more() {
    let (world, [one, other]) = (world(), tenants());
    let engine = world.server(1).await;
    for tenant in [&one, &other] {
        ask(&engine, &keeper(tenant, "a"), "/send?x").await.expect("it is open");
        for number in 0..1500 {
            let key = tenant.prefix().join(format_args!("do/keeper/b/log/{number:04}"));
            world.bucket.memory.put(&key, "x".into()).await.expect("memory stores");
        }
    }
    pass(&world, 2).await;
    let error = engine.delete_tenant(&one).await.expect_err("it is open");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Conflict, "TENANT_OPEN"));
    engine.close_tenant(&one).await.expect("it is closed");
    world.clock.advance(TENANT_DELETE_WAIT - Duration::from_secs(1));
    run_ready().await;
    let error = engine.delete_tenant(&one).await.expect_err("it is too early");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Busy, "TENANT_CLOSING"));
    let before = content(&world).await;
    world.clock.advance(error.retry_after().expect("it says when"));
    run_ready().await;
    // The second page fails: what is left is deleted by the next call.
    world.bucket.faults().fail_next(Operation::Delete, [Fault::None, Fault::NotApplied]);
    engine.delete_tenant(&one).await.expect_err("the store is away");
    let rest = engine.delete_tenant(&one).await.expect("it is over");
    assert!((1..1500).contains(&rest), "{rest} were left");
    assert_eq!(engine.delete_tenant(&one).await.expect("nothing is left"), 0);
    let after = content(&world).await;
    let of = |tenant: &Tenant, key: &str| key.starts_with(&tenant.prefix().below());
    let left: Vec<&String> = after.keys().filter(|key| of(&one, key)).collect();
    assert_eq!(left, ["acme/one/closed"]);
    assert!(!after.contains_key(".tenants/acme~one"));
    for (key, bytes) in before.iter().filter(|(key, _)| of(&other, key) && key.contains("/log/")) {
        assert_eq!(after.get(key), Some(bytes), "{key}");
    }
    assert_closed(ask(&engine, &keeper(&one, "a"), "/put?x").await);
    assert_eq!(ask(&engine, &keeper(&other, "a"), "/get").await.expect("another tenant"), "x");
}

#[tokio::test]
async fn the_local_tenant_is_not_closed() {
    let world = world();
    let engine = world.server(1).await;
    let error = engine.close_tenant(&Tenant::local()).await.expect_err("everybody's");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Invalid, "BAD_TENANT"));
}

#[tokio::test]
async fn one_request_a_minute_finds_out_whether_a_tenant_is_closed() {
    let (world, [one, _]) = (world(), tenants());
    let engine = world.server(1).await;
    let looks = || world.bucket.record().count(Operation::Get, "acme/one/closed");
    let ids: Vec<String> = (0..20).map(|number| number.to_string()).collect();
    let everybody = || async {
        let asked = ids.iter().map(|id| async {
            ask(&engine, &keeper(&one, id), "/put?x").await.expect("it is open")
        });
        join_all(asked).await
    };
    everybody().await;
    assert_eq!(looks(), 1);
    world.clock.advance(CLOSED_LOOK_INTERVAL - Duration::from_millis(1));
    everybody().await;
    assert_eq!(looks(), 1);
    world.clock.advance(Duration::from_millis(1));
    everybody().await;
    assert_eq!(looks(), 2);
}

#[tokio::test]
async fn a_first_write_sends_nothing_before_it_is_known_that_the_tenant_is_open() {
    let (world, [one, _]) = (world(), tenants());
    let engine = world.server(1).await;
    world.bucket.slowness().hold(|_, key| key.as_str().ends_with("/closed"));
    let asked = tokio::spawn(async move { ask(&engine, &keeper(&one, "a"), "/put?x").await });
    run_ready().await;
    assert_eq!(world.records(), 0);
    assert!(!asked.is_finished());
    world.bucket.slowness().release();
    assert_eq!(asked.await.expect("no panics").expect("it is open"), "x");
}

#[tokio::test]
async fn a_process_that_reaches_one_tenant_only_probes_and_scans_its_part_of_the_bucket() {
    let (world, [one, other]) = (world(), tenants());
    let outside = Arc::new(std::sync::Mutex::new(Vec::new()));
    let (seen, below) = (outside.clone(), one.prefix().below());
    world.bucket.record().observe(move |_, key| {
        if !format!("{key}/").starts_with(&below) {
            seen.lock().expect("no panics").push(key.clone());
        }
    });
    let access = Arc::new(CutBucket::around(world.bucket.clone()));
    let server = |instance: u128, bucket: Arc<dyn Bucket>| {
        let buckets = BucketOfTenant { tenant: tenants()[0].clone(), bucket };
        let components = Components { buckets: Arc::new(buckets), ..world.components(instance) };
        world.server_of(components, Settings::default())
    };
    let engine = server(1, access.clone()).await;
    engine.ready().await.expect("the store answers");
    world.bucket.faults().fail_while(
        |operation, key| operation.is_commit(key) && key.as_str().contains("/receiver/"),
        Fault::NotApplied,
    );
    ask(&engine, &keeper(&one, "sender"), "/send?x").await.expect("it is its own");
    run_ready().await;
    access.cut();
    drop(engine);
    world.bucket.faults().heal();
    let engine = server(2, world.bucket.clone()).await;
    pass(&world, 200).await;
    assert_eq!(ask(&engine, &keeper(&one, "receiver"), "/get").await.expect("its own"), "x");
    let error = ask(&engine, &keeper(&other, "a"), "/get").await.expect_err("not its own");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Forbidden, "WRONG_TENANT"));
    assert_eq!(*outside.lock().expect("no panics"), []);
    assert!(content(&world).await.contains_key("acme/one/.dotdo/probe.json"));
}

#[tokio::test]
async fn a_failed_look_does_not_deny_what_was_written_after_a_later_one() {
    let (world, [one, _]) = (world(), tenants());
    let engine = world.server(1).await;
    let object = keeper(&one, "a");
    // The request's own look fails; the store is back when its object is restored, so that a later
    // look lets it write.
    world.bucket.faults().fail_while(
        |operation, key| operation == Operation::Get && key.as_str().ends_with("/closed"),
        Fault::NotApplied,
    );
    let store = world.bucket.clone();
    world.bucket.record().observe(move |operation, key| {
        if operation == Operation::List && key.as_str().contains("/a/") {
            store.faults().heal();
        }
    });
    assert_eq!(ask(&engine, &object, "/put?x").await.expect("it was written"), "x");
    assert_eq!(world.records(), 1);
}

#[tokio::test]
async fn an_answer_is_not_given_while_nobody_knows_whether_its_tenant_is_open() {
    let (world, [one, _]) = (world(), tenants());
    let engine = world.server(1).await;
    world.bucket.faults().fail_while(
        |operation, key| operation == Operation::Get && key.as_str().ends_with("/closed"),
        Fault::NotApplied,
    );
    let object = keeper(&one, "a");
    let error = ask(&engine, &object, "/get").await.expect_err("nobody knows");
    assert_eq!(error.kind(), ErrorKind::Unknown);
    let (server, to) = (engine.clone(), object.clone());
    let put = tokio::spawn(async move { ask(&server, &to, "/put?x").await });
    pass(&world, 100).await;
    put.await.expect("no panics").expect_err("nobody knows");
    assert_eq!(world.records(), 0);
    world.bucket.faults().heal();
    assert_eq!(ask(&engine, &object, "/get").await.expect("it is open"), "");
}
