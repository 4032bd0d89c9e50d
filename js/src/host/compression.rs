//! Compression (`CompressionStream`, `node:zlib`) piece by piece. What is made of a piece is fetched in
//! small parts, so that what bytes become is memory of the realm before there is more, and its time is
//! asked about in between.

mod brotli;
mod deflate;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use rquickjs::function::Function;
use rquickjs::{Ctx, Exception, Object, Result};

use self::brotli::{Decoder, Encoder};
use self::deflate::{Deflate, Inflate};
use super::bytes::{Bytes, buffer};
use crate::limits::{CODED_PART_BYTES, CODER_BYTES_MAX};

/// What is to become of the input that was given.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flush {
    None,
    Sync,
    Full,
    Finish,
}

/// What one step has done.
struct Step {
    read: usize,
    written: usize,
    is_ended: bool,
}

/// Something that makes bytes of bytes.
trait Coder {
    /// Reads of `input` and writes to `output`, as much as goes.
    fn step(
        &mut self,
        input: &[u8],
        output: &mut [u8],
        flush: Flush,
    ) -> std::result::Result<Step, String>;
}

/// Memory of all coders of a realm, in bytes.
type Used = Rc<Cell<usize>>;

/// A part of it, as long as a coder lives.
struct Share {
    used: Used,
    bytes: usize,
}

impl Share {
    fn take(ctx: &Ctx<'_>, used: &Used, bytes: usize) -> Result<Self> {
        let sum = used.get() + bytes;
        if sum > CODER_BYTES_MAX {
            let text = format!(
                "expected at most {CODER_BYTES_MAX} bytes of compressors at a time, got {sum}: end some before"
            );
            return Err(Exception::throw_range(ctx, &text));
        }
        used.set(sum);
        Ok(Self { used: used.clone(), bytes })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.used.set(self.used.get() - self.bytes);
    }
}

struct Coding {
    coder: Box<dyn Coder>,
    input: Vec<u8>,
    at: usize,
    flush: Flush,
    is_ended: bool,
    _share: Share,
}

impl Coding {
    /// The next part of the output; nothing when more input is needed, or at the end.
    fn read(&mut self) -> std::result::Result<Vec<u8>, String> {
        let mut output = vec![0; CODED_PART_BYTES];
        let mut length = 0;
        while length < output.len() && !self.is_ended {
            let step =
                self.coder.step(&self.input[self.at..], &mut output[length..], self.flush)?;
            self.at += step.read;
            length += step.written;
            self.is_ended = step.is_ended;
            if step.read == 0 && step.written == 0 {
                break;
            }
        }
        if self.at == self.input.len() {
            self.input = Vec::new();
            self.at = 0;
        }
        output.truncate(length);
        Ok(output)
    }
}

pub(super) fn install<'js>(ctx: &Ctx<'js>, host: &Object<'js>) -> Result<()> {
    let used = Used::default();
    let coder = move |ctx: Ctx<'js>, kind: String, settings: Vec<u32>, dictionary: Bytes| {
        let setting = |at: usize| settings.get(at).copied().unwrap_or_default();
        let share = Share::take(
            &ctx,
            &used,
            deflate::memory(&kind)
                .or_else(|| brotli::memory(&kind, setting(1)))
                .unwrap_or_default(),
        )?;
        let coder: Box<dyn Coder> = match kind.as_str() {
            "deflate" | "gzip" | "deflate-raw" => {
                Box::new(Deflate::new(&kind, setting(0), setting(1), &dictionary))
            }
            "inflate" | "gunzip" | "inflate-raw" => {
                Box::new(Inflate::new(&kind, setting(1), dictionary.0))
            }
            "brotli" => Box::new(Encoder::new(setting(0), setting(1), setting(2), setting(3))),
            "unbrotli" => Box::new(Decoder::new()),
            _ => {
                return Err(Exception::throw_message(
                    &ctx,
                    &format!("expected a known format, got {kind}"),
                ));
            }
        };
        let flush = Flush::None;
        object(
            &ctx,
            Coding { coder, input: Vec::new(), at: 0, flush, is_ended: false, _share: share },
        )
    };
    host.set("coder", Function::new(ctx.clone(), coder)?)?;
    let sum = |data: Bytes, before: u32| {
        let mut sum = crc32fast::Hasher::new_with_initial(before);
        sum.update(&data);
        sum.finalize()
    };
    host.set("crc32", Function::new(ctx.clone(), sum)?)
}

/// An object with `write`, `read`, `left` (how many bytes of the input were not read), `isEnded` and
/// `close`.
fn object<'js>(ctx: &Ctx<'js>, coding: Coding) -> Result<Object<'js>> {
    let object = Object::new(ctx.clone())?;
    let shared = Rc::new(RefCell::new(Some(coding)));
    let coding = shared.clone();
    let write = move |input: Bytes, flush: String| {
        if let Some(coding) = coding.borrow_mut().as_mut() {
            coding.input.drain(..coding.at);
            coding.at = 0;
            coding.input.extend_from_slice(&input);
            coding.flush = match flush.as_str() {
                "sync" => Flush::Sync,
                "full" => Flush::Full,
                "finish" => Flush::Finish,
                _ => Flush::None,
            };
        }
    };
    object.set("write", Function::new(ctx.clone(), write)?)?;
    let coding = shared.clone();
    let read = move |ctx: Ctx<'js>| {
        let part = coding.borrow_mut().as_mut().map_or_else(|| Ok(Vec::new()), Coding::read);
        let part = part.map_err(|text| Exception::throw_message(&ctx, &text))?;
        (!part.is_empty()).then(|| buffer(&ctx, &part)).transpose()
    };
    object.set("read", Function::new(ctx.clone(), read)?)?;
    let coding = shared.clone();
    let left = move || coding.borrow().as_ref().map_or(0, |coding| coding.input.len() - coding.at);
    object.set("left", Function::new(ctx.clone(), left)?)?;
    let coding = shared.clone();
    let is_ended = move || coding.borrow().as_ref().is_none_or(|coding| coding.is_ended);
    object.set("isEnded", Function::new(ctx.clone(), is_ended)?)?;
    let close = move || _ = shared.borrow_mut().take();
    object.set("close", Function::new(ctx.clone(), close)?)?;
    Ok(object)
}
