//! A connection that the gateway holds.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::{MESSAGE_BYTES_MAX, State, Told};

/// Holds a connection to its end.
pub(super) async fn hold(state: Arc<State>, connection: String, upgrade: OnUpgrade) {
    let Ok(upgraded) = upgrade.await else { return };
    let stream = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
    // Only now is it there: what is sent earlier finds nobody.
    let (sender, told) = unbounded_channel();
    state.connections.lock().expect("no panics").insert(connection.clone(), sender);
    let end = serve(&state, &connection, stream, told).await;
    state.connections.lock().expect("no panics").remove(&connection);
    if let Some((code, reason)) = end {
        let context = json!({ "disconnectStatusCode": code, "disconnectReason": reason });
        let event = state.event("DISCONNECT", &connection, json!({ "requestContext": context }));
        state.invoke(&event).await;
    }
}

/// Serves a connection, and returns how it has ended; `None` if nobody is told.
async fn serve<S>(
    state: &Arc<State>,
    connection: &str,
    mut stream: WebSocketStream<S>,
    mut told: UnboundedReceiver<Told>,
) -> Option<(u16, String)>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let close =
        |code: u16| Message::Close(Some(CloseFrame { code: code.into(), reason: "".into() }));
    loop {
        tokio::select! {
            next = told.recv() => match next {
                Some(Told::Send(bytes)) => {
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    let _ = stream.send(Message::text(text)).await;
                }
                Some(Told::Close) => {
                    let _ = stream.send(close(1000)).await;
                    while let Some(Ok(_)) = stream.next().await {}
                    return Some((1000, "Connection Closed Normally".to_owned()));
                }
                Some(Told::Lose) | None => return None,
            },
            next = stream.next() => match next {
                Some(Ok(Message::Text(text))) if text.len() > MESSAGE_BYTES_MAX => {
                    let _ = stream.send(close(1009)).await;
                    return Some((1009, "Message too big".to_owned()));
                }
                Some(Ok(Message::Text(text))) => {
                    let (state, connection) = (Arc::clone(state), connection.to_owned());
                    // The next one does not wait for it.
                    tokio::spawn(async move { message(&state, &connection, text.as_str()).await });
                }
                Some(Ok(Message::Binary(_))) => {
                    let _ = stream.send(close(1003)).await;
                    return Some((1003, "Binary frames are not supported".to_owned()));
                }
                Some(Ok(Message::Close(frame))) => {
                    let (code, reason) = frame.map_or((1005, String::new()), |frame| {
                        (frame.code.into(), frame.reason.as_str().to_owned())
                    });
                    while let Some(Ok(_)) = stream.next().await {}
                    return Some((code, reason));
                }
                Some(Ok(_)) => {}
                Some(Err(Error::ConnectionClosed)) | None => {
                    return Some((1005, String::new()));
                }
                Some(Err(_)) => return Some((1006, String::new())),
            },
        }
    }
}

/// Invokes the function for a message, and tells the client if that fails.
async fn message(state: &State, connection: &str, text: &str) {
    let number = state.next.fetch_add(1, Ordering::Relaxed);
    let more = json!({ "body": text, "requestContext": { "messageId": format!("M{number}=") } });
    let event = state.event("MESSAGE", connection, more);
    let answer = state.invoke(&event).await;
    let is_fine = answer.is_some_and(|answer| answer["statusCode"] == 200);
    if !is_fine && let Some(end) = state.connections.lock().expect("no panics").get(connection) {
        let error = json!({ "message": "Internal server error", "connectionId": connection, "requestId": "R=" });
        let _ = end.send(Told::Send(error.to_string().into()));
    }
}
