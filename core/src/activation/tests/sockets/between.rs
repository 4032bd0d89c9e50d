//! Sockets whose connections are at other servers than their object.

use super::*;
use crate::cluster::{Forward, Forwarded, NotTaken, Owner, PeerError, Peers, Received};
use crate::sync::Mutex;

/// Carries requests between engines of one process.
#[derive(Default)]
struct Wire {
    engines: Mutex<Vec<(String, Engine)>>,
    /// Whether frames are lost on their way, and no others.
    loses_frames: Mutex<bool>,
    /// Whether the answer to the next event is lost, and its owner is gone after that.
    loses_owner: Mutex<bool>,
}

#[async_trait::async_trait]
impl Peers for Wire {
    async fn send(&self, owner: &Owner, forward: Forward) -> Result<Forwarded, PeerError> {
        let part = forward.request_context.socket.as_ref();
        let lost = *self.loses_frames.lock() && part.is_some_and(|part| part.is_for_the_server());
        let engines = self.engines.lock().clone();
        let engine = engines.into_iter().find(|(address, _)| *address == owner.address);
        let (Some((_, engine)), false) = (engine, lost) else {
            let (request, cause) = (Some(Box::new(forward.request)), NotTaken::Unreachable);
            return Err(PeerError::NotTaken { request, cause, reason: "as planned".to_owned() });
        };
        let mut request = forward.request;
        // What is known of a request inside of a process does not travel.
        request.extensions_mut().clear();
        let answered = engine.receive(&forward.object, forward.request_context, request).await;
        if std::mem::take(&mut *self.loses_owner.lock()) {
            self.engines.lock().retain(|(address, _)| *address != owner.address);
            return Err(PeerError::Unknown { reason: "as planned".to_owned() });
        }
        match answered {
            Received::Answered(answer) => Ok(Forwarded::Answered(answer.map(|mut response| {
                response.extensions_mut().clear();
                response
            }))),
            Received::NotOwner => Err(PeerError::NotTaken {
                request: None,
                cause: NotTaken::Declined,
                reason: "as it says".to_owned(),
            }),
        }
    }
}

/// Servers that reach each other.
async fn connected(world: &World, wire: &Arc<Wire>, instance: u128) -> Engine {
    let address = format!("test://{instance}");
    let peers: Arc<dyn Peers> = wire.clone();
    let components = Components { peers: Some(peers), ..world.components(instance) };
    let settings = Settings { address: Some(address.clone()), ..Settings::default() };
    let engine = world.server_of(components, settings).await;
    wire.engines.lock().push((address, engine.clone()));
    engine
}

#[tokio::test]
async fn a_socket_at_another_server_than_the_owner_works_and_outlives_a_hand_over() {
    let (world, wire) = (world(), Arc::new(Wire::default()));
    let first = connected(&world, &wire, 1).await;
    let gate = connected(&world, &wire, 2).await;
    get(&first, "/say").await.expect("it owns the object");
    let ada = open(&gate, "/ada").await.expect("accepted");
    say(&ada, "all").await;
    first.finish_background().await;
    assert_eq!(got(&ada).await, ["welcome", "ada: 2"]);
    // The owner gives the object up in order, and a third server takes it.
    first.shutdown(Duration::from_secs(5)).await;
    wire.engines.lock().remove(0);
    let third = connected(&world, &wire, 3).await;
    get(&third, "/say").await.expect("it takes the object");
    third.finish_background().await;
    assert_eq!(got(&ada).await, ["3"]);
    say(&ada, "look").await;
    third.finish_background().await;
    assert_eq!(got(&ada).await, ["ada sees 3"]);
    assert_eq!(get(&third, "/there").await.expect("it is asked"), "ada");
    leave(ada).await;
    assert_eq!(get(&third, "/left").await.expect("it is asked"), "ada 1001");
}

#[tokio::test]
async fn a_socket_that_may_have_missed_something_is_closed() {
    let (world, wire) = (world(), Arc::new(Wire::default()));
    let first = connected(&world, &wire, 1).await;
    let gate = connected(&world, &wire, 2).await;
    get(&first, "/say").await.expect("it owns the object");
    let ada = open(&gate, "/ada").await.expect("accepted");
    first.finish_background().await;
    assert_eq!(got(&ada).await, ["welcome"]);
    // The owner is gone before anybody can ask it what it has sent.
    wire.engines.lock().remove(0);
    world.clock.advance(LEASES_END);
    let third = connected(&world, &wire, 3).await;
    get(&third, "/say").await.expect("it takes the object");
    third.finish_background().await;
    let frames = got(&ada).await;
    assert_eq!(frames.len(), 1, "{frames:?}");
    assert!(frames[0].contains("1012"), "{frames:?}");
}

#[tokio::test]
async fn a_message_whose_owner_crashes_with_the_answer_is_handled_once_and_closes_its_socket() {
    let (world, wire) = (world(), Arc::new(Wire::default()));
    let first = connected(&world, &wire, 1).await;
    let gate = connected(&world, &wire, 2).await;
    get(&first, "/say").await.expect("it owns the object");
    let ada = open(&gate, "/ada").await.expect("accepted");
    first.finish_background().await;
    (*wire.loses_frames.lock(), *wire.loses_owner.lock()) = (true, true);
    let saying = tokio::spawn({
        let ada = ada.clone();
        async move { ada.message("something".into()).await }
    });
    while !saying.is_finished() {
        world.clock.advance(Duration::from_secs(1));
        tokio::task::yield_now().await;
    }
    let close = saying.await.expect("no panic").expect_err("its answer may be lost");
    assert_eq!(close.code, 1012, "{close:?}");
    let bob = open(&gate, "/bob").await.expect("accepted");
    say(&bob, "look").await;
    assert_eq!(got(&bob).await, ["welcome", "bob sees 2"], "it was handled once");
}

#[tokio::test]
async fn an_owner_that_does_not_reach_a_socket_gives_it_up() {
    let (world, wire) = (world(), Arc::new(Wire::default()));
    let owner = connected(&world, &wire, 1).await;
    let gate = connected(&world, &wire, 2).await;
    get(&owner, "/say").await.expect("it owns the object");
    let ada = open(&gate, "/ada").await.expect("accepted");
    *wire.loses_frames.lock() = true;
    get(&owner, "/say").await.expect("it is said");
    owner.finish_background().await;
    assert_eq!(get(&owner, "/left").await.expect("it is asked"), "ada 1006");
    *wire.loses_frames.lock() = false;
    let close = ada.message("something".into()).await.expect_err("it was given up");
    assert_eq!(close.code, 1012);
}

#[tokio::test]
async fn frames_reach_their_sockets_in_the_order_of_the_records() {
    let (world, wire) = (world(), Arc::new(Wire::default()));
    let owner = connected(&world, &wire, 1).await;
    let gate = connected(&world, &wire, 2).await;
    let here = open(&owner, "/here").await.expect("accepted");
    let there = open(&gate, "/there-too").await.expect("accepted");
    join_all((0..20).map(|_| get(&owner, "/say"))).await;
    owner.finish_background().await;
    let expected: Vec<String> =
        ["welcome".to_owned()].into_iter().chain((1..=20).map(|n| n.to_string())).collect();
    assert_eq!(got(&here).await, expected);
    assert_eq!(got(&there).await, expected);
}

#[tokio::test]
async fn two_functions_that_compete_handle_each_message_once() {
    let world = world();
    let (one, two) = (world.function(1).await, world.function(2).await);
    let ada = open(&one, "/ada").await.expect("accepted");
    let bob = open(&two, "/bob").await.expect("accepted");
    for _ in 0..5 {
        let (a, b) = futures_util::join!(ada.message("x".into()), bob.message("x".into()));
        a.expect("it is handled");
        b.expect("it is handled");
    }
    let mut seen: Vec<u32> = got(&ada)
        .await
        .into_iter()
        .chain(got(&bob).await)
        .filter_map(|frame| frame.parse().ok())
        .collect();
    seen.sort_unstable();
    assert_eq!(seen, (1..=10).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_sockets_of_a_deleted_object_are_closed_at_other_servers_too() {
    let (world, wire) = (world(), Arc::new(Wire::default()));
    let first = connected(&world, &wire, 1).await;
    let gate = connected(&world, &wire, 2).await;
    get(&first, "/say").await.expect("the first one owns it");
    let ada = open(&gate, "/ada").await.expect("accepted");
    assert_eq!(got(&ada).await, ["welcome"]);
    let any = crate::activation::Precondition::Any;
    first.administration().delete_object(&object(), any).await.expect("it is deleted");
    let close = SocketClose::new(1001, "the object was deleted");
    assert_eq!(got(&ada).await, [format!("{:?}", SocketFrame::Close(close))]);
}

#[tokio::test]
async fn the_sockets_of_a_deleted_object_are_closed_at_once() {
    for ownership in [Ownership::Leased, Ownership::PerRequest] {
        let world = world();
        let engine = world.server_with(1, Settings { ownership, ..Settings::default() }).await;
        let ada = open(&engine, "/ada").await.expect("accepted");
        assert_eq!(got(&ada).await, ["welcome"]);
        let any = crate::activation::Precondition::Any;
        engine.administration().delete_object(&object(), any).await.expect("it is deleted");
        let close = SocketClose::new(1001, "the object was deleted");
        assert_eq!(got(&ada).await, [format!("{:?}", SocketFrame::Close(close))]);
        leave(ada).await;
        engine.finish_background().await;
        let again = engine.administration().delete_object(&object(), any).await;
        assert_eq!(again.expect_err("its end brings nothing back").code(), "NO_SUCH_OBJECT");
    }
}
