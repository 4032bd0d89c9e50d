//! AES in its modes (NIST SP 800-38A, RFC 3394); padding is the runtime's, and GCM has a module.

use aws_lc_rs::cipher::{
    AES_128, AES_192, AES_256, Algorithm, DecryptingKey, DecryptionContext, EncryptingKey,
    EncryptionContext, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::key_wrap::{self, AesKek, KeyWrap};
use rquickjs::function::Function;
use rquickjs::{Ctx, Object, Result};

use super::{Bytes, maybe};

/// Size of a block of AES, in bytes.
pub(super) const BLOCK_BYTES: usize = 16;

/// A block that counts.
pub(super) type Block = [u8; BLOCK_BYTES];

pub(super) fn install<'js>(ctx: &Ctx<'js>, host: &Object<'js>) -> Result<()> {
    let encrypt = |ctx: Ctx<'js>, key: Bytes, iv: Bytes, data: Bytes| {
        maybe(&ctx, cbc_encrypt(&key, &iv, data))
    };
    host.set("aesCbcEncrypt", Function::new(ctx.clone(), encrypt)?)?;
    let decrypt = |ctx: Ctx<'js>, key: Bytes, iv: Bytes, data: Bytes| {
        maybe(&ctx, cbc_decrypt(&key, &iv, data))
    };
    host.set("aesCbcDecrypt", Function::new(ctx.clone(), decrypt)?)?;
    let encrypt = |ctx: Ctx<'js>, key: Bytes, data: Bytes| maybe(&ctx, ecb_encrypt(&key, &data));
    host.set("aesEcbEncrypt", Function::new(ctx.clone(), encrypt)?)?;
    let decrypt = |ctx: Ctx<'js>, key: Bytes, data: Bytes| maybe(&ctx, ecb_decrypt(&key, data));
    host.set("aesEcbDecrypt", Function::new(ctx.clone(), decrypt)?)?;
    let count = |ctx: Ctx<'js>, key: Bytes, counter: Bytes, bits: u32, data: Bytes| {
        let counter = Block::try_from(&*counter).ok();
        maybe(&ctx, counter.and_then(|counter| ctr(&key, counter, bits, data.0)))
    };
    host.set("aesCtr", Function::new(ctx.clone(), count)?)?;
    let wrap = |ctx: Ctx<'js>, key: Bytes, data: Bytes| maybe(&ctx, wrap(&key, &data));
    host.set("aesWrap", Function::new(ctx.clone(), wrap)?)?;
    let unwrap = |ctx: Ctx<'js>, key: Bytes, data: Bytes| maybe(&ctx, unwrap(&key, &data));
    host.set("aesUnwrap", Function::new(ctx.clone(), unwrap)?)
}

fn unbound(key: &[u8]) -> Option<UnboundCipherKey> {
    let algorithm: &'static Algorithm = match key.len() {
        16 => &AES_128,
        24 => &AES_192,
        32 => &AES_256,
        _ => return None,
    };
    UnboundCipherKey::new(algorithm, key).ok()
}

fn is_whole(data: &[u8]) -> bool {
    data.len().is_multiple_of(BLOCK_BYTES)
}

fn cbc_encrypt(key: &[u8], iv: &[u8], data: Bytes) -> Option<Vec<u8>> {
    if !is_whole(&data) {
        return None;
    }
    let iv = EncryptionContext::Iv128(FixedLength::from(Block::try_from(iv).ok()?));
    let mut data = data.0;
    EncryptingKey::cbc(unbound(key)?).ok()?.less_safe_encrypt(&mut data, iv).ok()?;
    Some(data)
}

fn cbc_decrypt(key: &[u8], iv: &[u8], data: Bytes) -> Option<Vec<u8>> {
    if !is_whole(&data) {
        return None;
    }
    let iv = DecryptionContext::Iv128(FixedLength::from(Block::try_from(iv).ok()?));
    let mut data = data.0;
    DecryptingKey::cbc(unbound(key)?).ok()?.decrypt(&mut data, iv).ok()?;
    Some(data)
}

/// Blocks each for itself.
pub(super) fn ecb_encrypt(key: &[u8], data: &[u8]) -> Option<Vec<u8>> {
    if !is_whole(data) {
        return None;
    }
    let mut data = data.to_vec();
    let key = EncryptingKey::ecb(unbound(key)?).ok()?;
    key.less_safe_encrypt(&mut data, EncryptionContext::None).ok()?;
    Some(data)
}

fn ecb_decrypt(key: &[u8], data: Bytes) -> Option<Vec<u8>> {
    if !is_whole(&data) {
        return None;
    }
    let mut data = data.0;
    DecryptingKey::ecb(unbound(key)?).ok()?.decrypt(&mut data, DecryptionContext::None).ok()?;
    Some(data)
}

/// Counts in the last `bits` of the block; nothing if a value would come twice.
pub(super) fn ctr(key: &[u8], counter: Block, bits: u32, mut data: Vec<u8>) -> Option<Vec<u8>> {
    if !(1..=128).contains(&bits) {
        return None;
    }
    let mask = u128::MAX >> (128 - bits);
    let blocks = data.len().div_ceil(BLOCK_BYTES) as u128;
    if bits < 128 && blocks > mask + 1 {
        return None;
    }
    let value = u128::from_be_bytes(counter);
    // Until the counter begins again at 0; what is before it stays.
    let before = (mask - (value & mask)).saturating_add(1);
    let (first, rest) = if before < blocks {
        data.split_at_mut(before as usize * BLOCK_BYTES)
    } else {
        (&mut data[..], Default::default())
    };
    ctr_run(key, counter, first)?;
    if !rest.is_empty() {
        ctr_run(key, (value & !mask).to_be_bytes(), rest)?;
    }
    Some(data)
}

fn ctr_run(key: &[u8], counter: Block, data: &mut [u8]) -> Option<()> {
    let context = EncryptionContext::Iv128(FixedLength::from(counter));
    let key = EncryptingKey::ctr(unbound(key)?).ok()?;
    key.less_safe_encrypt(data, context).ok().map(|_| ())
}

fn wrapping(key: &[u8]) -> Option<AesKek> {
    let cipher = if key.len() == 16 { &key_wrap::AES_128 } else { &key_wrap::AES_256 };
    AesKek::new(cipher, key).ok()
}

fn wrap(key: &[u8], data: &[u8]) -> Option<Vec<u8>> {
    let mut wrapped = vec![0; data.len() + 8];
    let length = wrapping(key)?.wrap(data, &mut wrapped).ok()?.len();
    wrapped.truncate(length);
    Some(wrapped)
}

fn unwrap(key: &[u8], data: &[u8]) -> Option<Vec<u8>> {
    let mut plain = vec![0; data.len().checked_sub(8)?];
    let length = wrapping(key)?.unwrap(data, &mut plain).ok()?.len();
    plain.truncate(length);
    Some(plain)
}
