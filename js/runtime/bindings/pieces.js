// Values too large for the object that has their key: pieces in objects of their own.
import { ask, joined } from 'dotdo:bindings/ask';

/** Up to this size, in bytes, a value is with its key. */
export const INLINE_BYTES_MAX = 4096;

/** The size of a piece, in bytes: an object comes into memory as a whole. */
const PIECE_BYTES = 8 << 20;

/** Stores `bytes` in pieces, which the object `index` knows of before and drops unless they are committed in time. */
export async function writePieces(index, about, bytes) {
  const sizes = [];
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) sizes.push(Math.min(PIECE_BYTES, bytes.length - at));
  const { values: { pieces } } = await ask(index, 'begin', { ...about, sizes });
  let at = 0;
  for (const { class: type, object, version, size } of pieces) {
    await ask({ class: type, object }, 'put', { version }, { bytes: bytes.subarray(at, at + size) });
    at += size;
  }
  return pieces;
}

/** The bytes from `begin` to `end` of what is in pieces; undefined when it was replaced meanwhile. */
export async function readPieces(pieces, begin, end) {
  const found = [];
  let at = 0;
  for (const { class: type, object, version, size } of pieces) {
    const [from, to] = [Math.max(begin - at, 0), Math.min(end - at, size)];
    at += size;
    if (from >= to) continue;
    const { values, bytes } = await ask({ class: type, object }, 'get', { version, from, to }, { reads: true });
    if (values.isGone) return undefined;
    found.push(bytes);
  }
  return found.length ? joined(found) : new Uint8Array();
}
