// Modules that are evaluated when they are first needed: most bundles need few of them, and each
// realm would begin later by their time.
import { host } from 'dotdo:host';

const loaded = new Map();

/** What a module of ours exports. */
export function load(module) {
  if (!loaded.has(module)) loaded.set(module, host.load(module));
  return loaded.get(module);
}

/** The names of Node's modules that are here. */
export const builtinModules = host.nodeModules;

/** A module of Node's, or `undefined` if it is not here. */
export function builtin(name) {
  return builtin.has(name) ? load(`node:${String(name).replace(/^node:/, '')}`).default : undefined;
}

builtin.has = (name) => builtinModules.includes(String(name).replace(/^node:/, ''));

export const bodies = () => load('dotdo:bodies');
export const clones = () => load('dotdo:clone');
export const cryptography = () => load('dotdo:web/crypto');
export const events = () => load('dotdo:events');
export const logs = () => load('dotdo:web/console');
export const rpc = () => load('dotdo:rpc');
export const sockets = () => load('dotdo:sockets');
export const streams = () => load('dotdo:streams');
export const subtle = () => load('dotdo:subtle');
export const timers = () => load('dotdo:timers');

const encodings = () => load('dotdo:web/encoding');
const performances = () => load('dotdo:web/performance');
const urls = () => load('dotdo:web/url');

/** A module of streams: what is one is known by the module of all of them. */
function loadStreams(module) {
  streams();
  return load(module);
}

export const forms = () => loadStreams('dotdo:forms');
export const digestStream = () => loadStreams('dotdo:crypto/stream');
export const messages = () => load('dotdo:messages');
export const patterns = () => load('dotdo:patterns');
export const compression = () => loadStreams('dotdo:compression');
export const performanceTimeline = () => load('node:perf_hooks').timeline;
export const entrypoints = () => load('dotdo:entrypoints');
export const lines = () => load('dotdo:lines');
export const bindings = () => load('dotdo:bindings');

/** Whether `value` is of this class of a module, which it can't be if that was not loaded. */
const isOf = (module, name, value) => loaded.has(module) && value instanceof loaded.get(module)[name];

export const isStream = (value) => isOf('dotdo:streams', 'ReadableStream', value);
export const isBlob = (value) => isOf('dotdo:forms', 'Blob', value);
export const isForm = (value) => isOf('dotdo:forms', 'FormData', value);
export const isParams = (value) => isOf('dotdo:web/url', 'URLSearchParams', value);

const STREAMS = [
  'ByteLengthQueuingStrategy', 'CountQueuingStrategy', 'FixedLengthStream', 'IdentityTransformStream', 'ReadableByteStreamController',
  'ReadableStream', 'ReadableStreamBYOBReader', 'ReadableStreamBYOBRequest', 'ReadableStreamDefaultController', 'ReadableStreamDefaultReader',
  'TextDecoderStream', 'TextEncoderStream', 'TransformStream', 'TransformStreamDefaultController', 'WritableStream',
  'WritableStreamDefaultController', 'WritableStreamDefaultWriter',
];

const EVENTS = ['AbortController', 'AbortSignal', 'CloseEvent', 'CustomEvent', 'ErrorEvent', 'Event', 'EventTarget', 'MessageEvent'];

const TIMERS = ['setTimeout', 'setInterval', 'setImmediate', 'clearTimeout', 'clearInterval', 'clearImmediate', 'scheduler'];

/** Names in the globals, and where they are. */
export const LAZY = new Map([
  ...['URL', 'URLSearchParams'].map((name) => [name, urls]), ...['TextEncoder', 'TextDecoder'].map((name) => [name, encodings]),
  ['console', logs], ['crypto', cryptography], ['performance', performances], ['structuredClone', clones],
  ...['WebSocket', 'WebSocketPair', 'WebSocketRequestResponsePair'].map((name) => [name, sockets]),
  ...EVENTS.map((name) => [name, events]), ...TIMERS.map((name) => [name, timers]),
  ...STREAMS.map((name) => [name, streams]), ...['Blob', 'File', 'FormData'].map((name) => [name, forms]), ['CryptoKey', subtle],
  ...['CompressionStream', 'DecompressionStream'].map((name) => [name, compression]),
  ...['MessageChannel', 'MessagePort'].map((name) => [name, messages]), ['URLPattern', patterns],
  ['Buffer', () => builtin('node:buffer')], ['process', () => ({ process: builtin('node:process') })],
]);
