//! Keys from secrets: PBKDF2 (RFC 8018), HKDF (RFC 5869) and scrypt (RFC 7914). What an event can ask
//! for at once is bounded, because nothing stops a derivation in the middle.

use std::num::NonZeroU32;

use aws_lc_rs::{hkdf, pbkdf2};
use rquickjs::function::Function;
use rquickjs::{ArrayBuffer, Ctx, Exception, Object, Result};

use super::{Bytes, List, buffer, unknown};
use crate::limits::{DERIVED_BYTES_MAX, PBKDF2_ROUNDS_MAX, SCRYPT_BLOCKS_MAX, SCRYPT_BYTES_MAX};

pub(super) fn install<'js>(ctx: &Ctx<'js>, host: &Object<'js>) -> Result<()> {
    host.set("pbkdf2", Function::new(ctx.clone(), pbkdf2)?)?;
    host.set("hkdf", Function::new(ctx.clone(), hkdf)?)?;
    host.set("scrypt", Function::new(ctx.clone(), scrypt)?)
}

fn pbkdf2<'js>(
    ctx: Ctx<'js>,
    name: String,
    List((secret, salt)): List<(Bytes, Bytes)>,
    rounds: f64,
    length: f64,
) -> Result<ArrayBuffer<'js>> {
    let (algorithm, size) = match name.as_str() {
        "SHA-1" => (pbkdf2::PBKDF2_HMAC_SHA1, 20),
        "SHA-256" => (pbkdf2::PBKDF2_HMAC_SHA256, 32),
        "SHA-384" => (pbkdf2::PBKDF2_HMAC_SHA384, 48),
        "SHA-512" => (pbkdf2::PBKDF2_HMAC_SHA512, 64),
        _ => return Err(unknown(&ctx, "digest of PBKDF2", &name)),
    };
    let length = length_of(&ctx, length)?;
    let all = rounds * length.div_ceil(size) as f64;
    if all > PBKDF2_ROUNDS_MAX {
        let text = format!(
            "expected at most {PBKDF2_ROUNDS_MAX} rounds of PBKDF2 for all blocks of {size} bytes, got {all}"
        );
        return Err(Exception::throw_range(&ctx, &text));
    }
    let rounds = NonZeroU32::new(rounds as u32)
        .ok_or_else(|| Exception::throw_range(&ctx, "expected at least one round of PBKDF2"))?;
    let mut derived = vec![0; length];
    pbkdf2::derive(algorithm, rounds, &salt, &secret, &mut derived);
    buffer(&ctx, &derived)
}

/// A length that was checked against the maximum of what is derived.
fn length_of(ctx: &Ctx<'_>, length: f64) -> Result<usize> {
    if (0.0..=DERIVED_BYTES_MAX).contains(&length) {
        return Ok(length as usize);
    }
    let text = format!("expected at most {DERIVED_BYTES_MAX} bytes to derive, got {length}");
    Err(Exception::throw_range(ctx, &text))
}

/// The length of what HKDF derives.
struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn hkdf<'js>(
    ctx: Ctx<'js>,
    name: String,
    List((secret, salt, info)): List<(Bytes, Bytes, Bytes)>,
    length: f64,
) -> Result<ArrayBuffer<'js>> {
    let algorithm = match name.as_str() {
        "SHA-1" => hkdf::HKDF_SHA1_FOR_LEGACY_USE_ONLY,
        "SHA-256" => hkdf::HKDF_SHA256,
        "SHA-384" => hkdf::HKDF_SHA384,
        "SHA-512" => hkdf::HKDF_SHA512,
        _ => return Err(unknown(&ctx, "digest of HKDF", &name)),
    };
    let length = length_of(&ctx, length)?;
    let key = hkdf::Salt::new(algorithm, &salt).extract(&secret);
    let mut derived = vec![0; length];
    let info: [&[u8]; 1] = [&info];
    let filled = key.expand(&info, Length(length)).and_then(|okm| okm.fill(&mut derived));
    filled.map_err(|_| Exception::throw_range(&ctx, "expected fewer bytes to derive"))?;
    buffer(&ctx, &derived)
}

/// The cost `n` must be a power of two above 1; `block` and `parallel` at least 1.
fn scrypt<'js>(
    ctx: Ctx<'js>,
    List((secret, salt)): List<(Bytes, Bytes)>,
    List((n, block, parallel)): List<(f64, f64, f64)>,
    length: f64,
) -> Result<ArrayBuffer<'js>> {
    let length = length_of(&ctx, length)?;
    let blocks = n * block;
    if blocks * 128.0 > SCRYPT_BYTES_MAX
        || block * parallel * 128.0 > SCRYPT_BYTES_MAX
        || blocks * parallel > SCRYPT_BLOCKS_MAX
    {
        let text = format!(
            "expected scrypt with at most {SCRYPT_BYTES_MAX} bytes (128 * N * r) and {SCRYPT_BLOCKS_MAX} blocks (N * r * p), got N {n}, r {block}, p {parallel}"
        );
        return Err(Exception::throw_range(&ctx, &text));
    }
    let wrong = || Exception::throw_range(&ctx, "expected other parameters of scrypt");
    if n < 2.0 || !(n as u64).is_power_of_two() {
        return Err(wrong());
    }
    let cost = (n as u64).trailing_zeros() as u8;
    let params = scrypt::Params::new(cost, block as u32, parallel as u32).map_err(|_| wrong())?;
    let mut derived = vec![0; length];
    if length > 0 {
        scrypt::scrypt(&secret, &salt, &params, &mut derived).map_err(|_| wrong())?;
    }
    buffer(&ctx, &derived)
}
