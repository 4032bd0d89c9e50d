// AES of `crypto.subtle`: CBC, CTR, GCM and KW.
import { binary, host } from 'dotdo:host';
import { absentFormat, bytesOf, checkJwk, data, fromBase64Url, keyOf, needUsage, notHere, opened, refuse, toBase64Url, usagesOf } from 'dotdo:crypto/keys';

const BLOCK = 16;
const TAGS = [32, 64, 96, 104, 112, 120, 128];
const FAILED = 'Decryption failed. This could be due to a ciphertext authentication failure, bad padding, incorrect CryptoKey, or another algorithm-specific reason.';

/** With as many bytes at the end as make blocks whole, each of their number (PKCS #7). */
export function padded(bytes) {
  const more = BLOCK - (bytes.length % BLOCK);
  const all = new Uint8Array(bytes.length + more).fill(more);
  all.set(bytes);
  return all;
}

/** Without those; undefined if they are not there. */
export function unpadded(bytes) {
  const more = bytes.at(-1);
  if (!(more >= 1 && more <= BLOCK && more <= bytes.length)) return undefined;
  return bytes.subarray(-more).every((byte) => byte === more) ? bytes.slice(0, -more) : undefined;
}

/** The base of the four: keys. */
const keys = (name, uses) => ({
  importKey(format, source, algorithm, extractable, asked) {
    const usages = needUsage('secret', usagesOf(asked, uses, `import secret ${name}`));
    let bytes;
    if (format === 'raw') {
      bytes = bytesOf(source, 'a key').slice();
    } else if (format === 'jwk') {
      checkJwk(source, { kty: 'oct', name: 'Symmetric', extractable, usages, use: 'enc' });
      bytes = fromBase64Url(String(source.k), 'a key');
    } else {
      return absentFormat('import', format);
    }
    if (![16, 24, 32].includes(bytes.length)) refuse('DataError', `Imported AES key length must be 128, 192, or 256 bits but provided ${bytes.length * 8}.`);
    const alg = `A${bytes.length * 8}${name.slice(4)}`;
    if (format === 'jwk' && source.alg !== undefined && source.alg !== alg) refuse('DataError', `Symmetric "jwk" key contains invalid "alg" value "${source.alg}", expected "${alg}".`);
    return keyOf('secret', bytes, { name, length: bytes.length * 8 }, extractable, usages);
  },

  exportKey(format, key) {
    const bytes = opened(key, name);
    if (format === 'raw') return bytes.slice().buffer;
    if (format !== 'jwk') return absentFormat('export', format);
    return { kty: 'oct', key_ops: key.usages, alg: `A${key.algorithm.length}${name.slice(4)}`, ext: key.extractable, k: toBase64Url(bytes) };
  },

  lengthOf({ length }) {
    if (![128, 192, 256].includes(length)) refuse('OperationError', `Generated AES key length must be 128, 192, or 256 bits but requested ${length}.`);
    return length;
  },

  generateKey(algorithm, extractable, asked) {
    const usages = needUsage('secret', usagesOf(asked, uses, `generate ${name}`));
    const length = this.lengthOf(algorithm);
    return keyOf('secret', new Uint8Array(host.random(length / 8)), { name, length }, extractable, usages);
  },
});

const encrypting = ['encrypt', 'decrypt', 'wrapKey', 'unwrapKey'];

function ivOf({ iv }) {
  const bytes = bytesOf(iv, 'an iv');
  if (bytes.length !== BLOCK) refuse('OperationError', `AES-CBC IV must be 16 bytes long (provided ${bytes.length} bytes).`);
  return binary(bytes);
}

export const cbc = {
  ...keys('AES-CBC', encrypting),
  encrypt: (algorithm, key, source) => host.aesCbcEncrypt(binary(key), ivOf(algorithm), binary(padded(bytesOf(source, 'data')))),
  decrypt(algorithm, key, source) {
    const iv = ivOf(algorithm);
    const plain = host.aesCbcDecrypt(binary(key), iv, data(source, 'data'));
    return (plain && unpadded(new Uint8Array(plain))?.buffer) ?? refuse('OperationError', FAILED);
  },
};

function counted({ counter, length }, key, source) {
  const block = bytesOf(counter, 'a counter');
  if (block.length !== BLOCK) refuse('OperationError', `AES-CTR counter must be 16 bytes long (provided ${block.length} bytes).`);
  if (!(Number.isInteger(length) && length >= 1 && length <= 128)) refuse('OperationError', `Invalid counter of ${length} bits length provided.`);
  return host.aesCtr(binary(key), binary(block), length, data(source, 'data')) ?? refuse('OperationError', 'Counter block values will repeat.');
}

export const ctr = { ...keys('AES-CTR', encrypting), encrypt: counted, decrypt: counted };

/** The parameters of AES-GCM, for Rust. */
function sealed({ iv, additionalData = new Uint8Array(), tagLength = 128 }, source) {
  const nonce = bytesOf(iv, 'an iv');
  if (!nonce.length) refuse('OperationError', 'AES-GCM IV must not be empty.');
  if (!TAGS.includes(tagLength)) refuse('OperationError', `Invalid AES-GCM tag length ${tagLength}.`);
  return [[binary(nonce), data(source, 'data'), data(additionalData, 'additionalData')], tagLength / 8];
}

export const gcm = {
  ...keys('AES-GCM', encrypting),
  encrypt: (algorithm, key, source) => host.aesGcmSeal(binary(key), ...sealed(algorithm, source)),
  decrypt: (algorithm, key, source) => host.aesGcmOpen(binary(key), ...sealed(algorithm, source)) ?? refuse('OperationError', FAILED),
};

function wrapping(key) {
  if (key.length === 24) notHere('AES-KW with a key of 192 bits', 'those of 128 and 256 bits are');
  return binary(key);
}

export const kw = {
  ...keys('AES-KW', ['wrapKey', 'unwrapKey']),
  wrap(_, key, bytes) {
    if (bytes.length % 8 || bytes.length < 16) refuse('OperationError', `Unwrapped key bit length must be a multiple of 64 bits but unwrapped key has a length of ${bytes.length * 8} bits.`);
    return host.aesWrap(wrapping(key), binary(bytes));
  },
  unwrap(_, key, bytes) {
    return host.aesUnwrap(wrapping(key), binary(bytes)) ?? refuse('OperationError', 'AES-KW key unwrapping failed.');
  },
};
