// Runs a handler of the worker within an object of the runtime, whose alarm has the event.
import { bundle, current } from 'dotdo:environment';
import { host } from 'dotdo:host';
import { WorkerEntrypoint } from 'dotdo:workers';

/** Calls the worker's `queue` or `scheduled`, and waits for all that it has begun by `waitUntil`. */
export async function handle(object, name, event) {
  const work = [];
  const waitUntil = (more) => {
    work.push(Promise.resolve(more).catch((error) => host.log('error', `work of waitUntil failed: ${error?.stack ?? error}`)));
  };
  // Also of what goes on after others' answers.
  object.ctx.waitUntil = waitUntil;
  current.waitUntil = waitUntil;
  const ctx = { props: {}, waitUntil, passThroughOnException() {} };
  const entry = bundle.exports.default;
  try {
    if (typeof entry === 'function' && entry.prototype instanceof WorkerEntrypoint) await new entry(ctx, object.env)[name](event);
    else await entry[name](event, object.env, ctx);
  } finally {
    for (let done = 0; done < work.length; done++) await work[done];
  }
}
