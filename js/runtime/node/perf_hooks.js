// The module `node:perf_hooks`: marks in time, which stands still while code runs.
import { host } from 'dotdo:host';
import { checkFunction, notImplemented } from 'dotdo:node/errors';

const { performance } = globalThis;
let entries = [];

export class PerformanceEntry {
  constructor(name, entryType, startTime, duration, detail) {
    for (const [field, value] of Object.entries({ name, entryType, startTime, duration })) Object.defineProperty(this, field, { value, enumerable: true });
    if (detail !== undefined) Object.defineProperty(this, 'detail', { value: detail, enumerable: true });
  }

  toJSON() {
    return { ...this };
  }
}

export class PerformanceMark extends PerformanceEntry {
  constructor(name, { startTime = host.now() - performance.timeOrigin, detail = null } = {}) {
    super(`${name}`, 'mark', startTime, 0, structuredClone(detail));
  }
}

export class PerformanceMeasure extends PerformanceEntry {}
export class PerformanceResourceTiming extends PerformanceEntry {}

function timeOf(place, otherwise) {
  if (place === undefined) return otherwise;
  if (typeof place === 'number') return place;
  const mark = entries.findLast((entry) => entry.entryType === 'mark' && entry.name === `${place}`);
  if (!mark) throw new DOMException(`The mark '${place}' does not exist.`, 'SyntaxError');
  return mark.startTime;
}

const byTime = (list) => [...list].sort((one, other) => one.startTime - other.startTime);
const cleared = (type, name) => {
  entries = entries.filter((entry) => entry.entryType !== type || (name !== undefined && entry.name !== `${name}`));
};

/** What the global `performance` does with entries. */
export const timeline = {
  mark(name, options) {
    const mark = new PerformanceMark(name, options);
    entries.push(mark);
    return mark;
  },
  measure(name, start, end) {
    const about = typeof start === 'object' && start !== null ? start : { start, end };
    const begin = about.duration !== undefined && about.start === undefined ? timeOf(about.end) - about.duration : timeOf(about.start, 0);
    const stop = about.duration !== undefined && about.start !== undefined ? begin + about.duration : timeOf(about.end, performance.now());
    const measure = new PerformanceMeasure(`${name}`, 'measure', begin, stop - begin, about.detail ?? null);
    entries.push(measure);
    return measure;
  },
  getEntries: () => byTime(entries),
  getEntriesByName: (name, type) => byTime(entries.filter((entry) => entry.name === `${name}` && (type === undefined || entry.entryType === type))),
  getEntriesByType: (type) => byTime(entries.filter((entry) => entry.entryType === type)),
  clearMarks: (name) => cleared('mark', name),
  clearMeasures: (name) => cleared('measure', name),
  clearResourceTimings() {},
  timerify,
  eventLoopUtilization,
};

export function timerify(work) {
  checkFunction(work, 'fn');
  return work;
}

export function eventLoopUtilization() {
  return { idle: 0, active: 0, utilization: 0 };
}

const absent = (name) => () => {
  throw notImplemented(name);
};
export const monitorEventLoopDelay = absent('monitorEventLoopDelay');
export const createHistogram = absent('createHistogram');

export class PerformanceObserver {
  static supportedEntryTypes = [];

  constructor() {
    absent('PerformanceObserver')();
  }
}

export class PerformanceObserverEntryList {
  constructor() {
    throw new TypeError('Illegal constructor');
  }
}

const COLLECTIONS = {
  MAJOR: 4, MINOR: 1, INCREMENTAL: 8, WEAKCB: 16, FLAGS_NO: 0, FLAGS_CONSTRUCT_RETAINED: 2, FLAGS_FORCED: 4, FLAGS_SYNCHRONOUS_PHANTOM_PROCESSING: 8,
  FLAGS_ALL_AVAILABLE_GARBAGE: 16, FLAGS_ALL_EXTERNAL_MEMORY: 32, FLAGS_SCHEDULE_IDLE: 64,
};
export const constants = Object.fromEntries(Object.entries(COLLECTIONS).map(([name, value]) => [`NODE_PERFORMANCE_GC_${name}`, value]));
export const Performance = performance.constructor;

export { performance };
export default {
  Performance, PerformanceEntry, PerformanceMark, PerformanceMeasure, PerformanceObserver, PerformanceObserverEntryList, PerformanceResourceTiming,
  monitorEventLoopDelay, createHistogram, eventLoopUtilization, timerify, performance, constants,
};
