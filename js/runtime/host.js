// What Rust provides. Only these modules have it: it is gone from the globals before a bundle runs.
export const host = globalThis.__dotdo;
delete globalThis.__dotdo;

/** Throws that something of Cloudflare's API is not here, with what to do. */
export function missing(name, instead) {
  throw new Error(absent(name, instead));
}

export function absent(name, instead) {
  return `${name} is not available in dotdo yet${instead ? `: ${instead}` : ''} (docs/JAVASCRIPT.md lists what is)`;
}

/** Bytes as a string of one character for each, which is how they go to Rust. */
export function binary(bytes) {
  const parts = [];
  for (let at = 0; at < bytes.length; at += 8192) {
    parts.push(String.fromCharCode.apply(null, bytes.subarray(at, at + 8192)));
  }
  return parts.join('');
}

/** The bytes that such a string stands for. */
export function bytesOf(text) {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}

/** The bytes of a buffer source, not copied. */
export function view(source) {
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  if (ArrayBuffer.isView(source)) return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  return undefined;
}

export const encodeUtf8 = (text) => new Uint8Array(host.utf8Encode(String(text).toWellFormed()));
