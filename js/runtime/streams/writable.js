// Streams that are written to, and what is read from one stream and written to another.
import { deferred, failed, hooksOf, isObject, nothing, promised, Queue, quiet, READABLE_LOCKED, refuse, sizeOf, strategyOf, WRITABLE_CLOSED, WRITABLE_LOCKED, WRITER_RELEASED } from 'dotdo:streams/base';

/** What can be written to. Its sink gets one chunk at a time. */
export class Writable {
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

/** What a stream of the standard is, inside. */
export let writableIn;

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
export function pipe(source, dest, { preventClose, preventAbort, preventCancel, signal }) {
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
