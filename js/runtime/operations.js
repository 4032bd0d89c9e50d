// What goes on outside of the realm: Rust does it, and its end is an event of whoever has begun it.
import { host } from 'dotdo:host';

let count = 0;

/** The number of an operation that begins. */
export const nextOperation = () => ++count;

/** For whom code runs now: an object in memory or a request to the worker, by its number. */
export let owner;

export function enter(now) {
  owner = now;
}

/** Operations whose answers settle a promise. */
const waiting = new Map();

/** The promise of an operation, which `begin` begins by its number. */
export function answerOf(begin) {
  if (owner === undefined) throw new Error('expected a call in a handler, got one in global scope: nothing waits for it there');
  const id = nextOperation();
  return new Promise((resolve, reject) => {
    begin(id);
    waiting.set(id, { resolve, reject, owner });
  });
}

/** Nobody waits for the answer of an operation any more. */
export function cancel(id) {
  waiting.delete(id);
  host.cancel(id);
}

/** Takes what waits for an answer, once. */
export function takeWaiting(id) {
  const found = waiting.get(id);
  waiting.delete(id);
  return found;
}

/** What is called with the number of an owner that has left memory: nothing of it goes on. */
export const whenGone = [(gone) => {
  for (const [id, { owner }] of waiting) if (owner === gone) waiting.delete(id);
}];

/** What is called at the end of each slice. */
export const whenSliceEnds = [];
