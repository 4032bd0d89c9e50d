//! RSA (RFC 8017): signatures, encryption, and new keys. Keys come as PKCS #8 and SPKI in DER.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{
    KeySize, OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OAEP_SHA384_MGF1SHA384,
    OAEP_SHA512_MGF1SHA512, OaepAlgorithm, OaepPrivateDecryptingKey, OaepPublicEncryptingKey,
    Pkcs1PrivateDecryptingKey, Pkcs1PublicEncryptingKey, PrivateDecryptingKey, PublicEncryptingKey,
};
use aws_lc_rs::signature::{
    RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
    RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_SHA256,
    RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384,
    RSA_PSS_2048_8192_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding,
    RsaKeyPair, RsaParameters, RsaPssSaltLength, RsaSignatureEncoding, UnparsedPublicKey,
    VerificationAlgorithm,
};
use rquickjs::function::Function;
use rquickjs::{Ctx, Object, Result};

use super::{Bytes, List, maybe};

/// The longest salt that fits into a signature, in bytes: a key has at most 8192 bits.
const SALT_BYTES_MAX: u16 = 1024;

pub(super) fn install<'js>(ctx: &Ctx<'js>, host: &Object<'js>) -> Result<()> {
    let generate = |ctx: Ctx<'js>, bits: u32| maybe(&ctx, generate(bits));
    host.set("rsaGenerate", Function::new(ctx.clone(), generate)?)?;
    let is_private = |key: Bytes| RsaKeyPair::from_pkcs8(&key).is_ok();
    host.set("rsaIsPrivate", Function::new(ctx.clone(), is_private)?)?;
    let is_public = |key: Bytes| {
        UnparsedPublicKey::new(&RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, &*key)
            .parse()
            .is_ok()
    };
    host.set("rsaIsPublic", Function::new(ctx.clone(), is_public)?)?;
    let sign = |ctx: Ctx<'js>, name: String, salt: i32, key: Bytes, data: Bytes| {
        maybe(&ctx, sign(&name, salt, &key, &data))
    };
    host.set("rsaSign", Function::new(ctx.clone(), sign)?)?;
    let verify = |name: String, salt: i32, key: Bytes, parts: List<(Bytes, Bytes)>| {
        let (data, signature) = parts.0;
        verify(&name, salt, &key, &data, &signature)
    };
    host.set("rsaVerify", Function::new(ctx.clone(), verify)?)?;
    let encrypt = |ctx: Ctx<'js>, name: String, key: Bytes, data: Bytes, label: Bytes| {
        maybe(&ctx, encrypt(&name, &key, &data, &label))
    };
    host.set("rsaEncrypt", Function::new(ctx.clone(), encrypt)?)?;
    let decrypt = |ctx: Ctx<'js>, name: String, key: Bytes, data: Bytes, label: Bytes| {
        maybe(&ctx, decrypt(&name, &key, &data, &label))
    };
    host.set("rsaDecrypt", Function::new(ctx.clone(), decrypt)?)
}

/// A new private key. It takes about a second for 4096 bits, and nothing stops it in the middle.
fn generate(bits: u32) -> Option<Vec<u8>> {
    let size = match bits {
        2048 => KeySize::Rsa2048,
        3072 => KeySize::Rsa3072,
        4096 => KeySize::Rsa4096,
        _ => return None,
    };
    let key: Pkcs8V1Der<'_> = PrivateDecryptingKey::generate(size).ok()?.as_der().ok()?;
    Some(key.as_ref().to_vec())
}

/// How to sign: `PKCS1` or `PSS`, and a digest; a negative salt for one as long as the digest. Each
/// encoding lives for ever, as the library wants it; there are few.
fn encoding(name: &str, salt: i32) -> Option<&'static dyn RsaEncoding> {
    static SALTED: LazyLock<Mutex<HashMap<(String, u16), &'static RsaSignatureEncoding>>> =
        LazyLock::new(Mutex::default);
    let encoding = match name {
        "PKCS1 SHA-256" => &RSA_PKCS1_SHA256,
        "PKCS1 SHA-384" => &RSA_PKCS1_SHA384,
        "PKCS1 SHA-512" => &RSA_PKCS1_SHA512,
        "PSS SHA-256" => &RSA_PSS_SHA256,
        "PSS SHA-384" => &RSA_PSS_SHA384,
        "PSS SHA-512" => &RSA_PSS_SHA512,
        _ => return None,
    };
    if salt < 0 || name.starts_with("PKCS1") {
        return Some(encoding);
    }
    let salt = u16::try_from(salt).ok().filter(|salt| *salt <= SALT_BYTES_MAX)?;
    let mut salted = SALTED.lock().ok()?;
    let made = salted.entry((name.to_owned(), salt)).or_insert_with(|| {
        let base = match name {
            "PSS SHA-256" => RSA_PSS_SHA256,
            "PSS SHA-384" => RSA_PSS_SHA384,
            _ => RSA_PSS_SHA512,
        };
        Box::leak(Box::new(base.with_pss_salt_length(RsaPssSaltLength::Custom(salt))))
    });
    Some(*made)
}

fn sign(name: &str, salt: i32, key: &[u8], data: &[u8]) -> Option<Vec<u8>> {
    let key = RsaKeyPair::from_pkcs8(key).ok()?;
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(encoding(name, salt)?, &SystemRandom::new(), data, &mut signature).ok()?;
    Some(signature)
}

fn verify(name: &str, salt: i32, key: &[u8], data: &[u8], signature: &[u8]) -> bool {
    let parameters: RsaParameters = match name {
        "PKCS1 SHA-1" => RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
        "PKCS1 SHA-256" => RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
        "PKCS1 SHA-384" => RSA_PKCS1_2048_8192_SHA384,
        "PKCS1 SHA-512" => RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
        "PSS SHA-256" => RSA_PSS_2048_8192_SHA256,
        "PSS SHA-384" => RSA_PSS_2048_8192_SHA384,
        "PSS SHA-512" => RSA_PSS_2048_8192_SHA512,
        _ => return false,
    };
    let parameters = match u16::try_from(salt) {
        Ok(salt) if salt <= SALT_BYTES_MAX => {
            parameters.with_pss_salt_length(RsaPssSaltLength::Custom(salt))
        }
        Ok(_) => return false,
        Err(_) => parameters,
    };
    parameters.verify_sig(key, data, signature).is_ok()
}

fn oaep(name: &str) -> Option<&'static OaepAlgorithm> {
    Some(match name {
        "OAEP SHA-1" => &OAEP_SHA1_MGF1SHA1,
        "OAEP SHA-256" => &OAEP_SHA256_MGF1SHA256,
        "OAEP SHA-384" => &OAEP_SHA384_MGF1SHA384,
        "OAEP SHA-512" => &OAEP_SHA512_MGF1SHA512,
        _ => return None,
    })
}

fn encrypt(name: &str, key: &[u8], data: &[u8], label: &[u8]) -> Option<Vec<u8>> {
    let key = PublicEncryptingKey::from_der(key).ok()?;
    let mut sealed = vec![0; key.key_size_bytes()];
    let length = if name == "PKCS1" {
        let key = Pkcs1PublicEncryptingKey::new(key).ok()?;
        key.encrypt(data, &mut sealed).ok()?.len()
    } else {
        let key = OaepPublicEncryptingKey::new(key).ok()?;
        key.encrypt(oaep(name)?, data, &mut sealed, Some(label)).ok()?.len()
    };
    sealed.truncate(length);
    Some(sealed)
}

fn decrypt(name: &str, key: &[u8], data: &[u8], label: &[u8]) -> Option<Vec<u8>> {
    let key = PrivateDecryptingKey::from_pkcs8(key).ok()?;
    let mut plain = vec![0; key.key_size_bytes()];
    let length = if name == "PKCS1" {
        let key = Pkcs1PrivateDecryptingKey::new(key).ok()?;
        key.decrypt(data, &mut plain).ok()?.len()
    } else {
        let key = OaepPrivateDecryptingKey::new(key).ok()?;
        key.decrypt(oaep(name)?, data, &mut plain, Some(label)).ok()?.len()
    };
    plain.truncate(length);
    Some(plain)
}
