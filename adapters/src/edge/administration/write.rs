//! Requests with a body: statements, files, and restores.

use dotdo_core::{Body, Engine, ObjectId, Response, Result};

use super::audit::Deed;
use super::query::Query;
use super::{Call, database, replace, rows, sql};
use crate::edge::body::{Bounds, Pace, RequestBody, gather};
use crate::edge::context::RequestContext;
use crate::edge::{Edge, Objects};

impl<O: Objects> Edge<O> {
    /// Finds rows by their key.
    pub(super) async fn find_rows<B: RequestBody>(
        &self,
        mut call: Call<'_>,
        object: &ObjectId,
        body: B,
        context: &mut RequestContext,
    ) -> Result<Response> {
        let body = self.receive(body, &mut call.head, object, context).await?;
        rows::find(&call, object, body).await
    }

    /// Runs statements, which may write if the request says so.
    pub(super) async fn run_sql<B: RequestBody>(
        &self,
        mut call: Call<'_>,
        object: &ObjectId,
        body: B,
        context: &mut RequestContext,
    ) -> Result<Response> {
        let body = self.receive(body, &mut call.head, object, context).await?;
        let asked = sql::Asked::read(body).await?;
        if !asked.writes() {
            return sql::query(&call, object, asked).await;
        }
        let deed = Deed::begin("execute_sql", (&call, object), context);
        deed.end(sql::execute(&call, object, asked).await)
    }

    /// Makes the SQLite file in the body the object's state.
    pub(super) async fn put_database<B: RequestBody>(
        &self,
        mut call: Call<'_>,
        object: &ObjectId,
        body: B,
        context: &mut RequestContext,
    ) -> Result<Response> {
        Query::of(&call.head.uri, &[])?;
        let bounds = self.bounds_of_file(call.engine);
        let received = self.receive_within(bounds, (body, &mut call.head), object, context).await?;
        let body = received.body.map_or_else(Body::empty, Body::new);
        let announced = received.announced.unwrap_or(0);
        let file = gather(body, announced, received.account.as_ref()).await?;
        database::put(&call, object, file).await
    }

    /// Makes an earlier state, or that of another object, the object's state.
    pub(super) async fn restore<B: RequestBody>(
        &self,
        mut call: Call<'_>,
        object: &ObjectId,
        body: B,
        context: &mut RequestContext,
    ) -> Result<Response> {
        let body = self.receive(body, &mut call.head, object, context).await?;
        replace::restore(&call, object, body).await
    }

    /// The bounds of a file that comes in: the size of what can be imported, and for each byte as much
    /// time as other bodies have.
    fn bounds_of_file(&self, engine: &Engine) -> Bounds {
        let bytes_max = engine.administration().file_bytes_max();
        let times = bytes_max.div_ceil(self.settings.body_bytes_max.max(1)).max(1);
        let pace = self.settings.pace();
        let time_max = pace.time_max.saturating_mul(u32::try_from(times).unwrap_or(u32::MAX));
        Bounds { bytes_max, pace: Pace { time_max, ..pace } }
    }
}
