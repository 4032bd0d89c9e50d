//! WebSockets of the object whose event runs.

use std::rc::Rc;

use dotdo::Context;
use dotdo::sockets::WebSocket;
use rquickjs::function::Function;
use rquickjs::{Ctx, Exception, Object, Result};
use serde_json::value::RawValue;

use super::{Bridge, bytes_of, id};
use crate::event::SocketAbout;

pub(super) fn install<'js>(ctx: &Ctx<'js>, host: &Object<'js>, bridge: &Rc<Bridge>) -> Result<()> {
    accepting(ctx, host, bridge)?;
    sending(ctx, host, bridge)?;
    automatic(ctx, host, bridge)
}

/// A socket as the runtime is told of it.
///
/// # Errors
///
/// `Handler` when a class in Rust has attached what is no JSON.
pub(crate) fn about(socket: &WebSocket) -> dotdo::Result<SocketAbout> {
    let attachment = socket.attachment::<Box<RawValue>>()?;
    Ok(SocketAbout {
        id: socket.id(),
        attachment: attachment.map(|json| json.get().to_owned()),
        tags: socket.tags().to_vec(),
    })
}

fn accepting<'js>(ctx: &Ctx<'js>, host: &Object<'js>, bridge: &Rc<Bridge>) -> Result<()> {
    let has = bridge.clone();
    let accept = move |ctx: Ctx<'js>, instance: f64, event: f64, tags: Vec<String>| {
        let Some(mut socket) = has.take_asked(id(event)) else {
            return Err(Exception::throw_type(
                &ctx,
                "expected the request of a client that asks for a WebSocket (Upgrade: websocket), which the worker passes on with stub.fetch(request); each request has one",
            ));
        };
        has.with(&ctx, id(instance), move |ctx| {
            let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
            ctx.accept(&mut socket, &tags)?;
            Ok(socket.id())
        })
    };
    host.set("socketAccept", Function::new(ctx.clone(), accept)?)?;
    let has = bridge.clone();
    // Three texts for each: its id, its attachment, and its tags as JSON.
    let list = move |ctx: Ctx<'js>, instance: f64, tag: Option<String>| {
        has.with(&ctx, id(instance), move |ctx| {
            let mut flat = Vec::new();
            for socket in ctx.sockets(tag.as_deref())? {
                let SocketAbout { id, attachment, tags } = about(&socket)?;
                flat.extend([
                    id,
                    attachment.unwrap_or_default(),
                    serde_json::json!(tags).to_string(),
                ]);
            }
            Ok(flat)
        })
    };
    host.set("sockets", Function::new(ctx.clone(), list)?)
}

fn sending<'js>(ctx: &Ctx<'js>, host: &Object<'js>, bridge: &Rc<Bridge>) -> Result<()> {
    let has = bridge.clone();
    let send = move |ctx: Ctx<'js>,
                     instance: f64,
                     socket: String,
                     text: Option<String>,
                     binary: Option<String>| {
        has.with(&ctx, id(instance), move |ctx| {
            let Some(socket) = ctx.find_socket(&socket)? else { return Ok(()) };
            match text {
                Some(text) => socket.send(ctx, text),
                None => socket.send(ctx, bytes_of(&binary.unwrap_or_default())),
            }
        })
    };
    host.set("socketSend", Function::new(ctx.clone(), send)?)?;
    let has = bridge.clone();
    let close = move |ctx: Ctx<'js>, instance: f64, socket: String, code: u16, reason: String| {
        has.with(&ctx, id(instance), move |ctx| {
            let Some(socket) = ctx.find_socket(&socket)? else { return Ok(()) };
            socket.close(ctx, code, &reason)
        })
    };
    host.set("socketClose", Function::new(ctx.clone(), close)?)?;
    let has = bridge.clone();
    let attach = move |ctx: Ctx<'js>, instance: f64, socket: String, json: String| {
        let value = RawValue::from_string(json)
            .map_err(|cause| Exception::throw_message(&ctx, &cause.to_string()))?;
        has.with(&ctx, id(instance), move |ctx| {
            let Some(mut socket) = ctx.find_socket(&socket)? else { return Ok(()) };
            socket.set_attachment(ctx, &value)
        })
    };
    host.set("socketAttach", Function::new(ctx.clone(), attach)?)
}

/// What is answered without the object: a text and its answer, or none.
fn automatic<'js>(ctx: &Ctx<'js>, host: &Object<'js>, bridge: &Rc<Bridge>) -> Result<()> {
    let has = bridge.clone();
    let get = move |ctx: Ctx<'js>, instance: f64| {
        has.with(&ctx, id(instance), |ctx: &mut Context| {
            let pair = ctx.auto_response()?;
            Ok(pair.map_or_else(Vec::new, |(request, response)| vec![request, response]))
        })
    };
    host.set("autoResponse", Function::new(ctx.clone(), get)?)?;
    let has = bridge.clone();
    let set = move |ctx: Ctx<'js>, instance: f64, pair: Vec<String>| {
        has.with(&ctx, id(instance), move |ctx| match &pair[..] {
            [request, response] => ctx.set_auto_response(Some((request, response))),
            _ => ctx.set_auto_response(None),
        })
    };
    host.set("setAutoResponse", Function::new(ctx.clone(), set)?)
}
