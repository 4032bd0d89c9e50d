// `pipeline` and `compose`: streams one after another, which end together.
import { AbortError, checkFunction, coded, invalidType } from 'dotdo:node/errors';
import { destroy, errors, followSignal, isIterable, isNodeStream, isReadableNode, isWritableNode, nextTick, nothing } from 'dotdo:node/stream/base';
import { Duplex, joined, PassThrough } from 'dotdo:node/stream/duplex';
import { eos } from 'dotdo:node/stream/finished';
import { Readable } from 'dotdo:node/stream/readable';

const isWebReadable = (it) => it instanceof globalThis.ReadableStream;
const isWebWritable = (it) => it instanceof globalThis.WritableStream;
const isWebPair = (it) => Boolean(it && isWebReadable(it.readable) && isWebWritable(it.writable));

const asNode = (it) => (isWebReadable(it) ? Readable.fromWeb(it) : isWebWritable(it) ? Readable._writableOfWeb(it) : isWebPair(it) ? joined(Readable.fromWeb(it.readable), Readable._writableOfWeb(it.writable)) : it);

/** Writes what is iterated, as fast as it is taken. */
async function pump(iterable, target, finish, isEnding) {
  let error;
  let wake = nothing;
  const resume = (failed) => {
    if (failed) error = failed;
    wake();
    wake = nothing;
  };
  const wait = () => new Promise((resolve, reject) => {
    if (error) reject(error);
    else wake = () => (error ? reject(error) : resolve());
  });
  target.on('drain', resume);
  const clean = eos(target, { readable: false }, resume);
  try {
    if (target.writableNeedDrain) await wait();
    for await (const chunk of iterable) if (!target.write(chunk)) await wait();
    if (isEnding) {
      target.end();
      await wait();
    }
    finish();
  } catch (failed) {
    finish(error !== failed ? failed : error);
  } finally {
    clean();
    target.off('drain', resume);
  }
}

/** The end of a stream that is destroyed when the pipeline fails. */
function destroyer(stream, isReading, isWriting) {
  let isDone = false;
  stream.on('close', () => { isDone = true; });
  eos(stream, { readable: isReading, writable: isWriting }, (error) => { isDone = !error; });
  return (error) => {
    if (isDone) return;
    isDone = true;
    (stream.destroy ?? destroy).call(stream, error || errors.destroyed('pipe'));
  };
}

/** Pipes a stream of Node into another, and tells of the end of both. */
function pipeNode(source, target, finish, isEnding) {
  let isEnded = false;
  target.on('close', () => {
    if (!isEnded) finish(errors.prematureClose());
  });
  source.pipe(target, { end: false });
  if (isEnding) {
    const end = () => {
      isEnded = true;
      target.end();
    };
    if (source.readableEnded) nextTick(end);
    else source.once('end', end);
  } else {
    finish();
  }
  eos(source, { readable: true, writable: false }, (error) => {
    const r = source._readableState;
    if (error?.code === 'ERR_STREAM_PREMATURE_CLOSE' && r?.ended && !r.errored && !r.errorEmitted) source.once('end', finish).once('error', finish);
    else finish(error);
  });
  return eos(target, { readable: false, writable: true }, finish);
}

/** One pipeline that runs. */
class Run {
  #destroys = [];
  #count = 0;
  #error;
  #value;
  #callback;
  isOver = false;

  constructor(callback) {
    this.#callback = callback;
  }

  get finish() {
    this.#count += 1;
    return (error) => this.finishOne(error, --this.#count === 0);
  }

  hold() {
    this.#count += 1;
  }

  set value(value) {
    this.#value = value;
  }

  destroyLater(work) {
    this.#destroys.push(work);
  }

  finishOne(error, isLast) {
    if (error && (!this.#error || this.#error.code === 'ERR_STREAM_PREMATURE_CLOSE')) this.#error = error;
    if (!this.#error && !isLast) return;
    for (const work of this.#destroys.splice(0)) work(this.#error);
    if (!isLast || this.isOver) return;
    this.isOver = true;
    nextTick(this.#callback, this.#error, this.#value);
  }

  abort(signal) {
    this.finishOne(new AbortError(undefined, { cause: signal.reason }), false);
  }
}

function beginOf(stream) {
  if (isIterable(stream) || isReadableNode(stream)) return stream;
  return Duplex.from(stream);
}

/** What comes of a function in a pipeline: an iterable, or, at its end, a promise of its value. */
function called(work, source, signal, run, isLast) {
  const made = source === undefined ? work({ signal }) : work(source, { signal });
  if (isIterable(made) && !isLast) return made;
  if (source === undefined) throw coded(TypeError, 'ERR_INVALID_RETURN_VALUE', 'Expected Iterable, AsyncIterable or Stream to be returned from the "source" function');
  if (isLast && typeof made?.then === 'function') {
    const finish = run.finish;
    made.then((value) => {
      run.value = value;
      nextTick(finish);
    }, (error) => nextTick(finish, error));
    return made;
  }
  if (!isIterable(made)) throw coded(TypeError, 'ERR_INVALID_RETURN_VALUE', `Expected AsyncIterable to be returned from the "${isLast ? 'destination' : 'transform'}" function`);
  if (isLast) return drained(made, run);
  return made;
}

function drained(iterable, run) {
  const through = new PassThrough({ objectMode: true });
  pump(iterable, through, run.finish, true);
  run.destroyLater(destroyer(through, true, false));
  return through;
}

export function run(streams, callback, options) {
  if (streams.length === 1 && Array.isArray(streams[0])) [streams] = streams;
  if (streams.length < 2) throw coded(TypeError, 'ERR_MISSING_ARGS', 'The "streams" argument must be specified');
  const parts = streams.map(asNode);
  const going = new Run(callback);
  const aborter = new AbortController();
  const outer = options?.signal;
  const abort = () => {
    aborter.abort(outer.reason);
    going.abort(outer);
  };
  if (outer?.aborted) nextTick(abort);
  else outer?.addEventListener('abort', abort, { once: true });
  let value;
  for (const [at, part] of parts.entries()) {
    const isLast = at === parts.length - 1;
    const isEnding = isLast ? options?.end !== false : true;
    if (isNodeStream(part)) {
      if (isEnding) going.destroyLater(destroyer(part, at < parts.length - 1, at > 0));
      part.on('error', (error) => {
        if (error && error.name !== 'AbortError' && error.code !== 'ERR_STREAM_PREMATURE_CLOSE') going.finishOne(error, false);
      });
    }
    if (at === 0) {
      value = typeof part === 'function' ? called(part, undefined, aborter.signal, going, false) : beginOf(part);
    } else if (typeof part === 'function') {
      value = called(part, value, aborter.signal, going, isLast);
    } else if (isNodeStream(part)) {
      if (isReadableNode(value) && value._readableState) {
        going.hold();
        pipeNode(value, part, going.finish, isEnding);
      } else {
        pump(value, part, going.finish, isEnding);
      }
      value = part;
    } else {
      value = Duplex.from(part);
    }
  }
  return value;
}

export function pipeline(...streams) {
  const callback = streams.pop();
  checkFunction(callback, 'streams[stream.length - 1]');
  return run(streams, once(callback));
}

function once(work) {
  let isCalled = false;
  return (...values) => {
    if (isCalled) return;
    isCalled = true;
    work(...values);
  };
}

export const pipelinePromise = (...streams) => new Promise((resolve, reject) => {
  const last = streams.at(-1);
  const hasOptions = last && typeof last === 'object' && !isNodeStream(last) && !isIterable(last) && !isWebReadable(last) && !isWebWritable(last) && !isWebPair(last);
  const options = hasOptions ? streams.pop() : undefined;
  run(streams, (error, value) => (error ? reject(error) : resolve(value)), options);
});

/** Streams one after another as one stream. */
export function compose(...streams) {
  if (!streams.length) throw coded(TypeError, 'ERR_MISSING_ARGS', 'The "streams" argument must be specified');
  const parts = streams.map((part) => (typeof part === 'function' || !isNodeStream(asNode(part)) ? Duplex.from(asNode(part)) : asNode(part)));
  if (parts.length === 1) return parts[0];
  const [first, last] = [parts[0], parts.at(-1)];
  const whole = joined(isReadableNode(last) ? last : null, isWritableNode(first) ? first : null);
  pipeline(...parts, (error) => {
    if (error) whole.destroy(error);
  });
  return whole;
}

export function addAbortSignal(signal, stream) {
  if (typeof signal !== 'object' || signal === null || !('aborted' in signal)) throw invalidType('signal', 'AbortSignal', signal);
  if (!isNodeStream(stream)) throw invalidType('stream', ['ReadableStream', 'WritableStream', 'Stream'], stream);
  followSignal(signal, stream, (gone) => new AbortError(undefined, { cause: gone.reason }));
  return stream;
}
