// Streams, as https://streams.spec.whatwg.org says, and those that Cloudflare adds. The classes of the
// standard are doors: what a stream is and does is in `Readable`, `Writable` and `Transform`, which
// nobody outside gets hold of. Bytes are copied where the standard transfers a buffer.
import { view } from 'dotdo:host';

const READER_RELEASED = 'This ReadableStream reader has been released.';
const WRITER_RELEASED = 'This WritableStream writer has been released.';
const READABLE_LOCKED = 'This ReadableStream is currently locked to a reader.';
const WRITABLE_LOCKED = 'This WritableStream is currently locked to a writer.';
const READABLE_CLOSED = 'This ReadableStream has been closed.';
const WRITABLE_CLOSED = 'This WritableStream has been closed.';
const ELEMENT_CUT = 'The stream ended within an element of the view that is read into.';

const nothing = () => {};
const one = () => 1;
const byteLength = (chunk) => chunk.byteLength;
const isObject = (value) => (typeof value === 'object' && value !== null) || typeof value === 'function';

function refuse(message) {
  throw new TypeError(message);
}

/** What `work` returns or throws, as a promise. */
function promised(work) {
  try {
    return Promise.resolve(work());
  } catch (error) {
    return Promise.reject(error);
  }
}

/** A promise with the functions that settle it. */
function deferred() {
  const it = { pending: true };
  it.promise = new Promise((resolve, reject) => {
    it.resolve = (value) => { it.pending = false; resolve(value); };
    it.reject = (error) => { it.pending = false; reject(error); };
  });
  return it;
}

/** One whose rejection nobody has to handle. */
function quiet() {
  const it = deferred();
  it.promise.catch(nothing);
  return it;
}

/** This one, rejected; or another one, if this one was settled before. */
function failed(it, error) {
  const next = it.pending ? it : quiet();
  next.reject(error);
  return next;
}

/** Values with sizes. Taking the first does not move the others. */
class Queue {
  #items = [];
  #at = 0;
  total = 0;

  get length() { return this.#items.length - this.#at; }
  get first() { return this.#items[this.#at]?.value; }

  push(value, size = 0) {
    this.#items.push({ value, size });
    this.total += size;
  }

  shift() {
    const { value, size } = this.#items[this.#at];
    this.#items[this.#at] = undefined;
    this.#at += 1;
    if (this.#at * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#at);
      this.#at = 0;
    }
    this.total = Math.max(0, this.total - size);
    return value;
  }

  unshift(value, size) {
    if (this.#at > 0) {
      this.#at -= 1;
      this.#items[this.#at] = { value, size };
    } else {
      this.#items.unshift({ value, size });
    }
    this.total += size;
  }

  clear() {
    this.#items = [];
    this.#at = 0;
    this.total = 0;
  }
}

function strategyOf(strategy, usual) {
  const { highWaterMark = usual, size = one } = strategy ?? {};
  if (!(Number(highWaterMark) >= 0)) throw new RangeError(`expected a highWaterMark of 0 or more, got ${highWaterMark}`);
  if (typeof size !== 'function') throw new TypeError(`expected a function as size of a strategy, got ${typeof size}`);
  return { highWaterMark: Number(highWaterMark), size };
}

function sizeOf(chunk, size) {
  const number = Number(size(chunk));
  if (!(number >= 0 && number < Infinity)) throw new RangeError(`expected a finite number of 0 or more as the size of a chunk, got ${number}`);
  return number;
}

/** The functions of a source, a sink or a transformer, to be called as its methods. */
function hooksOf(owner, what, names) {
  if (!isObject(owner)) throw new TypeError(`expected an object as ${what}, got ${owner === null ? 'null' : typeof owner}`);
  const hooks = {};
  for (const name of names) {
    const hook = owner[name];
    if (hook !== undefined && typeof hook !== 'function') throw new TypeError(`expected a function as ${name} of ${what}, got ${typeof hook}`);
    hooks[name] = hook === undefined ? nothing : (...values) => hook.apply(owner, values);
  }
  return hooks;
}

/** What can be read. A read is a request with one of `chunk`, `close` and `error` to be called. */
class Readable {
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
class ByteReadable extends Readable {
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

let readableIn;
let writableIn;
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
class Chunks {
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

/** What can be written to. Its sink gets one chunk at a time. */
class Writable {
  state = 'writable';
  error;
  /** What it is locked to: the promises of its end, and that it wants more. */
  writer = null;
  /** The request to close, until that is done. */
  closing = null;
  #sink;
  #queue = new Queue();
  #isFull;
  #isStarted = false;
  #isBusy = false;
  #aborting = null;
  #aborted = null;
  #aborter = null;

  constructor(sink) {
    this.#sink = sink;
    this.#isFull = this.desiredSize <= 0;
  }

  begin(started) {
    Promise.resolve(started).then(
      () => { this.#isStarted = true; this.#advance(); },
      (error) => { this.#isStarted = true; this.#reject(error); },
    );
    return this;
  }

  get desiredSize() {
    if (this.state === 'errored' || this.state === 'erroring') return null;
    return this.state === 'closed' ? 0 : this.#sink.highWaterMark - this.#queue.total;
  }

  /** It is only made if it is asked for. */
  get signal() {
    if (!this.#aborter && globalThis.AbortController) {
      this.#aborter = new globalThis.AbortController();
      if (this.#aborted) this.#aborter.abort(this.#aborted.reason);
    }
    return this.#aborter?.signal;
  }

  lock() {
    if (this.writer) throw new TypeError(WRITABLE_LOCKED);
    const writer = { closed: quiet(), ready: quiet() };
    if (this.state === 'erroring' || this.state === 'errored') writer.ready.reject(this.error);
    else if (this.state === 'closed' || this.closing || !this.#isFull) writer.ready.resolve();
    if (this.state === 'closed') writer.closed.resolve();
    if (this.state === 'errored') writer.closed.reject(this.error);
    this.writer = writer;
    return writer;
  }

  release() {
    const { writer } = this;
    const error = new TypeError(WRITER_RELEASED);
    writer.ready = failed(writer.ready, error);
    writer.closed = failed(writer.closed, error);
    this.writer = null;
  }

  write(chunk) {
    const { writer } = this;
    let size;
    try {
      size = sizeOf(chunk, this.#sink.size);
    } catch (error) {
      this.fail(error);
    }
    // The function of the size may have done anything.
    if (this.writer !== writer) return Promise.reject(new TypeError(WRITER_RELEASED));
    if (this.state === 'errored') return Promise.reject(this.error);
    if (this.state === 'closed' || this.closing) return Promise.reject(new TypeError(WRITABLE_CLOSED));
    if (this.state === 'erroring') return Promise.reject(this.error);
    const request = deferred();
    this.#queue.push({ request, chunk }, size);
    this.#measure();
    this.#advance();
    return request.promise;
  }

  close() {
    if (this.state === 'closed' || this.state === 'errored' || this.closing) return Promise.reject(new TypeError(WRITABLE_CLOSED));
    const request = deferred();
    this.closing = request;
    if (this.state === 'writable') this.writer?.ready.resolve();
    this.#queue.push({ request });
    this.#advance();
    return request.promise;
  }

  abort(reason) {
    if (this.state === 'closed' || this.state === 'errored') return Promise.resolve();
    this.#aborted ??= { reason };
    this.#aborter?.abort(reason);
    // Who listens to the signal may have done anything.
    if (this.state === 'closed' || this.state === 'errored') return Promise.resolve();
    if (this.#aborting) return this.#aborting.request.promise;
    const request = deferred();
    this.#aborting = { request, reason, isLate: this.state === 'erroring' };
    this.fail(reason);
    return request.promise;
  }

  /** From now on it takes nothing; it ends when what the sink does is done. */
  fail(error) {
    if (this.state !== 'writable') return;
    this.state = 'erroring';
    this.error = error;
    if (this.writer) this.writer.ready = failed(this.writer.ready, error);
    if (!this.#isBusy && this.#isStarted) this.#fall();
  }

  #fall() {
    this.state = 'errored';
    for (; this.#queue.length; this.#queue.shift()) {
      const { request } = this.#queue.first;
      if (request !== this.closing) request.reject(this.error);
    }
    const end = () => {
      this.closing?.reject(this.error);
      this.closing = null;
      this.writer?.closed.reject(this.error);
    };
    const aborting = this.#aborting;
    this.#aborting = null;
    if (aborting?.isLate) aborting.request.reject(this.error);
    if (!aborting || aborting.isLate) return end();
    promised(() => this.#sink.abort(aborting.reason)).then(aborting.request.resolve, aborting.request.reject).then(end);
  }

  /** Something of the sink has failed. */
  #reject(error) {
    if (this.state === 'writable') this.fail(error);
    else this.#fall();
  }

  #measure() {
    if (this.closing || this.state !== 'writable') return;
    const isFull = this.desiredSize <= 0;
    if (this.writer && isFull !== this.#isFull) {
      if (isFull) this.writer.ready = quiet();
      else this.writer.ready.resolve();
    }
    this.#isFull = isFull;
  }

  #advance() {
    if (!this.#isStarted || this.#isBusy) return;
    if (this.state === 'erroring') return this.#fall();
    if (!this.#queue.length) return;
    this.#isBusy = true;
    const { request, chunk } = this.#queue.first;
    if (request === this.closing) this.#finish();
    else this.#put(request, chunk);
  }

  #put(request, chunk) {
    promised(() => this.#sink.write(chunk)).then(
      () => {
        this.#isBusy = false;
        request.resolve();
        this.#queue.shift();
        this.#measure();
        this.#advance();
      },
      (error) => {
        this.#isBusy = false;
        request.reject(error);
        this.#reject(error);
      },
    );
  }

  #finish() {
    this.#queue.shift();
    const settle = (how, error) => {
      this.#isBusy = false;
      this.closing[how](error);
      this.#aborting?.request[how](error);
      this.closing = this.#aborting = null;
    };
    promised(() => this.#sink.close()).then(
      () => {
        settle('resolve');
        this.state = 'closed';
        this.error = undefined;
        this.writer?.closed.resolve();
      },
      (error) => {
        settle('reject', error);
        this.#reject(error);
      },
    );
  }
}

function writableOf(sink, strategy) {
  const { start, write, close, abort } = hooksOf(sink, 'the sink of a WritableStream', ['start', 'write', 'close', 'abort']);
  if (sink.type !== undefined) throw new RangeError(`expected no type of the sink of a WritableStream, got ${sink.type}`);
  const it = new Writable({ write: (chunk) => write(chunk, controller), close, abort, ...strategyOf(strategy, 1) });
  const controller = new WritableStreamDefaultController(it);
  return it.begin(start(controller));
}

/** Where chunks go to. */
export class WritableStream {
  #it;

  constructor(sink = {}, strategy = {}) {
    this.#it = sink instanceof Writable ? sink : writableOf(sink, strategy);
  }

  static {
    writableIn = (stream) => (isObject(stream) && #it in stream ? stream.#it : refuse('expected a WritableStream'));
  }

  #free() { return this.#it.writer ? refuse(WRITABLE_LOCKED) : this.#it; }
  get locked() { return this.#it.writer !== null; }
  abort(reason) { return promised(() => this.#free().abort(reason)); }
  close() { return promised(() => this.#free().close()); }
  getWriter() { return new WritableStreamDefaultWriter(this); }
}

/** Writes chunks to a stream. */
export class WritableStreamDefaultWriter {
  #it;
  #writer;

  constructor(stream) {
    this.#it = writableIn(stream);
    this.#writer = this.#it.lock();
  }

  #held() { return this.#it ?? refuse(WRITER_RELEASED); }
  get closed() { return this.#writer.closed.promise; }
  get ready() { return this.#writer.ready.promise; }
  get desiredSize() { return this.#held().desiredSize; }
  write(chunk) { return promised(() => this.#held().write(chunk)); }
  close() { return promised(() => this.#held().close()); }
  abort(reason) { return promised(() => this.#held().abort(reason)); }

  releaseLock() {
    this.#it?.release();
    this.#it = null;
  }
}

/** What a sink may do with its stream. */
export class WritableStreamDefaultController {
  #it;

  constructor(it) { this.#it = it instanceof Writable ? it : refuse('Illegal constructor'); }
  get signal() { return this.#it.signal; }
  error(error) { this.#it.fail(error); }
}

/** Writes to `dest` what `source` gives, until one of them ends. */
function pipe(source, dest, { preventClose, preventAbort, preventCancel, signal }) {
  if (signal !== undefined && typeof signal?.addEventListener !== 'function') throw new TypeError('expected an AbortSignal as signal');
  if (source.reader) throw new TypeError(READABLE_LOCKED);
  if (dest.writer) throw new TypeError(WRITABLE_LOCKED);
  const reader = source.lock();
  const writer = dest.lock();
  const result = deferred();
  let written;
  let isEnding = false;
  source.disturbed = true;

  const end = async (work, failure) => {
    if (isEnding) return;
    isEnding = true;
    if (dest.state === 'writable' && !dest.closing) {
      for (let last = null; last !== written;) {
        last = written;
        await last;
      }
    }
    try {
      if (work) await work();
    } catch (error) {
      failure = { error };
    }
    dest.release();
    source.release();
    signal?.removeEventListener('abort', stop);
    if (failure) result.reject(failure.error);
    else result.resolve();
  };
  const close = () => {
    if (dest.state === 'errored') throw dest.error;
    if (dest.state !== 'closed' && !dest.closing) return dest.close();
  };
  const sourceClosed = () => end(preventClose ? undefined : close);
  const sourceFailed = (error) => end(preventAbort ? undefined : () => dest.abort(error), { error });
  const destFailed = (error) => end(preventCancel ? undefined : () => source.cancel(error), { error });
  const stop = () => {
    const error = signal.reason;
    const work = [];
    if (!preventAbort && dest.state === 'writable') work.push(() => dest.abort(error));
    if (!preventCancel && source.state === 'readable') work.push(() => source.cancel(error));
    end(() => Promise.all(work.map((begin) => begin())), { error });
  };

  if (signal?.aborted) stop();
  else signal?.addEventListener('abort', stop);
  if (source.state === 'errored') sourceFailed(source.error);
  else if (dest.state === 'errored') destFailed(dest.error);
  else if (source.state === 'closed') sourceClosed();
  else if (dest.state === 'closed' || dest.closing) destFailed(new TypeError(WRITABLE_CLOSED));
  reader.closed.promise.then(sourceClosed, sourceFailed);
  writer.closed.promise.catch(destFailed);

  const run = async () => {
    while (!isEnding) {
      await writer.ready.promise;
      if (isEnding) return;
      await new Promise((resolve, reject) => source.read({
        chunk: (chunk) => {
          written = dest.write(chunk).catch(nothing);
          resolve();
        },
        close: reject,
        error: reject,
      }));
    }
  };
  run().catch(nothing);
  return result.promise;
}

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

/** Passes bytes on, if they are not more than `left`, nor fewer at the end. */
function bytesThrough(strategy, left) {
  const it = new Transform({
    transform(chunk) {
      const bytes = bytesOf(chunk);
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

/** Whether somebody has read from the stream or has canceled it. */
export const isDisturbed = (stream) => readableIn(stream).disturbed;

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
