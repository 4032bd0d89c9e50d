// Streams of what iterables give.
import { Buffer } from 'node:buffer';
import { invalidType } from 'dotdo:node/errors';
import { errors, isIterable, nextTick } from 'dotdo:node/stream/base';

/** A stream of what an iterable gives. */
export function from(Type, iterable, options) {
  if (typeof iterable === 'string' || iterable instanceof Buffer) {
    return new Type({ objectMode: true, ...options, read() { this.push(iterable); this.push(null); } });
  }
  if (!isIterable(iterable)) throw invalidType('iterable', ['Iterable'], iterable);
  const isAsync = typeof iterable[Symbol.asyncIterator] === 'function';
  const iterator = isAsync ? iterable[Symbol.asyncIterator]() : iterable[Symbol.iterator]();
  const stream = new Type({ objectMode: true, highWaterMark: 1, ...options });
  let isReading = false;
  const next = async () => {
    try {
      for (;;) {
        const { value, done } = isAsync ? await iterator.next() : iterator.next();
        if (done) return void stream.push(null);
        const item = typeof value?.then === 'function' ? await value : value;
        if (item === null) throw errors.nullValues();
        if (!stream.push(item)) {
          isReading = false;
          return;
        }
      }
    } catch (error) {
      stream.destroy(error);
    }
  };
  stream._read = () => {
    if (isReading) return;
    isReading = true;
    next();
  };
  stream._destroy = (error, callback) => {
    const close = async () => {
      if (error && typeof iterator.throw === 'function') {
        const { value, done } = await iterator.throw(error);
        await value;
        if (done) return;
      }
      await (await iterator.return?.())?.value;
    };
    close().then(() => nextTick(callback, error), (failed) => nextTick(callback, failed ?? error));
  };
  return stream;
}
