// `console`: the log.
import { host } from 'dotdo:host';

function shown(value) {
  if (typeof value === 'string') return value;
  if (value instanceof Error) return value.stack ? `${value}\n${value.stack}` : String(value);
  try {
    return JSON.stringify(value, (_, item) => (typeof item === 'bigint' ? `${item}n` : item)) ?? String(value);
  } catch {
    return String(value);
  }
}

export const log = (level) => (...values) => host.log(level, values.map(shown).join(' ').toWellFormed());

const counted = new Map();
export const console = {
  debug: log('debug'),
  log: log('info'),
  info: log('info'),
  warn: log('warn'),
  error: log('error'),
  trace: log('debug'),
  dir: log('info'),
  table: log('info'),
  group: log('info'),
  groupCollapsed: log('info'),
  groupEnd() {},
  assert(holds, ...values) {
    if (!holds) log('error')('Assertion failed', ...values);
  },
  count(label = 'default') {
    counted.set(label, (counted.get(label) ?? 0) + 1);
    log('info')(`${label}: ${counted.get(label)}`);
  },
  countReset(label = 'default') {
    counted.delete(label);
  },
  // The clock stands still while code runs, so there is nothing to measure.
  time() {},
  timeLog() {},
  timeEnd() {},
};
