// What all streams of Node share: sizes, errors, and how one is constructed and destroyed.
import { EventEmitter } from 'node:events';
import { coded } from 'dotdo:node/errors';

const sizes = { bytes: 65536, objects: 16 };
const CONSTRUCT = Symbol('construct');
const DESTROY = Symbol('destroy');

export const nextTick = (work, ...values) => queueMicrotask(() => work(...values));
export const nothing = () => {};

export const errors = {
  alreadyFinished: (name) => coded(Error, 'ERR_STREAM_ALREADY_FINISHED', `Cannot call ${name} after a stream was finished`),
  destroyed: (name) => coded(Error, 'ERR_STREAM_DESTROYED', `Cannot call ${name} after a stream was destroyed`),
  multipleCallback: () => coded(Error, 'ERR_MULTIPLE_CALLBACK', 'Callback called multiple times'),
  notImplemented: (name) => coded(Error, 'ERR_METHOD_NOT_IMPLEMENTED', `The ${name} method is not implemented`),
  nullValues: () => coded(TypeError, 'ERR_STREAM_NULL_VALUES', 'May not write null values to stream'),
  prematureClose: () => coded(Error, 'ERR_STREAM_PREMATURE_CLOSE', 'Premature close'),
  pushAfterEnd: () => coded(Error, 'ERR_STREAM_PUSH_AFTER_EOF', 'stream.push() after EOF'),
  unshiftAfterEnd: () => coded(Error, 'ERR_STREAM_UNSHIFT_AFTER_END_EVENT', 'stream.unshift() after end event'),
  writeAfterEnd: () => coded(Error, 'ERR_STREAM_WRITE_AFTER_END', 'write after end'),
  cannotPipe: () => coded(Error, 'ERR_STREAM_CANNOT_PIPE', 'Cannot pipe, not readable'),
  encoding: (name) => coded(TypeError, 'ERR_UNKNOWN_ENCODING', `Unknown encoding: ${name}`),
};

/** Whether `stream` stands for a stream of Node, also of another copy of this code. */
export const isNodeStream = (it) => Boolean(it && (it._readableState || it._writableState || (typeof it.write === 'function' && typeof it.on === 'function') || (typeof it.pipe === 'function' && typeof it.on === 'function')));
export const isReadableNode = (it) => Boolean(it && typeof it.pipe === 'function' && typeof it.on === 'function' && (!it._writableState || it._readableState?.readable !== false) && (!it._writableState || it._readableState));
export const isWritableNode = (it) => Boolean(it && typeof it.write === 'function' && typeof it.on === 'function' && (!it._readableState || it._writableState?.writable !== false));
export const isIterable = (it) => Boolean(it && (typeof it[Symbol.asyncIterator] === 'function' || typeof it[Symbol.iterator] === 'function'));

export const getDefaultHighWaterMark = (isObjects) => (isObjects ? sizes.objects : sizes.bytes);

export function setDefaultHighWaterMark(isObjects, size) {
  sizes[isObjects ? 'objects' : 'bytes'] = size;
}

/** The size up to which a side of a stream keeps what nobody has taken. */
export function sizeOf(options, isObjects, side, isDuplex) {
  const given = options?.highWaterMark ?? (isDuplex ? options?.[`${side}HighWaterMark`] : undefined);
  if (given === undefined || given === null) return getDefaultHighWaterMark(isObjects);
  if (!Number.isInteger(given) || given < 0) {
    const name = options.highWaterMark === undefined || options.highWaterMark === null ? `options.${side}HighWaterMark` : 'options.highWaterMark';
    throw coded(TypeError, 'ERR_INVALID_ARG_VALUE', `The property '${name}' is invalid. Received ${given}`);
  }
  return Math.floor(given);
}

/** The oldest of all streams: it is an emitter that can be piped. */
export function Stream(options) {
  EventEmitter.call(this, options);
}
Object.setPrototypeOf(Stream.prototype, EventEmitter.prototype);
Object.setPrototypeOf(Stream, EventEmitter);

Stream.prototype.pipe = function pipe(target, options) {
  const source = this;
  const data = (chunk) => {
    if (target.writable && target.write(chunk) === false) source.pause?.();
  };
  const drain = () => {
    if (source.readable) source.resume?.();
  };
  const end = () => target.end();
  const failed = function failed(error) {
    clean();
    if (this.listenerCount('error') === 0) this.emit('error', error);
  };
  const listeners = [[source, 'data', data], [target, 'drain', drain], [source, 'error', failed], [target, 'error', failed]];
  if (!target._isStdio && options?.end !== false) listeners.push([source, 'end', end], [source, 'close', () => target.destroy?.()]);
  const clean = () => {
    for (const [emitter, name, listener] of listeners) emitter.removeListener(name, listener);
  };
  for (const [emitter, name, listener] of listeners) emitter.on(name, listener);
  for (const [emitter, name] of [[source, 'end'], [source, 'close'], [target, 'close']]) emitter.on(name, clean);
  target.emit('pipe', source);
  return target;
};

/** What both sides of a stream know of its end. */
export const lifeOf = (options) => ({
  constructed: true,
  destroyed: false,
  errored: null,
  errorEmitted: false,
  closed: false,
  closeEmitted: false,
  emitClose: options?.emitClose !== false,
  autoDestroy: options?.autoDestroy !== false,
});

const sidesOf = (stream) => [stream._writableState, stream._readableState].filter(Boolean);

function note(stream, error) {
  for (const side of sidesOf(stream)) side.errored ??= error;
}

function emitError(stream, error) {
  const sides = sidesOf(stream);
  if (sides.some((side) => side.errorEmitted)) return;
  for (const side of sides) side.errorEmitted = true;
  stream.emit('error', error);
}

function emitClose(stream) {
  const sides = sidesOf(stream);
  for (const side of sides) side.closeEmitted = true;
  if (sides.some((side) => side.emitClose)) stream.emit('close');
}

function runDestroy(stream, error, callback) {
  let isCalled = false;
  const done = (failed) => {
    if (isCalled) return;
    isCalled = true;
    if (failed) note(stream, failed);
    for (const side of sidesOf(stream)) side.closed = true;
    if (typeof callback === 'function') callback(failed);
    nextTick(() => {
      if (failed) emitError(stream, failed);
      emitClose(stream);
    });
  };
  try {
    stream._destroy(error || null, done);
  } catch (failed) {
    done(failed);
  }
}

export function destroy(error, callback) {
  const sides = sidesOf(this);
  if (sides.some((side) => side.destroyed)) {
    if (typeof callback === 'function') callback();
    return this;
  }
  if (error) note(this, error);
  for (const side of sides) side.destroyed = true;
  if (sides[0]?.constructed === false) this.once(DESTROY, (other) => runDestroy(this, error ?? other, callback));
  else runDestroy(this, error, callback);
  return this;
}

export function undestroy() {
  for (const side of sidesOf(this)) {
    Object.assign(side, { constructed: true, closed: false, closeEmitted: false, destroyed: false, errored: null, errorEmitted: false });
    if (side === this._readableState) Object.assign(side, { reading: false, ended: side.readable === false, endEmitted: side.readable === false });
    else Object.assign(side, { finalCalled: false, prefinished: false, ended: side.writable === false, ending: side.writable === false, finished: side.writable === false });
  }
}

/** Something has gone wrong: the stream is destroyed, or says so at least. */
export function errorOrDestroy(stream, error, isLater) {
  const sides = sidesOf(stream);
  if (sides.some((side) => side.destroyed)) return;
  if (sides.some((side) => side.autoDestroy)) {
    stream.destroy(error);
  } else if (error) {
    note(stream, error);
    if (isLater) nextTick(emitError, stream, error);
    else emitError(stream, error);
  }
}

/** Runs `_construct`, if there is one, before anything else. */
export function construct(stream, then) {
  if (typeof stream._construct !== 'function') return;
  for (const side of sidesOf(stream)) side.constructed = false;
  stream.once(CONSTRUCT, then);
  if (stream.listenerCount(CONSTRUCT) > 1) return;
  nextTick(() => {
    let isCalled = false;
    const done = (error) => {
      if (isCalled) {
        errorOrDestroy(stream, error ?? errors.multipleCallback());
        return;
      }
      isCalled = true;
      const sides = sidesOf(stream);
      for (const side of sides) side.constructed = true;
      if (sides.some((side) => side.destroyed)) stream.emit(DESTROY, error);
      else if (error) errorOrDestroy(stream, error, true);
      else nextTick(() => stream.emit(CONSTRUCT));
    };
    try {
      stream._construct((error) => nextTick(done, error));
    } catch (error) {
      nextTick(done, error);
    }
  });
}

/** Destroys the stream when the signal gives up. */
export function followSignal(signal, stream, abort) {
  const away = () => stream.destroy(abort(signal));
  if (signal.aborted) {
    away();
    return;
  }
  signal.addEventListener('abort', away, { once: true });
  stream.once('close', () => signal.removeEventListener('abort', away));
}
