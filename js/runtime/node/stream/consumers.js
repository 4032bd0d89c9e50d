// `node:stream/consumers`: all that a stream gives, as one value.
import { Buffer } from 'node:buffer';

async function all(stream) {
  const parts = [];
  for await (const chunk of stream) parts.push(typeof chunk === 'string' ? Buffer.from(chunk) : chunk instanceof ArrayBuffer ? Buffer.from(chunk) : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
  return Buffer.concat(parts);
}

export const buffer = (stream) => all(stream);
export const arrayBuffer = async (stream) => Uint8Array.from(await all(stream)).buffer;
export const blob = async (stream) => new Blob([await all(stream)]);
export const text = async (stream) => new TextDecoder().decode(await all(stream));
export const json = async (stream) => JSON.parse(await text(stream));
export default { arrayBuffer, blob, buffer, json, text };
