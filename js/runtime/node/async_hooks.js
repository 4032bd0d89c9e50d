// The module `node:async_hooks`: values that follow what code goes on with.
import { context, Frame, within } from 'dotdo:context';
import { AsyncResource } from 'dotdo:node/resource';
import { track } from 'dotdo:node/tracking';

/** The frame of now, with another value of a storage; without any, if `value` is not given. */
function framed(storage, ...value) {
  const stores = new Map(context.current?.stores);
  if (value.length) stores.set(storage, value[0]);
  else stores.delete(storage);
  return stores.size ? new Frame(stores) : undefined;
}

export class AsyncLocalStorage {
  #default;
  #name;

  constructor(options = {}) {
    track();
    this.#default = options?.defaultValue;
    this.#name = options?.name === undefined ? '' : String(options.name);
  }

  static bind(work) {
    return AsyncResource.bind(work);
  }

  static snapshot() {
    const frame = context.current;
    return (work, ...values) => within(frame, work, undefined, values);
  }

  get name() {
    return this.#name;
  }

  run(value, work, ...values) {
    return within(framed(this, value), work, undefined, values);
  }

  exit(work, ...values) {
    return within(framed(this), work, undefined, values);
  }

  getStore() {
    const stores = context.current?.stores;
    return stores?.has(this) ? stores.get(this) : this.#default;
  }

  enterWith() {
    throw new Error('asyncLocalStorage.enterWith() is not implemented');
  }

  disable() {
    throw new Error('asyncLocalStorage.disable() is not implemented');
  }
}

/** Nothing is told of what code begins: there is no hook to be called. */
export function createHook() {
  return {
    enable() {
      return this;
    },
    disable() {
      return this;
    },
  };
}

export const executionAsyncId = () => 0;
export const triggerAsyncId = () => 0;
export const executionAsyncResource = () => Object.create(null);

export { AsyncResource };
export const asyncWrapProviders = Object.freeze(Object.create(null));

export default { AsyncLocalStorage, AsyncResource, asyncWrapProviders, createHook, executionAsyncId, executionAsyncResource, triggerAsyncId };
