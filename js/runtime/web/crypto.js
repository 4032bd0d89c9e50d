// `crypto`.
import { host, view } from 'dotdo:host';
import { digestStream, subtle } from 'dotdo:lazy';

const RANDOM_BYTES_MAX = 65536;

export const crypto = {
  getRandomValues(array) {
    const bytes = ArrayBuffer.isView(array) && !(array instanceof DataView) && !(array instanceof Float32Array) && !(array instanceof Float64Array) ? view(array) : null;
    if (!bytes) throw new DOMException('expected an array of integers', 'TypeMismatchError');
    if (bytes.length > RANDOM_BYTES_MAX) throw new DOMException(`expected at most ${RANDOM_BYTES_MAX} bytes, got ${bytes.length}`, 'QuotaExceededError');
    bytes.set(new Uint8Array(host.random(bytes.length)));
    return array;
  },
  randomUUID() {
    const bytes = new Uint8Array(host.random(16));
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
    return [digits.slice(0, 8), digits.slice(8, 12), digits.slice(12, 16), digits.slice(16, 20), digits.slice(20)].join('-');
  },
  get subtle() {
    return subtle().subtle;
  },
  get DigestStream() {
    return digestStream().DigestStream;
  },
};
