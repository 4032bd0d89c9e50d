//! Bodies that come in parts: a part arrives before the next is sent, where the platform can; and
//! what breaks off is never taken for whole.

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::Request;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper_util::rt::TokioIo;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::gate::Gate;
use crate::host::{Body, Broken};
use crate::message::{Answer, bytes, get, with};
use crate::stage::{Stage, fresh, soon};

/// A body whose parts are sent by hand.
fn by_hand() -> (UnboundedSender<Bytes>, Body) {
    let (sender, mut receiver) = unbounded_channel();
    let parts = futures_util::stream::poll_fn(move |cx| {
        receiver
            .poll_recv(cx)
            .map(|part: Option<Bytes>| part.map(|part| Ok::<_, Broken>(Frame::data(part))))
    });
    (sender, BodyExt::boxed_unsync(StreamBody::new(parts)))
}

fn send(sender: &UnboundedSender<Bytes>, part: &'static str) {
    sender.send(Bytes::from_static(part.as_bytes())).expect("somebody reads the body");
}

/// Reads a body until `count` bytes are here.
async fn read(body: &mut Body, count: usize) -> Vec<u8> {
    let mut read = Vec::new();
    while read.len() < count {
        let frame = soon("the next part of a body", body.frame())
            .await
            .expect("the body goes on")
            .expect("it does not break");
        read.extend_from_slice(&frame.into_data().unwrap_or_default());
    }
    read
}

pub(crate) async fn the_first_part_of_an_answer_comes_before_the_second_is_made(on: &Stage) {
    let gate = Gate::closed().await;
    let (program, request) = (
        on.program().await,
        get(&format!("/do/{}/stream?gate={}", fresh("stream"), gate.address())),
    );
    if on.abilities().streams_responses {
        let mut answer =
            soon("the head of an answer", program.send(request)).await.expect("an answer");
        assert_eq!(answer.status(), 200);
        assert_eq!(read(answer.body_mut(), 5).await, b"first");
        gate.come(1).await;
        gate.open();
        assert_eq!(&*bytes(answer).await, b"second");
    } else {
        let open = async {
            gate.come(1).await;
            gate.open();
        };
        let (answer, ()) = tokio::join!(program.send(request), open);
        assert_eq!(
            &*bytes(answer.expect("an answer")).await,
            b"firstsecond",
            "it comes as a whole"
        );
    }
}

pub(crate) async fn the_first_part_of_a_request_comes_before_the_second_is_sent(on: &Stage) {
    let (gate, (sender, body)) = (Gate::closed().await, by_hand());
    let request = Request::post(format!("/do/{}/taste?gate={}", fresh("taste"), gate.address()))
        .body(body)
        .expect("a request");
    let hand = async {
        send(&sender, "first");
        if on.abilities().streams_requests {
            assert_eq!(gate.come(1).await, ["first"]);
        }
        send(&sender, "second");
        drop(sender);
        let words = gate.come(1).await;
        assert!(words[0].starts_with("first"), "{words:?}");
        gate.open();
    };
    let program = on.program().await;
    let (answer, ()) = tokio::join!(program.send(request), hand);
    assert_eq!(&*bytes(answer.expect("an answer")).await, b"firstsecond");
}

pub(crate) async fn bodies_are_streamed_in_both_directions_at_once(on: &Stage) {
    let (sender, body) = by_hand();
    let request =
        Request::post(format!("/do/{}/echo", fresh("both"))).body(body).expect("a request");
    let program = on.program().await;
    send(&sender, "question");
    if on.abilities().streams_requests && on.abilities().streams_responses {
        let mut answer =
            soon("the head of an answer", program.send(request)).await.expect("an answer");
        for part in ["another", "and one more"] {
            let before = if part == "another" { "question" } else { "another" };
            assert_eq!(read(answer.body_mut(), before.len()).await, before.as_bytes());
            send(&sender, part);
        }
        drop(sender);
        assert_eq!(&*bytes(answer).await, b"and one more");
    } else {
        send(&sender, "another");
        drop(sender);
        assert_eq!(
            &*bytes(program.send(request).await.expect("an answer")).await,
            b"questionanother"
        );
    }
}

pub(crate) async fn a_response_that_ends_early_is_not_complete(on: &Stage) {
    // Nobody listens there: the second part fails.
    let nowhere = { Gate::closed().await.address() };
    let answer = on
        .program()
        .await
        .send(get(&format!("/do/{}/stream?gate={nowhere}", fresh("broken"))))
        .await;
    if let Ok(answer) = answer {
        let status = answer.status().as_u16();
        match answer.into_body().collect().await {
            Err(_) => {}
            Ok(body) => assert!(status >= 500, "{status}: {:?}", body.to_bytes()),
        }
    }
    assert_eq!(
        on.ask(get(&format!("/do/{}/pattern?bytes=1", fresh("broken")))).await.status,
        200,
        "the next is answered"
    );
}

pub(crate) async fn a_client_that_goes_away_disturbs_nobody(on: &Stage) {
    let (gate, id) = (Gate::closed().await, fresh("gone"));
    let program = on.program().await;
    let request = get(&format!("/do/{id}/stream?gate={}", gate.address()));
    if on.abilities().streams_responses {
        let mut answer =
            soon("the head of an answer", program.send(request)).await.expect("an answer");
        read(answer.body_mut(), 5).await;
        gate.come(1).await;
        drop(answer);
    } else {
        tokio::select! {
            answer = program.send(request) => panic!("nothing was to come: {:?}", answer.map(|answer| answer.status()).map_err(|error| error.to_string())),
            _ = gate.come(1) => {}
        }
    }
    gate.open();
    let again = Answer::of(
        soon("an answer", program.send(get(&format!("/do/{id}/pattern?bytes=1"))))
            .await
            .expect("an answer"),
    )
    .await;
    assert_eq!(again.status, 200);
}

pub(crate) async fn a_websocket_is_opened_where_connections_are_held(on: &Stage) {
    let program = on.program().await;
    let mut handshake = get(&format!("/do/Counter/{}/socket", fresh("socket")));
    for (name, value) in [
        ("upgrade", "websocket"),
        ("connection", "upgrade"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ] {
        handshake = with(handshake, name, value.as_bytes());
    }
    let answer = soon("the answer to a handshake", program.send(handshake)).await;
    let answer = answer.expect("an answer");
    if !on.abilities().holds_connections {
        let answer = Answer::of(answer).await;
        assert_eq!((answer.status, answer.json()["code"].clone()), (400, "NOT_A_WEBSOCKET".into()));
        return;
    }
    assert_eq!(answer.status(), 101);
    let connection = hyper::upgrade::on(answer).await.expect("it changes to the other protocol");
    let connection = TokioIo::new(connection);
    let mut socket = WebSocketStream::from_raw_socket(connection, Role::Client, None).await;
    for count in 1..=3 {
        socket.send(Message::text("add")).await.expect("the connection is open");
        let told = soon("a message", socket.next()).await.expect("no end").expect("a frame");
        assert_eq!(told.into_text().expect("a text").as_str(), count.to_string());
    }
    socket.close(None).await.expect("the connection is open");
}
