//! `/classes` and `/objects`.

use dotdo_core::{ObjectQuery, Response, Result};

use super::Call;
use super::query::Query;
use crate::edge::json::json;

/// Number of objects on a page, unless the request says another.
const PAGE: usize = 100;

pub(super) async fn classes(call: &Call<'_>) -> Result<Response> {
    Query::of(&call.head.uri, &[])?;
    let items = call.engine.inspection().classes(&call.tenant).await?;
    Ok(json(serde_json::json!({ "items": items })))
}

pub(super) async fn objects(call: &Call<'_>) -> Result<Response> {
    let query = Query::of(&call.head.uri, &["class", "prefix", "after", "limit", "size"])?;
    let wanted = ObjectQuery {
        class: query.text("class").map(str::to_owned),
        prefix: query.text("prefix").unwrap_or_default().to_owned(),
        after: query.text("after").map(str::to_owned),
        limit: query.number("limit")?.unwrap_or(PAGE),
        size: query.switch("size")?,
    };
    let page = call.engine.inspection().objects(&call.tenant, &wanted).await?;
    Ok(json(serde_json::to_value(page)?))
}
