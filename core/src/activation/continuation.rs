//! The rest of a request whose handler has left its turn.
//!
//! Promises: it runs once, after the record of the handler's own turn; a response that was asked for
//! with a key is stored before it leaves.

use std::sync::Arc;

use bytes::Bytes;
use http::Extensions;

use crate::activation::handler::{HANDLER_PANICKED, collect_body, run_outside};
use crate::activation::state::Activation;
use crate::budget::Account;
use crate::error::{Error, ErrorKind, Result};
use crate::idempotency::{Keyed, keep_final_answer, too_large};
use crate::limits::STORED_RESPONSE_BYTES_MAX;
use crate::object::{Continuation, Continued, Response, Slice};

impl Activation {
    /// The response to a request, whose record is in the bucket: what the handler has left its turn
    /// for makes it.
    ///
    /// # Errors
    ///
    /// Those of the handler's work, and of storing its response. One that promises that nothing was
    /// done becomes `Unknown` (code `PARTLY_DONE`).
    pub(crate) async fn complete(self: &Arc<Self>, mut response: Response) -> Result<Response> {
        while let Some(continued) = Continuation::take(response.extensions_mut()) {
            let next = self.answer_outside(continued, response.extensions());
            response = Box::pin(next).await.map_err(partly_done)?;
        }
        Ok(response)
    }

    /// Runs `continued`; `extensions` say what its response is charged to and stored under.
    async fn answer_outside(
        self: &Arc<Self>,
        continued: Continued,
        extensions: &Extensions,
    ) -> Result<Response> {
        let (account, keyed) = (extensions.get::<Account>(), extensions.get::<Keyed>());
        let (mut head, mut body) = run_outside(&self.runtime, continued.work).await?.into_parts();
        if let Some(account) = account {
            body = body.paid_by(account).await?;
            head.extensions.insert(account.clone());
        }
        let Some(keyed) = keyed else { return Ok(Response::from_parts(head, body)) };
        if Continuation::is_in(&head.extensions) {
            // What comes after it is stored.
            head.extensions.insert(keyed.clone());
            return Ok(Response::from_parts(head, body));
        }
        self.store_answer(keyed.clone(), Response::from_parts(head, body)).await
    }

    /// Stores a response under a client's key, in a turn of its own.
    async fn store_answer(self: &Arc<Self>, keyed: Keyed, response: Response) -> Result<Response> {
        let (head, body) = response.into_parts();
        let body: Bytes = collect_body(&self.runtime, body, STORED_RESPONSE_BYTES_MAX)
            .await?
            .ok_or_else(too_large)?;
        let kept = (head.clone(), body.clone());
        let keep = self.runtime.settings.idempotency_keep;
        let slice =
            Slice::new(move |_, context| keep_final_answer(context, &keyed, kept.clone(), keep));
        // A request is answered by one of its slices at last, so these futures are nested.
        Box::pin(self.run(slice.request())).await?;
        Ok(Response::from_parts(head, body.into()))
    }
}

/// The error of a request whose handler had left its turn. What it did before remains, whatever the
/// error of a later turn says of that turn.
fn partly_done(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Handler if error.code() != HANDLER_PANICKED => error,
        ErrorKind::Handler
        | ErrorKind::Busy
        | ErrorKind::Unavailable
        | ErrorKind::Fenced
        | ErrorKind::TimedOut
        | ErrorKind::StoreRefused
        | ErrorKind::RateLimited
        | ErrorKind::Full => {
            let text = format!(
                "{}; what the handler did before it left its turn remains",
                error.message()
            );
            Error::new(ErrorKind::Unknown, text).with_code("PARTLY_DONE")
        }
        _ => error,
    }
}
