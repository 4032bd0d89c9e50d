// The module `node:diagnostics_channel`: who tells of what happens, and who wants to know.
import { checkFunction, invalidType } from 'dotdo:node/errors';

const channels = new Map();

/** Does `work` with each store of a channel, if it has any. */
function entering(stores, value, work) {
  let run = work;
  for (const [store, transform] of stores) {
    const next = run;
    run = () => {
      let context;
      try {
        context = transform ? transform(value) : value;
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
        return next();
      }
      return store.run(context, next);
    };
  }
  return run();
}

export class Channel {
  #subscribers = [];
  #stores = new Map();

  constructor(name) {
    this.name = name;
  }

  get hasSubscribers() {
    return this.#subscribers.length > 0 || this.#stores.size > 0;
  }

  subscribe(subscription) {
    checkFunction(subscription, 'subscription');
    this.#subscribers = [...this.#subscribers, subscription];
  }

  unsubscribe(subscription) {
    const at = this.#subscribers.indexOf(subscription);
    if (at < 0) return false;
    this.#subscribers = this.#subscribers.filter((_, index) => index !== at);
    return true;
  }

  bindStore(store, transform) {
    this.#stores.set(store, transform);
  }

  unbindStore(store) {
    return this.#stores.delete(store);
  }

  publish(message) {
    for (const subscriber of this.#subscribers) {
      try {
        subscriber(message, this.name);
      } catch (error) {
        console.error('uncaught in a subscriber of a channel', error);
      }
    }
  }

  runStores(message, work, self, ...values) {
    return entering(this.#stores, message, () => {
      this.publish(message);
      return Reflect.apply(work, self, values);
    });
  }
}

export function channel(name) {
  if (typeof name !== 'string' && typeof name !== 'symbol') throw invalidType('channel', ['string', 'symbol'], name);
  if (!channels.has(name)) channels.set(name, new Channel(name));
  return channels.get(name);
}

export const subscribe = (name, subscription) => channel(name).subscribe(subscription);
export const unsubscribe = (name, subscription) => channel(name).unsubscribe(subscription);
export const hasSubscribers = (name) => channels.get(name)?.hasSubscribers ?? false;

const EVENTS = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'];

/** Five channels that tell of one piece of work. */
export class TracingChannel {
  constructor(names) {
    for (const event of EVENTS) {
      const found = typeof names === 'string' ? channel(`tracing:${names}:${event}`) : names?.[event];
      if (!(found instanceof Channel)) throw invalidType(`nameOrChannels.${event}`, ['Channel'], found);
      Object.defineProperty(this, event, { value: found });
    }
  }

  get hasSubscribers() {
    return EVENTS.some((event) => this[event].hasSubscribers);
  }

  subscribe(handlers) {
    for (const event of EVENTS) if (handlers[event]) this[event].subscribe(handlers[event]);
  }

  unsubscribe(handlers) {
    return EVENTS.map((event) => !handlers[event] || this[event].unsubscribe(handlers[event])).every(Boolean);
  }

  traceSync(work, context = {}, self = undefined, ...values) {
    return this.start.runStores(context, () => {
      try {
        const result = Reflect.apply(work, self, values);
        context.result = result;
        return result;
      } catch (error) {
        context.error = error;
        this.error.publish(context);
        throw error;
      } finally {
        this.end.publish(context);
      }
    });
  }

  tracePromise(work, context = {}, self = undefined, ...values) {
    const settled = (field, value) => {
      context[field] = value;
      if (field === 'error') this.error.publish(context);
      this.asyncStart.publish(context);
      this.asyncEnd.publish(context);
    };
    return this.start.runStores(context, () => {
      try {
        const promise = Promise.resolve(Reflect.apply(work, self, values));
        return promise.then((result) => {
          settled('result', result);
          return result;
        }, (error) => {
          settled('error', error);
          throw error;
        });
      } catch (error) {
        context.error = error;
        this.error.publish(context);
        throw error;
      } finally {
        this.end.publish(context);
      }
    });
  }

  traceCallback(work, position = -1, context = {}, self = undefined, ...values) {
    const callback = values.at(position);
    checkFunction(callback, 'callback');
    const { asyncStart, asyncEnd, error: failed } = this;
    const wrapped = function (error, result) {
      if (error) {
        context.error = error;
        failed.publish(context);
      } else context.result = result;
      asyncStart.runStores(context, () => {
        try {
          return Reflect.apply(callback, this, [error, result]);
        } finally {
          asyncEnd.publish(context);
        }
      });
    };
    values.splice(position < 0 ? values.length + position : position, 1, wrapped);
    return this.start.runStores(context, () => {
      try {
        return Reflect.apply(work, self, values);
      } catch (error) {
        context.error = error;
        failed.publish(context);
        throw error;
      } finally {
        this.end.publish(context);
      }
    });
  }
}

export const tracingChannel = (names) => new TracingChannel(names);

export default { hasSubscribers, channel, subscribe, unsubscribe, tracingChannel, Channel };
