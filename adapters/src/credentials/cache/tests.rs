//! Keys over time, by a clock that the test moves.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};

use dotdo_core::Secret;
use dotdo_core::testing::ManualClock;
use futures_util::future::join_all;
use tokio::sync::Semaphore;

use super::*;

const LIFETIME: Duration = Duration::from_secs(1000);

/// Gives keys named after the number of the exchange, or what the test has planned for it.
struct Script {
    clock: Arc<ManualClock>,
    asked: AtomicUsize,
    planned: Mutex<VecDeque<Plan>>,
    /// How many exchanges may complete.
    gate: Semaphore,
}

enum Plan {
    Fail(AccessKeysError),
    Panic,
    EndsIn(Duration),
}

#[async_trait]
impl KeySource for Script {
    async fn fetch(&self) -> Result<Fresh, AccessKeysError> {
        let number = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        self.gate.acquire().await.expect("it stays open").forget();
        let planned = self.planned.lock().pop_front();
        let lifetime = match planned {
            Some(Plan::Fail(error)) => return Err(error),
            Some(Plan::Panic) => panic!("planned"),
            Some(Plan::EndsIn(lifetime)) => lifetime,
            None => LIFETIME,
        };
        let keys = AccessKeys {
            access_key_id: format!("KEY{number}"),
            secret_access_key: Secret::new("secret"),
            session_token: None,
        };
        let ends_ms = self.clock.wall_ms() + i64::try_from(lifetime.as_millis()).expect("short");
        Ok(Fresh { keys, ends_ms })
    }

    fn name(&self) -> String {
        "the script".to_owned()
    }
}

struct World {
    clock: Arc<ManualClock>,
    script: Arc<Script>,
    keys: RenewedKeys,
}

impl World {
    fn new(planned: impl IntoIterator<Item = Plan>) -> Self {
        let clock = Arc::new(ManualClock::new());
        let script = Arc::new(Script {
            clock: Arc::clone(&clock),
            asked: AtomicUsize::new(0),
            planned: Mutex::new(planned.into_iter().collect()),
            gate: Semaphore::new(1000),
        });
        let keys = RenewedKeys::new(Arc::clone(&script) as _, Arc::clone(&clock) as _);
        Self { clock, script, keys }
    }

    async fn id(&self) -> String {
        match self.keys.keys().await {
            Ok(keys) => keys.access_key_id.clone(),
            Err(error) => format!("no keys: {error}"),
        }
    }

    fn asked(&self) -> usize {
        self.script.asked.load(Ordering::SeqCst)
    }

    /// Lets tasks run until the exchanges that have begun are done.
    async fn settle(&self) {
        while self.keys.0.state().is_renewing() {
            tokio::task::yield_now().await;
        }
    }
}

fn away() -> Plan {
    Plan::Fail(AccessKeysError::Unavailable("the script is away; wait".to_owned()))
}

#[tokio::test]
async fn all_that_wait_share_one_exchange() {
    let world = World::new([]);
    let ids = join_all((0..32).map(|_| world.id())).await;
    assert!(ids.iter().all(|id| id == "KEY1"), "{ids:?}");
    assert_eq!(world.asked(), 1);
}

#[tokio::test]
async fn an_exchange_survives_whoever_began_it() {
    let world = World::new([]);
    world.script.gate.forget_permits(1000);
    {
        let mut first = Box::pin(world.id());
        assert!(futures_util::poll!(&mut first).is_pending());
        tokio::task::yield_now().await;
    }
    assert_eq!(world.asked(), 1, "the exchange is under way, and nobody waits for it");
    world.script.gate.add_permits(1);
    assert_eq!(world.id().await, "KEY1");
    assert_eq!(world.asked(), 1);
}

#[tokio::test]
async fn keys_are_renewed_in_the_background_when_a_fifth_of_their_time_is_left() {
    let world = World::new([]);
    assert_eq!(world.id().await, "KEY1");
    world.clock.advance(Duration::from_secs(799));
    assert_eq!(world.id().await, "KEY1");
    assert_eq!(world.asked(), 1);
    world.clock.advance(Duration::from_secs(1));
    world.script.gate.forget_permits(1000);
    for _ in 0..3 {
        assert_eq!(world.id().await, "KEY1", "nobody waits for a renewal ahead of time");
    }
    world.script.gate.add_permits(1);
    world.settle().await;
    assert_eq!((world.id().await.as_str(), world.asked()), ("KEY2", 2));
}

#[tokio::test]
async fn old_keys_are_used_until_they_end_while_renewals_fail() {
    let world = World::new([Plan::EndsIn(LIFETIME), away(), away(), away()]);
    assert_eq!(world.id().await, "KEY1");
    world.clock.advance(Duration::from_secs(900));
    for _ in 0..3 {
        assert_eq!(world.id().await, "KEY1");
        world.settle().await;
    }
    assert_eq!(world.asked(), 2, "a failed renewal is not repeated at once");
    world.clock.advance(RENEWAL_PAUSE);
    assert_eq!(world.id().await, "KEY1");
    world.settle().await;
    assert_eq!(world.asked(), 3);

    world.clock.advance(Duration::from_secs(100));
    for _ in 0..3 {
        assert_eq!(world.id().await, "no keys: the script is away; wait");
    }
    assert_eq!(world.asked(), 4, "those that come right after a failure do not ask again");
    world.clock.advance(EXCHANGE_PAUSE);
    assert_eq!(world.id().await, "KEY5");
}

#[tokio::test]
async fn keys_that_the_store_refuses_are_replaced() {
    let world = World::new([]);
    assert_eq!(world.id().await, "KEY1");
    world.keys.refused("KEY0");
    assert_eq!(world.id().await, "KEY1", "older keys were refused, these not");
    world.keys.refused("KEY1");
    assert_eq!(world.id().await, "KEY2");
    world.keys.refused("KEY1");
    assert_eq!(world.id().await, "KEY2", "a late refusal of the old keys says nothing of the new");
    world.keys.refused("KEY2");
    let refused = world.id().await;
    assert!(refused.contains("keys that the store refuses; check"), "{refused}");
    assert_eq!(world.asked(), 2, "a store that refuses all keys makes no storm of exchanges");
    world.clock.advance(EXCHANGE_PAUSE);
    assert_eq!(world.id().await, "KEY3");
}

#[tokio::test]
async fn a_panic_of_the_source_is_an_error_for_those_that_wait() {
    let world = World::new([Plan::Panic]);
    let ids = join_all((0..3).map(|_| world.id())).await;
    assert!(ids.iter().all(|id| id == "no keys: the script panics"), "{ids:?}");
    world.clock.advance(EXCHANGE_PAUSE);
    assert_eq!(world.id().await, "KEY2");
}

#[tokio::test]
async fn keys_that_end_before_they_come_are_an_error_about_the_clock() {
    let world = World::new([Plan::EndsIn(Duration::ZERO)]);
    let error = world.id().await;
    assert!(error.contains("already ended by the clock of this machine"), "{error}");
}

#[tokio::test]
async fn keys_end_by_whichever_clock_says_so_first() {
    let world = World::new([]);
    assert_eq!(world.id().await, "KEY1");
    // A frozen function, whose monotonic clock stood still.
    world.clock.set_wall(1_000_000);
    assert_eq!(world.id().await, "KEY2");
}

#[tokio::test]
async fn a_source_that_never_answers_holds_nobody_forever() {
    let world = World::new([]);
    world.script.gate.forget_permits(1000);
    let mut waiting = Box::pin(world.id());
    assert!(futures_util::poll!(&mut waiting).is_pending());
    tokio::task::yield_now().await;
    world.clock.advance(EXCHANGE_MAX);
    assert_eq!(waiting.await, "no keys: the script gives no keys within 10 s");
}
