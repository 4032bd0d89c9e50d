// `Readable`: gives chunks when asked, or as they come.
import { Buffer } from 'node:buffer';
import { StringDecoder } from 'node:string_decoder';
import { EventEmitter } from 'node:events';
import { AbortError, invalidType } from 'dotdo:node/errors';
import { construct, destroy, errorOrDestroy, errors, followSignal, lifeOf, nextTick, sizeOf, Stream, undestroy } from 'dotdo:node/stream/base';
import { from } from 'dotdo:node/stream/from';
import { pipe } from 'dotdo:node/stream/pipe';

const SIZE_MAX = 2 ** 30;

/** How the readable side of a stream stands. */
export class ReadableState {
  constructor(options, isDuplex) {
    this.objectMode = Boolean(options?.objectMode || (isDuplex && options?.readableObjectMode));
    this.highWaterMark = sizeOf(options, this.objectMode, 'readable', isDuplex);
    Object.assign(this, lifeOf(options), {
      readable: true, buffer: [], length: 0, pipes: [], flowing: null, ended: false, endEmitted: false, reading: false, sync: true,
      needReadable: false, emittedReadable: false, readableListening: false, resumeScheduled: false, readingMore: false, dataEmitted: false,
      paused: null, defaultEncoding: options?.defaultEncoding ?? 'utf8', awaitDrain: new Set(), decoder: null, encoding: null,
    });
    if (options?.encoding) {
      this.decoder = new StringDecoder(options.encoding);
      this.encoding = options.encoding;
    }
  }

  get pipesCount() {
    return this.pipes.length;
  }
}

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

/** A chunk as bytes, and in which encoding it stays a string. */
function taken(state, given, encoding, isFront) {
  if (state.objectMode || given === null || given === undefined) return [given ?? null, encoding];
  if (typeof given === 'string') {
    const kind = encoding || state.defaultEncoding;
    if (state.encoding === kind) return [given, kind];
    const bytes = Buffer.from(given, kind);
    return isFront && state.encoding ? [bytes.toString(state.encoding), kind] : [bytes, ''];
  }
  if (Buffer.isBuffer(given)) return [given, ''];
  if (ArrayBuffer.isView(given)) return [Buffer.from(given.buffer, given.byteOffset, given.byteLength), ''];
  throw invalidType('chunk', ['string', 'Buffer', 'TypedArray', 'DataView'], given);
}

function add(stream, given, encoding, isFront) {
  const state = stream._readableState;
  let chunk;
  let kind;
  try {
    [chunk, kind] = taken(state, given, encoding, isFront);
  } catch (error) {
    errorOrDestroy(stream, error);
    return false;
  }
  if (chunk === null) {
    state.reading = false;
    ended(stream, state);
  } else if (state.objectMode || chunk.length > 0) {
    const isLate = isFront ? state.endEmitted : state.ended;
    if (isLate) {
      errorOrDestroy(stream, isFront ? errors.unshiftAfterEnd() : errors.pushAfterEnd());
    } else if (state.destroyed || state.errored) {
      return false;
    } else {
      if (!isFront) state.reading = false;
      if (!isFront && state.decoder && !kind) chunk = state.decoder.write(chunk);
      if (isFront || state.objectMode || chunk.length) put(stream, state, chunk, isFront);
      else maybeReadMore(stream, state);
    }
  } else if (!isFront) {
    state.reading = false;
    maybeReadMore(stream, state);
  }
  return !state.ended && (state.length < state.highWaterMark || state.length === 0);
}

function put(stream, state, chunk, isFront) {
  if (state.flowing && state.length === 0 && !state.sync && stream.listenerCount('data') > 0) {
    state.awaitDrain.clear();
    state.dataEmitted = true;
    stream.emit('data', chunk);
  } else {
    state.length += state.objectMode ? 1 : chunk.length;
    if (isFront) state.buffer.unshift(chunk);
    else state.buffer.push(chunk);
    if (state.needReadable) emitReadable(stream);
  }
  maybeReadMore(stream, state);
}

function ended(stream, state) {
  if (state.ended) return;
  const rest = state.decoder?.end();
  if (rest?.length) {
    state.buffer.push(rest);
    state.length += state.objectMode ? 1 : rest.length;
  }
  state.ended = true;
  if (state.sync) {
    emitReadable(stream);
  } else {
    state.needReadable = false;
    state.emittedReadable = true;
    emitReadableNow(stream);
  }
}

function emitReadable(stream) {
  const state = stream._readableState;
  state.needReadable = false;
  if (state.emittedReadable) return;
  state.emittedReadable = true;
  nextTick(emitReadableNow, stream);
}

function emitReadableNow(stream) {
  const state = stream._readableState;
  if (!state.destroyed && !state.errored && (state.length || state.ended)) {
    stream.emit('readable');
    state.emittedReadable = false;
  }
  state.needReadable = !state.flowing && !state.ended && state.length <= state.highWaterMark;
  flow(stream);
}

function maybeReadMore(stream, state) {
  if (state.readingMore || !state.constructed) return;
  state.readingMore = true;
  nextTick(() => {
    while (!state.reading && !state.ended && (state.length < state.highWaterMark || (state.flowing && state.length === 0))) {
      const before = state.length;
      stream.read(0);
      if (before === state.length) break;
    }
    state.readingMore = false;
  });
}

function countOf(asked, state) {
  if (asked <= 0 || (state.length === 0 && state.ended)) return 0;
  if (state.objectMode) return 1;
  if (Number.isNaN(asked)) return state.flowing && state.length ? state.buffer[0].length : state.length;
  if (asked <= state.length) return asked;
  return state.ended ? state.length : 0;
}

/** So many bytes from the beginning of what has come. */
function fromBuffer(count, state) {
  if (state.length === 0) return null;
  const { buffer } = state;
  if (state.objectMode) return buffer.shift();
  const join = (parts) => (state.decoder ? parts.join('') : parts.length === 1 ? parts[0] : Buffer.concat(parts));
  if (!count || count >= state.length) return join(buffer.splice(0));
  const parts = [];
  let left = count;
  let whole = 0;
  while (left > 0 && buffer[whole].length <= left) {
    left -= buffer[whole].length;
    parts.push(buffer[whole++]);
  }
  if (left > 0) {
    parts.push(buffer[whole].slice(0, left));
    buffer[whole] = buffer[whole].slice(left);
  }
  buffer.splice(0, whole);
  return join(parts);
}

function pull(stream, state) {
  state.reading = true;
  state.sync = true;
  if (state.length === 0) state.needReadable = true;
  try {
    stream._read(state.highWaterMark);
  } catch (error) {
    errorOrDestroy(stream, error);
  }
  state.sync = false;
}

function endReadable(stream) {
  const state = stream._readableState;
  if (state.endEmitted) return;
  state.ended = true;
  nextTick(() => {
    if (state.errored || state.closeEmitted || state.endEmitted || state.length > 0) return;
    state.endEmitted = true;
    stream.emit('end');
    const other = stream._writableState;
    if (stream.writable && stream.allowHalfOpen === false) {
      nextTick(() => {
        if (stream.writable && !stream.writableEnded && !stream.destroyed) stream.end();
      });
    } else if (state.autoDestroy && (!other || (other.autoDestroy && (other.finished || other.writable === false)))) {
      stream.destroy();
    }
  });
}

function flow(stream) {
  const state = stream._readableState;
  while (state.flowing && stream.read() !== null);
}

function resumeLater(stream, state) {
  if (state.resumeScheduled) return;
  state.resumeScheduled = true;
  nextTick(() => {
    if (!state.reading) stream.read(0);
    state.resumeScheduled = false;
    stream.emit('resume');
    flow(stream);
    if (state.flowing && !state.reading) stream.read(0);
  });
}

/** Someone has begun or stopped to listen to `readable`. */
function updateListening(stream) {
  const state = stream._readableState;
  state.readableListening = stream.listenerCount('readable') > 0;
  if (state.resumeScheduled && state.paused === false) state.flowing = true;
  else if (stream.listenerCount('data') > 0) stream.resume();
  else if (!state.readableListening) state.flowing = null;
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
