//! Several requests in one open transaction, each handler in a savepoint of its own.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tracing::Instrument;

use crate::activation::answer::Answer;
use crate::activation::leased::begin_request;
use crate::activation::per_request::queue::Ask;
use crate::activation::resident::{Stage, Warm};
use crate::activation::state::Activation;
use crate::change::Changes;
use crate::error::{Error, Result};
use crate::executor::offload;
use crate::idempotency::answer_once;
use crate::limits::BATCH_TIME_MAX;
use crate::log::check_size;
use crate::object::{AfterCommit, Body, Handling, Sql};
use crate::sqlite::Mode;

/// What handlers did together; the transaction is still open.
pub(crate) struct Together {
    /// One for each of the first requests; the time for one record may have been over before all
    /// had run.
    pub(crate) answers: Vec<Result<Answer>>,
    pub(crate) changes: Changes,
    pub(crate) after_commit: Vec<AfterCommit>,
    /// One of them gives the object up.
    pub(crate) releases: bool,
    /// One of them tells others of what it sees, which must not be what is in no record yet.
    alone: bool,
}

/// Runs the handlers of `asks` in order, at least one, and takes what they changed. The transaction
/// stays open.
///
/// # Errors
///
/// What made the transaction as a whole one that can't be committed. The caller rolls back.
pub(crate) async fn run_together(
    activation: &Arc<Activation>,
    warm: &mut Warm,
    asks: &[Ask],
) -> Result<Together> {
    let over = activation.runtime.clock.monotonic() + BATCH_TIME_MAX;
    warm.stage = Stage::Running;
    warm.context.database.begin(Mode::ReadWrite)?;
    let mut together = Together {
        answers: Vec::with_capacity(asks.len()),
        changes: Changes::default(),
        after_commit: Vec::new(),
        releases: false,
        alone: false,
    };
    for ask in asks {
        if !together.answers.is_empty() && activation.runtime.clock.monotonic() > over {
            break;
        }
        let answer = if let [only] = asks {
            run_one(activation, warm, only, &mut together).await
        } else {
            run_nested(activation, warm, ask, &mut together).await?
        };
        together.answers.push(answer);
    }
    if let [Err(_)] = together.answers.as_slice() {
        warm.context.database.rollback();
        warm.context.database.begin(Mode::ReadWrite)?;
    }
    together.changes = offload(activation.runtime.executor.as_ref(), || {
        let changes = warm.context.database.prepare_commit()?;
        check_size(&changes).map(|_| changes)
    })?;
    Ok(together)
}

/// Runs a handler in a savepoint: when it fails, what it did is undone and the others' work
/// remains.
async fn run_nested(
    activation: &Arc<Activation>,
    warm: &mut Warm,
    ask: &Ask,
    together: &mut Together,
) -> Result<Result<Answer>> {
    let step = |warm: &mut Warm, statement: &str| {
        Sql::own(&mut warm.context.database).exec(statement, ()).map(drop)
    };
    step(warm, "SAVEPOINT _dotdo_request")?;
    let answer = run_one(activation, warm, ask, together).await;
    if together.alone {
        return Err(Error::internal(
            "a request that calls other objects can't share a transaction",
        ));
    }
    if answer.is_err() {
        step(warm, "ROLLBACK TO _dotdo_request")?;
    }
    step(warm, "RELEASE _dotdo_request")?;
    Ok(answer)
}

async fn run_one(
    activation: &Arc<Activation>,
    warm: &mut Warm,
    ask: &Ask,
    together: &mut Together,
) -> Result<Answer> {
    let request = ask.request.clone().map(Body::from);
    begin_request(&activation.runtime, warm, &request);
    let shared = !together.answers.is_empty();
    warm.context.request.running = Arc::new(Handling { shared, ..Handling::default() });
    let result = answer_once(activation, warm, request).instrument(ask.span.clone()).await;
    let state = std::mem::take(&mut warm.context.request);
    together.alone |= state.running.alone.load(Ordering::Relaxed);
    match result {
        Ok(response) => {
            together.after_commit.extend(state.after_commit);
            together.releases |= state.releases;
            Ok(Answer { response, background: state.wait_until })
        }
        Err(error) => {
            warm.value = activation.runtime.app.make(warm.context.id().class())?;
            Err(error)
        }
    }
}
