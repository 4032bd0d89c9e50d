//! What administration does with alarms.

use super::*;
use crate::activation::Precondition;
use crate::router::At;

async fn back(bells: &Bells, server: &Server, from: &str, (to, sequence): (&str, u64)) {
    let (engine, from, to) = (server.engine.clone(), bell(from), bell(to));
    let restored = async move {
        let at = Some(At::Sequence(sequence));
        engine.administration().restore_state(&to, (&from, at), Precondition::Any).await
    };
    bells.post.run(restored).await.expect("it is restored");
}

#[tokio::test]
async fn an_alarm_belongs_to_the_state_that_is_restored() {
    for ownership in BOTH {
        let bells = Bells::new();
        let server = bells.post.server_with(ownership).await;
        bells.get(&server, "a", "/touch").await;
        let without = server.engine.inspection();
        let head = move |of: crate::Inspection| async move {
            of.describe(&bell("a"), None).await.expect("it is there").log.head
        };
        let before = bells.post.run(head(without)).await;
        bells.get(&server, "a", "/set?50").await;
        let with = bells.post.run(head(server.engine.inspection())).await;
        bells.pass(60).await;
        assert_eq!(bells.get(&server, "a", "/rung").await, "late 0 retries 0");
        assert_eq!(bells.markers().await, 0);
        back(&bells, &server, "a", ("a", with)).await;
        bells.pass(3).await;
        let rung = bells.get(&server, "a", "/rung").await;
        assert_eq!(rung.lines().count(), 1, "the state of then, and its alarm: {rung}");
        bells.get(&server, "a", "/set?50").await;
        back(&bells, &server, "a", ("a", before)).await;
        bells.pass(120).await;
        assert_eq!(bells.get(&server, "a", "/rung").await, "", "then there was none");
    }
}

#[tokio::test]
async fn a_restored_alarm_runs_although_its_server_crashes_at_once() {
    let bells = Bells::new();
    let server = bells.post.server().await;
    bells.get(&server, "a", "/set?200").await;
    bells.get(&server, "a", "/set?5").await;
    bells.pass(10).await;
    assert_eq!((bells.markers().await, bells.running.begun.load(Ordering::SeqCst)), (0, 1));
    // The marker of then is gone, so the restored state gets another.
    back(&bells, &server, "a", ("a", 1)).await;
    assert_eq!(bells.markers().await, 1);
    server.crash();
    let other = bells.post.server().await;
    bells.pass(250).await;
    assert_eq!(bells.running.begun.load(Ordering::SeqCst), 2, "nobody asks for it");
    assert_eq!(bells.get(&other, "a", "/rung").await.lines().count(), 1);
}

#[tokio::test]
async fn a_deleted_object_has_no_alarm() {
    for ownership in BOTH {
        let bells = Bells::new();
        let server = bells.post.server_with(ownership).await;
        bells.get(&server, "a", "/set?10").await;
        let engine = server.engine.clone();
        let deleted = async move {
            engine.administration().delete_object(&bell("a"), Precondition::Any).await
        };
        bells.post.run(deleted).await.expect("it is deleted");
        for _ in 0..75 {
            bells.post.pass(Duration::from_secs(60)).await;
        }
        assert_eq!(bells.running.begun.load(Ordering::SeqCst), 0);
        assert_eq!(bells.markers().await, 0);
        assert_eq!(bells.get(&server, "a", "/alarm").await, "None");
    }
}
