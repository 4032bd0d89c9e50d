// `performance`.
import { host } from 'dotdo:host';
import { performanceTimeline } from 'dotdo:lazy';

class Performance {
  get timeOrigin() {
    return 0;
  }

  now() {
    return host.now();
  }

  toJSON() {
    return { timeOrigin: this.timeOrigin };
  }

  get [Symbol.toStringTag]() {
    return 'Performance';
  }
}
for (const name of [
  'clearMarks', 'clearMeasures', 'clearResourceTimings', 'eventLoopUtilization', 'getEntries', 'getEntriesByName', 'getEntriesByType', 'mark', 'measure', 'timerify',
]) {
  Performance.prototype[name] = (...values) => performanceTimeline()[name](...values);
}
export const performance = new Performance();
