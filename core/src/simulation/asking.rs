//! What a request of a client is to the engine: a request to the object's class, or administration.

use futures_util::FutureExt;

use crate::activation::Precondition;
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::id::ObjectId;
use crate::log::list_newest;
use crate::object::Body;
use crate::router::At;
use crate::simulation::history::{Ask, Request};
use crate::simulation::machine::object;
use crate::simulation::objects::{ANTICS, append};
use crate::simulation::schemas::CODES;
use crate::sockets::{Handshake, SocketClose, SocketConnection, SocketEnd, SocketFrame};
use crate::sqlite::Mode;

/// Asks the engine, and returns the text of its answer.
pub(super) async fn answer(engine: &Engine, request: Request) -> Result<String> {
    if let (Ask::Append(value), true) = (request.ask, request.antics.replaces) {
        return replace(engine, &object(request.object), value).await;
    }
    if let (Ask::Append(_), true) = (request.ask, request.antics.ends) {
        let (object, any) = (object(request.object), Precondition::Any);
        let deleted = engine.administration().delete_object(&object, any).await;
        return deleted.map(|_| String::new()).map_err(undone);
    }
    let uri = match request.ask {
        Ask::Read | Ask::Past(_) => "/read".to_owned(),
        Ask::Append(value) if request.antics.leaves && value / CODES % 2 == 0 => {
            format!("/leave?{value}")
        }
        Ask::Append(value) => format!("/append?{value}"),
        Ask::Give(value, to) => format!("/give?{value}&{}", object(to).id()),
        Ask::Send(value, to) if request.antics.rings => {
            format!("/ring?{value}&{}", object(to).id())
        }
        Ask::Send(value, to) => format!("/send?{value}&{}", object(to).id()),
    };
    let by_socket = request.antics.by_socket && request.antics.panics.is_none();
    if by_socket && !matches!(request.ask, Ask::Past(_)) {
        return by_socket_of(engine, &object(request.object), &format!("{} {uri}", request.number))
            .await;
    }
    let panics = request.antics.panics.map_or("", |moment| moment.name());
    let method = if request.antics.by_get { http::Method::GET } else { http::Method::POST };
    let mut asked = http::Request::builder().method(method).uri(uri);
    // Nothing may be left behind on a former state.
    if !matches!(request.ask, Ask::Past(_)) {
        asked = asked.header(ANTICS, format!("{} {panics}", request.number));
    }
    if let Some(value) = request.ask.value().filter(|_| request.keyed) {
        asked = asked.header("idempotency-key", format!("\"v{value}\""));
    }
    let asked = asked.body(Body::empty())?;
    let at = match request.ask {
        Ask::Past(at) => Some(at),
        _ => None,
    };
    engine.fetch(&object(request.object), at, asked).await?.into_body().text().await
}

/// Asks by a message on a WebSocket, and returns the first frame that comes back.
async fn by_socket_of(engine: &Engine, object: &ObjectId, message: &str) -> Result<String> {
    let mut handshake = http::Request::get("/socket").body(Body::empty())?;
    handshake.extensions_mut().insert(Handshake);
    let mut response = engine.fetch(object, None, handshake).await?;
    let Some(connection) = response.extensions_mut().remove::<SocketConnection>() else {
        return Err(Error::internal("the handshake is not accepted"));
    };
    let frame = first_frame(&connection, message).await;
    let answer = match frame {
        SocketFrame::Text(text) => Ok(String::from_utf8_lossy(&text).into_owned()),
        SocketFrame::Close(SocketClose { code, reason })
        | SocketFrame::Break(SocketClose { code, reason })
            if code == 1012 || reason == ErrorKind::Unknown.code() =>
        {
            Err(Error::new(ErrorKind::Unknown, reason))
        }
        other => Err(Error::new(ErrorKind::Busy, format!("{other:?}"))),
    };
    let close = SocketClose::new(1000, "");
    connection.end(SocketEnd { close, error: None }).await;
    answer
}

/// The first frame that comes back when `message` is sent, or what ends the connection.
async fn first_frame(connection: &SocketConnection, message: &str) -> SocketFrame {
    let handled = connection.message(message.into()).fuse();
    futures_util::pin_mut!(handled);
    let handled = futures_util::select_biased! {
        frame = Box::pin(connection.next()).fuse() => return frame,
        handled = handled => handled,
    };
    match handled {
        Ok(()) => connection.next().await,
        Err(close) => SocketFrame::Close(close),
    }
}

/// Replaces the object's state by one that has `value` too, unless others write meanwhile. Whoever
/// goes on from the old state loses the value.
async fn replace(engine: &Engine, object: &ObjectId, value: i64) -> Result<String> {
    let administration = engine.administration();
    let head = list_newest(&engine.runtime().log(object)?, u64::MAX).await?.head;
    let former = administration.former_state(object, Some(At::Sequence(head))).await;
    let mut state = former.map_err(undone)?;
    state.database.begin(Mode::ReadWrite)?;
    let content = append(&mut state.database, value).map_err(undone)?;
    state.database.prepare_commit().map_err(undone)?;
    state.database.commit()?;
    let unchanged = Precondition::Unchanged(head);
    administration.replace_state(object, state, unchanged).await.map_err(undone)?;
    Ok(content)
}

/// What means that there is nothing to replace, or something else by now.
fn undone(error: Error) -> Error {
    match error.kind() {
        ErrorKind::NotFound
        | ErrorKind::PreconditionFailed
        | ErrorKind::Handler
        | ErrorKind::Invalid => Error::new(ErrorKind::Busy, error.to_string()),
        _ => error,
    }
}
