// In which context code runs: what each AsyncLocalStorage has. At the beginning of an event there is none.

/** The context is `undefined`, or a frame; `before` is called with it by what begins work that is not within a job. */
export const context = { current: undefined, before() {} };

/** What each storage has, and a function that enters it for the job that comes next. */
export class Frame {
  constructor(stores) {
    this.stores = stores;
    this.enter = () => {
      context.current = this;
    };
  }
}

/** Calls `work` in the context of `frame`. */
export function within(frame, work, self, values) {
  const before = context.current;
  context.current = frame;
  try {
    return Reflect.apply(work, self, values);
  } finally {
    context.current = before;
  }
}
