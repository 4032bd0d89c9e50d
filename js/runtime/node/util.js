// The module `node:util`.
import { Buffer } from 'node:buffer';
import types from 'node:util/types';
import { builtin } from 'dotdo:lazy';
import { checkFunction, checkSignal, checkString, coded, invalidType, invalidValue, notImplemented } from 'dotdo:node/errors';
import { parseArgs } from 'dotdo:node/util/args';
import { isDeepStrictEqual } from 'dotdo:node/util/equal';
import { format, formatWithOptions } from 'dotdo:node/util/format';
import { inspect } from 'dotdo:node/util/inspect';
import { MIMEParams, MIMEType } from 'dotdo:node/util/mime';

const customPromisify = Symbol.for('nodejs.util.promisify.custom');

export function promisify(original) {
  checkFunction(original, 'original');
  const own = original[customPromisify];
  if (own) {
    checkFunction(own, 'util.promisify.custom');
    return Object.defineProperty(own, customPromisify, { value: own, configurable: true });
  }
  const promised = function (...values) {
    return new Promise((resolve, reject) => {
      Reflect.apply(original, this, [...values, (error, result) => (error ? reject(error) : resolve(result))]);
    });
  };
  Object.setPrototypeOf(promised, Object.getPrototypeOf(original));
  Object.defineProperty(promised, customPromisify, { value: promised, configurable: true });
  return Object.defineProperties(promised, Object.getOwnPropertyDescriptors(original));
}
promisify.custom = customPromisify;

export function callbackify(original) {
  checkFunction(original, 'original');
  const called = function (...values) {
    const callback = values.pop();
    checkFunction(callback, 'last argument');
    Reflect.apply(original, this, values).then(
      (result) => queueMicrotask(() => Reflect.apply(callback, this, [null, result])),
      (reason) => {
        const error = reason || coded(Error, 'ERR_FALSY_VALUE_REJECTION', 'Promise was rejected with falsy value', { reason });
        queueMicrotask(() => Reflect.apply(callback, this, [error]));
      },
    );
  };
  const about = Object.getOwnPropertyDescriptors(original);
  if (typeof about.length.value === 'number') about.length.value++;
  if (typeof about.name.value === 'string') about.name.value += 'Callbackified';
  return Object.defineProperties(called, about);
}

export function inherits(type, parent) {
  if (type === undefined || type === null) throw invalidType('ctor', 'function', type);
  if (parent === undefined || parent === null) throw invalidType('superCtor', 'function', parent);
  if (parent.prototype === undefined) throw invalidType('superCtor.prototype', 'object', parent.prototype);
  Object.defineProperty(type, 'super_', { value: parent, writable: true, configurable: true });
  Object.setPrototypeOf(type.prototype, parent.prototype);
}

const told = new Set();

export function deprecate(work, message, code) {
  let isTold = false;
  const deprecated = function (...values) {
    if (!isTold && !(code !== undefined && told.has(code))) {
      isTold = true;
      if (code !== undefined) told.add(code);
      console.warn(`${code === undefined ? '' : `[${code}] `}DeprecationWarning: ${message}`);
    }
    return new.target ? Reflect.construct(work, values, new.target) : Reflect.apply(work, this, values);
  };
  Object.setPrototypeOf(deprecated, work);
  if (work.prototype) deprecated.prototype = work.prototype;
  return deprecated;
}

/** Logs if the variable NODE_DEBUG names the section. */
export function debuglog(section, callback) {
  const name = String(section).toUpperCase();
  const log = (...values) => {
    if (log.enabled) console.error(`${name} 0: ${format(...values)}`);
  };
  Object.defineProperty(log, 'enabled', {
    get() {
      const wanted = builtin('node:process')?.env.NODE_DEBUG ?? '';
      return wanted.split(',').some((one) => one !== '' && new RegExp(`^${one.toUpperCase().split('*').map(RegExp.escape).join('.*')}$`).test(name));
    },
    enumerable: true,
    configurable: true,
  });
  callback?.(log);
  return log;
}
export const debug = debuglog;

export function stripVTControlCharacters(text) {
  checkString(text, 'str');
  return text.replace(/[\u001b\u009b][[\]()#;?]*(?:(?:(?:(?:;[-a-zA-Z\d/#&.:=?%@~_]+)*|[a-zA-Z\d]+(?:;[-a-zA-Z\d/#&.:=?%@~_]*)*)?(?:\u0007|\u001b\u005c|\u009c))|(?:(?:\d{1,4}(?:;\d{0,4})*)?[\dA-PR-TZcf-nq-uy=><~]))/g, '');
}

export function styleText(style, text, { validateStream = true, stream } = {}) {
  checkString(text, 'text');
  if (typeof validateStream !== 'boolean') throw invalidType('options.validateStream', 'boolean', validateStream);
  const isPlain = validateStream && !(stream ?? builtin('node:process').stdout).isTTY;
  let [begin, end] = ['', ''];
  for (const name of [style].flat()) {
    if (name === 'none') continue;
    const codes = inspect.colors[name];
    if (!codes) throw invalidValue('format', name, `must be one of: ${Object.keys(inspect.colors).map((one) => `'${one}'`).join(', ')}`);
    begin += `\u001b[${codes[0]}m`;
    end = `\u001b[${codes[1]}m${end}`;
  }
  return isPlain ? text : begin + text + end;
}

export const toUSVString = (text) => `${text}`.toWellFormed();

export function aborted(signal, resource) {
  if (signal === undefined) throw invalidType('signal', 'AbortSignal', signal);
  checkSignal(signal, 'signal');
  if (resource === null || typeof resource !== 'object') throw invalidType('resource', 'object', resource);
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

/** The lines NAME=value of a text. */
export function parseEnv(content) {
  checkString(content, 'content');
  const values = {};
  const line = /^\s*(?:export\s+)?([\w.-]+)\s*=\s*(?:'([^']*)'|"([^"]*)"|`([^`]*)`|([^\r\n#]*))/gm;
  for (const [, name, single, double, ticked, plain] of content.matchAll(line)) {
    values[name] = single ?? double?.replaceAll('\\n', '\n') ?? ticked ?? plain.trim();
  }
  return values;
}

export function _extend(target, source) {
  if (source === null || typeof source !== 'object') return target;
  return Object.assign(target, source);
}

export const log = (...values) => console.log(format(...values));
const absent = (name) => () => {
  throw notImplemented(name);
};
export const getSystemErrorMap = absent('util.getSystemErrorMap');
export const getSystemErrorName = absent('util.getSystemErrorName');
export const getSystemErrorMessage = absent('util.getSystemErrorMessage');
export const getCallSites = absent('util.getCallSites');
export const transferableAbortController = () => new AbortController();
export const transferableAbortSignal = (signal) => signal;

// What older programs ask a value with.
export const { isArray } = Array;
export const isBoolean = (value) => typeof value === 'boolean';
export const isBuffer = (value) => Buffer.isBuffer(value);
export const isDate = (value) => types.isDate(value);
export const isError = (value) => types.isNativeError(value) || value instanceof Error;
export const isFunction = (value) => typeof value === 'function';
export const isNull = (value) => value === null;
export const isNullOrUndefined = (value) => value === null || value === undefined;
export const isNumber = (value) => typeof value === 'number';
export const isObject = (value) => value !== null && typeof value === 'object';
export const isPrimitive = (value) => (typeof value !== 'object' && typeof value !== 'function') || value === null;
export const isRegExp = (value) => types.isRegExp(value);
export const isString = (value) => typeof value === 'string';
export const isSymbol = (value) => typeof value === 'symbol';
export const isUndefined = (value) => value === undefined;

const { TextDecoder, TextEncoder } = globalThis;
export { format, formatWithOptions, inspect, isDeepStrictEqual, MIMEParams, MIMEType, parseArgs, TextDecoder, TextEncoder, types };

export default {
  _extend, aborted, callbackify, debug, debuglog, deprecate, format, formatWithOptions, getCallSites, getSystemErrorMap, getSystemErrorMessage,
  getSystemErrorName, inherits, inspect, isArray, isBoolean, isBuffer, isDate, isDeepStrictEqual, isError, isFunction, isNull, isNullOrUndefined,
  isNumber, isObject, isPrimitive, isRegExp, isString, isSymbol, isUndefined, log, MIMEParams, MIMEType, parseArgs, parseEnv, promisify,
  stripVTControlCharacters, styleText, TextDecoder, TextEncoder, toUSVString, transferableAbortController, transferableAbortSignal, types,
};
