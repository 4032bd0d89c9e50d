// What runs later in the context of now.
import { context, within } from 'dotdo:context';

export class AsyncResource {
  #frame = context.current;

  static bind(work, type, self) {
    return new AsyncResource(type).bind(work, self);
  }

  bind(work, self) {
    if (typeof work !== 'function') throw new TypeError('expected a function to bind');
    const resource = this;
    const bound = function (...values) {
      return resource.runInAsyncScope(work, self === undefined ? this : self, ...values);
    };
    return Object.assign(bound, { asyncResource: resource });
  }

  runInAsyncScope(work, self, ...values) {
    return within(this.#frame, work, self, values);
  }

  emitDestroy() {}

  asyncId() {
    return 0;
  }

  triggerAsyncId() {
    return 0;
  }
}
