//! WebSockets of which code has one end itself.

use std::rc::Rc;

use dotdo::sockets::{SocketClose, SocketMessage};
use rquickjs::function::Function;
use rquickjs::{Ctx, Object, Result};

use super::{Bridge, bytes_of, id};
use crate::event::{Effect, LineChange, LineFrame, Operation, Work};

pub(super) fn install<'js>(ctx: &Ctx<'js>, host: &Object<'js>, bridge: &Rc<Bridge>) -> Result<()> {
    let has = bridge.clone();
    let make = move |line: f64| has.add(Effect::Line(id(line), LineChange::Made));
    host.set("lineMake", Function::new(ctx.clone(), make)?)?;
    let has = bridge.clone();
    let open = move |line: f64| has.add(Effect::Line(id(line), LineChange::Opened));
    host.set("lineOpen", Function::new(ctx.clone(), open)?)?;
    let has = bridge.clone();
    let send = move |ctx: Ctx<'js>, line: f64, text: Option<String>, binary: Option<String>| {
        let message = match text {
            Some(text) => SocketMessage::Text(text),
            None => SocketMessage::from(bytes_of(&binary.unwrap_or_default())),
        };
        has.begin_something(&ctx, message.len())?;
        has.add(Effect::Line(id(line), LineChange::Sent(LineFrame::Message(message))));
        Ok::<_, rquickjs::Error>(())
    };
    host.set("lineSend", Function::new(ctx.clone(), send)?)?;
    let has = bridge.clone();
    let close = move |line: f64, code: u16, reason: String| {
        let end = LineFrame::End(SocketClose::new(code, &reason));
        has.add(Effect::Line(id(line), LineChange::Sent(end)));
    };
    host.set("lineClose", Function::new(ctx.clone(), close)?)?;
    let has = bridge.clone();
    let abandon = move |line: f64| has.add(Effect::Line(id(line), LineChange::Dropped));
    host.set("lineDrop", Function::new(ctx.clone(), abandon)?)?;
    let has = bridge.clone();
    let next = move |ctx: Ctx<'js>, number: f64, line: f64| {
        let work = Work::Line(id(line));
        has.begin_operation(&ctx, 0, Operation { id: id(number), work })
    };
    host.set("lineNext", Function::new(ctx.clone(), next)?)
}
