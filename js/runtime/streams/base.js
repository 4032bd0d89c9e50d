// What all streams are made of: promises that are settled from outside, queues, and strategies.

export const READER_RELEASED = 'This ReadableStream reader has been released.';
export const WRITER_RELEASED = 'This WritableStream writer has been released.';
export const READABLE_LOCKED = 'This ReadableStream is currently locked to a reader.';
export const WRITABLE_LOCKED = 'This WritableStream is currently locked to a writer.';
export const READABLE_CLOSED = 'This ReadableStream has been closed.';
export const WRITABLE_CLOSED = 'This WritableStream has been closed.';
export const ELEMENT_CUT = 'The stream ended within an element of the view that is read into.';

export const nothing = () => {};
export const one = () => 1;
export const byteLength = (chunk) => chunk.byteLength;
export const isObject = (value) => (typeof value === 'object' && value !== null) || typeof value === 'function';

export function refuse(message) {
  throw new TypeError(message);
}

/** What `work` returns or throws, as a promise. */
export function promised(work) {
  try {
    return Promise.resolve(work());
  } catch (error) {
    return Promise.reject(error);
  }
}

/** A promise with the functions that settle it. */
export function deferred() {
  const it = { pending: true };
  it.promise = new Promise((resolve, reject) => {
    it.resolve = (value) => { it.pending = false; resolve(value); };
    it.reject = (error) => { it.pending = false; reject(error); };
  });
  return it;
}

/** One whose rejection nobody has to handle. */
export function quiet() {
  const it = deferred();
  it.promise.catch(nothing);
  return it;
}

/** This one, rejected; or another one, if this one was settled before. */
export function failed(it, error) {
  const next = it.pending ? it : quiet();
  next.reject(error);
  return next;
}

/** Values with sizes. Taking the first does not move the others. */
export class Queue {
  #items = [];
  #at = 0;
  total = 0;

  get length() { return this.#items.length - this.#at; }
  get first() { return this.#items[this.#at]?.value; }

  push(value, size = 0) {
    this.#items.push({ value, size });
    this.total += size;
  }

  shift() {
    const { value, size } = this.#items[this.#at];
    this.#items[this.#at] = undefined;
    this.#at += 1;
    if (this.#at * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#at);
      this.#at = 0;
    }
    this.total = Math.max(0, this.total - size);
    return value;
  }

  unshift(value, size) {
    if (this.#at > 0) {
      this.#at -= 1;
      this.#items[this.#at] = { value, size };
    } else {
      this.#items.unshift({ value, size });
    }
    this.total += size;
  }

  clear() {
    this.#items = [];
    this.#at = 0;
    this.total = 0;
  }
}

export function strategyOf(strategy, usual) {
  const { highWaterMark = usual, size = one } = strategy ?? {};
  if (!(Number(highWaterMark) >= 0)) throw new RangeError(`expected a highWaterMark of 0 or more, got ${highWaterMark}`);
  if (typeof size !== 'function') throw new TypeError(`expected a function as size of a strategy, got ${typeof size}`);
  return { highWaterMark: Number(highWaterMark), size };
}

export function sizeOf(chunk, size) {
  const number = Number(size(chunk));
  if (!(number >= 0 && number < Infinity)) throw new RangeError(`expected a finite number of 0 or more as the size of a chunk, got ${number}`);
  return number;
}

/** The functions of a source, a sink or a transformer, to be called as its methods. */
export function hooksOf(owner, what, names) {
  if (!isObject(owner)) throw new TypeError(`expected an object as ${what}, got ${owner === null ? 'null' : typeof owner}`);
  const hooks = {};
  for (const name of names) {
    const hook = owner[name];
    if (hook !== undefined && typeof hook !== 'function') throw new TypeError(`expected a function as ${name} of ${what}, got ${typeof hook}`);
    hooks[name] = hook === undefined ? nothing : (...values) => hook.apply(owner, values);
  }
  return hooks;
}
