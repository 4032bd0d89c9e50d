// Whether two values are the same in all that they consist of.
import * as types from 'node:util/types';

const isObject = (value) => typeof value === 'object' && value !== null;
const enumerable = (value) => Object.keys(value).concat(Object.getOwnPropertySymbols(value).filter((key) => Object.prototype.propertyIsEnumerable.call(value, key)));
const isIndex = (key) => typeof key === 'string' && /^(0|[1-9]\d*)$/.test(key);

const KINDS = [
  'isDate', 'isRegExp', 'isNativeError', 'isMap', 'isSet', 'isAnyArrayBuffer', 'isBoxedPrimitive', 'isDataView', 'isWeakMap', 'isWeakSet', 'isPromise',
];
const kindOf = (value) => (Array.isArray(value) ? 'list' : types.isTypedArray(value) ? 'typed' : KINDS.find((is) => types[is](value)));

function sameBytes(one, other) {
  if (one.byteLength !== other.byteLength) return false;
  const bytes = (value) => (ArrayBuffer.isView(value) ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength) : new Uint8Array(value));
  const [left, right] = [bytes(one), bytes(other)];
  return left.every((byte, at) => byte === right[at]);
}

function sameTyped(one, other) {
  if (one.length !== other.length) return false;
  if (types.isFloat32Array(one) || types.isFloat64Array(one) || types.isFloat16Array(one)) return sameBytes(one, other);
  return one.every((item, at) => Object.is(item, other[at]));
}

function sameErrors(one, other, pairs) {
  if (one.message !== other.message || one.name !== other.name) return false;
  const both = (key) => Object.hasOwn(one, key) === Object.hasOwn(other, key) && (!Object.hasOwn(one, key) || same(one[key], other[key], pairs));
  return both('cause') && both('errors');
}

/** What is of one kind, besides its properties. */
function sameInside(kind, one, other, pairs) {
  switch (kind) {
    case 'list': return one.length === other.length;
    case 'typed': return sameTyped(one, other);
    case 'isDate': return Object.is(one.getTime(), other.getTime());
    case 'isRegExp': return String(one) === String(other) && one.lastIndex === other.lastIndex;
    case 'isNativeError': return sameErrors(one, other, pairs);
    case 'isMap': return sameMaps(one, other, pairs);
    case 'isSet': return sameSets(one, other, pairs);
    case 'isAnyArrayBuffer':
    case 'isDataView': return sameBytes(one, other);
    case 'isBoxedPrimitive': return typeof one.valueOf() === typeof other.valueOf() && Object.is(one.valueOf(), other.valueOf());
    case 'isWeakMap':
    case 'isWeakSet':
    case 'isPromise': return false;
    default: return true;
  }
}

function sameSets(one, other, pairs) {
  if (one.size !== other.size) return false;
  const rest = new Set([...other].filter((item) => !one.has(item)));
  for (const item of one) {
    if (other.has(item)) continue;
    if (!isObject(item)) return false;
    const twin = [...rest].find((candidate) => same(item, candidate, pairs));
    if (twin === undefined && !rest.has(undefined)) return false;
    rest.delete(twin);
  }
  return true;
}

function sameMaps(one, other, pairs) {
  if (one.size !== other.size) return false;
  const rest = new Map([...other].filter(([key]) => isObject(key) || !one.has(key)));
  for (const [key, value] of one) {
    if (!isObject(key) && other.has(key)) {
      if (!same(value, other.get(key), pairs)) return false;
      continue;
    }
    if (!isObject(key)) return false;
    const twin = [...rest].find(([candidate, item]) => same(key, candidate, pairs) && same(value, item, pairs));
    if (!twin) return false;
    rest.delete(twin[0]);
  }
  return true;
}

function sameProperties(one, other, kind, pairs) {
  const isListed = kind === 'list' || kind === 'typed';
  const keysOf = (value) => {
    const keys = enumerable(value);
    return kind === 'typed' ? keys.filter((key) => !isIndex(key)) : keys;
  };
  const keys = keysOf(one);
  if (keys.length !== keysOf(other).length) return false;
  return keys.every((key) => {
    if (!Object.prototype.propertyIsEnumerable.call(other, key) && !(isListed && Object.hasOwn(other, key))) return false;
    return same(one[key], other[key], pairs);
  });
}

/** `pairs` are objects that are being compared, so that circles end. */
function same(one, other, pairs) {
  if (one === other) return one !== 0 || Object.is(one, other);
  if (!isObject(one) || !isObject(other)) return typeof one !== 'object' && Object.is(one, other);
  if (Object.getPrototypeOf(one) !== Object.getPrototypeOf(other)) return false;
  if (Object.prototype.toString.call(one) !== Object.prototype.toString.call(other)) return false;
  const kind = kindOf(one);
  if (kind !== kindOf(other)) return false;
  if (pairs.some(([left, right]) => left === one && right === other)) return true;
  pairs.push([one, other]);
  const isSame = sameInside(kind, one, other, pairs) && sameProperties(one, other, kind, pairs);
  pairs.pop();
  return isSame;
}

export const isDeepStrictEqual = (one, other) => same(one, other, []);
