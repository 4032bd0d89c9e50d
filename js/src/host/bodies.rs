//! Bodies that are read and sent piece by piece.

use std::rc::Rc;

use rquickjs::function::{Function, Opt};
use rquickjs::{Ctx, Object, Result};

use super::{Bridge, bytes_of, id};
use crate::event::{BodyChange, Effect, OfBody, Operation, Work};

/// What is waited for at the body with a number.
type Wait = fn(u64) -> OfBody;

pub(super) fn install<'js>(ctx: &Ctx<'js>, host: &Object<'js>, bridge: &Rc<Bridge>) -> Result<()> {
    let waits: [(&str, Wait); 3] =
        [("piece", OfBody::Piece), ("room", OfBody::Room), ("gone", OfBody::Gone)];
    for (name, of) in waits {
        let function = bridge.clone();
        let wait = move |ctx: Ctx<'js>, operation: f64, number: f64| {
            let work = Work::Body(of(id(number)));
            function.begin_operation(&ctx, 0, Operation { id: id(operation), work })
        };
        host.set(name, Function::new(ctx.clone(), wait)?)?;
    }
    let function = bridge.clone();
    let send = move |ctx: Ctx<'js>, stream: f64, piece: String| {
        let piece = bytes_of(&piece);
        function.begin_something(&ctx, piece.len())?;
        function.add(Effect::Body(BodyChange::Sent { stream: id(stream), piece }));
        Ok::<_, rquickjs::Error>(())
    };
    host.set("send", Function::new(ctx.clone(), send)?)?;
    let function = bridge.clone();
    let finish = move |stream: f64, failed: Opt<Option<String>>| {
        let failed = failed.0.flatten();
        function.add(Effect::Body(BodyChange::Finished { stream: id(stream), failed }));
    };
    host.set("finish", Function::new(ctx.clone(), finish)?)?;
    let function = bridge.clone();
    let drop_body = move |number: f64| function.add(Effect::Body(BodyChange::Dropped(id(number))));
    host.set("drop", Function::new(ctx.clone(), drop_body)?)
}
