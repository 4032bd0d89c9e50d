// `node:crypto`, by the same cryptography as `crypto.subtle`.
import { absent, HASHES } from 'dotdo:node/crypto/base';
import { CIPHERS, Cipheriv, createCipheriv, createDecipheriv, Decipheriv, getCipherInfo } from 'dotdo:node/crypto/ciphers';
import { constants } from 'dotdo:node/crypto/constants';
import { hkdf, hkdfSync, pbkdf2, pbkdf2Sync, scrypt, scryptSync } from 'dotdo:node/crypto/derive';
import { createHash, createHmac, Hash, hash, Hmac } from 'dotdo:node/crypto/hashes';
import { createPrivateKey, createPublicKey, createSecretKey, CryptoKey, CURVES, generateKey, generateKeyPair, generateKeyPairSync, generateKeySync, KeyObject } from 'dotdo:node/crypto/objects';
import { randomBytes, randomFill, randomFillSync, randomInt, timingSafeEqual } from 'dotdo:node/crypto/random';
import { createECDH, createSign, createVerify, diffieHellman, ECDH, privateDecrypt, publicEncrypt, Sign, sign, Verify, verify } from 'dotdo:node/crypto/signing';

export const webcrypto = globalThis.crypto;
export const { subtle } = webcrypto;
export const getRandomValues = (array) => webcrypto.getRandomValues(array);
export const randomUUID = () => webcrypto.randomUUID();
export const pseudoRandomBytes = randomBytes;
export const getHashes = () => [...HASHES];
export const getCiphers = () => [...CIPHERS];
export const getCurves = () => [...CURVES];
export const getFips = () => 0;
export const fips = false;
export const secureHeapUsed = () => ({ total: 0, used: 0, utilization: 0, min: 0 });

const old = 'createCipheriv and createDecipheriv are';
const elliptic = 'createECDH and diffieHellman with elliptic curves are';
export const createCipher = absent('createCipher', old);
export const createDecipher = absent('createDecipher', old);
export const createDiffieHellman = absent('createDiffieHellman', elliptic);
export const createDiffieHellmanGroup = absent('createDiffieHellmanGroup', elliptic);
export const getDiffieHellman = absent('getDiffieHellman', elliptic);
export const DiffieHellman = absent('DiffieHellman', elliptic);
export const DiffieHellmanGroup = absent('DiffieHellmanGroup', elliptic);
export const privateEncrypt = absent('privateEncrypt', 'sign is');
export const publicDecrypt = absent('publicDecrypt', 'verify is');
export const generatePrime = absent('generatePrime');
export const generatePrimeSync = absent('generatePrimeSync');
export const checkPrime = absent('checkPrime');
export const checkPrimeSync = absent('checkPrimeSync');
export const X509Certificate = absent('X509Certificate');
export const Certificate = absent('Certificate');
export const setEngine = absent('setEngine');
export const setFips = absent('setFips');

export {
  Cipheriv, constants, createCipheriv, createDecipheriv, createECDH, createHash, createHmac, createPrivateKey, createPublicKey, createSecretKey,
  createSign, createVerify, CryptoKey, Decipheriv, diffieHellman, ECDH, generateKey, generateKeyPair, generateKeyPairSync, generateKeySync,
  getCipherInfo, Hash, hash, hkdf, hkdfSync, Hmac, KeyObject, pbkdf2, pbkdf2Sync, privateDecrypt, publicEncrypt, randomBytes, randomFill,
  randomFillSync, randomInt, scrypt, scryptSync, Sign, sign, timingSafeEqual, Verify, verify,
};
export default {
  Certificate, checkPrime, checkPrimeSync, Cipheriv, constants, createCipher, createCipheriv, createDecipher, createDecipheriv, createDiffieHellman,
  createDiffieHellmanGroup, createECDH, createHash, createHmac, createPrivateKey, createPublicKey, createSecretKey, createSign, createVerify,
  CryptoKey, Decipheriv, DiffieHellman, diffieHellman, DiffieHellmanGroup, ECDH, fips, generateKey, generateKeyPair, generateKeyPairSync,
  generateKeySync, generatePrime, generatePrimeSync, getCipherInfo, getCiphers, getCurves, getDiffieHellman, getFips, getHashes, getRandomValues,
  Hash, hash, hkdf, hkdfSync, Hmac, KeyObject, pbkdf2, pbkdf2Sync, privateDecrypt, privateEncrypt, pseudoRandomBytes, publicDecrypt,
  publicEncrypt, randomBytes, randomFill, randomFillSync, randomInt, randomUUID, scrypt, scryptSync, secureHeapUsed, setEngine, setFips, Sign,
  sign, subtle, timingSafeEqual, Verify, verify, webcrypto, X509Certificate,
};
