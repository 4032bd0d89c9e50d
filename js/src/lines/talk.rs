//! The talk with the other end of a line, until one of them has ended it.

use std::sync::atomic::{AtomicBool, Ordering};

use dotdo::Response;
use dotdo::engine::{GatewaySocket, SocketConnection, SocketEnd, SocketFrame};
use dotdo::sockets::{SocketClose, SocketMessage};
use futures_util::{SinkExt, StreamExt};
use reqwest::Upgraded;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, interval_at, sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::{Ends, broken};
use crate::event::LineFrame;
use crate::limits::{LINE_CLOSE_MAX, LINE_PING_INTERVAL, LINE_WRITE_MAX};

/// The other end of a line.
pub(crate) enum Far {
    /// An object: the response by which it has accepted.
    Object(Response),
    /// A client of the worker.
    Client(GatewaySocket),
    /// Another server.
    Server(Box<WebSocketStream<Upgraded>>),
}

/// Passes on what comes, until the end.
pub(super) async fn talk(far: Far, ends: Ends) {
    match far {
        Far::Object(mut response) => {
            if let Some(connection) = response.extensions_mut().remove::<SocketConnection>() {
                with_object(connection, ends).await;
            }
        }
        Far::Client(socket) => with_client(socket, ends).await,
        Far::Server(stream) => with_server(*stream, ends).await,
    }
}

/// Tells code of the end. It may not be there any more.
async fn tell(came: &mpsc::Sender<LineFrame>, close: SocketClose) {
    let _ = came.send(LineFrame::End(close)).await;
}

/// An object is told of the end when what came before was handled.
async fn with_object(connection: SocketConnection, mut ends: Ends) {
    let came = ends.came.clone();
    let ending = connection.clone();
    let (is_handling, handled) = (AtomicBool::new(false), Notify::new());
    let hearing = async {
        loop {
            let message = match ends.next().await {
                LineFrame::Message(message) => message,
                LineFrame::End(close) => return (close, None),
            };
            if let Some(answer) = connection.auto_response(&message) {
                let _ = came.send(LineFrame::Message(answer)).await;
                continue;
            }
            is_handling.store(true, Ordering::Relaxed);
            let outcome = connection.message(message).await;
            is_handling.store(false, Ordering::Relaxed);
            handled.notify_one();
            if let Err(close) = outcome {
                let error = format!("a message was not handled: {}", close.reason);
                return (close, Some(error));
            }
        }
    };
    let telling = async {
        loop {
            match heard(connection.next().await) {
                Some(LineFrame::End(close)) => return (close, None),
                Some(frame) => _ = came.send(frame).await,
                None => {}
            }
        }
    };
    let too_old = async {
        sleep(connection.time_left()).await;
        let close = SocketClose::new(1012, "connect again; connections end after a time");
        (close, None)
    };
    let mut hearing = std::pin::pin!(hearing);
    let (close, error) = tokio::select! {
        biased;
        end = &mut hearing => end,
        end = telling => end,
        end = too_old => end,
    };
    // What it has sent before.
    while let Some(frame) = connection.try_next().and_then(heard) {
        if matches!(frame, LineFrame::Message(_)) {
            let _ = came.send(frame).await;
        }
    }
    if is_handling.load(Ordering::Relaxed) {
        tokio::select! {
            () = handled.notified() => {}
            _ = &mut hearing => {}
        }
    }
    ending.end(SocketEnd { close: close.clone(), error }).await;
    tell(&came, close).await;
}

/// A frame of an object for code.
fn heard(frame: SocketFrame) -> Option<LineFrame> {
    Some(match frame {
        SocketFrame::Text(bytes) => {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            LineFrame::Message(SocketMessage::Text(text))
        }
        SocketFrame::Binary(bytes) => LineFrame::Message(SocketMessage::Binary(bytes)),
        SocketFrame::Close(close) | SocketFrame::Break(close) => LineFrame::End(close),
        SocketFrame::AutoResponse(_) => return None,
    })
}

async fn with_client(mut socket: GatewaySocket, mut ends: Ends) {
    let came = ends.came.clone();
    loop {
        tokio::select! {
            frame = ends.next() => match frame {
                LineFrame::Message(message) => socket.send(message),
                LineFrame::End(close) => socket.close(sendable(close)),
            },
            heard = socket.next() => match heard {
                Ok(message) => _ = came.send(LineFrame::Message(message)).await,
                Err(end) => return tell(&came, end.close).await,
            },
        }
    }
}

async fn with_server(mut stream: WebSocketStream<Upgraded>, mut ends: Ends) {
    let came = ends.came.clone();
    let mut pings = interval_at(Instant::now() + LINE_PING_INTERVAL, LINE_PING_INTERVAL);
    let mut is_silent = false;
    let close = loop {
        tokio::select! {
            frame = ends.next() => match frame {
                LineFrame::Message(message) => {
                    let sent = timeout(LINE_WRITE_MAX, stream.send(encoded(message))).await;
                    if !matches!(sent, Ok(Ok(()))) {
                        break broken();
                    }
                }
                LineFrame::End(close) => {
                    let closing = closed(&mut stream, close, &came);
                    break timeout(LINE_CLOSE_MAX, closing).await.unwrap_or_else(|_| broken());
                }
            },
            read = stream.next() => match read {
                Some(Ok(message)) => {
                    is_silent = false;
                    if let Some(end) = arrived(message, &came).await {
                        // What answers it is sent by the reads until the end.
                        let rest = async { while let Some(Ok(_)) = stream.next().await {} };
                        let _ = timeout(LINE_CLOSE_MAX, rest).await;
                        break end;
                    }
                }
                Some(Err(_)) | None => break broken(),
            },
            _ = pings.tick() => {
                let ping = timeout(LINE_WRITE_MAX, stream.send(Message::Ping(Default::default())));
                if std::mem::replace(&mut is_silent, true) || !matches!(ping.await, Ok(Ok(()))) {
                    break broken();
                }
            }
        }
    };
    tell(&came, close).await;
}

/// Closes the connection, and waits for the server to do the same: its code.
async fn closed(
    stream: &mut WebSocketStream<Upgraded>,
    close: SocketClose,
    came: &mpsc::Sender<LineFrame>,
) -> SocketClose {
    let SocketClose { code, reason } = close;
    let reason: Utf8Bytes = reason.as_str().into();
    let frame = (code != 1005).then(|| CloseFrame { code: code.into(), reason });
    if stream.send(Message::Close(frame)).await.is_err() {
        return broken();
    }
    while let Some(Ok(message)) = stream.next().await {
        if let Some(end) = arrived(message, came).await {
            while let Some(Ok(_)) = stream.next().await {}
            return end;
        }
    }
    broken()
}

/// Passes on what has come of a server; its end is returned.
async fn arrived(message: Message, came: &mpsc::Sender<LineFrame>) -> Option<SocketClose> {
    let message = match message {
        Message::Text(text) => SocketMessage::Text(text.as_str().to_owned()),
        Message::Binary(bytes) => SocketMessage::Binary(bytes),
        Message::Close(Some(frame)) => {
            return Some(SocketClose::new(frame.code.into(), frame.reason.as_str()));
        }
        Message::Close(None) => return Some(SocketClose::new(1005, "")),
        Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => return None,
    };
    let _ = came.send(LineFrame::Message(message)).await;
    None
}

fn encoded(message: SocketMessage) -> Message {
    match message {
        SocketMessage::Text(text) => Message::Text(text.into()),
        SocketMessage::Binary(bytes) => Message::Binary(bytes),
    }
}

/// What may be sent to a client in the place of a code that stands for none, or for a connection that
/// broke off.
fn sendable(close: SocketClose) -> SocketClose {
    match close.code {
        1005 => SocketClose::new(1000, ""),
        1006 => SocketClose::new(1012, "the other end broke off"),
        _ => close,
    }
}
