// Modules that are evaluated when they are first needed: most bundles need none of them, and each
// realm would begin later by their time.
import { host } from 'dotdo:host';

const loaded = new Map();

/** What a module of ours exports. */
export function load(module) {
  if (!loaded.has(module)) loaded.set(module, host.load(module));
  return loaded.get(module);
}

export const streams = () => load('dotdo:streams');
export const forms = () => load('dotdo:forms');
export const subtle = () => load('dotdo:subtle');
export const bindings = () => load('dotdo:bindings');

/** Whether `value` is of this class of a module, which it can't be if that was not loaded. */
const isOf = (module, name, value) => loaded.has(module) && value instanceof loaded.get(module)[name];

export const isStream = (value) => isOf('dotdo:streams', 'ReadableStream', value);
export const isBlob = (value) => isOf('dotdo:forms', 'Blob', value);
export const isForm = (value) => isOf('dotdo:forms', 'FormData', value);

const STREAMS = [
  'ByteLengthQueuingStrategy', 'CountQueuingStrategy', 'FixedLengthStream', 'IdentityTransformStream', 'ReadableByteStreamController',
  'ReadableStream', 'ReadableStreamBYOBReader', 'ReadableStreamBYOBRequest', 'ReadableStreamDefaultController', 'ReadableStreamDefaultReader',
  'TextDecoderStream', 'TextEncoderStream', 'TransformStream', 'TransformStreamDefaultController', 'WritableStream',
  'WritableStreamDefaultController', 'WritableStreamDefaultWriter',
];

/** Names in the globals, and where they are. */
export const LAZY = new Map([...STREAMS.map((name) => [name, streams]), ...['Blob', 'File', 'FormData'].map((name) => [name, forms]), ['CryptoKey', subtle]]);
