// `Writable`: takes chunks one after another, and says when it has had enough.
import { Buffer } from 'node:buffer';
import { invalidType } from 'dotdo:node/errors';
import { construct, destroy, errorOrDestroy, errors, lifeOf, nextTick, nothing, sizeOf, Stream, undestroy } from 'dotdo:node/stream/base';

/** How the writable side of a stream stands. */
export class WritableState {
  constructor(options, isDuplex) {
    this.objectMode = Boolean(options?.objectMode || (isDuplex && options?.writableObjectMode));
    this.highWaterMark = sizeOf(options, this.objectMode, 'writable', isDuplex);
    Object.assign(this, lifeOf(options), {
      writable: true, finalCalled: false, needDrain: false, ending: false, ended: false, finished: false, prefinished: false,
      decodeStrings: options?.decodeStrings !== false, defaultEncoding: options?.defaultEncoding ?? 'utf8',
      length: 0, writing: false, corked: 0, sync: true, bufferProcessing: false, writecb: null, writelen: 0, afterWriting: null,
      buffered: [], bufferedIndex: 0, pendingcb: 0, onFinished: [],
    });
  }

  getBuffer() {
    return this.buffered.slice(this.bufferedIndex);
  }

  get bufferedRequestCount() {
    return this.buffered.length - this.bufferedIndex;
  }
}

export function Writable(options) {
  const isDuplex = this instanceof Writable && this._readableState !== undefined;
  if (!isDuplex && !(this instanceof Writable)) return new Writable(options);
  this._writableState = new WritableState(options, isDuplex);
  takeHooks(this, options);
  Stream.call(this, options);
  beginWritable(this);
}
Object.setPrototypeOf(Writable.prototype, Stream.prototype);
Object.setPrototypeOf(Writable, Stream);

/** What options say instead of a class. */
export function takeHooks(stream, options) {
  for (const name of ['write', 'writev', 'destroy', 'final', 'construct']) {
    if (typeof options?.[name] === 'function') stream[`_${name}`] = options[name];
  }
}

export function beginWritable(stream) {
  construct(stream, () => {
    const state = stream._writableState;
    if (!state.writing) clearBuffer(stream, state);
    finishMaybe(stream, state);
  });
}

Object.defineProperty(Writable, Symbol.hasInstance, {
  value(it) {
    if (Function.prototype[Symbol.hasInstance].call(this, it)) return true;
    return this === Writable && it?._writableState instanceof WritableState;
  },
});

const settleFinished = (state, error) => {
  const callbacks = state.onFinished.splice(0);
  for (const callback of callbacks) callback(error);
};

const sizeIn = (state, chunk) => (state.objectMode ? 1 : chunk.length);

/** The chunk and its encoding as `_write` gets them. */
function prepared(state, chunk, encoding) {
  if (chunk === null) throw errors.nullValues();
  if (state.objectMode) return [chunk, encoding];
  if (typeof chunk === 'string') return state.decodeStrings ? [Buffer.from(chunk, encoding), 'buffer'] : [chunk, encoding];
  if (Buffer.isBuffer(chunk)) return [chunk, 'buffer'];
  if (ArrayBuffer.isView(chunk)) return [Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength), 'buffer'];
  throw invalidType('chunk', ['string', 'Buffer', 'TypedArray', 'DataView'], chunk);
}

function write(stream, given, encoding, callback) {
  const state = stream._writableState;
  if (typeof encoding === 'function') [encoding, callback] = [undefined, encoding];
  encoding ||= state.defaultEncoding;
  if (encoding !== 'buffer' && !Buffer.isEncoding(encoding)) throw errors.encoding(encoding);
  const done = typeof callback === 'function' ? callback : nothing;
  const [chunk, kind] = prepared(state, given, encoding);
  const error = state.ending ? errors.writeAfterEnd() : state.destroyed ? errors.destroyed('write') : null;
  if (error) {
    nextTick(done, error);
    errorOrDestroy(stream, error, true);
    return error;
  }
  state.pendingcb += 1;
  return writeOrBuffer(stream, state, { chunk, encoding: kind, callback: done });
}

function writeOrBuffer(stream, state, entry) {
  const size = sizeIn(state, entry.chunk);
  state.length += size;
  const hasRoom = state.length < state.highWaterMark;
  if (!hasRoom) state.needDrain = true;
  if (state.writing || state.corked || state.errored || !state.constructed) state.buffered.push(entry);
  else doWrite(stream, state, size, entry);
  return hasRoom && !state.errored && !state.destroyed;
}

function doWrite(stream, state, size, { chunk, chunks, encoding, callback }) {
  state.writelen = size;
  state.writecb = callback;
  state.writing = true;
  state.sync = true;
  const done = (error) => written(stream, error);
  if (state.destroyed) done(errors.destroyed('write'));
  else if (chunks) stream._writev(chunks, done);
  else stream._write(chunk, encoding, done);
  state.sync = false;
}

function written(stream, error) {
  const state = stream._writableState;
  const { sync, writecb: callback } = state;
  if (typeof callback !== 'function') {
    errorOrDestroy(stream, errors.multipleCallback());
    return;
  }
  state.writing = false;
  state.writecb = null;
  state.length -= state.writelen;
  state.writelen = 0;
  if (error) {
    state.errored ??= error;
    if (stream._readableState) stream._readableState.errored ??= error;
    const failed = () => {
      state.pendingcb -= 1;
      callback(error);
      errorBuffer(state);
      errorOrDestroy(stream, error);
    };
    if (sync) nextTick(failed);
    else failed();
    return;
  }
  if (state.buffered.length > state.bufferedIndex) clearBuffer(stream, state);
  if (!sync) {
    afterWrite(stream, state, 1, callback);
  } else if (state.afterWriting?.callback === callback) {
    state.afterWriting.count += 1;
  } else {
    const after = { count: 1, callback };
    state.afterWriting = after;
    nextTick(() => {
      if (state.afterWriting === after) state.afterWriting = null;
      afterWrite(stream, state, after.count, callback);
    });
  }
}

function afterWrite(stream, state, count, callback) {
  if (!state.ending && !stream.destroyed && state.length === 0 && state.needDrain) {
    state.needDrain = false;
    stream.emit('drain');
  }
  for (let left = count; left > 0; left--) {
    state.pendingcb -= 1;
    callback(null);
  }
  if (state.destroyed) errorBuffer(state);
  finishMaybe(stream, state);
}

/** Nobody writes any more what waits. */
function errorBuffer(state) {
  if (state.writing) return;
  const waiting = state.getBuffer();
  state.buffered = [];
  state.bufferedIndex = 0;
  for (const { chunk, callback } of waiting) {
    state.length -= sizeIn(state, chunk);
    callback(state.errored ?? errors.destroyed('write'));
  }
  settleFinished(state, state.errored ?? errors.destroyed('end'));
}

function clearBuffer(stream, state) {
  if (state.corked || state.bufferProcessing || state.destroyed || !state.constructed) return;
  const count = state.buffered.length - state.bufferedIndex;
  if (!count) return;
  state.bufferProcessing = true;
  if (count > 1 && stream._writev) {
    state.pendingcb -= count - 1;
    const chunks = state.getBuffer();
    const callback = (error) => {
      for (const entry of chunks) entry.callback(error);
    };
    chunks.allBuffers = chunks.every(({ encoding }) => encoding === 'buffer');
    doWrite(stream, state, state.length, { chunks, callback });
    state.buffered = [];
    state.bufferedIndex = 0;
  } else {
    do {
      const entry = state.buffered[state.bufferedIndex];
      state.buffered[state.bufferedIndex++] = undefined;
      doWrite(stream, state, sizeIn(state, entry.chunk), entry);
    } while (state.bufferedIndex < state.buffered.length && !state.writing);
    if (state.bufferedIndex === state.buffered.length) {
      state.buffered = [];
      state.bufferedIndex = 0;
    } else if (state.bufferedIndex > 256) {
      state.buffered.splice(0, state.bufferedIndex);
      state.bufferedIndex = 0;
    }
  }
  state.bufferProcessing = false;
}

const needsFinish = (state) =>
  state.ending && !state.destroyed && state.constructed && state.length === 0 && !state.errored && state.buffered.length === 0 &&
  !state.finished && !state.writing && !state.errorEmitted && !state.closeEmitted;

function callFinal(stream, state) {
  let isCalled = false;
  const done = (error) => {
    if (isCalled) {
      errorOrDestroy(stream, error ?? errors.multipleCallback());
      return;
    }
    isCalled = true;
    state.pendingcb -= 1;
    if (error) {
      settleFinished(state, error);
      errorOrDestroy(stream, error, state.sync);
    } else if (needsFinish(state)) {
      state.prefinished = true;
      stream.emit('prefinish');
      state.pendingcb += 1;
      nextTick(finish, stream, state);
    }
  };
  state.sync = true;
  state.pendingcb += 1;
  try {
    stream._final(done);
  } catch (error) {
    done(error);
  }
  state.sync = false;
}

function finishMaybe(stream, state, isLater) {
  if (!needsFinish(state)) return;
  if (!state.prefinished && !state.finalCalled) {
    if (typeof stream._final === 'function' && !state.destroyed) {
      state.finalCalled = true;
      callFinal(stream, state);
    } else {
      state.prefinished = true;
      stream.emit('prefinish');
    }
  }
  if (state.pendingcb !== 0) return;
  if (isLater) {
    state.pendingcb += 1;
    nextTick(() => {
      if (needsFinish(state)) finish(stream, state);
      else state.pendingcb -= 1;
    });
  } else if (needsFinish(state)) {
    state.pendingcb += 1;
    finish(stream, state);
  }
}

function finish(stream, state) {
  state.pendingcb -= 1;
  state.finished = true;
  settleFinished(state);
  stream.emit('finish');
  if (!state.autoDestroy) return;
  const other = stream._readableState;
  if (!other || (other.autoDestroy && (other.endEmitted || other.readable === false))) stream.destroy();
}

/** Methods that `Duplex` has too. */
export const writableMethods = {
  write(chunk, encoding, callback) {
    return write(this, chunk, encoding, callback) === true;
  },

  cork() {
    this._writableState.corked += 1;
  },

  uncork() {
    const state = this._writableState;
    if (!state.corked) return;
    state.corked -= 1;
    if (!state.writing) clearBuffer(this, state);
  },

  setDefaultEncoding(encoding) {
    const name = String(encoding).toLowerCase();
    if (!Buffer.isEncoding(name)) throw errors.encoding(encoding);
    this._writableState.defaultEncoding = name;
    return this;
  },

  _write(chunk, encoding, callback) {
    if (!this._writev) throw errors.notImplemented('_write()');
    this._writev([{ chunk, encoding }], callback);
  },

  end(chunk, encoding, callback) {
    const state = this._writableState;
    if (typeof chunk === 'function') [chunk, encoding, callback] = [null, null, chunk];
    else if (typeof encoding === 'function') [encoding, callback] = [null, encoding];
    let error;
    if (chunk !== null && chunk !== undefined) {
      const went = write(this, chunk, encoding);
      if (went instanceof Error) error = went;
    }
    if (state.corked) {
      state.corked = 1;
      this.uncork();
    }
    if (!error) {
      if (!state.errored && !state.ending) {
        state.ending = true;
        finishMaybe(this, state, true);
        state.ended = true;
      } else if (state.finished) {
        error = errors.alreadyFinished('end');
      } else if (state.destroyed) {
        error = errors.destroyed('end');
      }
    }
    if (typeof callback === 'function') {
      if (error || state.errored) nextTick(callback, error ?? state.errored);
      else if (state.finished) nextTick(callback);
      else state.onFinished.push(callback);
    }
    return this;
  },
};

Object.assign(Writable.prototype, writableMethods, {
  _writev: null,
  _undestroy: undestroy,
  _destroy(error, callback) {
    callback(error);
  },
  destroy(error, callback) {
    dropWaiting(this._writableState);
    return destroy.call(this, error, callback);
  },
  pipe() {
    errorOrDestroy(this, errors.cannotPipe());
  },
});

/** What waits to be written is told so when the stream is destroyed. */
export function dropWaiting(state) {
  if (!state.destroyed && (state.bufferedIndex < state.buffered.length || state.onFinished.length)) nextTick(errorBuffer, state);
}

const ofState = (read) => ({ get() { return this._writableState ? read(this._writableState) : undefined; }, configurable: true, enumerable: false });

/** Fields that `Duplex` has too. */
export const writableFields = {
  closed: ofState((state) => state.closed),
  writableFinished: ofState((state) => state.finished),
  writableObjectMode: ofState((state) => state.objectMode),
  writableBuffer: ofState((state) => state.getBuffer()),
  writableEnded: ofState((state) => state.ending),
  writableNeedDrain: ofState((state) => !state.destroyed && !state.ending && state.needDrain),
  writableHighWaterMark: ofState((state) => state.highWaterMark),
  writableCorked: ofState((state) => state.corked),
  writableLength: ofState((state) => state.length),
  errored: ofState((state) => state.errored),
  writableAborted: ofState((state) => state.writable !== false && (state.destroyed || Boolean(state.errored)) && !state.finished),
  writable: {
    get() {
      const state = this._writableState;
      return Boolean(state) && state.writable !== false && !state.destroyed && !state.errored && !state.ending && !state.ended;
    },
    set(value) {
      if (this._writableState) this._writableState.writable = Boolean(value);
    },
    configurable: true,
  },
  destroyed: {
    get() { return this._writableState ? this._writableState.destroyed : false; },
    set(value) { if (this._writableState) this._writableState.destroyed = value; },
    configurable: true,
  },
};

Object.defineProperties(Writable.prototype, writableFields);

Writable.prototype[Symbol.asyncDispose] = function dispose() {
  this.destroy();
  return new Promise((resolve) => (this.closed ? resolve() : this.once('close', resolve)));
};
