//! What bindings need besides state: MD5, by which R2 names contents, and the times of cron expressions.

use dotdo::engine::{Weekdays, next_cron_time};
use md5::{Digest, Md5};
use rquickjs::function::Function;
use rquickjs::{ArrayBuffer, Ctx, Object, Result};

use super::{bytes_of, thrown};

pub(super) fn install<'js>(ctx: &Ctx<'js>, host: &Object<'js>) -> Result<()> {
    let md5 = |ctx: Ctx<'js>, data: String| {
        ArrayBuffer::new(ctx, Md5::digest(bytes_of(&data)).as_slice().to_vec())
    };
    host.set("md5", Function::new(ctx.clone(), md5)?)?;
    let next = |ctx: Ctx<'js>, cron: String, after_ms: f64| {
        let next = next_cron_time(&cron, after_ms as i64, Weekdays::FromOne);
        next.map(|next| next.map(|at_ms| at_ms as f64)).map_err(|error| thrown(&ctx, &error))
    };
    host.set("cronNext", Function::new(ctx.clone(), next)?)
}
