// Structured clone as JSON: values that JSON has stay as they are, so that SQL and other readers see
// them; others are objects with the key "$", which names their type.
import { binary, bytesOf } from 'dotdo:host';

const { parse, stringify } = JSON;
const kindOf = (value) => Object.prototype.toString.call(value).slice(8, -1);
const views = Object.fromEntries(
  [Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array, Float32Array, Float64Array, BigInt64Array, BigUint64Array]
    .map((type) => [type.name, type]),
);
const errors = { Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };

/** @throws DataCloneError for what has no value apart from this realm: functions, symbols, promises. */
export const encode = (value) => stringify(pack(value, new Map()));

export const decode = (text) => unpack(parse(text), []);

export const clone = (value) => decode(encode(value));

/** What stands for a value that goes by reference, and what makes a value of that; between objects only. */
let reference = null;
let dereference = null;

/** As `encode`; for what `by` gives a node, that stands for it. */
export function encodeWith(by, value) {
  reference = by;
  try {
    return encode(value);
  } finally {
    reference = null;
  }
}

/** As `decode`; `by` makes values of such nodes. */
export function decodeWith(by, text) {
  dereference = by;
  try {
    return decode(text);
  } finally {
    dereference = null;
  }
}

function refuse(what) {
  throw new DOMException(`${what} could not be cloned.`, 'DataCloneError');
}

function pack(value, seen) {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value;
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0) ? value : { $: 'number', v: Object.is(value, -0) ? '-0' : String(value) };
    case 'undefined':
      return { $: 'undefined' };
    case 'bigint':
      return { $: 'bigint', v: String(value) };
    case 'object':
      return value === null ? null : packObject(value, seen);
    default:
      return (typeof value === 'function' && reference?.(value)) || refuse(String(value));
  }
}

function packObject(value, seen) {
  const node = reference?.(value);
  if (node) return node;
  if (seen.has(value)) return { $: 'ref', v: seen.get(value) };
  seen.set(value, seen.size);
  if (Array.isArray(value)) return packArray(value, seen);
  const kind = kindOf(value);
  if (views[kind]) return { $: kind, v: btoa(binary(new Uint8Array(value.buffer, value.byteOffset, value.byteLength))) };
  switch (kind) {
    case 'Date':
      return { $: 'date', v: pack(value.getTime(), seen) };
    case 'RegExp':
      return { $: 'regexp', v: [value.source, value.flags] };
    case 'Map':
      return { $: 'map', v: [...value].map(([key, item]) => [pack(key, seen), pack(item, seen)]) };
    case 'Set':
      return { $: 'set', v: [...value].map((item) => pack(item, seen)) };
    case 'ArrayBuffer':
      return { $: 'buffer', v: btoa(binary(new Uint8Array(value))) };
    case 'Error':
      return { $: 'error', v: [String(value.name), String(value.message), String(value.stack ?? '')] };
    case 'Object':
      return packFields(value, seen);
    default:
      return refuse(`#<${kind}>`);
  }
}

function packArray(array, seen) {
  const keys = Object.keys(array);
  if (keys.length === array.length && keys.every((key, at) => key === String(at))) {
    const items = [];
    for (let at = 0; at < array.length; at++) items[at] = pack(array[at], seen);
    return items;
  }
  return { $: 'array', n: array.length, v: keys.map((key) => [key, pack(array[key], seen)]) };
}

function packFields(object, seen) {
  const fields = Object.create(null);
  for (const key of Object.keys(object)) fields[key] = pack(object[key], seen);
  return Object.hasOwn(fields, '$') ? { $: 'object', v: fields } : fields;
}

function put(object, key, value) {
  // An assignment to `__proto__` would not make a field.
  Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
}

function unpack(node, made) {
  if (node === null || typeof node !== 'object') return node;
  if (Array.isArray(node)) {
    const array = note([], made);
    for (let at = 0; at < node.length; at++) array[at] = unpack(node[at], made);
    return array;
  }
  return Object.hasOwn(node, '$') ? unpackTagged(node, made) : unpackFields(node, made);
}

function note(object, made) {
  made.push(object);
  return object;
}

function unpackFields(fields, made) {
  const object = note({}, made);
  for (const key of Object.keys(fields)) put(object, key, unpack(fields[key], made));
  return object;
}

const decoded = (text) => bytesOf(atob(text));

function unpackTagged(node, made) {
  const value = node.v;
  if (views[node.$]) return note(new views[node.$](decoded(value).buffer), made);
  switch (node.$) {
    case 'undefined':
      return undefined;
    case 'number':
      return Number(value);
    case 'bigint':
      return BigInt(value);
    case 'ref':
      return made[value];
    case 'object':
      return unpackFields(value, made);
    case 'date':
      return note(new Date(unpack(value, [])), made);
    case 'regexp':
      return note(new RegExp(value[0], value[1]), made);
    case 'buffer':
      return note(decoded(value).buffer, made);
    case 'map': {
      const map = note(new Map(), made);
      for (const [key, item] of value) map.set(unpack(key, made), unpack(item, made));
      return map;
    }
    case 'set': {
      const set = note(new Set(), made);
      for (const item of value) set.add(unpack(item, made));
      return set;
    }
    case 'array': {
      const array = note([], made);
      array.length = node.n;
      for (const [key, item] of value) put(array, key, unpack(item, made));
      return array;
    }
    case 'error': {
      const error = note(new (errors[value[0]] ?? Error)(value[1]), made);
      put(error, 'stack', value[2]);
      Object.defineProperty(error, 'stack', { enumerable: false });
      return error;
    }
    case 'stub':
    case 'callback':
    case 'durable':
    case 'headers':
    case 'request':
    case 'response':
    case 'stream':
      if (dereference) return dereference(node);
    // falls through: it is nothing that is stored
    default:
      throw new Error(`a stored value has the type ${node.$}, which this version does not know; serve it with the version that stored it`);
  }
}

export function structuredClone(value, options) {
  if (arguments.length === 0) throw new TypeError('expected a value to clone, got none');
  if (options?.transfer?.length) throw new DOMException('transferring is not available in dotdo yet: clone instead', 'DataCloneError');
  return clone(value);
}
