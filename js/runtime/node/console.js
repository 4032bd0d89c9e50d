// The module `node:console`.
import { coded } from 'dotdo:node/errors';
import { format, inspect } from 'node:util';

const { console } = globalThis;

/** A console that writes to streams. */
export class Console {
  #out;
  #err;
  #indentation = '';
  #counts = new Map();

  constructor(options, errors) {
    const { stdout, stderr = stdout } = typeof options?.write === 'function' ? { stdout: options, stderr: errors ?? options } : (options ?? {});
    for (const [name, stream] of [['stdout', stdout], ['stderr', stderr]]) {
      if (typeof stream?.write !== 'function') throw coded(TypeError, 'ERR_CONSOLE_WRITABLE_STREAM', `Console expects a writable stream instance for ${name}`);
    }
    [this.#out, this.#err] = [stdout, stderr];
    for (const name of Object.getOwnPropertyNames(Console.prototype)) if (name !== 'constructor') this[name] = this[name].bind(this);
  }

  #write(stream, values) {
    stream.write(`${this.#indentation}${format(...values).replaceAll('\n', `\n${this.#indentation}`)}\n`);
  }

  log(...values) {
    this.#write(this.#out, values);
  }

  info(...values) {
    this.#write(this.#out, values);
  }

  debug(...values) {
    this.#write(this.#out, values);
  }

  warn(...values) {
    this.#write(this.#err, values);
  }

  error(...values) {
    this.#write(this.#err, values);
  }

  trace(...values) {
    this.#write(this.#err, [`Trace${values.length ? `: ${format(...values)}` : ''}`]);
  }

  dir(value, options) {
    this.#write(this.#out, [inspect(value, { customInspect: false, ...options })]);
  }

  dirxml(...values) {
    this.log(...values);
  }

  table(value) {
    this.log(value);
  }

  assert(holds, ...values) {
    if (holds) return;
    if (typeof values[0] === 'string') values[0] = `Assertion failed: ${values[0]}`;
    else values.unshift('Assertion failed');
    this.warn(...values);
  }

  count(label = 'default') {
    this.#counts.set(label, (this.#counts.get(label) ?? 0) + 1);
    this.log(`${label}: ${this.#counts.get(label)}`);
  }

  countReset(label = 'default') {
    this.#counts.delete(label);
  }

  group(...values) {
    if (values.length) this.log(...values);
    this.#indentation += '  ';
  }

  groupCollapsed(...values) {
    this.group(...values);
  }

  groupEnd() {
    this.#indentation = this.#indentation.slice(2);
  }

  // The clock stands still while code runs, so there is nothing to measure.
  time() {}

  timeLog() {}

  timeEnd() {}
}

console.Console ??= Console;
export const {
  assert, count, countReset, debug, dir, error, group, groupCollapsed, groupEnd, info, log, table, time, timeEnd, timeLog, trace, warn,
} = console;
export default console;
