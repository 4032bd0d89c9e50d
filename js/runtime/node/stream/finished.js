// `finished`: tells once when a stream has ended, in whichever way; and iteration, which needs it.
import { AbortError, checkFunction, checkObject, checkSignal, invalidType } from 'dotdo:node/errors';
import { errors, isNodeStream, isReadableNode, isWritableNode, nextTick, nothing } from 'dotdo:node/stream/base';
import { Readable } from 'dotdo:node/stream/readable';

const isWeb = (it) => it instanceof globalThis.ReadableStream || it instanceof globalThis.WritableStream;

/** How a stream stands when somebody begins to wait for its end. */
function standing(stream, options) {
  const [r, w] = [stream._readableState, stream._writableState];
  const readable = options.readable ?? (isReadableNode(stream) && r?.readable !== false);
  const writable = options.writable ?? isWritableNode(stream);
  return {
    r, w, readable, writable,
    willClose: Boolean((r?.autoDestroy && r.emitClose && r.closed === false) || (w?.autoDestroy && w.emitClose && w.closed === false)) && (!r || r.autoDestroy) && (!w || w.autoDestroy),
    isReadDone: Boolean(r ? r.endEmitted : stream.readable === false),
    isWriteDone: Boolean(w ? w.finished : stream.writable === false),
  };
}

export function eos(stream, options, callback) {
  if (typeof options === 'function') [options, callback] = [{}, options];
  options ??= {};
  checkObject(options, 'options');
  checkFunction(callback, 'callback');
  checkSignal(options.signal, 'options.signal');
  if (isWeb(stream)) return eosWeb(stream, options, callback);
  if (!isNodeStream(stream)) throw invalidType('stream', ['ReadableStream', 'WritableStream', 'Stream'], stream);
  let isCalled = false;
  const done = (error) => {
    if (isCalled) return;
    isCalled = true;
    if (error) callback.call(stream, error);
    else callback.call(stream);
  };
  const at = standing(stream, options);
  const { r, w, readable, writable } = at;
  let { willClose, isReadDone, isWriteDone } = at;
  const finish = () => {
    isWriteDone = true;
    if (stream.destroyed) willClose = false;
    if (willClose && (!stream.writable || readable)) return;
    if (!readable || isReadDone) done();
  };
  const end = () => {
    isReadDone = true;
    if (stream.destroyed) willClose = false;
    if (willClose && (!stream.readable || writable)) return;
    if (!writable || isWriteDone) done();
  };
  const erroredIn = () => w?.errored ?? r?.errored ?? null;
  const close = () => {
    const error = erroredIn();
    if (error && typeof error !== 'boolean') return done(error);
    if (readable && !isReadDone && r && !r.endEmitted) return done(errors.prematureClose());
    if (writable && !isWriteDone && !(w?.finished)) return done(errors.prematureClose());
    return done();
  };
  const closed = () => done(erroredIn() ?? undefined);
  const listeners = [['end', end], ['finish', finish], ['close', close]];
  if (options.error !== false) listeners.push(['error', done]);
  for (const [name, listener] of listeners) stream.on(name, listener);
  if (w?.closed && r?.closed !== false || r?.closed && w?.closed !== false) nextTick(close);
  else if (w?.errorEmitted || r?.errorEmitted) { if (!willClose) nextTick(closed); }
  else if (!readable && (!willClose || stream.readable !== false) && (isWriteDone || stream.writable === false)) nextTick(closed);
  else if (!writable && (!willClose || stream.writable !== false) && (isReadDone || stream.readable === false)) nextTick(closed);
  const clean = () => {
    isCalled = true;
    for (const [name, listener] of listeners) stream.removeListener(name, listener);
  };
  if (options.signal) followEnd(stream, options.signal, () => isCalled, clean, callback);
  return clean;
}

function followEnd(stream, signal, isCalled, clean, callback) {
  const abort = () => {
    if (isCalled()) return;
    clean();
    callback.call(stream, new AbortError(undefined, { cause: signal.reason }));
  };
  if (signal.aborted) nextTick(abort);
  else signal.addEventListener('abort', abort, { once: true });
}

function eosWeb(stream, options, callback) {
  let isCalled = false;
  const done = (error) => {
    if (!isCalled) nextTick(() => callback.call(stream, error));
    isCalled = true;
  };
  // Who waits for a stream of the web must not lock it: its reader or writer tells.
  const watch = stream.locked ? new Promise(nothing) : watchWeb(stream);
  watch.then(() => done(), done);
  if (options.signal) followEnd(stream, options.signal, () => isCalled, () => { isCalled = true; }, callback);
  return () => { isCalled = true; };
}

async function watchWeb(stream) {
  const holder = stream.getReader ? stream.getReader() : stream.getWriter();
  const { closed } = holder;
  closed.catch(nothing);
  holder.releaseLock();
  return closed;
}

export function finished(stream, options) {
  return new Promise((resolve, reject) => {
    const clean = eos(stream, options ?? {}, (error) => {
      if (options?.cleanup) clean();
      if (error) reject(error);
      else resolve();
    });
  });
}

/** Chunks of a stream, which is destroyed when nobody wants more. */
async function* iterate(stream, options) {
  let wake = nothing;
  const onReadable = () => {
    wake();
    wake = nothing;
  };
  stream.on('readable', onReadable);
  let error;
  const clean = eos(stream, { writable: false }, (failed) => {
    error = failed ?? null;
    onReadable();
  });
  try {
    for (;;) {
      const chunk = stream.destroyed ? null : stream.read();
      if (chunk !== null) yield chunk;
      else if (error) throw error;
      else if (error === null) return;
      else await new Promise((resolve) => { wake = resolve; });
    }
  } catch (failed) {
    error = failed;
    throw failed;
  } finally {
    if ((error || options?.destroyOnReturn !== false) && (error === undefined || stream._readableState.autoDestroy)) stream.destroy(error ? error : undefined);
    else stream.off('readable', onReadable);
    clean();
  }
}

Readable.prototype[Symbol.asyncIterator] = function iterator() {
  return iterate(this);
};

Readable.prototype.iterator = function iterator(options) {
  return iterate(this, options);
};

const through = (work) => function transformed(...parameters) {
  return Readable.from(work(this, ...parameters));
};

/** Operators on the chunks of a stream, each of which makes a stream. */
Object.assign(Readable.prototype, {
  map: through(async function* map(stream, work, options) {
    for await (const chunk of stream) yield work(chunk, { signal: options?.signal });
  }),
  filter: through(async function* filter(stream, work, options) {
    for await (const chunk of stream) if (await work(chunk, { signal: options?.signal })) yield chunk;
  }),
  flatMap: through(async function* flatMap(stream, work, options) {
    for await (const chunk of stream) yield* await work(chunk, { signal: options?.signal });
  }),
  take: through(async function* take(stream, count) {
    let left = count;
    if (left <= 0) return;
    for await (const chunk of stream) {
      yield chunk;
      left -= 1;
      if (left <= 0) return;
    }
  }),
  drop: through(async function* drop(stream, count) {
    let left = count;
    for await (const chunk of stream) if (left-- <= 0) yield chunk;
  }),
  async forEach(work) {
    for await (const chunk of this) await work(chunk, {});
  },
  async toArray() {
    const all = [];
    for await (const chunk of this) all.push(chunk);
    return all;
  },
  async some(work) {
    for await (const chunk of this) if (await work(chunk, {})) return true;
    return false;
  },
  async every(work) {
    for await (const chunk of this) if (!(await work(chunk, {}))) return false;
    return true;
  },
  async find(work) {
    for await (const chunk of this) if (await work(chunk, {})) return chunk;
    return undefined;
  },
  async reduce(work, ...initial) {
    let [value] = initial;
    let hasValue = initial.length > 0;
    for await (const chunk of this) {
      value = hasValue ? await work(value, chunk, {}) : chunk;
      hasValue = true;
    }
    if (!hasValue) throw new TypeError('Reduce of an empty stream requires an initial value');
    return value;
  },
});
