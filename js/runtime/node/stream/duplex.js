// Streams with two sides: `Duplex`, and `Transform`, which makes what is read of what is written.
import { invalidType } from 'dotdo:node/errors';
import { destroy, errors, isIterable, isNodeStream, nextTick, Stream } from 'dotdo:node/stream/base';
import { beginReadable, Readable, takeReadHooks } from 'dotdo:node/stream/readable';
import { ReadableState } from 'dotdo:node/stream/reading';
import { from } from 'dotdo:node/stream/from';
import { eos } from 'dotdo:node/stream/finished';
import { beginWritable, dropWaiting, takeHooks, writableFields, writableMethods, WritableState } from 'dotdo:node/stream/writable';

export function Duplex(options) {
  if (!(this instanceof Duplex)) return new Duplex(options);
  this._readableState = new ReadableState(options, true);
  this._writableState = new WritableState(options, true);
  this.allowHalfOpen = options?.allowHalfOpen !== false;
  if (options?.readable === false) Object.assign(this._readableState, { readable: false, ended: true, endEmitted: true });
  if (options?.writable === false) Object.assign(this._writableState, { writable: false, ending: true, ended: true, finished: true });
  takeHooks(this, options);
  takeReadHooks(this, options);
  Stream.call(this, options);
  beginReadable(this);
  beginWritable(this);
}
Object.setPrototypeOf(Duplex.prototype, Readable.prototype);
Object.setPrototypeOf(Duplex, Readable);
Object.assign(Duplex.prototype, writableMethods, {
  _writev: null,
  destroy(error, callback) {
    dropWaiting(this._writableState);
    return destroy.call(this, error, callback);
  },
});
const { closed: _, errored: __, destroyed: ___, ...fields } = writableFields;
Object.defineProperties(Duplex.prototype, {
  ...fields,
  destroyed: {
    get() { return Boolean(this._readableState && this._writableState && this._readableState.destroyed && this._writableState.destroyed); },
    set(value) {
      if (!this._readableState || !this._writableState) return;
      this._readableState.destroyed = value;
      this._writableState.destroyed = value;
    },
    configurable: true,
  },
});

/** A stream of what is given: an iterable, a function of one, a promise, or a pair of sides. */
Duplex.from = (source) => {
  if (source instanceof Duplex) return source;
  if (isNodeStream(source)) return joined(source._readableState && source.readable !== false ? source : null, source._writableState && source.writable !== false ? source : null);
  if (typeof source === 'function') return ofFunction(source);
  if (typeof source?.then === 'function') return ofPromise(source);
  if (source?.readable || source?.writable) {
    return joined(source.readable && (isNodeStream(source.readable) ? source.readable : Readable.fromWeb?.(source.readable)), source.writable);
  }
  if (isIterable(source)) return from(Duplex, source, { writable: false });
  throw invalidType('body', ['ReadableStream', 'WritableStream', 'Stream', 'Iterable', 'AsyncIterable', 'Function', 'Promise'], source);
};

const ofPromise = (promise) => from(Duplex, (async function* values() {
  const value = await promise;
  if (value !== null && value !== undefined) yield value;
})(), { writable: false });

/** What is written goes to the function as an iterable; what it gives is read. */
function ofFunction(work) {
  const waiting = [];
  let wake = null;
  const take = () => new Promise((resolve) => {
    wake = resolve;
    if (waiting.length) wake(waiting.shift());
  });
  const give = (entry) => {
    if (wake) wake(entry);
    else waiting.push(entry);
    wake = null;
  };
  async function* written() {
    for (;;) {
      const entry = waiting.length ? waiting.shift() : await take();
      wake = null;
      nextTick(entry.done);
      if (entry.isEnd) return;
      yield entry.chunk;
    }
  }
  const result = work(written(), {});
  const hooks = {
    writable: true,
    write: (chunk, encoding, done) => give({ chunk, done }),
    final: (done) => give({ isEnd: true, done }),
  };
  if (isIterable(result)) return Object.assign(from(Duplex, result, { objectMode: true, ...hooks }), {});
  if (typeof result?.then !== 'function') throw invalidType('return value', ['Iterable', 'AsyncIterable', 'Promise'], result);
  const stream = new Duplex({ objectMode: true, readable: false, ...hooks });
  result.then((value) => {
    if (value !== null && value !== undefined) throw errors.nullValues();
  }).catch((error) => stream.destroy(error));
  return stream;
}

/** Two sides as one stream. */
export function joined(readable, writable) {
  const stream = new Duplex({
    readableObjectMode: Boolean(readable?.readableObjectMode), writableObjectMode: Boolean(writable?.writableObjectMode), readable: Boolean(readable), writable: Boolean(writable),
    write: writable && ((chunk, encoding, done) => {
      if (writable.write(chunk, encoding)) done();
      else writable.once('drain', done);
    }),
    final: writable && ((done) => {
      writable.end();
      eos(writable, { readable: false }, done);
    }),
    read: readable && (() => {
      for (let chunk = readable.read(); chunk !== null; chunk = readable.read()) {
        if (!stream.push(chunk)) return;
      }
    }),
    destroy(error, done) {
      for (const side of [readable, writable]) side?.destroy?.(error ?? undefined);
      done(error);
    },
  });
  if (readable) {
    readable.on('readable', () => stream._read());
    readable.on('end', () => stream.push(null));
  }
  for (const side of new Set([readable, writable])) side?.on('error', (error) => stream.destroy(error));
  return stream;
}

const CALLBACK = Symbol('callback');

function flushed(callback) {
  const end = (error, data) => {
    if (error) {
      if (callback) callback(error);
      else this.destroy(error);
      return;
    }
    if (data !== null && data !== undefined) this.push(data);
    this.push(null);
    callback?.();
  };
  if (typeof this._flush === 'function' && !this.destroyed) this._flush(end);
  else end();
}

export function Transform(options) {
  if (!(this instanceof Transform)) return new Transform(options);
  const readableSize = options?.readableHighWaterMark;
  // Without a size of its own nothing is kept on the readable side that the other side could keep.
  const sized = readableSize === 0 ? { ...options, highWaterMark: null, readableHighWaterMark: 0, writableHighWaterMark: options.writableHighWaterMark || 0 } : options;
  Duplex.call(this, sized);
  this._readableState.sync = false;
  this[CALLBACK] = null;
  if (typeof options?.transform === 'function') this._transform = options.transform;
  if (typeof options?.flush === 'function') this._flush = options.flush;
  this.on('prefinish', () => {
    if (this._final !== Transform.prototype._final) flushed.call(this);
  });
}
Object.setPrototypeOf(Transform.prototype, Duplex.prototype);
Object.setPrototypeOf(Transform, Duplex);
Object.assign(Transform.prototype, {
  _final: flushed,
  _transform() {
    throw errors.notImplemented('_transform()');
  },
  _write(chunk, encoding, callback) {
    const [r, w] = [this._readableState, this._writableState];
    const { length } = r;
    this._transform(chunk, encoding, (error, value) => {
      if (error) {
        callback(error);
        return;
      }
      if (value !== null && value !== undefined) this.push(value);
      if (w.ended || length === r.length || r.length < r.highWaterMark) callback();
      else this[CALLBACK] = callback;
    });
  },
  _read() {
    const callback = this[CALLBACK];
    this[CALLBACK] = null;
    callback?.();
  },
});

export function PassThrough(options) {
  if (!(this instanceof PassThrough)) return new PassThrough(options);
  Transform.call(this, options);
}
Object.setPrototypeOf(PassThrough.prototype, Transform.prototype);
Object.setPrototypeOf(PassThrough, Transform);
PassThrough.prototype._transform = function pass(chunk, encoding, callback) {
  callback(null, chunk);
};



const OTHER = Symbol('other');

/** Two streams, of which each reads what is written to the other. */
export function duplexPair(options) {
  const one = () => new Duplex({
    ...options,
    read() {
      const callback = this[CALLBACK];
      this[CALLBACK] = null;
      callback?.();
    },
    write(chunk, encoding, callback) {
      const other = this[OTHER];
      if (chunk.length === 0) {
        nextTick(callback);
        return;
      }
      other.push(chunk);
      other[CALLBACK] = callback;
    },
    final(callback) {
      this[OTHER].on('end', callback);
      this[OTHER].push(null);
    },
  });
  const pair = [one(), one()];
  [pair[0][OTHER], pair[1][OTHER]] = [pair[1], pair[0]];
  return pair;
}
