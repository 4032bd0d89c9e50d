// `Readable`: gives chunks when asked, or as they come.
import { StringDecoder } from 'node:string_decoder';
import { EventEmitter } from 'node:events';
import { AbortError } from 'dotdo:node/errors';
import { construct, destroy, errorOrDestroy, errors, followSignal, nextTick, Stream, undestroy } from 'dotdo:node/stream/base';
import { from } from 'dotdo:node/stream/from';
import { pipe } from 'dotdo:node/stream/pipe';
import { add, countOf, emitReadable, endReadable, fromBuffer, maybeReadMore, pull, ReadableState, resumeLater, updateListening } from 'dotdo:node/stream/reading';

const SIZE_MAX = 2 ** 30;

export function Readable(options) {
  if (!(this instanceof Readable)) return new Readable(options);
  this._readableState = new ReadableState(options, options?.isDuplex === true);
  takeReadHooks(this, options);
  Stream.call(this, options);
  beginReadable(this);
}
Object.setPrototypeOf(Readable.prototype, Stream.prototype);
Object.setPrototypeOf(Readable, Stream);
Readable.ReadableState = ReadableState;

export function takeReadHooks(stream, options) {
  for (const name of ['read', 'destroy', 'construct']) {
    if (typeof options?.[name] === 'function') stream[`_${name}`] = options[name];
  }
  if (options?.signal) queueMicrotask(() => followSignal(options.signal, stream, (signal) => new AbortError(undefined, { cause: signal.reason })));
}

export function beginReadable(stream) {
  construct(stream, () => {
    if (stream._readableState.needReadable) maybeReadMore(stream, stream._readableState);
  });
}

export const readableMethods = {
  _undestroy: undestroy,
  destroy,
  _destroy(error, callback) {
    callback(error);
  },
  _read() {
    throw errors.notImplemented('_read()');
  },
  push(chunk, encoding) {
    return add(this, chunk, encoding, false);
  },
  unshift(chunk, encoding) {
    return add(this, chunk, encoding, true);
  },
  isPaused() {
    return this._readableState.paused === true || this._readableState.flowing === false;
  },

  setEncoding(encoding) {
    const state = this._readableState;
    const decoder = new StringDecoder(encoding);
    state.decoder = decoder;
    state.encoding = decoder.encoding;
    const text = state.buffer.splice(0).map((chunk) => decoder.write(chunk)).join('');
    if (text) state.buffer.push(text);
    state.length = text.length;
    return this;
  },

  read(size) {
    const state = this._readableState;
    const asked = size === undefined ? NaN : Number.isInteger(size) ? size : Number.parseInt(size, 10);
    if (asked > state.highWaterMark) state.highWaterMark = Math.min(SIZE_MAX, 2 ** Math.ceil(Math.log2(asked)));
    if (asked !== 0) state.emittedReadable = false;
    if (asked === 0 && state.needReadable && ((state.highWaterMark !== 0 ? state.length >= state.highWaterMark : state.length > 0) || state.ended)) {
      if (state.length === 0 && state.ended) endReadable(this);
      else emitReadable(this);
      return null;
    }
    let count = countOf(asked, state);
    if (count === 0 && state.ended) {
      if (state.length === 0) endReadable(this);
      return null;
    }
    const isWanting = state.needReadable || state.length === 0 || state.length - count < state.highWaterMark;
    if (isWanting && !state.ended && !state.reading && !state.destroyed && !state.errored && state.constructed) {
      pull(this, state);
      if (!state.reading) count = countOf(asked, state);
    }
    const chunk = count > 0 ? fromBuffer(count, state) : null;
    if (chunk === null) {
      state.needReadable = state.length <= state.highWaterMark;
      count = 0;
    } else {
      state.length -= count;
      state.awaitDrain.clear();
    }
    if (state.length === 0) {
      if (!state.ended) state.needReadable = true;
      if (asked !== count && state.ended) endReadable(this);
    }
    if (chunk !== null && !state.errored && !state.closeEmitted) {
      state.dataEmitted = true;
      this.emit('data', chunk);
    }
    return chunk;
  },

  on(name, listener) {
    EventEmitter.prototype.on.call(this, name, listener);
    const state = this._readableState;
    if (name === 'data') {
      state.readableListening = this.listenerCount('readable') > 0;
      if (state.flowing !== false) this.resume();
    } else if (name === 'readable' && !state.endEmitted && !state.readableListening) {
      Object.assign(state, { readableListening: true, needReadable: true, flowing: false, emittedReadable: false });
      if (state.length) emitReadable(this);
      else if (!state.reading) nextTick(() => this.read(0));
    }
    return this;
  },

  removeListener(name, listener) {
    EventEmitter.prototype.removeListener.call(this, name, listener);
    if (name === 'readable') nextTick(updateListening, this);
    return this;
  },

  removeAllListeners(...names) {
    EventEmitter.prototype.removeAllListeners.apply(this, names);
    if (names[0] === 'readable' || names[0] === undefined) nextTick(updateListening, this);
    return this;
  },

  resume() {
    const state = this._readableState;
    if (!state.flowing) {
      state.flowing = !state.readableListening;
      resumeLater(this, state);
    }
    state.paused = false;
    return this;
  },

  pause() {
    const state = this._readableState;
    if (state.flowing !== false) {
      state.flowing = false;
      this.emit('pause');
    }
    state.paused = true;
    return this;
  },

  pipe(target, options) {
    return pipe(this, target, options);
  },

  unpipe(target) {
    const state = this._readableState;
    if (!state.pipes.length) return this;
    const gone = target ? state.pipes.filter((pipe) => pipe === target) : state.pipes;
    if (target && !gone.length) return this;
    state.pipes = target ? state.pipes.filter((pipe) => pipe !== target) : [];
    if (!state.pipes.length) this.pause();
    for (const one of gone) one.emit('unpipe', this, { hasUnpiped: false });
    return this;
  },
};
readableMethods.addListener = readableMethods.on;
readableMethods.off = readableMethods.removeListener;
Object.assign(Readable.prototype, readableMethods);

const ofState = (read) => ({ get() { return this._readableState ? read(this._readableState) : undefined; }, configurable: true, enumerable: false });

/** Fields that `Duplex` has too. */
export const readableFields = {
  readable: {
    get() {
      const state = this._readableState;
      return Boolean(state) && state.readable !== false && !state.destroyed && !state.errorEmitted && !state.endEmitted;
    },
    set(value) { if (this._readableState) this._readableState.readable = Boolean(value); },
    configurable: true,
  },
  readableDidRead: ofState((state) => state.dataEmitted),
  readableAborted: ofState((state) => state.readable !== false && (state.destroyed || Boolean(state.errored)) && !state.endEmitted),
  readableHighWaterMark: ofState((state) => state.highWaterMark),
  readableBuffer: ofState((state) => state.buffer),
  readableFlowing: { ...ofState((state) => state.flowing), set(value) { if (this._readableState) this._readableState.flowing = value; } },
  readableLength: ofState((state) => state.length),
  readableObjectMode: ofState((state) => state.objectMode),
  readableEncoding: ofState((state) => state.encoding),
  readableEnded: ofState((state) => state.endEmitted),
  errored: ofState((state) => state.errored),
  closed: ofState((state) => state.closed),
  destroyed: {
    get() { return this._readableState ? this._readableState.destroyed : false; },
    set(value) { if (this._readableState) this._readableState.destroyed = value; },
    configurable: true,
  },
};
Object.defineProperties(Readable.prototype, readableFields);

Readable.prototype[EventEmitter.captureRejectionSymbol ?? Symbol.for('nodejs.rejection')] = function rejected(error) {
  this.destroy(error);
};

Readable.from = (iterable, options) => from(Readable, iterable, options);

Readable.prototype.wrap = function wrap(old) {
  let isPaused = false;
  old.on('data', (chunk) => {
    if (!this.push(chunk) && old.pause) {
      isPaused = true;
      old.pause();
    }
  });
  old.on('end', () => this.push(null));
  old.on('error', (error) => errorOrDestroy(this, error));
  old.on('close', () => this.destroy());
  this._read = () => {
    if (!isPaused || !old.resume) return;
    isPaused = false;
    old.resume();
  };
  return this;
};

Readable.prototype[Symbol.asyncDispose] = function dispose() {
  if (!this.destroyed) this.destroy(this.readableEnded ? null : new AbortError());
  return new Promise((resolve) => (this.closed ? resolve() : this.once('close', resolve)));
};
