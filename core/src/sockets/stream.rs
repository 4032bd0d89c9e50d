//! `text/event-stream`: a connection without messages, as the body of a response.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};
use futures_util::{StreamExt, stream};
use http_body::Frame;
use http_body_util::StreamBody;

use crate::clock::Clock;
use crate::object::Body;
use crate::sockets::connection::SocketConnection;
use crate::sockets::line::SocketFrame;

/// The media type of event streams.
pub(crate) const EVENT_STREAM: &str = "text/event-stream";

/// The pause after which a stream without events sends a comment, so that a proxy does not close it
/// and a client that is gone is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The body of an event stream: what is sent to `connection`, until that ends or its time is over.
pub(crate) fn events(connection: SocketConnection, clock: std::sync::Arc<dyn Clock>) -> Body {
    let first = stream::iter([Bytes::from_static(b": \n\n")]);
    let events = stream::unfold(Some((connection, clock)), |open| async {
        let (connection, clock) = open?;
        let text = {
            let pause = connection.time_left().min(KEEP_ALIVE);
            let (next, timer) = (std::pin::pin!(connection.next()), clock.sleep(pause));
            match select(next, timer).await {
                Either::Left((frame, _)) => encode(&frame),
                Either::Right(_) if connection.time_left().is_zero() => None,
                Either::Right(_) => Some(Bytes::from_static(b": \n\n")),
            }
        };
        text.map(|text| (text, Some((connection, clock))))
    });
    let frames = first.chain(events).map(|text| Ok::<_, crate::error::Error>(Frame::data(text)));
    Body::new(StreamBody::new(Box::pin(frames)))
}

/// One event; `None` ends the stream. Bytes are sent in base64.
fn encode(frame: &SocketFrame) -> Option<Bytes> {
    let text = match frame {
        SocketFrame::Text(text) => String::from_utf8_lossy(text).into_owned(),
        SocketFrame::Binary(bytes) => {
            use base64::Engine as _;
            base64::engine::general_purpose::STANDARD.encode(bytes)
        }
        SocketFrame::Close(_) | SocketFrame::Break(_) | SocketFrame::AutoResponse(_) => {
            return None;
        }
    };
    // A line of its own for each: CR, LF and both end a line (WHATWG HTML, section 9.2).
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut event = String::with_capacity(text.len() + 8);
    for line in text.split('\n') {
        event.push_str("data: ");
        event.push_str(line);
        event.push('\n');
    }
    event.push('\n');
    Some(event.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_a_line_of_data_for_each_line_of_its_text() {
        let text =
            |text: &'static str| encode(&SocketFrame::Text(Bytes::from_static(text.as_bytes())));
        assert_eq!(text("hello").expect("an event"), "data: hello\n\n");
        assert_eq!(text("a\r\nb\rc\n").expect("an event"), "data: a\ndata: b\ndata: c\ndata: \n\n");
        assert_eq!(text("").expect("an event"), "data: \n\n");
        let bytes = encode(&SocketFrame::Binary(Bytes::from_static(&[255])));
        assert_eq!(bytes.expect("an event"), "data: /w==\n\n");
    }
}
