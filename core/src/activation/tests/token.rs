//! Holding an object on purpose.

use super::*;
use crate::clock::Clock;

#[tokio::test]
async fn a_function_that_holds_a_token_keeps_others_from_writing_until_it_gives_it_up() {
    let world = World::new();
    let (first, second) = (world.function(1).await, world.function(2).await);
    get(&first, "/add").await.expect("it counts");
    assert_eq!(get(&first, "/acquire").await.expect("nobody holds it"), "1.2");
    assert_eq!(get(&first, "/acquire").await.expect("it holds it already"), "1.2");
    let error = get(&second, "/acquire").await.expect_err("the first holds it");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Busy, "OWNED_BY_OTHER_INSTANCE"));
    let details = error.details().expect("it says who and until when").clone();
    assert_eq!(details["holder"], Uuid::from_u128(1).to_string());
    assert_eq!(details["until"], "2026-01-01T00:00:10Z");
    assert_eq!(get(&first, "/add").await.expect("the holder writes"), "2");
    let waiting = tokio::spawn(async move { get(&second, "/add").await });
    run_ready().await;
    assert!(!waiting.is_finished(), "writing renews what the token holds");
    assert_eq!(get(&first, "/release?1").await.expect("it gives it up"), "3");
    while !waiting.is_finished() {
        world.clock.advance(Duration::from_millis(10));
        run_ready().await;
        assert!(
            world.clock.monotonic() < Duration::from_secs(5),
            "the other waits although the object was given up"
        );
    }
    assert_eq!(waiting.await.expect("it does not panic").expect("it is free"), "4");
    let error = get(&first, "/release?1").await.expect_err("another has written since");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Fenced, "TOKEN_EXPIRED"));
}

#[tokio::test]
async fn a_server_that_gives_its_token_up_lets_the_next_one_in_at_once() {
    let world = World::new();
    let (first, second) = (world.server(1).await, world.server(2).await);
    assert_eq!(get(&first, "/acquire").await.expect("nobody holds it"), "1.1");
    assert_eq!(get(&first, "/add").await.expect("it counts"), "1");
    assert_eq!(get(&first, "/release?1").await.expect("it gives it up"), "2");
    assert_eq!(get(&second, "/acquire").await.expect("it waits for nothing"), "2.4");
}
