//! Runs the handlers of what happens on sockets.

use crate::error::{Error, ErrorKind, Result};
use crate::object::app::DurableObject;
use crate::object::body::{Body, Response};
use crate::object::context::Context;
use crate::object::socket::WebSocket;
use crate::sockets::{Ended, Event, Row, SocketClose, SocketEvent, auto_response_of, find, remove};

/// Runs the handler of an event of a socket.
///
/// # Errors
///
/// Those of the handler and of the database.
pub(super) async fn answer_event<T: DurableObject>(
    value: &mut T,
    SocketEvent { socket, event }: SocketEvent,
    body: Body,
    ctx: &mut Context,
) -> Result<Response> {
    let Some(row) = find(&mut ctx.database, socket)? else { return Ok(SocketEvent::unknown()) };
    match event {
        // The client has sent it before it knew.
        Event::Text | Event::Binary if row.closing => {}
        Event::Text => {
            let text = body.text().await?;
            match automatic(&row, &text, ctx)? {
                Some(response) => WebSocket::of(row).send(ctx, response)?,
                None => value.websocket_message(WebSocket::of(row), text.into(), ctx).await?,
            }
        }
        Event::Binary => {
            let bytes = body.bytes().await?;
            value.websocket_message(WebSocket::of(row), bytes.into(), ctx).await?;
        }
        Event::Ended(Ended { code, reason, error, quietly }) => {
            remove(&mut ctx.database, socket)?;
            let socket = WebSocket::of(row);
            if !quietly {
                if let Some(error) = error {
                    let error =
                        Error::new(ErrorKind::Unavailable, error).with_code("SOCKET_BROKEN");
                    value.websocket_error(socket.clone(), error, ctx).await?;
                }
                value.websocket_close(socket, SocketClose { code, reason }, ctx).await?;
            }
        }
    }
    Ok(SocketEvent::handled())
}

/// The automatic answer to a text, where the object has to give it: a server answers for the
/// connections that it has, and what holds others does not know the text.
fn automatic(row: &Row, text: &str, ctx: &mut Context) -> Result<Option<String>> {
    if row.place.held_at().is_none() {
        return Ok(None);
    }
    let pair = auto_response_of(&mut ctx.database)?;
    Ok(pair.filter(|(request, _)| request == text).map(|(_, response)| response))
}
