//! Digests, signatures by a shared secret, and encryption (`crypto.subtle`), by the cryptography of
//! all TLS connections. Keys and data come as strings of one character for each byte.

use std::num::NonZeroU32;

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::{constant_time, digest, hkdf, hmac, pbkdf2};
use rquickjs::function::Function;
use rquickjs::{ArrayBuffer, Ctx, Exception, Object, Result};

use super::bytes_of;

/// Length of the nonce of AES-GCM, in bytes.
const NONCE_BYTES: usize = 12;

pub(super) fn install<'js>(ctx: &Ctx<'js>, host: &Object<'js>) -> Result<()> {
    let digest = |ctx: Ctx<'js>, name: String, data: String| {
        let algorithm = digest_of(&ctx, &name)?;
        let digest = digest::digest(algorithm, &bytes_of(&data));
        ArrayBuffer::new(ctx, digest.as_ref().to_vec())
    };
    host.set("digest", Function::new(ctx.clone(), digest)?)?;
    let equal = |one: String, other: String| {
        constant_time::verify_slices_are_equal(&bytes_of(&one), &bytes_of(&other)).is_ok()
    };
    host.set("equalBytes", Function::new(ctx.clone(), equal)?)?;
    signatures(ctx, host)?;
    derivations(ctx, host)?;
    encryption(ctx, host)
}

fn signatures<'js>(ctx: &Ctx<'js>, host: &Object<'js>) -> Result<()> {
    let sign = |ctx: Ctx<'js>, name: String, key: String, data: String| {
        let key = hmac::Key::new(hmac_of(&ctx, &name)?, &bytes_of(&key));
        ArrayBuffer::new(ctx, hmac::sign(&key, &bytes_of(&data)).as_ref().to_vec())
    };
    host.set("hmacSign", Function::new(ctx.clone(), sign)?)?;
    let verify = |ctx: Ctx<'js>, name: String, key: String, parts: Vec<String>| {
        let [data, signature] = parts_of(&ctx, parts)?;
        let key = hmac::Key::new(hmac_of(&ctx, &name)?, &bytes_of(&key));
        Ok::<_, rquickjs::Error>(hmac::verify(&key, &data, &signature).is_ok())
    };
    host.set("hmacVerify", Function::new(ctx.clone(), verify)?)
}

/// The length of what HKDF derives.
struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn derivations<'js>(ctx: &Ctx<'js>, host: &Object<'js>) -> Result<()> {
    let pbkdf2 = |ctx: Ctx<'js>, name: String, parts: Vec<String>, rounds: u32, length: usize| {
        let algorithm = match name.as_str() {
            "SHA-1" => pbkdf2::PBKDF2_HMAC_SHA1,
            "SHA-256" => pbkdf2::PBKDF2_HMAC_SHA256,
            "SHA-384" => pbkdf2::PBKDF2_HMAC_SHA384,
            "SHA-512" => pbkdf2::PBKDF2_HMAC_SHA512,
            _ => return Err(unknown(&ctx, &name)),
        };
        let [secret, salt] = parts_of(&ctx, parts)?;
        let rounds = NonZeroU32::new(rounds)
            .ok_or_else(|| Exception::throw_message(&ctx, "expected at least one iteration"))?;
        let mut derived = vec![0; length];
        pbkdf2::derive(algorithm, rounds, &salt, &secret, &mut derived);
        ArrayBuffer::new(ctx, derived)
    };
    host.set("pbkdf2", Function::new(ctx.clone(), pbkdf2)?)?;
    let hkdf = |ctx: Ctx<'js>, name: String, parts: Vec<String>, length: usize| {
        let algorithm = match name.as_str() {
            "SHA-1" => hkdf::HKDF_SHA1_FOR_LEGACY_USE_ONLY,
            "SHA-256" => hkdf::HKDF_SHA256,
            "SHA-384" => hkdf::HKDF_SHA384,
            "SHA-512" => hkdf::HKDF_SHA512,
            _ => return Err(unknown(&ctx, &name)),
        };
        let [secret, salt, info] = parts_of(&ctx, parts)?;
        let key = hkdf::Salt::new(algorithm, &salt).extract(&secret);
        let mut derived = vec![0; length];
        let info: [&[u8]; 1] = [&info];
        let filled = key.expand(&info, Length(length)).and_then(|okm| okm.fill(&mut derived));
        filled.map_err(|_| Exception::throw_message(&ctx, "expected fewer bytes to derive"))?;
        ArrayBuffer::new(ctx, derived)
    };
    host.set("hkdf", Function::new(ctx.clone(), hkdf)?)
}

/// AES-GCM with a tag of 128 bits; nothing comes back of what was changed.
fn encryption<'js>(ctx: &Ctx<'js>, host: &Object<'js>) -> Result<()> {
    let seal = |ctx: Ctx<'js>, key: String, parts: Vec<String>| {
        let [nonce, mut bytes, more] = parts_of(&ctx, parts)?;
        let (key, nonce) = (aes(&ctx, &key)?, nonce_of(&ctx, &nonce)?);
        key.seal_in_place_append_tag(nonce, Aad::from(more), &mut bytes)
            .map_err(|_| Exception::throw_message(&ctx, "the text is too long to encrypt"))?;
        ArrayBuffer::new(ctx, bytes)
    };
    host.set("aesGcmSeal", Function::new(ctx.clone(), seal)?)?;
    let open = |ctx: Ctx<'js>, key: String, parts: Vec<String>| {
        let [nonce, mut bytes, more] = parts_of(&ctx, parts)?;
        let (key, nonce) = (aes(&ctx, &key)?, nonce_of(&ctx, &nonce)?);
        match key.open_in_place(nonce, Aad::from(more), &mut bytes) {
            Ok(plain) => ArrayBuffer::new(ctx, plain.to_vec()).map(Some),
            Err(_) => Ok(None),
        }
    };
    host.set("aesGcmOpen", Function::new(ctx.clone(), open)?)
}

fn aes(ctx: &Ctx<'_>, key: &str) -> Result<LessSafeKey> {
    let key = bytes_of(key);
    let algorithm = if key.len() == 16 { &AES_128_GCM } else { &AES_256_GCM };
    let key = UnboundKey::new(algorithm, &key);
    key.map(LessSafeKey::new)
        .map_err(|_| Exception::throw_message(ctx, "expected a key of 128 or 256 bits"))
}

fn nonce_of(ctx: &Ctx<'_>, nonce: &[u8]) -> Result<Nonce> {
    Nonce::try_assume_unique_for_key(nonce).map_err(|_| {
        Exception::throw_message(ctx, &format!("expected an iv of {NONCE_BYTES} bytes"))
    })
}

fn digest_of(ctx: &Ctx<'_>, name: &str) -> Result<&'static digest::Algorithm> {
    Ok(match name {
        "SHA-1" => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        "SHA-256" => &digest::SHA256,
        "SHA-384" => &digest::SHA384,
        "SHA-512" => &digest::SHA512,
        _ => return Err(unknown(ctx, name)),
    })
}

fn hmac_of(ctx: &Ctx<'_>, name: &str) -> Result<hmac::Algorithm> {
    Ok(match name {
        "SHA-1" => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        "SHA-256" => hmac::HMAC_SHA256,
        "SHA-384" => hmac::HMAC_SHA384,
        "SHA-512" => hmac::HMAC_SHA512,
        _ => return Err(unknown(ctx, name)),
    })
}

/// The runtime has checked the name.
fn unknown(ctx: &Ctx<'_>, name: &str) -> rquickjs::Error {
    Exception::throw_message(
        ctx,
        &format!("expected SHA-1, SHA-256, SHA-384 or SHA-512, got {name}"),
    )
}

/// Several strings of bytes.
fn parts_of<const COUNT: usize>(ctx: &Ctx<'_>, parts: Vec<String>) -> Result<[Vec<u8>; COUNT]> {
    let parts: Vec<Vec<u8>> = parts.iter().map(|part| bytes_of(part)).collect();
    parts.try_into().map_err(|_| Exception::throw_message(ctx, "expected other parameters"))
}
