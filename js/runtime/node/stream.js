// `node:stream`, to the semantics of Node's documentation.
import { Buffer } from 'node:buffer';
import { promisify } from 'node:util';
import { destroy, getDefaultHighWaterMark, setDefaultHighWaterMark, Stream } from 'dotdo:node/stream/base';
import 'dotdo:node/stream/adapters';
import { Duplex, duplexPair, PassThrough, Transform } from 'dotdo:node/stream/duplex';
import { eos, finished as finishedPromise } from 'dotdo:node/stream/finished';
import { addAbortSignal, compose, pipeline, pipelinePromise } from 'dotdo:node/stream/pipeline';
import { Readable } from 'dotdo:node/stream/readable';
import { Writable } from 'dotdo:node/stream/writable';

const finished = Object.assign((...parameters) => eos(...parameters), { [promisify.custom]: finishedPromise });
Object.defineProperty(finished, 'name', { value: 'finished' });
pipeline[promisify.custom] = pipelinePromise;

const promises = { finished: finishedPromise, pipeline: pipelinePromise };

const isDestroyed = (it) => Boolean(it?.destroyed ?? (it?._writableState ?? it?._readableState)?.destroyed);
const isDisturbed = (it) => Boolean(it?.readableDidRead || it?.readableAborted || it?._readableState?.dataEmitted);
const isErrored = (it) => Boolean(it && (it.readableErrored || it.writableErrored || it._readableState?.errored || it._writableState?.errored || it._readableState?.errorEmitted || it._writableState?.errorEmitted));
const isReadable = (it) => (typeof it?.readable !== 'boolean' ? null : isDestroyed(it) ? false : it.readable && !it.readableEnded);
const isWritable = (it) => (typeof it?.writable !== 'boolean' ? null : isDestroyed(it) ? false : it.writable && !it.writableEnded);

Readable.prototype.compose = function composed(stream, options) {
  const whole = compose(this, stream);
  if (options?.signal) addAbortSignal(options.signal, whole);
  return whole;
};

Object.assign(Stream, {
  Stream, Readable, Writable, Duplex, Transform, PassThrough, pipeline, finished, addAbortSignal, compose, duplexPair, promises, destroy: (stream, error) => stream.destroy(error),
  getDefaultHighWaterMark, setDefaultHighWaterMark, isDestroyed, isDisturbed, isErrored, isReadable, isWritable,
  _isUint8Array: (value) => value instanceof Uint8Array,
  _uint8ArrayToBuffer: (value) => Buffer.from(value.buffer, value.byteOffset, value.byteLength),
});

export {
  addAbortSignal, compose, destroy, Duplex, duplexPair, finished, getDefaultHighWaterMark, isDestroyed, isDisturbed, isErrored, isReadable, isWritable,
  PassThrough, pipeline, promises, Readable, setDefaultHighWaterMark, Stream, Transform, Writable,
};
export default Stream;
