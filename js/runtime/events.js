// Events that code sends to itself, and signals to give up.
import { host } from 'dotdo:host';
import { timers } from 'dotdo:lazy';

const inside = Symbol('inside');

/** What has happened. */
export class Event {
  #type;
  #init;
  #prevented = false;
  #stopped = false;
  #target = null;

  constructor(type, { bubbles = false, cancelable = false, composed = false } = {}) {
    if (arguments.length === 0) throw new TypeError('expected the type of an event, got none');
    this.#type = String(type);
    this.#init = { bubbles: Boolean(bubbles), cancelable: Boolean(cancelable), composed: Boolean(composed) };
    this.timeStamp = host.now();
  }

  get type() {
    return this.#type;
  }

  get bubbles() {
    return this.#init.bubbles;
  }

  get cancelable() {
    return this.#init.cancelable;
  }

  get composed() {
    return this.#init.composed;
  }

  get target() {
    return this.#target;
  }

  get currentTarget() {
    return this.#target;
  }

  get srcElement() {
    return this.#target;
  }

  get eventPhase() {
    return this.#target ? 2 : 0;
  }

  get isTrusted() {
    return false;
  }

  get defaultPrevented() {
    return this.#prevented;
  }

  preventDefault() {
    // Also one that can't be cancelled, as on Cloudflare.
    this.#prevented = true;
  }

  stopPropagation() {}

  stopImmediatePropagation() {
    this.#stopped = true;
  }

  composedPath() {
    return this.#target ? [this.#target] : [];
  }

  /** Sends it to listeners of `target`, one after the other, until one stops it. */
  [inside](target, listeners) {
    this.#target = target;
    for (const listener of listeners) {
      if (this.#stopped) return;
      listener(this);
    }
  }

  get [Symbol.toStringTag]() {
    return 'Event';
  }
}

/** An event with something of its sender's. */
export class CustomEvent extends Event {
  constructor(type, init = {}) {
    super(type, init);
    this.detail = init?.detail ?? null;
  }
}

/** A message on a WebSocket. */
export class MessageEvent extends Event {
  constructor(type, init = {}) {
    super(type, init);
    this.data = init?.data ?? null;
  }

  get ports() { return []; }
}

/** The end of a WebSocket. */
export class CloseEvent extends Event {
  constructor(type, { code = 0, reason = '', wasClean = false, ...init } = {}) {
    super(type, init);
    Object.assign(this, { code, reason, wasClean });
  }
}

/** What went wrong. */
export class ErrorEvent extends Event {
  constructor(type, { message = '', error, ...init } = {}) {
    super(type, init);
    Object.assign(this, { message, error });
  }
}

const isListener = (listener) => typeof listener === 'function' || (typeof listener === 'object' && listener !== null);

/** Whoever events are sent to. */
export class EventTarget {
  #listeners = new Map();

  addEventListener(type, listener, options = {}) {
    if (listener === null || listener === undefined) return;
    if (!isListener(listener)) throw new TypeError(`expected a function as the listener of ${String(type)}, got ${typeof listener}`);
    const { once = false, signal } = typeof options === 'object' && options !== null ? options : {};
    if (signal?.aborted) return;
    const list = this.#listeners.get(String(type)) ?? [];
    if (list.some((other) => other.listener === listener)) return;
    list.push({ listener, once: Boolean(once) });
    this.#listeners.set(String(type), list);
    signal?.addEventListener('abort', () => this.removeEventListener(type, listener), { once: true });
  }

  removeEventListener(type, listener) {
    const list = this.#listeners.get(String(type));
    const at = list?.findIndex((other) => other.listener === listener) ?? -1;
    if (at >= 0) list.splice(at, 1);
  }

  /** Whether anybody listens to events of a type. */
  static hears(target, type) {
    return Boolean(target.#listeners.get(type)?.length) || typeof target[`on${type}`] === 'function';
  }

  dispatchEvent(event) {
    if (!(event instanceof Event)) throw new TypeError('expected an Event');
    const calls = [];
    const handler = this[`on${event.type}`];
    if (typeof handler === 'function') calls.push((happened) => handler.call(this, happened));
    for (const { listener, once } of this.#listeners.get(event.type) ?? []) {
      calls.push((happened) => {
        if (once) this.removeEventListener(event.type, listener);
        if (typeof listener === 'function') listener.call(this, happened);
        else listener.handleEvent?.(happened);
      });
    }
    event[inside](this, calls);
    return !event.defaultPrevented;
  }

  get [Symbol.toStringTag]() {
    return 'EventTarget';
  }
}

/** Whether to give up, and why. */
export class AbortSignal extends EventTarget {
  #aborted = false;
  #reason;
  onabort = null;

  constructor(own) {
    if (own !== inside) throw new TypeError('Illegal constructor');
    super();
  }

  static abort(reason) {
    const signal = new AbortSignal(inside);
    signal[inside](reason);
    return signal;
  }

  static timeout(ms) {
    const signal = new AbortSignal(inside);
    timers().setTimeout(() => signal[inside](new DOMException('The operation was aborted due to timeout', 'TimeoutError')), ms);
    return signal;
  }

  static any(signals) {
    const any = new AbortSignal(inside);
    for (const signal of signals) {
      if (signal.aborted) any[inside](signal.reason);
      else signal.addEventListener('abort', () => any[inside](signal.reason), { once: true });
    }
    return any;
  }

  get aborted() {
    return this.#aborted;
  }

  get reason() {
    return this.#reason;
  }

  throwIfAborted() {
    if (this.#aborted) throw this.#reason;
  }

  [inside](reason) {
    if (this.#aborted) return;
    this.#aborted = true;
    this.#reason = reason === undefined ? new DOMException('The operation was aborted', 'AbortError') : reason;
    this.dispatchEvent(new Event('abort'));
  }

  get [Symbol.toStringTag]() {
    return 'AbortSignal';
  }
}

/** Who decides to give up. */
export class AbortController {
  #signal = new AbortSignal(inside);

  get signal() {
    return this.#signal;
  }

  abort(reason) {
    this.#signal[inside](reason);
  }

  get [Symbol.toStringTag]() {
    return 'AbortController';
  }
}

/** A promise that `signal` ends before `work` does; `cancel` is then called. */
export function orAborted(signal, work, cancel = () => {}) {
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    const abort = () => {
      cancel();
      reject(signal.reason);
    };
    signal.addEventListener('abort', abort, { once: true });
    const over = () => signal.removeEventListener('abort', abort);
    work.then(resolve, reject).finally(over);
  });
}
