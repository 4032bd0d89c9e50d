// The module `node:timers/promises`.
import { AbortError, checkBoolean, checkNumber, checkObject, checkSignal } from 'dotdo:node/errors';

const { clearInterval, clearTimeout, setInterval: repeat, setTimeout: later } = globalThis;

function checked(options) {
  checkObject(options, 'options');
  checkSignal(options.signal, 'options.signal');
  if (options.ref !== undefined) checkBoolean(options.ref, 'options.ref');
  return options.signal;
}

const aborted = (signal) => new AbortError(undefined, { cause: signal.reason });

function waiting(delay, value, options) {
  let signal;
  try {
    if (delay !== undefined) checkNumber(delay, 'delay');
    signal = checked(options);
  } catch (error) {
    return Promise.reject(error);
  }
  if (signal?.aborted) return Promise.reject(aborted(signal));
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer);
      reject(aborted(signal));
    };
    const timer = later(() => {
      signal?.removeEventListener('abort', abort);
      resolve(value);
    }, delay);
    signal?.addEventListener('abort', abort, { once: true });
  });
}

export const setTimeout = (delay, value, options = {}) => waiting(delay, value, options);
export const setImmediate = (value, options = {}) => waiting(0, value, options);

export async function* setInterval(delay, value, options = {}) {
  if (delay !== undefined) checkNumber(delay, 'delay');
  const signal = checked(options);
  if (signal?.aborted) throw aborted(signal);
  let [due, wake] = [0, undefined];
  const timer = repeat(() => {
    due++;
    wake?.();
  }, delay);
  const abort = () => wake?.();
  signal?.addEventListener('abort', abort, { once: true });
  try {
    for (;;) {
      if (signal?.aborted) throw aborted(signal);
      if (due === 0) await new Promise((resolve) => { wake = resolve; });
      for (; due > 0; due--) yield value;
    }
  } finally {
    clearInterval(timer);
    signal?.removeEventListener('abort', abort);
  }
}

export const scheduler = { wait: (delay, options) => setTimeout(delay, undefined, options), yield: () => setImmediate() };

export default { setTimeout, setImmediate, setInterval, scheduler };
