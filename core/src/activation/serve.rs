//! Answers a request: here, or by the instance that owns the object by then.

use std::pin::pin;
use std::sync::Arc;

use futures_util::future::OptionFuture;

use crate::activation::answer::{Outcome, Undone};
use crate::activation::leased::Turn;
use crate::activation::state::Activation;
use crate::cluster::Routing;
use crate::error::Result;
use crate::messages::marked;
use crate::object::{Request, Response};
use crate::planted::{Bug, planted};
use crate::settings::{CheckpointMode, Ownership};

impl Activation {
    /// Runs a request on the object in this process only, and waits for the owner's lease if need
    /// be.
    pub(crate) async fn run(self: &Arc<Self>, request: Request) -> Result<Response> {
        self.serve(&mut Routing::local(request)).await
    }

    /// Runs a request on the object in this process. If another process owns it, that is returned
    /// at once.
    pub(crate) async fn visit(self: &Arc<Self>, request: Request) -> Result<Response> {
        self.serve(&mut Routing::visiting(request)).await
    }

    /// Answers a request if the object's tenant is open: here, or by the instance that owns the
    /// object by then.
    pub(crate) async fn serve(self: &Arc<Self>, routing: &mut Routing) -> Result<Response> {
        // Whether the tenant is open is up to the owner.
        if let Some(answer) = routing.forward(self).await {
            return answer;
        }
        // Pinned here, so that its future is held once.
        let answer = pin!(self.answer(routing));
        self.log.bucket.admit(answer).await
    }

    async fn answer(self: &Arc<Self>, routing: &mut Routing) -> Result<Response> {
        loop {
            let outcome = match self.runtime.settings.ownership {
                Ownership::Leased => {
                    self.serve_leased(routing).await.unwrap_or_else(Outcome::undone)
                }
                Ownership::PerRequest => Box::pin(self.serve_per_request(routing)).await,
            };
            match outcome {
                Outcome::Answered(answer) => {
                    let mut answer = answer?;
                    // The marker was written at the same time as the record.
                    marked(&mut answer.response).await;
                    let background = &self.runtime.background;
                    answer.background.into_iter().for_each(|work| background.spawn(work));
                    return self.complete(answer.response).await;
                }
                Outcome::Undone(undone) => Box::pin(routing.retry(self, undone)).await?,
            }
            if let Some(answer) = routing.forward(self).await {
                return answer;
            }
        }
    }

    /// Answers a request under a lease: the handler commits in memory, and the response waits at
    /// the gate.
    async fn serve_leased(self: &Arc<Self>, routing: &mut Routing) -> Result<Outcome> {
        let mut turn = Turn::take(self, routing.origin()).await?;
        let mut run = turn.run(routing.begin(&self.runtime)).await?;
        drop(turn);
        if planted(Bug::ContinuedBeforeRecord)
            && let Ok(answer) = &mut run.answer
        {
            answer.response = self.complete(std::mem::take(&mut answer.response)).await?;
        }
        let _changes = run.charge;
        let snapshot = match run.written {
            Some(sequence)
                if self.runtime.settings.checkpoint.mode == CheckpointMode::EveryRequest =>
            {
                Some(Box::pin(self.cover(sequence)))
            }
            _ => None,
        };
        let snapshot = async { Ok(OptionFuture::from(snapshot).await.unwrap_or(Ok(()))) };
        let pass = async { self.pass(run.gate).await };
        let (_, covered) = futures_util::try_join!(pass, snapshot)?;
        Ok(Outcome::Answered(covered.and(run.answer)))
    }

    /// Answers a request without a lease. The request is read whole, so that it can be run again,
    /// even by another server.
    async fn serve_per_request(self: &Arc<Self>, routing: &mut Routing) -> Outcome {
        if let Err(error) = routing.buffer_body().await {
            return Outcome::undone(error);
        }
        match self.answer_per_request(routing.begin(&self.runtime)).await {
            Err(error) if Undone::has_other_owner(&error) => Outcome::undone(error),
            answer => Outcome::Answered(answer),
        }
    }
}
