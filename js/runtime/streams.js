// Streams, as https://streams.spec.whatwg.org says, and those that Cloudflare adds: those that read what
// was written to them are here.
import { encodeUtf8, view } from 'dotdo:host';
import { byteLength, deferred, failed, hooksOf, nothing, one, promised, READABLE_CLOSED, refuse, strategyOf } from 'dotdo:streams/base';
import { ByteReadable, Readable, ReadableByteStreamController, readableIn, ReadableStream, ReadableStreamBYOBReader, ReadableStreamBYOBRequest, ReadableStreamDefaultController, ReadableStreamDefaultReader } from 'dotdo:streams/readable';
import { Writable, WritableStream, WritableStreamDefaultController, WritableStreamDefaultWriter } from 'dotdo:streams/writable';

export { ReadableByteStreamController, ReadableStream, ReadableStreamBYOBReader, ReadableStreamBYOBRequest, ReadableStreamDefaultController, ReadableStreamDefaultReader } from 'dotdo:streams/readable';
export { WritableStream, WritableStreamDefaultController, WritableStreamDefaultWriter } from 'dotdo:streams/writable';

/** Two ends: what is written to one is transformed, and read from the other. */
class Transform {
  #isFull = true;
  #changed = deferred();
  #ended = null;
  #transform;

  constructor({ transform, flush, cancel = nothing }, writable, readable, Kind = Readable) {
    this.#transform = transform;
    const failReadable = (error) => this.readable.fail(error);
    const failWritable = (error) => this.#failWritable(error);
    this.readable = new Kind({
      pull: () => {
        this.#turn(false);
        return this.#changed.promise;
      },
      cancel: (reason) => this.#end('writable', () => cancel(reason), () => failWritable(reason), failWritable),
      ...readable,
    });
    this.writable = new Writable({
      write: (chunk) => this.#write(chunk),
      close: () => this.#end('readable', flush, () => this.#closeReadable(), failReadable),
      abort: (reason) => this.#end('readable', () => cancel(reason), () => failReadable(reason), failReadable),
      ...writable,
    });
  }

  begin(started) {
    this.writable.begin(started);
    this.readable.begin(started);
    return this;
  }

  #turn(isFull) {
    this.#isFull = isFull;
    this.#changed.resolve();
    this.#changed = deferred();
  }

  async #write(chunk) {
    if (this.#isFull) {
      await this.#changed.promise;
      if (this.writable.state === 'erroring') throw this.writable.error;
    }
    try {
      await promised(() => this.#transform(chunk));
    } catch (error) {
      this.fail(error);
      throw error;
    }
  }

  /** It ends once, by whichever side comes first; `done` is for the other side, if that has not failed. */
  #end(other, work, done, failed) {
    if (this.#ended) return this.#ended.promise;
    this.#ended = deferred();
    promised(work).then(() => {
      if (this[other].state === 'errored') throw this[other].error;
      done();
    }).then(this.#ended.resolve, (error) => {
      failed(error);
      this.#ended.reject(error);
    });
    return this.#ended.promise;
  }

  #failWritable(error) {
    this.writable.fail(error);
    if (this.#isFull) this.#turn(false);
  }

  #closeReadable() { if (this.readable.isOpen) this.readable.close(); }

  enqueue(chunk) {
    if (!this.readable.isOpen) throw new TypeError(READABLE_CLOSED);
    try {
      this.readable.enqueue(chunk);
    } catch (error) {
      this.#failWritable(error);
      throw error;
    }
    if (!this.readable.isWanting && !this.#isFull) this.#turn(true);
  }

  fail(error) {
    this.readable.fail(error);
    this.#failWritable(error);
  }

  terminate() {
    this.#closeReadable();
    this.#failWritable(new TypeError('This TransformStream has been terminated.'));
  }
}

function transformOf(transformer, writableStrategy, readableStrategy) {
  const { start, transform, flush, cancel } = hooksOf(transformer, 'a transformer', ['start', 'transform', 'flush', 'cancel']);
  const { readableType, writableType } = transformer;
  if (readableType !== undefined || writableType !== undefined) throw new RangeError('expected no types of the sides of a TransformStream');
  const it = new Transform({
    transform: transform === nothing ? (chunk) => it.enqueue(chunk) : (chunk) => transform(chunk, controller),
    flush: () => flush(controller),
    cancel,
  }, strategyOf(writableStrategy, 1), strategyOf(readableStrategy, 0));
  const controller = new TransformStreamDefaultController(it);
  return it.begin(start(controller));
}

/** Transforms chunks on their way from its writable side to its readable one. */
export class TransformStream {
  #readable;
  #writable;

  constructor(transformer = {}, writableStrategy = {}, readableStrategy = {}) {
    const it = transformer instanceof Transform ? transformer : transformOf(transformer, writableStrategy, readableStrategy);
    this.#readable = new ReadableStream(it.readable);
    this.#writable = new WritableStream(it.writable);
  }

  get readable() { return this.#readable; }
  get writable() { return this.#writable; }
}

/** What a transformer may do with its stream. */
export class TransformStreamDefaultController {
  #it;

  constructor(it) { this.#it = it instanceof Transform ? it : refuse('Illegal constructor'); }
  get desiredSize() { return this.#it.readable.desiredSize; }
  enqueue(chunk) { this.#it.enqueue(chunk); }
  error(error) { this.#it.fail(error); }
  terminate() { this.#it.terminate(); }
}

function bytesOf(chunk) {
  const bytes = view(chunk);
  if (!bytes) throw new TypeError(`expected bytes (an ArrayBuffer or a view of one) as a chunk, got ${typeof chunk === 'string' ? 'a string: encode it by TextEncoder' : typeof chunk}`);
  return bytes;
}

/** Passes bytes on, and texts as UTF-8, if they are not more than `left`, nor fewer at the end. */
function bytesThrough(strategy, left) {
  const it = new Transform({
    transform(chunk) {
      const bytes = typeof chunk === 'string' ? encodeUtf8(chunk) : bytesOf(chunk);
      if (bytes.length > left) throw new TypeError('Attempt to write too many bytes through a FixedLengthStream.');
      left -= bytes.length;
      if (bytes.length) it.enqueue(bytes);
    },
    flush() {
      if (left > 0 && left < Infinity) throw new TypeError('FixedLengthStream did not see all expected bytes before close().');
    },
  }, strategyOf(strategy, 1), { highWaterMark: 0 }, ByteReadable);
  return it.begin();
}

/** Passes bytes on. */
export class IdentityTransformStream extends TransformStream {
  constructor(strategy = {}) {
    super(strategy instanceof Transform ? strategy : bytesThrough(strategy, Infinity));
  }
}

/** Passes bytes on, of which the number is known before. */
export class FixedLengthStream extends IdentityTransformStream {
  constructor(expectedLength, strategy = {}) {
    const length = Number(expectedLength);
    if (!Number.isSafeInteger(length) || length < 0) throw new TypeError(`expected the number of bytes of a FixedLengthStream, got ${expectedLength}`);
    super(bytesThrough(strategy, length));
  }
}

/** From text to bytes in UTF-8. */
export class TextEncoderStream extends TransformStream {
  constructor() {
    // The first half of a pair of surrogates, whose other half is in the next chunk.
    let half = '';
    super({
      transform(chunk, controller) {
        const text = `${half}${chunk}`;
        half = /[\ud800-\udbff]$/.test(text) ? text.slice(-1) : '';
        if (text.length > half.length) controller.enqueue(new globalThis.TextEncoder().encode(text.slice(0, text.length - half.length)));
      },
      flush(controller) {
        if (half) controller.enqueue(new globalThis.TextEncoder().encode(half));
      },
    });
  }

  get encoding() { return 'utf-8'; }
}

/** From bytes to text; a character may be in several chunks. */
export class TextDecoderStream extends TransformStream {
  #decoder;

  constructor(label = 'utf-8', options = {}) {
    const decoder = new globalThis.TextDecoder(label, options ?? {});
    const give = (text, controller) => {
      if (text) controller.enqueue(text);
    };
    super({
      transform: (chunk, controller) => give(decoder.decode(bytesOf(chunk), { stream: true }), controller),
      flush: (controller) => give(decoder.decode(), controller),
    });
    this.#decoder = decoder;
  }

  get encoding() { return this.#decoder.encoding; }
  get fatal() { return this.#decoder.fatal; }
  get ignoreBOM() { return this.#decoder.ignoreBOM; }
}

class Strategy {
  #highWaterMark;

  constructor(init) {
    if (init?.highWaterMark === undefined) throw new TypeError('expected a highWaterMark');
    this.#highWaterMark = Number(init.highWaterMark);
  }

  get highWaterMark() { return this.#highWaterMark; }
}

/** Every chunk counts 1. */
export class CountQueuingStrategy extends Strategy {
  get size() { return one; }
}

/** Chunks count by their bytes. */
export class ByteLengthQueuingStrategy extends Strategy {
  get size() { return byteLength; }
}

/** A stream of these bytes, which are not copied. */
export function streamOf(bytes) {
  const it = new ByteReadable({ highWaterMark: 0 }).begin();
  if (bytes.length) it.queue.push(bytes, bytes.length);
  it.close();
  return new ReadableStream(it);
}

/** A stream of bytes that `pull` gets by `enqueue` and `close` of what it is given, when somebody reads. */
export function streamBy({ pull, cancel }) {
  const it = new ByteReadable({ highWaterMark: 0, pull: () => pull(it), cancel });
  return new ReadableStream(it.begin());
}

/** Whether somebody has read from the stream or has canceled it. */
export const isDisturbed = (stream) => readableIn(stream).disturbed;

/** How many bytes of a stream are read at once: a quarter of a realm's memory. */
const READ_MAX = 32 * 1024 * 1024;

/** All bytes of a stream, which stays locked. */
export async function readAll(stream) {
  const reader = new ReadableStreamDefaultReader(stream);
  const parts = [];
  let length = 0;
  for (let result = await reader.read(); !result.done; result = await reader.read()) {
    try {
      parts.push(bytesOf(result.value).slice());
    } catch (error) {
      reader.cancel(error).catch(nothing);
      throw error;
    }
    length += parts.at(-1).length;
    if (length > READ_MAX) {
      const error = new RangeError(`expected a body of at most ${READ_MAX} bytes to be read at once, got more: read its stream`);
      reader.cancel(error).catch(nothing);
      throw error;
    }
  }
  if (parts.length === 1) return parts[0];
  const all = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

for (const type of [
  ReadableStream, ReadableStreamDefaultReader, ReadableStreamBYOBReader, ReadableStreamDefaultController, ReadableByteStreamController,
  ReadableStreamBYOBRequest, WritableStream, WritableStreamDefaultWriter, WritableStreamDefaultController, TransformStream,
  TransformStreamDefaultController, IdentityTransformStream, FixedLengthStream, TextEncoderStream, TextDecoderStream,
  CountQueuingStrategy, ByteLengthQueuingStrategy,
]) {
  Object.defineProperty(type.prototype, Symbol.toStringTag, { value: type.name, configurable: true });
}
