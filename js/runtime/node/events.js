// The module `node:events`: who sends events, and who listens to them.
import { AbortError, checkBoolean, checkFunction, checkNumber, checkObject, checkSignal, coded, invalidType } from 'dotdo:node/errors';
import { AsyncResource } from 'dotdo:node/resource';

export const errorMonitor = Symbol('events.errorMonitor');
export const captureRejectionSymbol = Symbol.for('nodejs.rejection');
const capture = Symbol('kCapture');
const shapeMode = Symbol('shapeMode');

let defaultMaxListeners = 10;
let captureRejections = false;

export function EventEmitter(options) {
  EventEmitter.init.call(this, options);
}

const proto = EventEmitter.prototype;
proto._events = undefined;
proto._eventsCount = 0;
proto._maxListeners = undefined;
Object.defineProperty(proto, capture, { value: false, writable: true, enumerable: false });

EventEmitter.init = function init(options) {
  if (this._events === undefined || this._events === Object.getPrototypeOf(this)._events) {
    this._events = Object.create(null);
    this._eventsCount = 0;
  }
  this._maxListeners ||= undefined;
  if (options?.captureRejections) {
    checkBoolean(options.captureRejections, 'options.captureRejections');
    this[capture] = true;
  } else this[capture] = captureRejections;
};

const listOf = (found) => (found === undefined ? [] : typeof found === 'function' ? [found] : found.slice());
const plain = (listener) => listener.listener ?? listener;

function unhandled(error) {
  if (error instanceof Error) return error;
  const shown = typeof error === 'string' ? `'${error}'` : typeof error === 'object' && error !== null ? '[object Object]' : String(error);
  return coded(Error, 'ERR_UNHANDLED_ERROR', `Unhandled error.${error === undefined ? ' (undefined)' : ` (${shown})`}`, { context: error });
}

/** A promise of a listener that fails is an error of the emitter. */
function watch(emitter, promise, type, values) {
  try {
    const then = promise.then;
    if (typeof then !== 'function') return;
    then.call(promise, undefined, (error) => queueMicrotask(() => {
      if (typeof emitter[captureRejectionSymbol] === 'function') {
        emitter[captureRejectionSymbol](error, type, ...values);
        return;
      }
      const before = emitter[capture];
      emitter[capture] = false;
      try {
        emitter.emit('error', error);
      } finally {
        emitter[capture] = before;
      }
    }));
  } catch (error) {
    emitter.emit('error', error);
  }
}

proto.emit = function emit(type, ...values) {
  const events = this._events;
  if (type === 'error') {
    if (events?.[errorMonitor] !== undefined) this.emit(errorMonitor, ...values);
    if (events?.error === undefined) throw unhandled(values[0]);
  }
  const found = events?.[type];
  if (found === undefined) return false;
  for (const listener of listOf(found)) {
    const result = listener.apply(this, values);
    if (this[capture] && result !== undefined && result !== null) watch(this, result, type, values);
  }
  return true;
};

function warn(emitter, type, list) {
  list.warned = true;
  const name = emitter.constructor?.name ?? 'an emitter';
  console.warn(`MaxListenersExceededWarning: expected at most ${emitter.getMaxListeners()} listeners of ${String(type)} on ${name}, got ${list.length}; setMaxListeners raises the limit`);
}

function add(emitter, type, listener, isFirst) {
  checkFunction(listener, 'listener');
  if (emitter._events === undefined) {
    emitter._events = Object.create(null);
    emitter._eventsCount = 0;
  } else if (emitter._events.newListener !== undefined) emitter.emit('newListener', type, plain(listener));
  const found = emitter._events[type];
  if (found === undefined) {
    emitter._events[type] = listener;
    emitter._eventsCount++;
    return emitter;
  }
  const list = typeof found === 'function' ? [found] : found;
  if (isFirst) list.unshift(listener);
  else list.push(listener);
  emitter._events[type] = list;
  const most = emitter.getMaxListeners();
  if (most > 0 && list.length > most && !list.warned) warn(emitter, type, list);
  return emitter;
}

function onceOf(emitter, type, listener) {
  checkFunction(listener, 'listener');
  let isOver = false;
  const wrapped = function (...values) {
    if (isOver) return undefined;
    isOver = true;
    emitter.removeListener(type, wrapped);
    return listener.apply(emitter, values);
  };
  wrapped.listener = listener;
  return wrapped;
}

Object.assign(proto, {
  setMaxListeners(count) {
    checkNumber(count, 'setMaxListeners', 0);
    this._maxListeners = count;
    return this;
  },
  getMaxListeners() {
    return this._maxListeners ?? defaultMaxListeners;
  },
  addListener(type, listener) {
    return add(this, type, listener, false);
  },
  prependListener(type, listener) {
    return add(this, type, listener, true);
  },
  once(type, listener) {
    checkFunction(listener, 'listener');
    return this.on(type, onceOf(this, type, listener));
  },
  prependOnceListener(type, listener) {
    checkFunction(listener, 'listener');
    return this.prependListener(type, onceOf(this, type, listener));
  },
  removeListener(type, listener) {
    checkFunction(listener, 'listener');
    const found = this._events?.[type];
    if (found === undefined) return this;
    const list = listOf(found);
    const at = list.findLastIndex((other) => other === listener || other.listener === listener);
    if (at < 0) return this;
    const [removed] = list.splice(at, 1);
    if (list.length === 0) {
      delete this._events[type];
      this._eventsCount--;
    } else this._events[type] = list.length === 1 ? list[0] : Object.assign(list, { warned: found.warned });
    if (this._events.removeListener !== undefined) this.emit('removeListener', type, plain(removed));
    return this;
  },
  removeAllListeners(type) {
    const events = this._events;
    if (events === undefined) return this;
    if (events.removeListener === undefined) {
      if (arguments.length === 0) {
        this._events = Object.create(null);
        this._eventsCount = 0;
      } else if (events[type] !== undefined) {
        delete events[type];
        this._eventsCount--;
      }
      return this;
    }
    if (arguments.length === 0) {
      for (const key of Reflect.ownKeys(events)) if (key !== 'removeListener') this.removeAllListeners(key);
      this.removeAllListeners('removeListener');
      this._events = Object.create(null);
      this._eventsCount = 0;
      return this;
    }
    for (const listener of listOf(events[type]).reverse()) this.removeListener(type, listener);
    return this;
  },
  listeners(type) {
    return listOf(this._events?.[type]).map(plain);
  },
  rawListeners(type) {
    return listOf(this._events?.[type]);
  },
  listenerCount(type, listener) {
    const list = listOf(this._events?.[type]);
    return listener === undefined || listener === null ? list.length : list.filter((other) => other === listener || other.listener === listener).length;
  },
  eventNames() {
    return this._eventsCount > 0 ? Reflect.ownKeys(this._events) : [];
  },
});
proto.on = proto.addListener;
proto.off = proto.removeListener;
for (const name of Object.keys(proto)) {
  if (typeof proto[name] === 'function') Object.defineProperty(proto[name], 'name', { value: { on: 'addListener', off: 'removeListener' }[name] ?? name });
}

/** Listens to an emitter or a target of events, and returns how to stop. */
function listen(emitter, type, listener, options) {
  if (typeof emitter?.on === 'function') {
    if (options?.once) emitter.once(type, listener);
    else emitter.on(type, listener);
    return () => emitter.removeListener(type, listener);
  }
  if (typeof emitter?.addEventListener !== 'function') throw invalidType('emitter', 'EventEmitter', emitter);
  emitter.addEventListener(type, listener, options);
  return () => emitter.removeEventListener(type, listener);
}

export async function once(emitter, type, options = {}) {
  checkObject(options, 'options');
  const { signal } = options;
  checkSignal(signal, 'options.signal');
  if (signal?.aborted) throw new AbortError(undefined, { cause: signal.reason });
  return new Promise((resolve, reject) => {
    const stops = [];
    const end = (work) => (...values) => {
      for (const stop of stops) stop();
      work(...values);
    };
    stops.push(listen(emitter, type, end((...values) => resolve(values)), { once: true }));
    if (type !== 'error' && typeof emitter.once === 'function') stops.push(listen(emitter, 'error', end(reject), { once: true }));
    if (signal) stops.push(listen(signal, 'abort', end(() => reject(new AbortError(undefined, { cause: signal.reason }))), { once: true }));
  });
}

export function on(emitter, type, options = {}) {
  checkObject(options, 'options');
  const { signal } = options;
  checkSignal(signal, 'options.signal');
  if (signal?.aborted) throw new AbortError(undefined, { cause: signal.reason });
  const [came, waiting, stops] = [[], [], []];
  let [failure, isOver] = [null, false];
  const result = (value, done) => ({ value, done });
  const take = (...values) => (waiting.length ? waiting.shift().resolve(result(values, false)) : came.push(values));
  const fail = (error) => (waiting.length ? waiting.shift().reject(error) : (failure = error));
  const close = () => {
    for (const stop of stops.splice(0)) stop();
    isOver = true;
    for (const { resolve } of waiting.splice(0)) resolve(result(undefined, true));
    return Promise.resolve(result(undefined, true));
  };
  stops.push(listen(emitter, type, take));
  if (type !== 'error' && typeof emitter.on === 'function') stops.push(listen(emitter, 'error', fail));
  for (const end of options.close ?? []) stops.push(listen(emitter, end, close));
  if (signal) stops.push(listen(signal, 'abort', () => fail(new AbortError(undefined, { cause: signal.reason })), { once: true }));
  return Object.setPrototypeOf({
    next() {
      if (came.length) return Promise.resolve(result(came.shift(), false));
      if (failure) {
        const error = failure;
        failure = null;
        return Promise.reject(error);
      }
      if (isOver) return close();
      return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
    },
    return: close,
    throw(error) {
      if (!(error instanceof Error)) throw invalidType('EventEmitter.AsyncIterator', 'Error', error);
      fail(error);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  }, Object.getPrototypeOf(Object.getPrototypeOf(async function* () {}).prototype));
}

export function getEventListeners(emitter, type) {
  if (typeof emitter?.listeners === 'function') return emitter.listeners(type);
  throw invalidType('emitter', ['EventEmitter', 'EventTarget'], emitter);
}

export function getMaxListeners(emitter) {
  if (typeof emitter?.getMaxListeners === 'function') return emitter._maxListeners ?? defaultMaxListeners;
  if (emitter instanceof EventTarget) return emitter[shapeMode] ?? defaultMaxListeners;
  throw invalidType('emitter', ['EventEmitter', 'EventTarget'], emitter);
}

export function setMaxListeners(count = defaultMaxListeners, ...targets) {
  checkNumber(count, 'setMaxListeners', 0);
  if (targets.length === 0) defaultMaxListeners = count;
  for (const target of targets) {
    if (typeof target?.setMaxListeners === 'function') target.setMaxListeners(count);
    else if (target instanceof EventTarget) Object.defineProperty(target, shapeMode, { value: count, configurable: true });
    else throw invalidType('eventTargets', ['EventEmitter', 'EventTarget'], target);
  }
}

export const listenerCount = (emitter, type) => (typeof emitter.listenerCount === 'function' ? emitter.listenerCount(type) : getEventListeners(emitter, type).length);

export function addAbortListener(signal, listener) {
  if (signal === undefined) throw invalidType('signal', 'AbortSignal', signal);
  checkSignal(signal, 'signal');
  checkFunction(listener, 'listener');
  let stop = () => {};
  if (signal.aborted) queueMicrotask(() => listener());
  else {
    signal.addEventListener('abort', listener, { once: true });
    stop = () => signal.removeEventListener('abort', listener);
  }
  return { [Symbol.dispose]: stop };
}

/** An emitter whose listeners run in the context in which it was made. */
export class EventEmitterAsyncResource extends EventEmitter {
  #resource;

  constructor(options) {
    super(typeof options === 'string' ? undefined : options);
    const name = typeof options === 'string' ? options : (options?.name ?? new.target.name);
    this.#resource = new AsyncResource(name, typeof options === 'string' ? undefined : options);
  }

  emit(type, ...values) {
    return this.#resource.runInAsyncScope(super.emit, this, type, ...values);
  }

  emitDestroy() {
    this.#resource.emitDestroy();
  }

  get asyncId() {
    return this.#resource.asyncId();
  }

  get triggerAsyncId() {
    return this.#resource.triggerAsyncId();
  }

  get asyncResource() {
    return this.#resource;
  }
}

Object.assign(EventEmitter, {
  EventEmitter, EventEmitterAsyncResource, once, on, addAbortListener, errorMonitor, getEventListeners, getMaxListeners, setMaxListeners,
  listenerCount, captureRejectionSymbol, usingDomains: false,
});
Object.defineProperties(EventEmitter, {
  defaultMaxListeners: {
    get: () => defaultMaxListeners,
    set(count) {
      checkNumber(count, 'defaultMaxListeners', 0);
      defaultMaxListeners = count;
    },
    enumerable: true,
  },
  captureRejections: {
    get: () => captureRejections,
    set(value) {
      checkBoolean(value, 'EventEmitter.captureRejections');
      captureRejections = value;
    },
    enumerable: true,
  },
});

export const usingDomains = false;
export { captureRejections, defaultMaxListeners };
export default EventEmitter;
