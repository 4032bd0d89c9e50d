//! URLs, forms, texts and ids: functions of their arguments alone, and of randomness.

use std::rc::Rc;

use rquickjs::function::{Function, Opt};
use rquickjs::{ArrayBuffer, Ctx, Object, Result};
use url::{Url, form_urlencoded, quirks};

use super::{Bridge, bytes_of};
use crate::id;

/// The mark at the beginning of a text that says that it is UTF-8.
const BOM: &str = "\u{feff}";

pub(super) fn install<'js>(ctx: &Ctx<'js>, host: &Object<'js>, bridge: &Rc<Bridge>) -> Result<()> {
    texts(ctx, host)?;
    urls(ctx, host)?;
    ids(ctx, host, bridge)
}

fn texts<'js>(ctx: &Ctx<'js>, host: &Object<'js>) -> Result<()> {
    let encode = |ctx: Ctx<'js>, text: String| ArrayBuffer::new(ctx, text.into_bytes());
    host.set("utf8Encode", Function::new(ctx.clone(), encode)?)?;
    let decode = |binary: String, fatal: bool, keeps_bom: bool| {
        let bytes = bytes_of(&binary);
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(_) if fatal => return None,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        };
        match text.strip_prefix(BOM) {
            Some(rest) if !keeps_bom => Some(rest.to_owned()),
            _ => Some(text),
        }
    };
    host.set("utf8Decode", Function::new(ctx.clone(), decode)?)?;
    let parse = |text: String| {
        form_urlencoded::parse(text.as_bytes())
            .flat_map(|(name, value)| [name.into_owned(), value.into_owned()])
            .collect::<Vec<_>>()
    };
    host.set("formParse", Function::new(ctx.clone(), parse)?)?;
    let text = |pairs: Vec<String>| {
        let mut form = form_urlencoded::Serializer::new(String::new());
        for pair in pairs.chunks_exact(2) {
            form.append_pair(&pair[0], &pair[1]);
        }
        form.finish()
    };
    host.set("formText", Function::new(ctx.clone(), text)?)
}

fn urls<'js>(ctx: &Ctx<'js>, host: &Object<'js>) -> Result<()> {
    let parse = |text: String, base: Opt<Option<String>>| {
        let url = match base.0.flatten() {
            Some(base) => Url::parse(&base).and_then(|base| base.join(&text)),
            None => Url::parse(&text),
        };
        url.ok().map(|url| parts(&url))
    };
    host.set("urlParse", Function::new(ctx.clone(), parse)?)?;
    let href = |text: String| Url::parse(&text).ok().map(String::from);
    host.set("urlHref", Function::new(ctx.clone(), href)?)?;
    let set = |href: String, part: String, value: String| {
        let mut url = Url::parse(&href).ok()?;
        match part.as_str() {
            "href" => quirks::set_href(&mut url, &value).ok()?,
            "pathname" => quirks::set_pathname(&mut url, &value),
            "search" => quirks::set_search(&mut url, &value),
            "hash" => quirks::set_hash(&mut url, &value),
            part => {
                // The setters of the standard ignore what they can't take.
                let _ = set_authority(&mut url, part, &value);
            }
        }
        Some(parts(&url))
    };
    host.set("urlSet", Function::new(ctx.clone(), set)?)
}

fn set_authority(url: &mut Url, part: &str, value: &str) -> std::result::Result<(), ()> {
    match part {
        "protocol" => quirks::set_protocol(url, value),
        "username" => quirks::set_username(url, value),
        "password" => quirks::set_password(url, value),
        "host" => quirks::set_host(url, value),
        "hostname" => quirks::set_hostname(url, value),
        "port" => quirks::set_port(url, value),
        _ => Err(()),
    }
}

/// The parts of a URL, in the order of `PARTS` in `runtime/web/url.js`.
fn parts(url: &Url) -> Vec<String> {
    let parts: [&str; 10] = [
        quirks::href(url),
        quirks::protocol(url),
        quirks::username(url),
        quirks::password(url),
        quirks::host(url),
        quirks::hostname(url),
        quirks::port(url),
        quirks::pathname(url),
        quirks::search(url),
        quirks::hash(url),
    ];
    let mut parts: Vec<String> = parts.into_iter().map(str::to_owned).collect();
    parts.insert(1, quirks::origin(url));
    parts
}

fn ids<'js>(ctx: &Ctx<'js>, host: &Object<'js>, bridge: &Rc<Bridge>) -> Result<()> {
    let of_name = |class: String, name: String| id::of_name(&class, &name);
    host.set("idOfName", Function::new(ctx.clone(), of_name)?)?;
    let is_of = |class: String, text: String| id::is_of(&class, &text);
    host.set("idIsOf", Function::new(ctx.clone(), is_of)?)?;
    let bridge = bridge.clone();
    let unique = move |class: String| id::of_random(&class, &bridge.random(32));
    host.set("idUnique", Function::new(ctx.clone(), unique)?)
}
