// Makes contexts follow promises. It begins with the first AsyncLocalStorage: nobody else pays for it.
//
// QuickJS runs what waits for a promise as a job, and tells of none. A job that a handler of ours begins
// enters its context itself. What goes on after `await` has a job before it, which enters its context:
// - `await` of a promise reads the promise's `constructor`, and then adds what goes on to the promise's
//   reactions. The getter below adds one more just before.
// - `await` of anything else makes a promise for it, of which the hook tells, and fulfills that.
// - Of one that a thenable rejects nothing tells. What may be about to do that (what handles a rejection, a
//   timer, a microtask) lets a job enter its context first, which is the right one if it rejects at once.
import { context, within } from 'dotdo:context';
import { host } from 'dotdo:host';
import { checkFunction } from 'dotdo:node/errors';

const { apply } = Reflect;
const { then: nativeThen, finally: nativeFinally } = Promise.prototype;
const { resolve: nativeResolve } = Promise;
const queue = globalThis.queueMicrotask;

/** The contexts in which promises were made: of those that may be one of an `await`, and of those that `then` returns. */
const made = new WeakMap();
const derived = new WeakMap();

const leave = () => {
  context.current = undefined;
};
const entry = (frame) => (frame === undefined ? leave : frame.enter);

/** Whether it is no `await` that reads the constructor of a promise. */
let isOurs = false;
/** Whether the promise that is made is of no interest. */
let isAside = false;

const [MADE, ASKED, ANSWERED, FULFILLED] = [0, 1, 2, 3];

/** What the engine tells of a promise: it was made or fulfilled, or its thenable is about to be asked or was. */
function told(what, promise, parent) {
  switch (what) {
    case MADE:
      if (isAside) return;
      if (parent === undefined) made.set(promise, context.current);
      else if (context.current !== undefined) derived.set(promise, context.current);
      return;
    case FULFILLED:
      if (!made.has(promise)) return;
      queue(entry(made.get(promise)));
      made.delete(promise);
      return;
    case ASKED: {
      const frame = made.get(promise) ?? derived.get(promise);
      context.current = frame;
      // For one that rejects at once: of that the engine tells nothing.
      queue(entry(frame));
      return;
    }
    case ANSWERED:
      leave();
  }
}

/** `work` in the context of now, as the whole of a job. */
function bound(work, mayReject) {
  if (typeof work !== 'function') return work;
  const frame = context.current;
  return (value) => {
    if (mayReject) queue(entry(frame));
    context.current = frame;
    try {
      return work(value);
    } finally {
      context.current = undefined;
    }
  };
}

function calling(native, self, values) {
  isOurs = true;
  try {
    return apply(native, self, values);
  } finally {
    isOurs = false;
  }
}

function replace(target, name, value) {
  Object.defineProperty(value, 'name', { value: name });
  Object.defineProperty(target, name, { value, writable: true, configurable: true });
}

function replacePromises(Type) {
  replace(Type.prototype, 'then', function (onFulfilled, onRejected) {
    return calling(nativeThen, this, [bound(onFulfilled, false), bound(onRejected, true)]);
  });
  replace(Type.prototype, 'finally', function (onFinally) {
    return calling(nativeFinally, this, [onFinally]);
  });
  replace(Type, 'resolve', function (value) {
    return value instanceof Type ? calling(nativeResolve, this, [value]) : apply(nativeResolve, this, [value]);
  });
  Object.defineProperty(Type.prototype, 'constructor', {
    get() {
      if (isOurs) isOurs = false;
      else if (this !== Type.prototype) mark(this);
      return Type;
    },
    set(value) {
      Object.defineProperty(this, 'constructor', { value, writable: true, configurable: true, enumerable: true });
    },
    configurable: true,
  });
}

/** Whatever reacts to `promise` next goes on in the context of now. */
function mark(promise) {
  const enter = entry(context.current);
  isOurs = true;
  isAside = true;
  try {
    apply(nativeThen, promise, [enter, enter]);
  } catch {
    // It is no promise, and has its constructor only by its prototype.
  } finally {
    isOurs = false;
    isAside = false;
  }
}

function replaceQueue() {
  replace(globalThis, 'queueMicrotask', (work) => {
    checkFunction(work, 'callback');
    const frame = context.current;
    queue(() => {
      queue(entry(frame));
      context.current = undefined;
      within(frame, work, globalThis, []);
    });
  });
}

let isTracking = false;

export function track() {
  if (isTracking) return;
  isTracking = true;
  replacePromises(Promise);
  replaceQueue();
  context.before = (frame) => queue(entry(frame));
  host.trackPromises(told);
}
