//! Several requests in one open transaction, each handler in a savepoint of its own.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tracing::Instrument;

use crate::activation::answer::Answer;
use crate::activation::leased::{begin_request, undo_start};
use crate::activation::per_request::queue::QueuedRequest;
use crate::activation::resident::{Resident, Stage};
use crate::activation::state::Activation;
use crate::change::Changes;
use crate::error::{Error, Result};
use crate::executor::offload;
use crate::idempotency::answer_once;
use crate::limits::BATCH_TIME_MAX;
use crate::log::check_size;
use crate::object::{AfterCommit, Body, Handling, Sql};
use crate::sqlite::Mode;

/// The result of several handlers in one transaction, which is still open.
pub(crate) struct SharedTransaction {
    /// One answer for each of the first requests. The time for one record may be over before all
    /// have run.
    pub(crate) answers: Vec<Result<Answer>>,
    pub(crate) changes: Changes,
    pub(crate) after_commit: Vec<AfterCommit>,
    /// Whether one of them releases the object.
    pub(crate) releases: bool,
    /// Whether one of them calls other objects, which must not learn of changes that are in no
    /// record yet.
    alone: bool,
}

/// Runs the handlers of `requests` in order, at least one, and collects their changes. The
/// transaction stays open.
///
/// # Errors
///
/// The error for which the whole transaction can't be committed. The caller rolls back.
pub(crate) async fn run_shared(
    activation: &Arc<Activation>,
    resident: &mut Resident,
    requests: &[QueuedRequest],
) -> Result<SharedTransaction> {
    let reservation = activation.runtime.reserve(resident.context.id()).await?;
    let over = activation.runtime.clock.monotonic() + BATCH_TIME_MAX;
    resident.stage = Stage::Running;
    resident.context.database.begin_reserved(Mode::ReadWrite, reservation)?;
    let mut transaction = SharedTransaction {
        answers: Vec::with_capacity(requests.len()),
        changes: Changes::default(),
        after_commit: Vec::new(),
        releases: false,
        alone: false,
    };
    for queued in requests {
        if !transaction.answers.is_empty() && activation.runtime.clock.monotonic() > over {
            break;
        }
        let answer = if let [only] = requests {
            run_one(activation, resident, only, &mut transaction).await
        } else {
            run_nested(activation, resident, queued, &mut transaction).await?
        };
        transaction.answers.push(answer);
    }
    if let [Err(_)] = transaction.answers.as_slice() {
        resident.context.database.rollback();
        resident.context.database.begin(Mode::ReadWrite)?;
    } else if !resident.context.stays.keep_what_does_not_exist()
        && offload(activation.runtime.executor.as_ref(), || {
            resident.context.database.has_only_started()
        })?
    {
        undo_start(&activation.runtime, resident)?;
        resident.context.database.begin(Mode::ReadWrite)?;
    }
    transaction.changes = offload(activation.runtime.executor.as_ref(), || {
        let changes = resident.context.database.prepare_commit()?;
        check_size(&changes).map(|_| changes)
    })?;
    Ok(transaction)
}

/// Runs a handler in a savepoint: when it fails, only its own changes are undone.
async fn run_nested(
    activation: &Arc<Activation>,
    resident: &mut Resident,
    queued: &QueuedRequest,
    transaction: &mut SharedTransaction,
) -> Result<Result<Answer>> {
    let step = |resident: &mut Resident, statement: &str| {
        Sql::own(&mut resident.context.database).exec(statement, ()).map(drop)
    };
    step(resident, "SAVEPOINT _dotdo_request")?;
    let answer = run_one(activation, resident, queued, transaction).await;
    if transaction.alone {
        return Err(Error::internal(
            "a request that calls other objects can't share a transaction",
        ));
    }
    if answer.is_err() {
        step(resident, "ROLLBACK TO _dotdo_request")?;
    }
    step(resident, "RELEASE _dotdo_request")?;
    Ok(answer)
}

async fn run_one(
    activation: &Arc<Activation>,
    resident: &mut Resident,
    queued: &QueuedRequest,
    transaction: &mut SharedTransaction,
) -> Result<Answer> {
    let request = queued.request.clone().map(Body::from);
    begin_request(&activation.runtime, resident, &request);
    let shared = !transaction.answers.is_empty();
    resident.context.request.running = Arc::new(Handling { shared, ..Handling::default() });
    let result = answer_once(activation, resident, request).instrument(queued.span.clone()).await;
    let result = result.and_then(|response| {
        resident.begin_anew_if_asked(&activation.runtime.app)?;
        Ok(response)
    });
    let state = std::mem::take(&mut resident.context.request);
    transaction.alone |= state.running.alone.load(Ordering::Relaxed);
    match result {
        Ok(response) => {
            transaction.after_commit.extend(state.after_commit);
            transaction.releases |= state.releases;
            Ok(Answer { response, background: state.wait_until })
        }
        Err(error) => {
            resident.value = activation.runtime.app.make(resident.context.id().class())?;
            Err(error)
        }
    }
}
