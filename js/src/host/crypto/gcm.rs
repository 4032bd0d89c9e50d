//! AES-GCM (NIST SP 800-38D). The library has it with nonces of 12 bytes; others, and shorter sums,
//! are made of its parts. Nothing comes back of what was changed.

use aws_lc_rs::aead::{
    AES_128_GCM, AES_192_GCM, AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey,
};
use aws_lc_rs::constant_time;
use ghash::GHash;
use ghash::universal_hash::{KeyInit, UniversalHash};
use rquickjs::function::Function;
use rquickjs::{Ctx, Object, Result};

use super::ciphers::{BLOCK_BYTES, Block, ctr, ecb_encrypt};
use super::{Bytes, List, maybe};

/// Size of a whole sum, in bytes.
const TAG_BYTES: usize = 16;

pub(super) fn install<'js>(ctx: &Ctx<'js>, host: &Object<'js>) -> Result<()> {
    let seal = |ctx: Ctx<'js>, key: Bytes, parts: List<(Bytes, Bytes, Bytes)>, tag: usize| {
        let (nonce, data, more) = parts.0;
        maybe(&ctx, seal(&key, &nonce, data.0, &more, tag))
    };
    host.set("aesGcmSeal", Function::new(ctx.clone(), seal)?)?;
    let open = |ctx: Ctx<'js>, key: Bytes, parts: List<(Bytes, Bytes, Bytes)>, tag: usize| {
        let (nonce, data, more) = parts.0;
        maybe(&ctx, open(&key, &nonce, data.0, &more, tag))
    };
    host.set("aesGcmOpen", Function::new(ctx.clone(), open)?)?;
    let first = |ctx: Ctx<'js>, key: Bytes, nonce: Bytes| {
        maybe(&ctx, Parts::new(&key, &nonce).map(|parts| parts.first.to_vec()))
    };
    host.set("aesGcmFirst", Function::new(ctx.clone(), first)?)
}

/// The text, encrypted, with the first bytes of its sum.
fn seal(key: &[u8], nonce: &[u8], mut data: Vec<u8>, more: &[u8], tag: usize) -> Option<Vec<u8>> {
    if tag > TAG_BYTES {
        return None;
    }
    if nonce.len() == NONCE_LEN {
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let length = data.len() + tag;
        library(key)?.seal_in_place_append_tag(nonce, Aad::from(more), &mut data).ok()?;
        data.truncate(length);
        return Some(data);
    }
    let parts = Parts::new(key, nonce)?;
    let mut sealed = parts.count(key, data)?;
    let sum = parts.sum(key, &sealed, more)?;
    sealed.extend_from_slice(&sum[..tag]);
    Some(sealed)
}

fn open(key: &[u8], nonce: &[u8], mut data: Vec<u8>, more: &[u8], tag: usize) -> Option<Vec<u8>> {
    if tag == 0 || tag > TAG_BYTES || data.len() < tag {
        return None;
    }
    if nonce.len() == NONCE_LEN && tag == TAG_BYTES {
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let length = library(key)?.open_in_place(nonce, Aad::from(more), &mut data).ok()?.len();
        data.truncate(length);
        return Some(data);
    }
    let given = data.split_off(data.len() - tag);
    let parts = Parts::new(key, nonce)?;
    let sum = parts.sum(key, &data, more)?;
    constant_time::verify_slices_are_equal(&sum[..tag], &given).ok()?;
    parts.count(key, data)
}

fn library(key: &[u8]) -> Option<LessSafeKey> {
    let algorithm = match key.len() {
        16 => &AES_128_GCM,
        24 => &AES_192_GCM,
        32 => &AES_256_GCM,
        _ => return None,
    };
    UnboundKey::new(algorithm, key).ok().map(LessSafeKey::new)
}

/// What GCM is made of: the first block that counts, and the key of the sum.
struct Parts {
    first: Block,
    hash: GHash,
}

impl Parts {
    fn new(key: &[u8], nonce: &[u8]) -> Option<Self> {
        let hash_key = Block::try_from(ecb_encrypt(key, &[0; BLOCK_BYTES])?).ok()?;
        let hash = GHash::new(&hash_key.into());
        let mut first = Block::default();
        if nonce.len() == NONCE_LEN {
            first[..NONCE_LEN].copy_from_slice(nonce);
            first[BLOCK_BYTES - 1] = 1;
        } else {
            let mut hash = hash.clone();
            hash.update_padded(nonce);
            hash.update(&[lengths(0, nonce.len()).into()]);
            first = hash.finalize().into();
        }
        Some(Self { first, hash })
    }

    /// Encrypts or decrypts; the counter is the last 32 bits.
    fn count(&self, key: &[u8], data: Vec<u8>) -> Option<Vec<u8>> {
        let mut counter = self.first;
        let (_, last) = counter.split_last_chunk_mut::<4>()?;
        *last = u32::from_be_bytes(*last).wrapping_add(1).to_be_bytes();
        ctr(key, counter, 32, data)
    }

    fn sum(&self, key: &[u8], sealed: &[u8], more: &[u8]) -> Option<Block> {
        let mut hash = self.hash.clone();
        hash.update_padded(more);
        hash.update_padded(sealed);
        hash.update(&[lengths(more.len(), sealed.len()).into()]);
        let mut sum: Block = hash.finalize().into();
        let mask = ecb_encrypt(key, &self.first)?;
        for (byte, mask) in sum.iter_mut().zip(mask) {
            *byte ^= mask;
        }
        Some(sum)
    }
}

/// Two lengths in bits, as the sum takes them.
fn lengths(one: usize, other: usize) -> Block {
    let bits = |bytes: usize| u128::from(bytes as u64 * 8);
    (bits(one) << 64 | bits(other)).to_be_bytes()
}
