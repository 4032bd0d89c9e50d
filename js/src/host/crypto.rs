//! What `crypto.subtle` and `node:crypto` ask for, by the cryptography of all TLS connections where it
//! has it.
//!
//! Promises: whatever the bytes are, the answer is a result, nothing (`undefined`), or an exception.
//! `runtime/crypto/*.js` has checked parameters, and makes errors with the names of the standard.

mod ciphers;
mod curves;
mod derive;
mod digests;
mod gcm;
mod rsa;

use std::rc::Rc;

use aws_lc_rs::constant_time;
use rquickjs::convert::List;
use rquickjs::function::Function;
use rquickjs::{Ctx, Exception, Object, Result};

use super::Bridge;
use super::bytes::{Bytes, buffer, maybe};

pub(super) fn install<'js>(ctx: &Ctx<'js>, host: &Object<'js>, bridge: &Rc<Bridge>) -> Result<()> {
    let equal =
        |one: Bytes, other: Bytes| constant_time::verify_slices_are_equal(&one, &other).is_ok();
    host.set("equalBytes", Function::new(ctx.clone(), equal)?)?;
    digests::install(ctx, host)?;
    derive::install(ctx, host)?;
    ciphers::install(ctx, host)?;
    gcm::install(ctx, host)?;
    rsa::install(ctx, host)?;
    curves::install(ctx, host, bridge)
}

/// The runtime has checked the name.
fn unknown(ctx: &Ctx<'_>, what: &str, name: &str) -> rquickjs::Error {
    Exception::throw_message(ctx, &format!("expected a known {what}, got {name}"))
}
