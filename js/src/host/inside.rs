//! What is inside of values that JavaScript can't look into: promises and proxies.

use rquickjs::function::Function;
use rquickjs::{Array, Ctx, Object, Result, Value};

pub(super) fn install<'js>(ctx: &Ctx<'js>, host: &Object<'js>) -> Result<()> {
    host.set("inside", Function::new(ctx.clone(), inside)?)
}

/// `["promise", state, result]`, `["proxy", target, handler]`, or nothing for any other value.
fn inside<'js>(ctx: Ctx<'js>, value: Value<'js>) -> Result<Option<Array<'js>>> {
    let found = Array::new(ctx.clone())?;
    if let Some(proxy) = value.as_proxy() {
        // One that was revoked has neither.
        let or_null = |part: Result<Object<'js>>| match part {
            Ok(part) => part.into_value(),
            Err(_) => {
                ctx.catch();
                Value::new_null(ctx.clone())
            }
        };
        found.set(0, "proxy")?;
        found.set(1, or_null(proxy.target()))?;
        found.set(2, or_null(proxy.handler()))?;
        return Ok(Some(found));
    }
    let Some(promise) = value.as_promise() else { return Ok(None) };
    found.set(0, "promise")?;
    match promise.result::<Value<'js>>() {
        None => found.set(1, "pending")?,
        Some(Ok(result)) => {
            found.set(1, "fulfilled")?;
            found.set(2, result)?;
        }
        Some(Err(_)) => {
            found.set(1, "rejected")?;
            found.set(2, ctx.catch())?;
        }
    }
    Ok(Some(found))
}
