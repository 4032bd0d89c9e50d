//! What is believed of what owners tell, what a lie costs, and what is told.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use http::Method;
use uuid::Uuid;

use super::*;
use crate::cluster::directory::{Directory, Listener};
use crate::cluster::forwarding::tests::{Fate, World, ask, in_time, object, post};
use crate::cluster::owner_cache::OwnerCache;
use crate::id::ObjectId;
use crate::lease::Claim;
use crate::object::{Body, Request};
use crate::settings::{Ownership, Settings};
use crate::testing::ManualClock;

/// A board on which every server of a world writes what it owns, and a test whatever it likes.
#[derive(Default)]
struct Board {
    entries: Mutex<BTreeMap<ObjectId, Holding>>,
    told: Mutex<Vec<OwnershipChange>>,
    questions: Mutex<usize>,
    listeners: Mutex<Vec<Listener>>,
}

#[async_trait]
impl Directory for Board {
    fn listen(&self, listener: Listener) {
        self.listeners.lock().expect("no panics").push(listener);
    }

    async fn find(&self, object: &ObjectId) -> Option<Holding> {
        *self.questions.lock().expect("no panics") += 1;
        self.entries.lock().expect("no panics").get(object).cloned()
    }

    fn announce(&self, object: &ObjectId, holding: Holding, change: OwnershipChange) {
        self.told.lock().expect("no panics").push(change);
        self.say(object, holding.clone(), change);
        if change != OwnershipChange::Kept {
            self.spread(object, &holding, change);
        }
    }

    async fn flush(&self) {}
}

impl Board {
    fn in_world() -> (Arc<Self>, World) {
        let board = Arc::<Self>::default();
        let directory: Arc<dyn Directory> = board.clone();
        (board, World { directory: Some(directory), ..World::new() })
    }

    /// Puts an entry there, or takes it away.
    fn say(&self, object: &ObjectId, holding: Holding, change: OwnershipChange) {
        let mut entries = self.entries.lock().expect("no panics");
        if change == OwnershipChange::Released {
            entries.remove(object);
        } else {
            entries.insert(object.clone(), holding);
        }
    }

    /// Tells everybody who listens.
    fn spread(&self, object: &ObjectId, holding: &Holding, change: OwnershipChange) {
        let listeners = self.listeners.lock().expect("no panics");
        assert!(
            listeners.iter().all(|listener| listener.receive(object, holding, change)),
            "the engines live"
        );
    }

    /// What was told since the last call.
    fn told(&self) -> Vec<OwnershipChange> {
        std::mem::take(&mut *self.told.lock().expect("no panics"))
    }

    fn questions(&self) -> usize {
        std::mem::take(&mut *self.questions.lock().expect("no panics"))
    }
}

/// That the server `name` owns an object in `epoch`.
fn holding(name: &str, epoch: u64) -> Holding {
    let number = u128::from(*name.as_bytes().first().expect("a name"));
    let owner = Owner { instance: Uuid::from_u128(number), address: name.to_owned() };
    Holding { owner, epoch, sequence: u64::MAX, remaining: Duration::MAX }
}

#[tokio::test]
async fn a_server_that_never_saw_the_object_reaches_its_owner_without_asking_the_store() {
    let (board, world) = Board::in_world();
    let (a, b) = (world.server("a").await, world.server("b").await);
    assert_eq!(ask(&a, post(Body::empty())).await.expect("a owns it"), "1");
    world.empty_the_store().await;
    board.questions();
    assert_eq!(ask(&b, post(Body::empty())).await.expect("a answers"), "2");
    assert_eq!(ask(&b, Request::default()).await.expect("a answers"), "3");
    assert_eq!(
        (world.carrier.asked(), board.questions()),
        (vec!["a".to_owned(), "a".to_owned()], 1),
        "the second time it is known"
    );
}

#[tokio::test]
async fn one_that_writes_per_request_finds_the_owner_too() {
    let (_board, world) = Board::in_world();
    let per_request = Settings { ownership: Ownership::PerRequest, ..Settings::default() };
    let (a, b) = (world.server("a").await, world.server_with("b", per_request).await);
    ask(&a, post(Body::empty())).await.expect("a owns it");
    world.empty_the_store().await;
    assert_eq!(ask(&b, post(Body::empty())).await.expect("a answers"), "2");
    assert_eq!(world.carrier.asked(), ["a"]);
}

#[tokio::test]
async fn a_lie_costs_one_attempt_or_none() {
    for (lie, expected) in [
        (holding("b", 9), vec!["a"]),
        (
            Holding {
                owner: Owner { address: String::new(), ..holding("z", 9).owner },
                ..holding("z", 9)
            },
            vec!["a"],
        ),
        (Holding { remaining: Duration::ZERO, ..holding("z", 9) }, vec!["a"]),
        // Nobody is there.
        (holding("z", 9), vec!["z", "a"]),
        (holding("z", u64::MAX), vec!["z", "a"]),
        // It is there and does not own the object.
        (holding("c", 9), vec!["c", "a"]),
        (
            Holding {
                owner: Owner { address: "c".to_owned(), ..holding("a", 1).owner },
                ..holding("a", 1)
            },
            vec!["c", "a"],
        ),
    ] {
        let (board, world) = Board::in_world();
        let (a, b, _c) =
            (world.server("a").await, world.server("b").await, world.server("c").await);
        ask(&a, post(Body::empty())).await.expect("a owns it");
        board.say(&object(), lie.clone(), OwnershipChange::Kept);
        assert_eq!(
            ask(&b, post(Body::empty())).await.unwrap_or_else(|error| panic!("{lie:?}: {error}")),
            "2"
        );
        assert_eq!(world.carrier.asked(), expected, "{lie:?}");
        board.spread(&object(), &lie, OwnershipChange::Taken);
        assert_eq!(ask(&b, post(Body::empty())).await.expect("a answers"), "3");
        assert_eq!(world.carrier.asked(), ["a"], "{lie:?}: whoever failed is remembered");
    }
}

#[tokio::test]
async fn lies_that_get_ever_newer_cost_one_attempt_a_request() {
    let (board, world) = Board::in_world();
    let (a, b) = (world.server("a").await, world.server("b").await);
    ask(&a, post(Body::empty())).await.expect("a owns it");
    ask(&b, post(Body::empty())).await.expect("a answers");
    world.carrier.asked();
    for round in 0..5 {
        board.say(&object(), holding("z", 100 + round), OwnershipChange::Kept);
        board.spread(&object(), &holding("z", 100 + round), OwnershipChange::Taken);
        let expected = (3 + round).to_string();
        assert_eq!(ask(&b, post(Body::empty())).await.expect("a answers"), expected);
        assert_eq!(world.carrier.asked(), ["z", "a"]);
    }
}

#[tokio::test]
async fn what_is_no_news_takes_nothing_away_from_what_is_known() {
    let (board, world) = Board::in_world();
    let (a, b) = (world.server("a").await, world.server("b").await);
    ask(&a, post(Body::empty())).await.expect("a owns it");
    ask(&b, post(Body::empty())).await.expect("a answers");
    world.empty_the_store().await;
    board.entries.lock().expect("no panics").clear();
    board.spread(&object(), &holding("z", 1), OwnershipChange::Taken);
    assert_eq!(ask(&b, post(Body::empty())).await.expect("a answers"), "3");
    assert_eq!(world.carrier.asked(), ["a", "a"]);
}

#[tokio::test]
async fn a_request_asks_the_directory_once_however_often_it_is_turned_away() {
    let (board, world) = Board::in_world();
    let (a, b) = (world.server("a").await, world.server("b").await);
    ask(&a, post(Body::empty())).await.expect("a owns it");
    board.questions();
    world.carrier.script((0..8).map(|_| Fate::ComesBackFromAWriter));
    assert_eq!(
        in_time(&world, ask(&b, post(Body::empty()))).await.expect("a answers in the end"),
        "10"
    );
    assert_eq!((world.carrier.asked().len(), board.questions()), (9, 1));
}

#[test]
fn nobody_is_believed_for_longer_than_a_lease() {
    let (clock, lease) = (ManualClock::default(), Duration::from_secs(10));
    let owner_cache = OwnerCache::default();
    owner_cache.learn_announced(&holding("z", 1), lease, &clock);
    clock.advance(lease - Duration::from_millis(1));
    assert!(owner_cache.is_known(&clock));
    clock.advance(Duration::from_millis(1));
    assert!(!owner_cache.is_known(&clock));
}

#[test]
fn an_owner_that_was_asked_in_vain_twice_is_not_believed_a_third_time() {
    let (clock, lease) = (ManualClock::default(), Duration::from_secs(10));
    let owner_cache = OwnerCache::default();
    let told = holding("z", 9);
    let read = Claim {
        epoch: 1,
        sequence: 5,
        holder: told.owner.instance,
        address: Some(told.owner.address.clone()),
        duration: lease,
        modified_ms: 0,
        observed: Instant::now(&clock),
        over: false,
    };
    assert!(owner_cache.learn(&read, lease, &clock));
    owner_cache.avoid(&owner_cache.known(&clock).expect("it was read"));
    owner_cache.learn_announced(&told, lease, &clock);
    owner_cache.avoid(&owner_cache.known(&clock).expect("a later epoch is news"));
    owner_cache.learn_announced(&told, lease, &clock);
    assert_eq!(owner_cache.known(&clock), None);
}

#[tokio::test]
async fn whoever_owns_an_object_listens_to_nobody() {
    let (board, world) = Board::in_world();
    let a = world.server("a").await;
    ask(&a, post(Body::empty())).await.expect("a owns it");
    board.say(&object(), holding("z", 9), OwnershipChange::Kept);
    board.spread(&object(), &holding("z", 9), OwnershipChange::Taken);
    assert_eq!(ask(&a, post(Body::empty())).await.expect("a owns it"), "2");
    world.clock.advance(Duration::from_secs(20));
    board.spread(&object(), &holding("z", 0), OwnershipChange::Taken);
    assert_eq!(ask(&a, post(Body::empty())).await.expect("a takes it again"), "3");
    assert!(world.carrier.asked().is_empty());
}

#[tokio::test]
async fn an_owner_that_was_asked_in_vain_is_not_asked_again_on_the_word_of_the_store() {
    let (_board, world) = Board::in_world();
    let (a, b) = (world.server("a").await, world.server("b").await);
    ask(&a, post(Body::empty())).await.expect("a owns it");
    ask(&a, post(Body::empty())).await.expect("a owns it");
    world.carrier.script([Fate::ComesBack]);
    assert_eq!(in_time(&world, ask(&b, post(Body::empty()))).await.expect("b takes it over"), "3");
    assert_eq!(world.carrier.asked(), ["a"]);
}

#[tokio::test]
async fn an_owner_tells_what_changes_and_sometimes_that_it_is_still_there() {
    let (board, world) = Board::in_world();
    let a = world.server("a").await;
    let lease = Settings::default().lease_duration;
    for (pause, expected) in [
        (Duration::ZERO, vec![OwnershipChange::Taken]),
        (lease / 4, vec![]),
        (lease / 4, vec![OwnershipChange::Kept]),
        (lease / 4, vec![]),
    ] {
        world.clock.advance(pause);
        ask(&a, post(Body::empty())).await.expect("a owns it");
        assert_eq!(board.told(), expected);
    }
    a.shutdown(Duration::from_secs(1)).await;
    assert_eq!(board.told(), [OwnershipChange::Released]);
    assert!(board.entries.lock().expect("no panics").is_empty());
}

#[tokio::test]
async fn one_that_writes_per_request_tells_what_it_keeps_and_gives_up() {
    let (board, world) = Board::in_world();
    let per_request = Settings { ownership: Ownership::PerRequest, ..Settings::default() };
    let (f, b) = (world.server_with("f", per_request).await, world.server("b").await);
    for (method, expected) in [
        (Method::POST, vec![]),
        (Method::PUT, vec![OwnershipChange::Taken]),
        (Method::POST, vec![]),
        (Method::DELETE, vec![OwnershipChange::Released]),
        (Method::POST, vec![]),
        (Method::PUT, vec![OwnershipChange::Taken]),
    ] {
        let mut request = Request::default();
        *request.method_mut() = method.clone();
        ask(&f, request).await.unwrap_or_else(|error| panic!("{method}: {error}"));
        assert_eq!(board.told(), expected, "{method}");
    }
    world.empty_the_store().await;
    assert_eq!(ask(&b, post(Body::empty())).await.expect("f answers"), "7");
    assert_eq!(world.carrier.asked(), ["f"]);
}

#[tokio::test]
async fn who_releases_is_forgotten_and_who_takes_over_is_known() {
    let (board, world) = Board::in_world();
    let (a, b, c) = (world.server("a").await, world.server("b").await, world.server("c").await);
    ask(&a, post(Body::empty())).await.expect("a owns it");
    ask(&c, post(Body::empty())).await.expect("a answers");
    assert_eq!(world.carrier.asked(), ["a"]);
    a.shutdown(Duration::from_secs(1)).await;
    assert_eq!(ask(&b, post(Body::empty())).await.expect("b takes it"), "3");
    world.empty_the_store().await;
    board.questions();
    assert_eq!(ask(&c, post(Body::empty())).await.expect("b answers"), "4");
    assert_eq!(
        (world.carrier.asked(), board.questions()),
        (vec!["b".to_owned()], 0),
        "it was told without asking"
    );
}

#[tokio::test]
async fn no_word_makes_a_server_remember_an_object_that_nobody_asked_for() {
    let (board, world) = Board::in_world();
    let b = world.server("b").await;
    board.spread(&object(), &holding("z", 9), OwnershipChange::Taken);
    assert!(b.activations().all().is_empty());
}
