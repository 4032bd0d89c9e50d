//! `/requests`: the requests that this server answers, while they are answered.

use dotdo_core::{Body, Response, Result};

use super::Call;
use super::objects::lines;
use super::query::Query;
use crate::edge::tail::{Tail, Wanted};

pub(super) fn requests(tail: &Tail, call: &Call<'_>) -> Result<Response> {
    let query = Query::of(&call.head.uri, &["class", "id"])?;
    let wanted = Wanted {
        tenant: call.tenant.clone(),
        class: query.text("class").map(str::to_owned),
        id: query.text("id").map(str::to_owned),
    };
    Ok(lines(Body::new(tail.read(wanted)?)))
}
