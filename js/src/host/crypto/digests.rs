//! Digests, and sums by a shared secret (HMAC, RFC 2104), of bytes at once or piece by piece.

use std::cell::RefCell;
use std::rc::Rc;

use aws_lc_rs::{digest, hmac};
use md5::{Digest as _, Md5};
use rquickjs::function::{Function, Opt};
use rquickjs::{Ctx, Object, Result};

use super::{Bytes, List, buffer, unknown};

pub(super) fn install<'js>(ctx: &Ctx<'js>, host: &Object<'js>) -> Result<()> {
    let digest = |ctx: Ctx<'js>, name: String, data: Bytes| {
        let mut hasher = Hasher::new(&ctx, &name)?;
        hasher.update(&data);
        buffer(&ctx, &hasher.finish())
    };
    host.set("digest", Function::new(ctx.clone(), digest)?)?;
    let hasher = |ctx: Ctx<'js>, name: String, key: Opt<Option<Bytes>>| {
        let summing = match key.0.flatten() {
            Some(key) => Summing::Keyed(Keyed::new(&ctx, &name, &key)?),
            None => Summing::Plain(Hasher::new(&ctx, &name)?),
        };
        object(&ctx, summing)
    };
    host.set("hasher", Function::new(ctx.clone(), hasher)?)?;
    let sign = |ctx: Ctx<'js>, name: String, key: Bytes, data: Bytes| {
        buffer(&ctx, &sum(&ctx, &name, &key, &data)?)
    };
    host.set("hmacSign", Function::new(ctx.clone(), sign)?)?;
    let verify = |ctx: Ctx<'js>, name: String, key: Bytes, parts: List<(Bytes, Bytes)>| {
        let (data, signature) = parts.0;
        let sum = sum(&ctx, &name, &key, &data)?;
        let equal = aws_lc_rs::constant_time::verify_slices_are_equal(&sum, &signature);
        Ok::<_, rquickjs::Error>(equal.is_ok())
    };
    host.set("hmacVerify", Function::new(ctx.clone(), verify)?)
}

/// A digest of the library, and the size of its blocks in bytes.
pub(super) fn algorithm(name: &str) -> Option<&'static digest::Algorithm> {
    Some(match name {
        "SHA-1" => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        "SHA-224" => &digest::SHA224,
        "SHA-256" => &digest::SHA256,
        "SHA-384" => &digest::SHA384,
        "SHA-512" => &digest::SHA512,
        "SHA-512/256" => &digest::SHA512_256,
        "SHA3-256" => &digest::SHA3_256,
        "SHA3-384" => &digest::SHA3_384,
        "SHA3-512" => &digest::SHA3_512,
        _ => return None,
    })
}

/// A sum that is being made.
#[derive(Clone)]
enum Hasher {
    Library(digest::Context),
    Md5(Md5),
}

impl Hasher {
    fn new(ctx: &Ctx<'_>, name: &str) -> Result<Self> {
        match (name, algorithm(name)) {
            (_, Some(algorithm)) => Ok(Self::Library(digest::Context::new(algorithm))),
            ("MD5", None) => Ok(Self::Md5(Md5::new())),
            _ => Err(unknown(ctx, "digest", name)),
        }
    }

    /// Size of the blocks that it reads, in bytes.
    fn block_bytes(&self) -> usize {
        match self {
            Self::Library(context) => context.algorithm().block_len(),
            Self::Md5(_) => 64,
        }
    }

    fn update(&mut self, data: &[u8]) {
        match self {
            Self::Library(context) => context.update(data),
            Self::Md5(md5) => md5.update(data),
        }
    }

    fn finish(self) -> Vec<u8> {
        match self {
            Self::Library(context) => context.finish().as_ref().to_vec(),
            Self::Md5(md5) => md5.finalize().to_vec(),
        }
    }
}

/// A keyed one, of any digest.
#[derive(Clone)]
struct Keyed {
    inner: Hasher,
    outer: Hasher,
}

impl Keyed {
    fn new(ctx: &Ctx<'_>, name: &str, key: &[u8]) -> Result<Self> {
        let (mut inner, mut outer) = (Hasher::new(ctx, name)?, Hasher::new(ctx, name)?);
        let size = inner.block_bytes();
        let mut block = key.to_vec();
        if block.len() > size {
            let mut hasher = Hasher::new(ctx, name)?;
            hasher.update(key);
            block = hasher.finish();
        }
        block.resize(size, 0);
        inner.update(&block.iter().map(|byte| byte ^ 0x36).collect::<Vec<u8>>());
        outer.update(&block.iter().map(|byte| byte ^ 0x5c).collect::<Vec<u8>>());
        Ok(Self { inner, outer })
    }

    fn finish(mut self) -> Vec<u8> {
        self.outer.update(&self.inner.finish());
        self.outer.finish()
    }
}

/// HMAC of bytes at once.
fn sum(ctx: &Ctx<'_>, name: &str, key: &[u8], data: &[u8]) -> Result<Vec<u8>> {
    let algorithm = match name {
        "SHA-1" => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        "SHA-224" => hmac::HMAC_SHA224,
        "SHA-256" => hmac::HMAC_SHA256,
        "SHA-384" => hmac::HMAC_SHA384,
        "SHA-512" => hmac::HMAC_SHA512,
        _ => {
            let mut keyed = Keyed::new(ctx, name, key)?;
            keyed.inner.update(data);
            return Ok(keyed.finish());
        }
    };
    Ok(hmac::sign(&hmac::Key::new(algorithm, key), data).as_ref().to_vec())
}

#[derive(Clone)]
enum Summing {
    Plain(Hasher),
    Keyed(Keyed),
}

impl Summing {
    fn update(&mut self, data: &[u8]) {
        match self {
            Self::Plain(hasher) => hasher.update(data),
            Self::Keyed(keyed) => keyed.inner.update(data),
        }
    }

    fn finish(self) -> Vec<u8> {
        match self {
            Self::Plain(hasher) => hasher.finish(),
            Self::Keyed(keyed) => keyed.finish(),
        }
    }
}

/// An object with `update`, `digest` (of what has come so far) and `copy`.
fn object<'js>(ctx: &Ctx<'js>, summing: Summing) -> Result<Object<'js>> {
    let object = Object::new(ctx.clone())?;
    let shared = Rc::new(RefCell::new(summing));
    let summing = shared.clone();
    let update = move |data: Bytes| summing.borrow_mut().update(&data);
    object.set("update", Function::new(ctx.clone(), update)?)?;
    let summing = shared.clone();
    let digest = move |ctx: Ctx<'js>| buffer(&ctx, &summing.borrow().clone().finish());
    object.set("digest", Function::new(ctx.clone(), digest)?)?;
    let copy = move |ctx: Ctx<'js>| self::object(&ctx, shared.borrow().clone());
    object.set("copy", Function::new(ctx.clone(), copy)?)?;
    Ok(object)
}
