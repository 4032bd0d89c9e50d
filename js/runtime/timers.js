// Timers: Rust waits, and the end of each wait is an event.
import { context, within } from 'dotdo:context';
import { host } from 'dotdo:host';
import { nextOperation, owner, whenGone } from 'dotdo:operations';

const TIMERS_MAX = 10_000;
const DELAY_MAX = 2 ** 31 - 1;

/** The timers of each owner, by their numbers: an object in memory, or a request to the worker. */
const owners = new Map();

whenGone.push((gone) => owners.delete(gone));

function set(work, delay, values, repeats, Type = Timeout) {
  if (typeof work !== 'function') throw new TypeError(`expected a function to call later, got ${typeof work}`);
  if (owner === undefined) throw new Error('expected a timer of a handler, got one in global scope: nothing waits for it there');
  const timers = owners.get(owner) ?? new Map();
  if (timers.size >= TIMERS_MAX) throw new Error(`expected at most ${TIMERS_MAX} timers at a time, got more`);
  owners.set(owner, timers);
  const number = Number(delay);
  const timer = { id: nextOperation(), work, values, ms: number > 0 ? Math.min(Math.floor(number), DELAY_MAX) : 0, repeats, frame: context.current };
  begin(timers, timer);
  return new Type(timer.id);
}

/** What stands for a timer: an object as in Node, which is also a number. */
class Timeout {
  #id;

  constructor(id) {
    this.#id = id;
  }

  [Symbol.toPrimitive]() {
    return this.#id;
  }

  ref() {
    return this;
  }

  unref() {
    return this;
  }

  hasRef() {
    return true;
  }

  refresh() {
    const timers = owners.get(owner);
    const timer = timers?.get(this.#id);
    if (timer) {
      host.cancel(timer.operation);
      begin(timers, timer);
    }
    return this;
  }

  close() {
    clearTimeout(this);
    return this;
  }

  [Symbol.dispose]() {
    clearTimeout(this);
  }
}

class Immediate extends Timeout {}

function begin(timers, timer) {
  timer.due = host.now() + timer.ms;
  timer.operation = nextOperation();
  host.timer(timer.operation, timer.ms);
  timers.set(timer.id, timer);
}

export const setTimeout = (work, delay, ...values) => set(work, delay, values, false);
export const setInterval = (work, delay, ...values) => set(work, delay, values, true);
export const setImmediate = (work, ...values) => set(work, 0, values, false, Immediate);

export function clearTimeout(id) {
  if (typeof id === 'symbol' || typeof id === 'bigint') return;
  const number = Number(id);
  const timer = owners.get(owner)?.get(number);
  if (!timer) return;
  owners.get(owner).delete(number);
  host.cancel(timer.operation);
}

export { clearTimeout as clearImmediate, clearTimeout as clearInterval };

/**
 * The wait of an operation is over. The earliest timer of the owner that is due runs, so that they run in
 * order, whichever wait ends first: the wait of that one then runs what was passed over.
 */
export function ring(operation) {
  const timers = owners.get(owner);
  let first;
  // What was waited for is due, whatever the clock says by now.
  let until = host.now();
  for (const timer of timers?.values() ?? []) {
    if (!first || timer.due < first.due) first = timer;
    if (timer.operation === operation) until = Math.max(until, timer.due);
  }
  if (!first || first.due > until) return;
  timers.delete(first.id);
  // An exception of the function does not end what is repeated.
  if (first.repeats) begin(timers, first);
  else if (!timers.size) owners.delete(owner);
  try {
    context.before(first.frame);
    within(first.frame, first.work, globalThis, first.values);
  } catch (error) {
    host.log('error', `uncaught in a timer: ${error?.stack ? `${error}\n${error.stack}` : error}`);
  }
}

export const scheduler = {
  wait: (delay, options) => {
    if (options?.signal) throw new Error('scheduler.wait with a signal is not available in dotdo yet');
    return new Promise((resolve) => setTimeout(resolve, delay));
  },
};
