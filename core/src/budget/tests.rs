//! The budget by itself: shares, lines, order, and releases.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};

use super::*;
use crate::id::Tenant;
use crate::limits::SMALL_BYTES;
use crate::object::Body;
use crate::testing::ManualClock;

const MIB: u64 = 1 << 20;

fn budget(bytes_max: u64) -> (Budget, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::default());
    (Budget::new(bytes_max, clock.clone()), clock)
}

fn object(id: &str) -> ObjectId {
    Tenant::local().object("Counter", id).expect("a good id")
}

#[tokio::test]
async fn what_is_given_back_goes_to_who_has_waited_longest() {
    let (budget, _) = budget(64 * MIB);
    let (a, b, c, d) = (object("a"), object("b"), object("c"), object("d"));
    let first = budget.admit(Use::Requests, &a, 30 * MIB).await.expect("there is enough");
    let mut second = Box::pin(budget.admit(Use::Requests, &b, 20 * MIB));
    let mut third = Box::pin(budget.admit(Use::Requests, &c, MIB));
    assert!((&mut second).now_or_never().is_none(), "the use has 32 MiB");
    assert!((&mut third).now_or_never().is_none(), "it would fit, and others wait");
    let small = budget
        .admit(Use::Requests, &d, 1024)
        .now_or_never()
        .expect("small ones do not wait behind large ones");
    let other_use = budget
        .admit(Use::Snapshots, &d, 20 * MIB)
        .now_or_never()
        .expect("another use has another line");
    drop(first);
    let second = second.await.expect("it is granted");
    let third = third.await.expect("it is granted");
    drop((second, third, small, other_use));
    assert!(Use::ALL.into_iter().all(|what| budget.used(what) == 0));
    assert!(budget.state().is_forgotten(), "nothing is kept of objects that have nothing");
}

#[tokio::test]
async fn who_waits_too_long_is_told_to_come_again() {
    let (budget, clock) = budget(64 * MIB);
    let (a, b) = (object("a"), object("b"));
    let held = budget.admit(Use::TimeTravel, &a, 16 * MIB).await.expect("there is enough");
    let mut waits = Box::pin(budget.admit(Use::TimeTravel, &b, MIB));
    assert!((&mut waits).now_or_never().is_none());
    clock.advance(MEMORY_WAIT_MAX);
    let error = waits.await.expect_err("its time is over");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Busy, "MEMORY_EXHAUSTED"));
    assert!(error.retry_after().is_some());
    drop(held);
    assert_eq!((budget.used(Use::TimeTravel), budget.waiting()), (0, 0));
}

#[tokio::test]
async fn who_goes_away_while_it_waits_leaves_its_place_to_the_next() {
    let (budget, _) = budget(64 * MIB);
    let (a, b, c) = (object("a"), object("b"), object("c"));
    let held = budget.admit(Use::Requests, &a, 20 * MIB).await.expect("there is enough");
    let mut large = Box::pin(budget.admit(Use::Requests, &b, 30 * MIB));
    let mut next = Box::pin(budget.admit(Use::Requests, &c, 10 * MIB));
    assert!((&mut large).now_or_never().is_none());
    assert!((&mut next).now_or_never().is_none());
    drop(large);
    next.await.expect("nobody is before it any more");
    drop(held);
    assert_eq!(budget.used(Use::Requests), 0);
}

#[test]
fn what_can_never_fit_is_refused_at_once() {
    let (budget, _) = budget(64 * MIB);
    let error = budget
        .admit(Use::Objects, &object("a"), 33 * MIB)
        .now_or_never()
        .expect("at once")
        .expect_err("half is for one");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Full, "MEMORY_TOO_SMALL"));
    assert!(error.message().contains("limits.memory_bytes_max"), "{error}");
}

#[test]
fn who_holds_a_charge_waits_for_nobody_else_who_does() {
    let (budget, _) = budget(64 * MIB);
    let (a, b) = (object("a"), object("b"));
    let mut one = budget.admit_at_once(Use::Requests, &a, 16 * MIB).expect("there is enough");
    let mut two = budget.admit_at_once(Use::Requests, &b, 16 * MIB).expect("there is enough");
    for charge in [&mut one, &mut two] {
        let refused =
            charge.grow(MIB).now_or_never().expect("it does not wait").expect_err("there is none");
        assert_eq!(refused.code(), "MEMORY_EXHAUSTED");
    }
}

#[tokio::test]
async fn who_holds_a_charge_waits_for_idle_objects_to_be_let_go() {
    let (budget, _) = budget(64 * MIB);
    let (a, b) = (object("a"), object("b"));
    let idle = budget.admit(Use::Objects, &a, 32 * MIB).await.expect("there is enough");
    let more = budget.admit(Use::Objects, &b, 16 * MIB).await.expect("there is enough");
    let mut request = budget.admit(Use::Requests, &a, 10 * MIB).await.expect("there is enough");
    {
        let mut grows = Box::pin(request.grow(10 * MIB));
        assert!((&mut grows).now_or_never().is_none());
        assert!(budget.wanted() >= 4 * MIB, "somebody is told how much to let go");
        drop(idle);
        grows.await.expect("there is enough now");
    }
    assert_eq!((request.bytes(), budget.used(Use::Requests)), (20 * MIB, 20 * MIB));
    drop(more);
}

#[test]
fn one_object_does_not_take_everything_with_many_requests() {
    let (budget, _) = budget(64 * MIB);
    let (a, b) = (object("a"), object("b"));
    let _first = budget.admit_at_once(Use::Requests, &a, 10 * MIB).expect("its first may be large");
    let _second =
        budget.admit_at_once(Use::Requests, &a, 6 * MIB).expect("half of what one may have");
    let refused = budget.admit_at_once(Use::Requests, &a, MIB).expect_err("more than that");
    assert_eq!(refused.code(), "MEMORY_EXHAUSTED");
    let _other = budget.admit_at_once(Use::Requests, &b, MIB).expect("another object has its own");
}

#[test]
fn what_was_counted_afterwards_keeps_others_out_until_it_is_paid_back() {
    let (budget, _) = budget(64 * MIB);
    let (a, b) = (object("a"), object("b"));
    let mut grown = budget.count(Use::Objects, &a, 80 * MIB);
    assert!(budget.wanted() > 0);
    budget.admit_at_once(Use::Requests, &b, 1024).expect_err("nothing is left");
    grown.set(MIB);
    budget.admit_at_once(Use::Requests, &b, 1024).expect("there is enough");
}

#[test]
fn bytes_are_charged_until_the_last_of_them_is_gone() {
    let (budget, _) = budget(64 * MIB);
    let charge = budget.admit_at_once(Use::Requests, &object("a"), MIB).expect("there is enough");
    let bytes = charge.with(Bytes::from(vec![7; 1000]));
    let part = bytes.slice(10..20);
    drop(bytes);
    assert_eq!((budget.used(Use::Requests), part.as_ref()), (MIB, [7; 10].as_slice()));
    drop(part);
    assert_eq!(budget.used(Use::Requests), 0);
}

#[tokio::test]
async fn a_streamed_response_is_charged_piece_by_piece_until_each_is_sent() {
    let (budget, clock) = budget(64 * MIB);
    let account = Account::new(budget.count(Use::Requests, &object("a"), 0));
    let pieces = [1024, MIB, 2 * MIB, MIB].map(|bytes| {
        Ok::<_, Error>(Frame::data(Bytes::from(vec![0; usize::try_from(bytes).expect("small")])))
    });
    let stream = StreamBody::new(futures_util::stream::iter(pieces));
    let mut body = Body::new(stream).charged_to(&account);
    let small = body.frame().await.expect("a piece").expect("it is paid for");
    assert_eq!(budget.used(Use::Requests), 1024, "small ones are many");
    let large = body.frame().await.expect("a piece").expect("it is paid for");
    assert_eq!(budget.used(Use::Requests), 1024 + MIB);
    drop((small, large));
    assert_eq!(budget.used(Use::Requests), 0);

    let others = budget.count(Use::Requests, &object("b"), 32 * MIB);
    assert!(body.frame().now_or_never().is_none(), "it waits, and is not lost");
    drop(others);
    let waited = body.frame().await.expect("a piece").expect("it is paid for");
    assert_eq!(waited.data_ref().map(Bytes::len), Some(2 << 20));
    drop(waited);

    let _others = budget.count(Use::Requests, &object("b"), 32 * MIB);
    assert!(body.frame().now_or_never().is_none());
    clock.advance(MEMORY_WAIT_MAX);
    let error = body.frame().await.expect("an end").expect_err("there is no memory for it");
    assert_eq!(error.code(), "MEMORY_EXHAUSTED");
}

#[test]
fn a_small_response_is_counted_where_a_connection_can_hold_many() {
    let (budget, _) = budget(64 * MIB);
    let account = Account::new(budget.count(Use::Requests, &object("a"), 0));
    let bodies: Vec<Body> = (0..3).map(|_| Body::from("small").counted_by(&account)).collect();
    assert_eq!(budget.used(Use::Requests), 15);
    drop(bodies);
    assert_eq!(budget.used(Use::Requests), 0);
}

#[test]
fn what_is_large_does_not_become_small_by_being_asked_for_in_parts() {
    let (budget, _) = budget(64 * MIB);
    let (a, b) = (object("a"), object("b"));
    let _others = budget.admit_at_once(Use::Snapshots, &b, 20 * MIB).expect("there is enough");
    let _more = budget.count(Use::Requests, &b, 30 * MIB);
    let mut charge = budget.count(Use::Requests, &a, 0);
    let refused = loop {
        match charge.try_grow(SMALL_BYTES / 4) {
            Ok(()) => assert!(charge.bytes() <= 2 * MIB, "the use has 32 MiB"),
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused.code(), "MEMORY_EXHAUSTED");
    budget
        .admit_at_once(Use::Requests, &object("c"), 1024)
        .expect("what is small has its reserve still");
}

#[test]
fn what_can_t_wait_is_taken_when_idle_objects_can_go_for_it_and_not_without_end() {
    let (budget, _) = budget(64 * MIB);
    let (a, b) = (object("a"), object("b"));
    let mut idle = budget.count(Use::Objects, &b, 40 * MIB);
    let _request = budget.count(Use::Requests, &b, 20 * MIB);
    let mut sql = budget.admit_at_once(Use::Sql, &a, SMALL_BYTES).expect("small ones have room");
    sql.try_grow(4 * MIB).expect_err("there is no room for large ones");
    sql.grow_now(4 * MIB).expect("objects can go");
    assert!(budget.wanted() >= 4 * MIB, "somebody is told how much to let go: {}", budget.wanted());
    sql.grow_now(8 * MIB).expect_err("more than an eighth would be overdrawn");
    idle.set(20 * MIB);
    sql.grow_now(8 * MIB).expect("there is room now");
    assert_eq!(budget.wanted(), 0);
    drop(sql);
    let _pinned = budget.count(Use::Snapshots, &b, 40 * MIB);
    let mut sql = budget.count(Use::Sql, &a, 0);
    sql.grow_now(MIB).expect_err("it would not help to let objects go");
}

#[test]
fn what_large_ones_overdraw_does_not_hold_up_small_ones() {
    let (budget, _) = budget(64 * MIB);
    let _large = budget.count(Use::Sql, &object("a"), 72 * MIB);
    let mut small = budget
        .admit(Use::Sql, &object("b"), SMALL_BYTES)
        .now_or_never()
        .expect("it does not wait")
        .expect("it is granted");
    let mut pages = budget.count(Use::Objects, &object("b"), 0);
    pages.grow_now(SMALL_BYTES).expect("what its database grows by is small too");
    small.grow_now(SMALL_BYTES).expect_err("no longer small");
    let more: Vec<Charge> = (0..)
        .map_while(|_| budget.admit_at_once(Use::Sql, &object("c"), SMALL_BYTES).ok())
        .collect();
    assert!((50..=64).contains(&more.len()), "they have a bound: {}", more.len());
}

fn object_of(tenant: &str, id: &str) -> ObjectId {
    let tenant = Tenant::new("org", tenant).expect("a good name");
    tenant.object("Counter", id).expect("a good id")
}

type Waits = std::pin::Pin<Box<dyn Future<Output = Result<Charge>>>>;

/// Somebody who waits in line for so many MiB.
fn wait(budget: &Budget, object: &ObjectId, mib: u64) -> Waits {
    let (budget, object) = (budget.clone(), object.clone());
    let mut waits: Waits =
        Box::pin(async move { budget.admit(Use::Requests, &object, mib * MIB).await });
    assert!((&mut waits).now_or_never().is_none());
    waits
}

#[tokio::test]
async fn a_tenant_alone_has_everything_and_beside_others_its_share() {
    let (budget, _) = budget(64 * MIB);
    let flood: Vec<ObjectId> =
        (0..20).map(|number| object_of("flood", &number.to_string())).collect();
    let mut held: Vec<Charge> = Vec::new();
    for object in &flood[..8] {
        held.push(
            budget.admit(Use::Requests, object, 4 * MIB).await.expect("nobody else is there"),
        );
    }
    let mut waiting: Vec<Waits> =
        flood[8..].iter().map(|object| wait(&budget, object, 4)).collect();
    let others = ["b", "c"].map(|tenant| object_of(tenant, "one"));
    let mut served: Vec<Waits> = others.iter().map(|object| wait(&budget, object, 4)).collect();
    // What becomes free goes to those who have less, although they came later.
    for waits in &mut served {
        held.pop();
        let charge = waits.now_or_never().expect("it is its turn").expect("it is granted");
        held.insert(0, charge);
    }
    assert!(waiting.iter_mut().all(|waits| waits.now_or_never().is_none()));
    held.pop();
    let next = waiting.iter_mut().find_map(|waits| waits.now_or_never());
    assert!(next.is_some(), "nobody else waits any more");
    drop((held, waiting, served, next));
    assert!(budget.state().is_forgotten(), "nothing is kept of tenants that have nothing");
}

#[tokio::test]
async fn who_has_more_than_half_leaves_the_last_small_places_to_others() {
    let (budget, _) = budget(64 * MIB);
    let flood = |number: u64| object_of("flood", &number.to_string());
    let _other =
        budget.admit(Use::Requests, &object_of("b", "0"), 1024).await.expect("it is there");
    let small: Vec<Charge> = (0..)
        .map_while(|number| budget.admit_at_once(Use::Objects, &flood(number), SMALL_BYTES).ok())
        .collect();
    // They may overdraw by three sixteenths.
    let left = 76 * MIB - small.len() as u64 * SMALL_BYTES;
    assert!((MIB..3 * MIB).contains(&left), "{left} bytes are left");
    budget
        .admit_at_once(Use::Objects, &object_of("b", "1"), SMALL_BYTES)
        .expect("there is room for who has little");
}

#[tokio::test]
async fn the_tenant_with_the_most_memory_of_objects_is_known() {
    let (budget, _) = budget(64 * MIB);
    let mut charges = Vec::new();
    for (tenant, mib) in [("a", 3), ("b", 5), ("a", 1), ("c", 2)] {
        let object = object_of(tenant, &mib.to_string());
        charges.push(budget.admit(Use::Objects, &object, mib * MIB).await.expect("it is there"));
    }
    let tenant = |name: &str| Tenant::new("org", name).expect("a good name");
    let mut without = BTreeSet::new();
    for name in ["b", "a", "c"] {
        let largest = budget.largest(&without);
        assert_eq!(largest, Some(tenant(name)));
        without.extend(largest);
    }
    assert_eq!(budget.largest(&without), None);
    drop(charges);
    assert_eq!(budget.largest(&BTreeSet::new()), None);
}
