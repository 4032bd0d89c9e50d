//! A server that is told to stop.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_request_in_flight_is_finished_and_no_new_one_is_taken() {
    let server = Server::start().await;
    let mut busy = server.connect().await;
    busy.send("GET /do/a/wait HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut idle = server.connect().await;
    idle.send("GET /health HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(idle.answer().await.status, 200);
    server.edge.objects().waiting.acquire().await.expect("a waiting request").forget();

    server.stop.send(()).expect("a running server");
    let graceful = server.running.await.expect("a server that stops");
    assert!(TcpStream::connect(server.address).await.is_err(), "nobody listens any more");
    let finished = tokio::spawn(graceful.shutdown());
    assert!(idle.rest().await.is_empty(), "the idle connection is closed");
    server.edge.objects().gate.add_permits(1);
    let answer = busy.answer().await;
    assert_eq!((answer.text(), &*answer.headers["connection"]), ("waited", "close"));
    assert!(busy.rest().await.is_empty());
    drop((idle, busy));
    finished.await.expect("all connections end");
}
