// What a readable stream has of its chunks: how they come, wait and leave.
import { Buffer } from 'node:buffer';
import { StringDecoder } from 'node:string_decoder';
import { invalidType } from 'dotdo:node/errors';
import { errorOrDestroy, errors, lifeOf, nextTick, sizeOf } from 'dotdo:node/stream/base';

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

export function add(stream, given, encoding, isFront) {
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

export function emitReadable(stream) {
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

export function maybeReadMore(stream, state) {
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

export function countOf(asked, state) {
  if (asked <= 0 || (state.length === 0 && state.ended)) return 0;
  if (state.objectMode) return 1;
  if (Number.isNaN(asked)) return state.flowing && state.length ? state.buffer[0].length : state.length;
  if (asked <= state.length) return asked;
  return state.ended ? state.length : 0;
}

/** So many bytes from the beginning of what has come. */
export function fromBuffer(count, state) {
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

export function pull(stream, state) {
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

export function endReadable(stream) {
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

export function resumeLater(stream, state) {
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
export function updateListening(stream) {
  const state = stream._readableState;
  state.readableListening = stream.listenerCount('readable') > 0;
  if (state.resumeScheduled && state.paused === false) state.flowing = true;
  else if (stream.listenerCount('data') > 0) stream.resume();
  else if (!state.readableListening) state.flowing = null;
}
