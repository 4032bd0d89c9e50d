// `MessageChannel`: two ends in the same realm, of which each hears what the other says, later.
import { structuredClone } from 'dotdo:clone';
import { Event, EventTarget, MessageEvent } from 'dotdo:events';

const token = Symbol('own');
let join;

/** One end. What comes before it has begun waits. */
export class MessagePort extends EventTarget {
  #other = null;
  #waiting = [];
  #hasBegun = false;
  #isClosed = false;
  #onmessage = null;

  constructor(given) {
    if (given !== token) throw new TypeError('Illegal constructor');
    super();
  }

  static {
    join = (one, two) => {
      one.#other = two;
      two.#other = one;
    };
  }

  postMessage(value, options) {
    const transfer = Array.isArray(options) ? options : options?.transfer;
    if (transfer?.length) throw new Error('Transfer list is not supported');
    const copy = structuredClone(value);
    if (this.#isClosed) return;
    this.#other.#waiting.push(copy);
    this.#other.#deliver();
  }

  #deliver() {
    if (!this.#hasBegun) return;
    queueMicrotask(() => {
      while (this.#waiting.length && !this.#isClosed) this.dispatchEvent(new MessageEvent('message', { data: this.#waiting.shift() }));
    });
  }

  addEventListener(type, ...more) {
    super.addEventListener(type, ...more);
    if (type === 'message') this.start();
  }

  start() {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    this.#deliver();
  }

  close() {
    if (this.#isClosed) return;
    this.#isClosed = true;
    queueMicrotask(() => this.#other.#end());
  }

  #end() {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.dispatchEvent(new Event('close'));
  }

  get onmessage() { return this.#onmessage; }

  set onmessage(listener) {
    // What is dispatched goes to this one, too.
    this.#onmessage = typeof listener === 'function' ? listener : null;
    if (this.#onmessage) this.start();
  }

  get [Symbol.toStringTag]() { return 'MessagePort'; }
}

export class MessageChannel {
  #ports = [new MessagePort(token), new MessagePort(token)];

  constructor() {
    join(...this.#ports);
  }

  get port1() { return this.#ports[0]; }
  get port2() { return this.#ports[1]; }
  get [Symbol.toStringTag]() { return 'MessageChannel'; }
}
