// What code finds in the globals. Most of it is loaded when a name of it is first used.
import { host, missing } from 'dotdo:host';
import { LAZY, logs } from 'dotdo:lazy';
import { Headers, Request, Response } from 'dotdo:web';

/** What code looks at to know where it is: on Cloudflare's interface. */
class Navigator {
  get userAgent() { return 'Cloudflare-Workers'; }
  get [Symbol.toStringTag]() { return 'Navigator'; }
}

/** The time of the event that runs: it stands still meanwhile, as on Cloudflare. */
function standDate() {
  const Real = Date;
  function Now(...parts) {
    if (!new.target) return new Real(host.now()).toString();
    return Reflect.construct(Real, parts.length ? parts : [host.now()], new.target);
  }
  Now.prototype = Real.prototype;
  Object.defineProperty(Real.prototype, 'constructor', { value: Now, writable: true, configurable: true });
  for (const [name, work] of [['now', () => host.now()], ['UTC', Real.UTC], ['parse', Real.parse]]) {
    Object.defineProperty(Now, name, { value: work, writable: true, configurable: true });
  }
  Object.defineProperty(Now, 'name', { value: 'Date' });
  Object.defineProperty(Now, 'length', { value: 7 });
  return Now;
}

function random() {
  const [high, low] = new Uint32Array(host.random(8));
  return ((high >>> 5) * 67108864 + (low >>> 6)) / 9007199254740992;
}

/** Code from texts is refused, as Cloudflare does. */
function refuseEvaluation() {
  const refuse = () => {
    throw new EvalError('Code generation from strings disallowed for this context');
  };
  for (const kind of [function () {}, async function () {}, function* () {}, async function* () {}]) {
    const prototype = Object.getPrototypeOf(kind);
    const Refusing = function () {
      refuse();
    };
    Refusing.prototype = prototype;
    Object.defineProperty(Refusing, 'name', { value: prototype.constructor.name });
    Object.defineProperty(prototype, 'constructor', { value: Refusing, configurable: true });
    if (prototype === Function.prototype) define('Function', Refusing);
  }
  define('eval', refuse);
}

function define(name, value) {
  Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });
}

const queue = globalThis.queueMicrotask;

/** An exception of what runs later is its own, as one in a timer. */
function queueMicrotask(work) {
  if (typeof work !== 'function') throw new TypeError(`expected a function to call later, got ${typeof work}`);
  queue(() => {
    try {
      work();
    } catch (error) {
      // Without memory the realm ends.
      if (error === null || error?.name === 'InternalError') throw error;
      logs().log('error')('uncaught in a microtask:', error);
    }
  });
}

const ABSENT_CLASSES = [
  'BroadcastChannel', 'EventSource', 'HTMLRewriter',
];

export function install(more) {
  for (const [name, value] of Object.entries({ ...more, Headers, Request, Response, queueMicrotask })) define(name, value);
  for (const [name, module] of LAZY) {
    Object.defineProperty(globalThis, name, {
      get() {
        define(name, module()[name]);
        return globalThis[name];
      },
      set: (value) => define(name, value),
      configurable: true,
    });
  }
  for (const name of ABSENT_CLASSES) {
    define(name, class {
      constructor() {
        missing(name);
      }
    });
    Object.defineProperty(globalThis[name], 'name', { value: name });
  }
  for (const name of ['caches']) {
    define(name, new Proxy({}, { get: (_, member) => (typeof member === 'symbol' ? undefined : missing(`${name}.${member}`)) }));
  }
  define('self', globalThis);
  define('global', globalThis);
  define('Date', standDate());
  define('navigator', new Navigator());
  define('reportError', (error) => logs().log('error')('reported:', error));
  Object.defineProperty(Math, 'random', { value: random, writable: true, configurable: true });
  refuseEvaluation();
}
