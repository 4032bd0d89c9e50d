// Streams that are read. The classes of the standard are doors: what a stream is and does is in
// `Readable`, which nobody outside gets hold of. Bytes are copied where the standard transfers a buffer.
import { view } from 'dotdo:host';
import { deferred, ELEMENT_CUT, failed, hooksOf, isObject, nothing, one, promised, Queue, quiet, READABLE_CLOSED, READABLE_LOCKED, READER_RELEASED, refuse, sizeOf, strategyOf, WRITABLE_LOCKED } from 'dotdo:streams/base';
import { pipe, writableIn } from 'dotdo:streams/writable';

/** What can be read. A read is a request with one of `chunk`, `close` and `error` to be called. */
export class Readable {
  state = 'readable';
  error;
  disturbed = false;
  /** What it is locked to: the promise of its end, and the requests that wait. */
  reader = null;
  queue = new Queue();
  /** It closes when its queue is empty. */
  closing = false;
  /** What a source of bytes was given to fill. */
  request = null;
  #source;
  #started = false;
  #pulling = false;
  #again = false;

  constructor(source) {
    this.#source = { pull: nothing, cancel: nothing, highWaterMark: 1, size: one, ...source };
  }

  begin(started) {
    Promise.resolve(started).then(() => { this.#started = true; this.pull(); }, (error) => this.fail(error));
    return this;
  }

  get isOpen() { return this.state === 'readable' && !this.closing; }

  get desiredSize() {
    if (this.state === 'errored') return null;
    return this.state === 'closed' ? 0 : this.#source.highWaterMark - this.queue.total;
  }

  get isWanting() { return this.isOpen && this.#started && (this.reader?.waiting.length > 0 || this.desiredSize > 0); }

  pull() {
    if (!this.isWanting) return;
    this.#again = this.#pulling;
    if (this.#pulling) return;
    this.#pulling = true;
    promised(() => this.#source.pull()).then(() => {
      const again = this.#again;
      this.#pulling = this.#again = false;
      if (again) this.pull();
    }, (error) => this.fail(error));
  }

  enqueue(chunk) {
    if (!this.isOpen) throw new TypeError(READABLE_CLOSED);
    if (this.reader?.waiting.length) {
      this.reader.waiting.shift().chunk(chunk);
    } else {
      try {
        this.queue.push(chunk, sizeOf(chunk, this.#source.size));
      } catch (error) {
        this.fail(error);
        throw error;
      }
    }
    this.pull();
  }

  close() {
    if (!this.isOpen) throw new TypeError(READABLE_CLOSED);
    this.closing = true;
    if (!this.queue.length) this.finish();
  }

  finish() {
    this.state = 'closed';
    this.reader?.closed.resolve();
    while (this.reader?.waiting.length) this.reader.waiting.shift().close();
  }

  fail(error) {
    if (this.state !== 'readable') return;
    this.#drop();
    this.state = 'errored';
    this.error = error;
    this.reader?.closed.reject(error);
    while (this.reader?.waiting.length) this.reader.waiting.shift().error(error);
  }

  cancel(reason) {
    this.disturbed = true;
    if (this.state === 'closed') return Promise.resolve();
    if (this.state === 'errored') return Promise.reject(this.error);
    this.finish();
    this.#drop();
    return promised(() => this.#source.cancel(reason)).then(nothing);
  }

  #drop() {
    this.queue.clear();
    this.request = null;
  }

  lock() {
    if (this.reader) throw new TypeError(READABLE_LOCKED);
    this.reader = { closed: quiet(), waiting: new Queue() };
    if (this.state === 'closed') this.reader.closed.resolve();
    if (this.state === 'errored') this.reader.closed.reject(this.error);
    return this.reader;
  }

  release() {
    const { reader } = this;
    const error = new TypeError(READER_RELEASED);
    this.reader = null;
    reader.closed = failed(reader.closed, error);
    while (reader.waiting.length) reader.waiting.shift().error(error);
  }

  read(request) {
    this.disturbed = true;
    if (this.state === 'closed') {
      request.close();
    } else if (this.state === 'errored') {
      request.error(this.error);
    } else if (this.reader.waiting.length || !this.has(request)) {
      const isFirst = !this.reader.waiting.length;
      this.reader.waiting.push(request);
      if (isFirst || !request.target) this.pull();
    } else {
      const chunk = this.take(request);
      if (this.closing && !this.queue.length) this.finish();
      else this.pull();
      request.chunk(chunk);
    }
  }

  has() { return this.queue.length > 0; }
  take() { return this.queue.shift(); }

  /** Two that each give what this one gives. */
  tee() {
    const reader = this.lock();
    const canceled = new Map();
    const end = deferred();
    let isReading = false;
    let again = false;
    const pull = () => {
      again = isReading;
      if (isReading) return;
      isReading = true;
      this.read({
        chunk: (chunk) => queueMicrotask(() => {
          again = false;
          for (const branch of branches) if (branch.isOpen) branch.enqueue(chunk);
          isReading = false;
          if (again) pull();
        }),
        close: () => {
          isReading = false;
          for (const branch of branches) if (branch.isOpen) branch.close();
          if (canceled.size < 2) end.resolve();
        },
        error: () => { isReading = false; },
      });
    };
    const cancel = (at) => (reason) => {
      canceled.set(at, reason);
      if (canceled.size === 2) end.resolve(this.cancel([canceled.get(0), canceled.get(1)]));
      return end.promise;
    };
    const highWaterMark = this instanceof ByteReadable ? 0 : 1;
    const branches = [0, 1].map((at) => new this.constructor({ pull, cancel: cancel(at), highWaterMark }));
    reader.closed.promise.catch((error) => {
      for (const branch of branches) branch.fail(error);
      if (canceled.size < 2) end.resolve();
    });
    return branches.map((branch) => branch.begin());
  }
}

/** One of bytes. A request may have a `target` to fill, with `min` bytes at least, in elements of `element` bytes. */
export class ByteReadable extends Readable {
  #allocated;

  constructor({ allocated, ...source }) {
    super(source);
    this.#allocated = allocated;
  }

  enqueue(chunk) {
    const bytes = view(chunk);
    if (!bytes?.length) throw new TypeError('expected at least one byte as a chunk of a stream of bytes');
    if (!this.isOpen) throw new TypeError(READABLE_CLOSED);
    this.request = null;
    // The source may use its buffer again.
    this.queue.push(bytes.slice(), bytes.length);
    this.#serve();
    this.pull();
  }

  close() {
    if (this.isOpen && this.queue.total % (this.reader?.waiting.first?.element ?? 1)) {
      this.fail(new TypeError(ELEMENT_CUT));
      throw this.error;
    }
    // A source may respond with 0 bytes after this.
    this.requested();
    super.close();
    this.#serve();
    if (this.state === 'readable' && !this.queue.length) this.finish();
  }

  #serve() {
    const waiting = this.reader?.waiting;
    while (waiting?.length && this.has(waiting.first)) {
      const request = waiting.shift();
      request.chunk(this.take(request));
    }
  }

  read(request) {
    if (this.closing && this.queue.total < (request.element ?? 1)) this.fail(new TypeError(ELEMENT_CUT));
    super.read(request);
  }

  has({ min = 1 }) { return this.queue.length > 0 && (this.closing || this.queue.total >= min); }

  /** A chunk; or the number of bytes that were put into the request's target. */
  take({ target, element }) {
    if (!target) return this.queue.shift();
    const size = Math.min(target.length, this.queue.total - (this.queue.total % element));
    for (let at = 0; at < size;) {
      const chunk = this.queue.shift();
      const part = chunk.subarray(0, size - at);
      target.set(part, at);
      at += part.length;
      if (part.length < chunk.length) this.queue.unshift(chunk.subarray(part.length), chunk.length - part.length);
    }
    return size;
  }

  /** What the source is to fill for the first request that waits. */
  requested() {
    const first = this.reader?.waiting.first;
    const size = first && (first.target?.length ?? this.#allocated) - this.queue.total;
    if (size) this.request ??= new ReadableStreamBYOBRequest(this, new Uint8Array(size));
    return this.request;
  }
}

function readableOf(source, strategy) {
  const { start, pull, cancel } = hooksOf(source, 'the source of a ReadableStream', ['start', 'pull', 'cancel']);
  const { type, autoAllocateChunkSize: allocated } = source;
  const isBytes = type !== undefined;
  if (isBytes && String(type) !== 'bytes') throw new TypeError(`expected "bytes" or nothing as type of the source of a ReadableStream, got ${type}`);
  if (allocated !== undefined && !(Number(allocated) >= 1)) throw new TypeError(`expected an autoAllocateChunkSize of 1 or more, got ${allocated}`);
  const hooks = { pull: () => pull(controller), cancel, ...strategyOf(strategy, isBytes ? 0 : 1) };
  const it = isBytes ? new ByteReadable({ ...hooks, allocated }) : new Readable(hooks);
  const controller = isBytes ? new ReadableByteStreamController(it) : new ReadableStreamDefaultController(it);
  return it.begin(start(controller));
}

/** What a stream of the standard is, inside. */
export let readableIn;
/** The reader whose stream it is. */
let heldBy;

/** A source of chunks. */
export class ReadableStream {
  #it;

  constructor(source = {}, strategy = {}) {
    this.#it = source instanceof Readable ? source : readableOf(source, strategy);
  }

  static {
    readableIn = (stream) => (isObject(stream) && #it in stream ? stream.#it : refuse('expected a ReadableStream'));
  }

  static from(iterable) {
    const iterate = iterable?.[Symbol.asyncIterator] ?? iterable?.[Symbol.iterator];
    if (typeof iterate !== 'function') throw new TypeError('expected an iterable or an async iterable');
    const iterator = iterate.call(iterable);
    if (!isObject(iterator)) throw new TypeError('expected an iterator from the iterable');
    const isAsync = iterate === iterable[Symbol.asyncIterator];
    const { next } = iterator;
    return new ReadableStream({
      async pull(controller) {
        const result = await next.call(iterator);
        if (!isObject(result)) throw new TypeError('expected an object from next() of the iterator');
        if (result.done) controller.close();
        else controller.enqueue(isAsync ? result.value : await result.value);
      },
      async cancel(reason) {
        const end = iterator.return;
        if (end === undefined || end === null) return;
        if (!isObject(await end.call(iterator, reason))) throw new TypeError('expected an object from return() of the iterator');
      },
    }, { highWaterMark: 0 });
  }

  get locked() { return this.#it.reader !== null; }
  cancel(reason) { return promised(() => (this.#it.reader ? refuse(READABLE_LOCKED) : this.#it.cancel(reason))); }

  getReader(options) {
    const mode = options?.mode;
    if (mode === undefined) return new ReadableStreamDefaultReader(this);
    if (String(mode) !== 'byob') throw new TypeError(`expected "byob" or nothing as mode of a reader, got ${mode}`);
    return new ReadableStreamBYOBReader(this);
  }

  tee() { return this.#it.tee().map((branch) => new ReadableStream(branch)); }
  pipeTo(writable, options) { return promised(() => pipe(this.#it, writableIn(writable), options ?? {})); }

  pipeThrough(pair, options) {
    const { readable, writable } = pair;
    readableIn(readable);
    if (this.#it.reader) throw new TypeError(READABLE_LOCKED);
    if (writableIn(writable).writer) throw new TypeError(WRITABLE_LOCKED);
    pipe(this.#it, writableIn(writable), options ?? {}).catch(nothing);
    return readable;
  }

  values(options) { return new Chunks(new ReadableStreamDefaultReader(this), Boolean(options?.preventCancel)); }
  [Symbol.asyncIterator](options) { return this.values(options); }
}

/** Iterates over the chunks of a stream. Its calls run one after the other. */
export class Chunks {
  #reader;
  #keeps;
  #last = null;
  #isEnded = false;

  constructor(reader, keeps) {
    this.#reader = reader;
    this.#keeps = keeps;
  }

  #after(work) {
    const result = this.#last ? this.#last.then(work, work) : work();
    const forget = () => {
      if (this.#last === result) this.#last = null;
    };
    this.#last = result;
    result.then(forget, forget);
    return result;
  }

  #end() {
    this.#isEnded = true;
    this.#reader.releaseLock();
  }

  next() {
    return this.#after(async () => {
      if (this.#isEnded) return { value: undefined, done: true };
      try {
        const result = await this.#reader.read();
        if (result.done) this.#end();
        return result;
      } catch (error) {
        this.#end();
        throw error;
      }
    });
  }

  return(value) {
    return this.#after(async () => {
      if (!this.#isEnded) {
        const canceled = this.#keeps ? undefined : this.#reader.cancel(value);
        this.#end();
        await canceled;
      }
      return { value, done: true };
    });
  }

  [Symbol.asyncIterator]() { return this; }
}

class Reader {
  #it;
  #reader;

  constructor(stream, kind) {
    this.#it = readableIn(stream);
    if (!(this.#it instanceof kind)) throw new TypeError('This ReadableStream does not support BYOB reads: its source has no type "bytes".');
    this.#reader = this.#it.lock();
  }

  static {
    heldBy = (reader) => reader.#it ?? refuse(READER_RELEASED);
  }

  get closed() { return this.#reader.closed.promise; }
  cancel(reason) { return promised(() => heldBy(this).cancel(reason)); }

  releaseLock() {
    this.#it?.release();
    this.#it = null;
  }
}

/** Reads the chunks of a stream. */
export class ReadableStreamDefaultReader extends Reader {
  constructor(stream) { super(stream, Readable); }

  read() {
    return new Promise((resolve, reject) => {
      heldBy(this).read({
        chunk: (value) => resolve({ value, done: false }),
        close: () => resolve({ value: undefined, done: true }),
        error: reject,
      });
    });
  }
}

/** Reads bytes into buffers that it is given. */
export class ReadableStreamBYOBReader extends Reader {
  constructor(stream) { super(stream, ByteReadable); }

  read(into, options) {
    return new Promise((resolve, reject) => {
      if (!ArrayBuffer.isView(into) || !into.byteLength) throw new TypeError('expected a view of at least one byte to read into');
      const { buffer, byteOffset, BYTES_PER_ELEMENT: element = 1, constructor: View } = into;
      const target = view(into);
      const min = Number(options?.min ?? 1) * element;
      if (!(min > 0)) throw new TypeError(`expected to read at least one element, got ${options.min}`);
      if (min > target.length) throw new RangeError(`expected to read at most the ${target.length / element} elements of the view, got ${options.min}`);
      heldBy(this).read({
        target,
        min,
        element,
        chunk: (size) => resolve({ value: new View(buffer, byteOffset, size / element), done: false }),
        close: () => resolve({ value: new View(buffer, byteOffset, 0), done: true }),
        error: reject,
      });
    });
  }

  readAtLeast(min, into) { return this.read(into, { min: Math.ceil(min / (into?.BYTES_PER_ELEMENT ?? 1)) }); }
}

class ReadableController {
  #it;

  constructor(it) { this.#it = it instanceof Readable ? it : refuse('Illegal constructor'); }
  get desiredSize() { return this.#it.desiredSize; }
  enqueue(chunk) { this.#it.enqueue(chunk); }
  close() { this.#it.close(); }
  error(error) { this.#it.fail(error); }
}

/** Gives chunks to a stream. */
export class ReadableStreamDefaultController extends ReadableController {}

/** Gives bytes to a stream. */
export class ReadableByteStreamController extends ReadableController {
  #it;

  constructor(it) { super(it); this.#it = it; }
  get byobRequest() { return this.#it.requested(); }
}

/** A buffer that a source of bytes may fill, instead of giving its own. */
export class ReadableStreamBYOBRequest {
  #it;
  #view;

  constructor(it, bytes) {
    this.#it = it instanceof ByteReadable ? it : refuse('Illegal constructor');
    this.#view = bytes;
  }

  get view() { return this.#it.request === this ? this.#view : null; }

  respond(count) {
    if (!(Number(count) >= 0 && Number(count) <= this.#view.length)) throw new RangeError(`expected at most ${this.#view.length} bytes, got ${count}`);
    this.respondWithNewView(this.#view.subarray(0, Number(count)));
  }

  respondWithNewView(bytes) {
    if (!this.view) throw new TypeError('This ReadableStreamBYOBRequest has been invalidated.');
    if (!ArrayBuffer.isView(bytes)) throw new TypeError('expected a view of bytes');
    if (bytes.byteLength > this.#view.length) throw new RangeError(`expected at most ${this.#view.length} bytes, got ${bytes.byteLength}`);
    if (this.#it.state === 'readable' || bytes.byteLength) this.#it.enqueue(bytes);
    this.#it.request = null;
  }
}
