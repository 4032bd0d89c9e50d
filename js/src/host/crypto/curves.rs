//! Elliptic curves: ECDSA and ECDH on those of NIST, Ed25519 (RFC 8032) and X25519 (RFC 7748). A private
//! key is its number, a public one its point, not compressed.

use std::rc::Rc;

use aws_lc_rs::agreement::{self, ECDH_P256, ECDH_P384, ECDH_P521, X25519};
use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED,
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_ASN1, ECDSA_P384_SHA384_ASN1_SIGNING,
    ECDSA_P384_SHA384_FIXED, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_ASN1,
    ECDSA_P521_SHA512_ASN1_SIGNING, ECDSA_P521_SHA512_FIXED, ECDSA_P521_SHA512_FIXED_SIGNING,
    ED25519, EcdsaKeyPair, EcdsaSigningAlgorithm, EcdsaVerificationAlgorithm, Ed25519KeyPair,
    KeyPair, UnparsedPublicKey,
};
use rquickjs::function::Function;
use rquickjs::{Ctx, Object, Result};

use super::{Bytes, maybe};
use crate::host::Bridge;

pub(super) fn install<'js>(ctx: &Ctx<'js>, host: &Object<'js>, bridge: &Rc<Bridge>) -> Result<()> {
    let bridge = bridge.clone();
    let generate = move |ctx: Ctx<'js>, curve: String| {
        maybe(&ctx, generate(&curve, |length| bridge.random(length)))
    };
    host.set("curveGenerate", Function::new(ctx.clone(), generate)?)?;
    let public = |ctx: Ctx<'js>, curve: String, key: Bytes| maybe(&ctx, public(&curve, &key));
    host.set("curvePublic", Function::new(ctx.clone(), public)?)?;
    let point = |ctx: Ctx<'js>, curve: String, point: Bytes| maybe(&ctx, whole(&curve, &point));
    host.set("curvePoint", Function::new(ctx.clone(), point)?)?;
    let agree = |ctx: Ctx<'js>, curve: String, key: Bytes, other: Bytes| {
        maybe(&ctx, agree(&curve, &key, &other))
    };
    host.set("curveAgree", Function::new(ctx.clone(), agree)?)?;
    let sign = |ctx: Ctx<'js>, curve: String, key: Bytes, data: Bytes| {
        maybe(&ctx, sign(&curve, &key, &data))
    };
    host.set("curveSign", Function::new(ctx.clone(), sign)?)?;
    let verify = |curve: String, key: Bytes, data: Bytes, signature: Bytes| {
        verify(&curve, &key, &data, &signature).is_some()
    };
    host.set("curveVerify", Function::new(ctx.clone(), verify)?)
}

fn agreement(curve: &str) -> Option<&'static agreement::Algorithm> {
    Some(match curve {
        "P-256" => &ECDH_P256,
        "P-384" => &ECDH_P384,
        "P-521" => &ECDH_P521,
        "X25519" => &X25519,
        _ => return None,
    })
}

/// Number of tries to find a number below the order of a curve; half of all numbers are, at least.
const TRIES: u32 = 100;

/// A private key, from the realm's randomness.
fn generate(curve: &str, random: impl Fn(usize) -> Vec<u8>) -> Option<Vec<u8>> {
    let size = match curve {
        "P-384" => 48,
        "P-521" => 66,
        _ => 32,
    };
    for _ in 0..TRIES {
        let mut key = random(size);
        if curve == "P-521" {
            key[0] &= 1;
        }
        if public(curve, &key).is_some() {
            return Some(key);
        }
    }
    None
}

fn public(curve: &str, key: &[u8]) -> Option<Vec<u8>> {
    if curve == "Ed25519" {
        let pair = Ed25519KeyPair::from_seed_unchecked(key).ok()?;
        return Some(pair.public_key().as_ref().to_vec());
    }
    let key = agreement::PrivateKey::from_private_key(agreement(curve)?, key).ok()?;
    Some(key.compute_public_key().ok()?.as_ref().to_vec())
}

/// A point that is on the curve, not compressed; a key of Ed25519 or X25519 as it is.
fn whole(curve: &str, point: &[u8]) -> Option<Vec<u8>> {
    let (length, algorithm) = match curve {
        "P-256" => (65, &ECDSA_P256_SHA256_FIXED),
        "P-384" => (97, &ECDSA_P384_SHA384_FIXED),
        "P-521" => (133, &ECDSA_P521_SHA512_FIXED),
        _ => return (point.len() == 32).then(|| point.to_vec()),
    };
    let expected = match point.first()? {
        2 | 3 => length / 2 + 1,
        4 => length,
        _ => return None,
    };
    if point.len() != expected {
        return None;
    }
    let key: PublicKeyX509Der<'_> =
        UnparsedPublicKey::new(algorithm, point).parse().ok()?.as_der().ok()?;
    let key = key.as_ref();
    Some(key[key.len().checked_sub(length)?..].to_vec())
}

fn agree(curve: &str, key: &[u8], other: &[u8]) -> Option<Vec<u8>> {
    let algorithm = agreement(curve)?;
    let key = agreement::PrivateKey::from_private_key(algorithm, key).ok()?;
    let other = agreement::UnparsedPublicKey::new(algorithm, other);
    agreement::agree(&key, other, (), |secret| Ok(secret.to_vec())).ok()
}

/// How to sign by ECDSA, with a digest that only stands for its length: the curve, with `DER` after it
/// for signatures in DER.
fn signing(
    curve: &str,
) -> Option<(&'static EcdsaSigningAlgorithm, &'static EcdsaVerificationAlgorithm)> {
    Some(match curve {
        "P-256" => (&ECDSA_P256_SHA256_FIXED_SIGNING, &ECDSA_P256_SHA256_FIXED),
        "P-384" => (&ECDSA_P384_SHA384_FIXED_SIGNING, &ECDSA_P384_SHA384_FIXED),
        "P-521" => (&ECDSA_P521_SHA512_FIXED_SIGNING, &ECDSA_P521_SHA512_FIXED),
        "P-256 DER" => (&ECDSA_P256_SHA256_ASN1_SIGNING, &ECDSA_P256_SHA256_ASN1),
        "P-384 DER" => (&ECDSA_P384_SHA384_ASN1_SIGNING, &ECDSA_P384_SHA384_ASN1),
        "P-521 DER" => (&ECDSA_P521_SHA512_ASN1_SIGNING, &ECDSA_P521_SHA512_ASN1),
        _ => return None,
    })
}

/// Any digest as one of the length that goes with the curve: ECDSA takes the first bits of a longer one,
/// and a shorter one as a number (SEC 1, 4.1.3).
fn fitted(curve: &str, given: &[u8]) -> Option<Digest> {
    let algorithm = match curve.get(..5)? {
        "P-256" => &digest::SHA256,
        "P-384" => &digest::SHA384,
        _ => &digest::SHA512,
    };
    let length = algorithm.output_len();
    let mut fitted = vec![0; length.saturating_sub(given.len())];
    fitted.extend_from_slice(&given[..given.len().min(length)]);
    Digest::import_less_safe(&fitted, algorithm).ok()
}

/// Signs a digest (ECDSA) or a text (Ed25519).
fn sign(curve: &str, key: &[u8], data: &[u8]) -> Option<Vec<u8>> {
    if curve == "Ed25519" {
        let pair = Ed25519KeyPair::from_seed_unchecked(key).ok()?;
        return Some(pair.try_sign(data).ok()?.as_ref().to_vec());
    }
    let (algorithm, _) = signing(curve)?;
    let point = public(curve.get(..5)?, key)?;
    let pair = EcdsaKeyPair::from_private_key_and_public_key(algorithm, key, &point).ok()?;
    Some(pair.sign_digest(&fitted(curve, data)?).ok()?.as_ref().to_vec())
}

fn verify(curve: &str, key: &[u8], data: &[u8], signature: &[u8]) -> Option<()> {
    if curve == "Ed25519" {
        return UnparsedPublicKey::new(&ED25519, key).verify(data, signature).ok();
    }
    let (_, algorithm) = signing(curve)?;
    let digest = fitted(curve, data)?;
    UnparsedPublicKey::new(algorithm, key).verify_digest(&digest, signature).ok()
}
