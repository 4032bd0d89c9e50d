//! What bindings need besides state: the times of cron expressions.

use dotdo::engine::{Weekdays, next_cron_time};
use rquickjs::function::Function;
use rquickjs::{Ctx, Object, Result};

use super::thrown;

pub(super) fn install<'js>(ctx: &Ctx<'js>, host: &Object<'js>) -> Result<()> {
    let next = |ctx: Ctx<'js>, cron: String, after_ms: f64| {
        let next = next_cron_time(&cron, after_ms as i64, Weekdays::FromOne);
        next.map(|next| next.map(|at_ms| at_ms as f64)).map_err(|error| thrown(&ctx, &error))
    };
    host.set("cronNext", Function::new(ctx.clone(), next)?)
}
