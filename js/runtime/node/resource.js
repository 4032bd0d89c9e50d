// What runs later in the context of now.
import { context, within } from 'dotdo:context';
import { checkFunction, checkString, coded } from 'dotdo:node/errors';

export class AsyncResource {
  #frame = context.current;

  constructor(type, options) {
    checkString(type, 'type');
    if (typeof options === 'object' && options !== null && options.triggerAsyncId !== undefined && !Number.isSafeInteger(options.triggerAsyncId)) {
      throw coded(RangeError, 'ERR_INVALID_ASYNC_ID', `Invalid triggerAsyncId value: ${String(options.triggerAsyncId)}`);
    }
  }

  static bind(work, type, self) {
    checkFunction(work, 'fn');
    return new AsyncResource(type || work.name || 'bound-anonymous-fn').bind(work, self);
  }

  bind(work, self) {
    checkFunction(work, 'fn');
    const resource = this;
    const bound = function (...values) {
      return resource.runInAsyncScope(work, self === undefined ? this : self, ...values);
    };
    Object.defineProperties(bound, {
      length: { value: work.length, configurable: true, enumerable: false, writable: false },
      asyncResource: { value: resource, configurable: true, enumerable: true, writable: true },
    });
    return bound;
  }

  runInAsyncScope(work, self, ...values) {
    return within(this.#frame, work, self, values);
  }

  emitDestroy() {
    return this;
  }

  asyncId() {
    return 0;
  }

  triggerAsyncId() {
    return 0;
  }
}
