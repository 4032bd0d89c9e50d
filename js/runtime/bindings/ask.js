// How bindings ask the objects that hold their state: values as JSON with bytes behind them, both ways.
import { binary, encodeUtf8, host } from 'dotdo:host';
import { answerOf } from 'dotdo:operations';
import { Response } from 'dotdo:web';

/** The header with the length of the JSON, which the bytes follow. */
const LENGTH = 'x-values';

const { parse, stringify } = JSON;
const errors = { RangeError, TypeError };
const nothing = new Uint8Array();

/** Asks an object (`class`, `object`). Whoever calls needs the scope to write, unless it only `reads`. */
export async function ask(object, action, values, { bytes = nothing, reads = false } = {}) {
  const text = binary(encodeUtf8(stringify(values)));
  const about = { ...object, url: `http://object/${action}`, method: reads ? 'GET' : 'POST', headers: [[LENGTH, String(text.length)]] };
  const response = await answerOf((id) => host.call(id, stringify(about), text + binary(bytes)));
  const answer = unframed(response.headers.get(LENGTH), await response.bytes());
  const { error } = answer.values;
  if (error) throw Object.assign(new (errors[error.name] ?? Error)(error.message), error.more);
  return answer;
}

/** What an object is asked. */
export function asked({ url, headers }, body) {
  const length = headers.find(([name]) => name === LENGTH)?.[1];
  return { action: url.slice(url.lastIndexOf('/') + 1), ...unframed(length, body ?? nothing) };
}

/** An object's answer. */
export function framed(values, bytes = nothing) {
  const text = encodeUtf8(stringify(values));
  const body = new Uint8Array(text.length + bytes.length);
  body.set(text);
  body.set(bytes, text.length);
  return new Response(body, { headers: { [LENGTH]: String(text.length) } });
}

function unframed(length, body) {
  const end = Number(length ?? body.length);
  return { values: parse(textOf(body.subarray(0, end)) || '{}'), bytes: body.subarray(end) };
}

/** Bytes as text. */
export const textOf = (bytes) => host.utf8Decode(binary(bytes), false, true);

/** Several pieces of bytes as one. */
export function joined(pieces) {
  if (pieces.length === 1) return pieces[0];
  const all = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

export const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
export const unhex = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
