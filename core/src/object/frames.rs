//! What a handler sends to sockets: collected in its transaction, and handed on after its commit.

use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::limits::SOCKET_SENT_BYTES_MAX;
use crate::object::context::Context;
use crate::planted::{Bug, planted};
use crate::sockets::{Addressed, Place, SocketFrame, list};
use crate::sync::Mutex;

/// Frames for sockets.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    pub(crate) list: Vec<Addressed>,
    /// The size of their content, in bytes.
    pub(crate) bytes: usize,
}

impl Context {
    /// Sends a frame to connections after the commit.
    ///
    /// # Errors
    ///
    /// `Invalid` on a former state, which has no connections; `TooLarge` for too many frames.
    pub(super) fn send_frame(&mut self, to: Vec<Place>, frame: SocketFrame) -> Result<()> {
        if self.is_as_of {
            return Err(Error::invalid("a former state has no connections to send to")
                .with_code("NO_CONNECTIONS"));
        }
        if to.is_empty() {
            return Ok(());
        }
        let host = self.host()?;
        if planted(Bug::FrameBeforeRecord) {
            host.send_frames(&self.object, vec![Addressed { to, frame: Some(frame) }]);
            return Ok(());
        }
        let frames = match &self.request.frames {
            Some(frames) => frames.clone(),
            None => {
                let frames = Arc::<Mutex<Frames>>::default();
                self.request.frames = Some(frames.clone());
                let (host, object, all) = (self.host.clone(), self.object.clone(), frames.clone());
                self.after_commit(move || {
                    let list = std::mem::take(&mut all.lock().list);
                    if let Some(host) = host.upgrade() {
                        host.send_frames(&object, list);
                    }
                });
                frames
            }
        };
        let mut frames = frames.lock();
        frames.bytes += frame.len();
        if frames.bytes > SOCKET_SENT_BYTES_MAX {
            let text = format!(
                "expected a handler that sends at most {SOCKET_SENT_BYTES_MAX} bytes to sockets"
            );
            return Err(Error::new(ErrorKind::TooLarge, text).with_code("FRAMES_TOO_LARGE"));
        }
        frames.list.push(Addressed { to, frame: Some(frame) });
        Ok(())
    }

    /// How many frames the handler has sent.
    pub(super) fn frames_sent(&self) -> usize {
        self.request.frames.as_ref().map_or(0, |frames| frames.lock().list.len())
    }

    /// Takes back the frames after the first `sent`.
    pub(super) fn unsend_frames(&self, sent: usize) {
        if let Some(frames) = &self.request.frames {
            frames.lock().list.truncate(sent);
        }
    }

    /// Has the host find out, once the request is done, whether the connections of the sockets that
    /// the object had before are still there.
    ///
    /// # Errors
    ///
    /// Errors of the database.
    pub(super) fn check_sockets(&mut self) -> Result<()> {
        if self.is_as_of {
            return Ok(());
        }
        let places: Vec<Place> =
            list(&mut self.database, None)?.into_iter().map(|row| row.place).collect();
        if !places.is_empty() {
            let (host, object) = (self.host.clone(), self.object.clone());
            self.after_commit(move || {
                if let Some(host) = host.upgrade() {
                    host.check_sockets(&object, places);
                }
            });
        }
        Ok(())
    }
}
